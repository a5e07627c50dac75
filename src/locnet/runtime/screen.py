"""Where progress is shown: a terminal that can move its cursor, or a log that cannot."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

log = logging.getLogger(__name__)

_WIDE = 110  # columns that the long words need


class Bar(Protocol):
    """What shows progress.

    Attributes:
        live: it moves; otherwise it only takes lines.
        wide: there is room for long words.
    """

    live: bool
    wide: bool

    def begin(self, title: str, total: int | None) -> None:
        """Start from zero."""

    def move(self, done: int, text: str) -> None:
        """Show how much is done."""

    def say(self, line: str) -> None:
        """A line that stays."""

    def close(self) -> None:
        """Leave nothing but the lines."""


def open_screen() -> Bar:
    """A live bar on a terminal that a person looks at, lines elsewhere (pipes, files, SLURM, `TERM=dumb`)."""
    return LiveBar() if is_live() else Lines()


def is_live(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether stderr is a terminal that can show a bar; the output of a SLURM job is read later."""
    dumb = environment.get("TERM", "") in ("dumb", "unknown", "")
    return sys.stderr.isatty() and not dumb and "SLURM_JOB_ID" not in environment


class Lines:
    """Lines by the log, which the run directory keeps too."""

    live = False
    wide = True

    def begin(self, title: str, total: int | None) -> None:
        """Nothing to show yet."""

    def move(self, done: int, text: str) -> None:
        """Nothing moves."""

    def say(self, line: str) -> None:
        """Log it."""
        log.info("%s", line)

    def close(self) -> None:
        """Nothing to clear."""


class LiveBar:
    """rich's bar on stderr; honours NO_COLOR. Log lines come out above it."""

    live = True

    def __init__(self) -> None:
        """Take the terminal over."""
        console = Console(stderr=True)
        self.wide = console.width >= _WIDE
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20 if self.wide else 8),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self._progress = Progress(*columns, console=console, transient=True)
        self._task: TaskID | None = None
        original = sys.stderr
        self._progress.start()
        # rich has put something in the place of sys.stderr that prints above the bar; the log's handlers hold the old
        handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)]
        self._moved = [handler for handler in handlers if handler.stream is original]
        self._original = original
        for handler in self._moved:
            handler.setStream(sys.stderr)

    def begin(self, title: str, total: int | None) -> None:
        """Start from zero."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=total, text="")

    def move(self, done: int, text: str) -> None:
        """Show how much is done."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, text=text)

    def say(self, line: str) -> None:
        """Log it, above the bar."""
        log.info("%s", line)

    def close(self) -> None:
        """Give the terminal back."""
        self._progress.stop()
        for handler in self._moved:
            handler.setStream(self._original)
        self._moved = []
