"""Progress of long preparations: a bar in a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")

_PLAIN_STEPS = 5  # lines of progress where there is no terminal


def with_progress(items: Iterable[T], total: int, title: str, note: str = "") -> Iterator[T]:
    """The same items; says on stderr how many have come by.

    Args:
        items: to pass on.
        total: how many there will be.
        title: what is being done.
        note: added to the first plain line.
    """
    if not sys.stderr.isatty():
        steps = {total * step // _PLAIN_STEPS for step in range(1, _PLAIN_STEPS + 1)}
        sys.stderr.write(f"{title}{note and f' ({note})'}\n")
        for done, item in enumerate(items, start=1):
            yield item
            if done in steps:
                sys.stderr.write(f"{title}: {done}/{total}\n")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield from progress.track(items, total=total, description=title)
