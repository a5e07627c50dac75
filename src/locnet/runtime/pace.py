"""How far a long run is, how fast, and how long it will take: a bar in a terminal, a line a minute elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from locnet.runtime.screen import is_live

log = logging.getLogger(__name__)

_LINE_SECONDS = 60.0


class Pace:
    """Counts images; the total is found out in the background, while the first ones are worked on."""

    def __init__(self, title: str, count: Callable[[], int] | None) -> None:
        """Begin.

        Args:
            title: what is being done, one word.
            count: gives the total; None where it is not known.
        """
        self._title, self._count = title, count
        self._done = self._before = 0
        self._total: int | None = None
        self._begun = self._said = time.monotonic()
        self._bar = Progress(
            *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn()),
            console=Console(stderr=True),
            transient=True,
            disable=not is_live(),
            speed_estimate_period=120,
        )
        self._task = self._bar.add_task(title, total=None)

    def __enter__(self) -> Pace:
        self._bar.start()
        if self._count is not None:
            threading.Thread(target=self._find_total, args=(self._count,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, images: int, *, before: bool = False) -> None:
        """Some more are done; `before` this run, or just now."""
        self._done += images
        self._before += images if before else 0
        self._bar.update(self._task, completed=self._done, total=self._total)
        now = time.monotonic()
        if self._bar.disable and now - self._said >= _LINE_SECONDS:
            self._said = now
            log.info("%s", self.line(now - self._begun))

    def line(self, seconds: float) -> str:
        """The state as text, `seconds` after the beginning."""
        speed = (self._done - self._before) / seconds
        of, left = "", ""
        if self._total is not None and self._done <= self._total:  # the frames of videos are not counted beforehand
            of = f" of {self._total:,}"
            if speed:
                left = f", {timedelta(seconds=round(max(self._total - self._done, 0) / speed))} left"
        return f"{self._title:<14} {self._done:,}{of} images, {speed:,.1f}/s{left}"

    def _find_total(self, count: Callable[[], int]) -> None:
        self._total = count()


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.1f}/s" if task.speed else "")
