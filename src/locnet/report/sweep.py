"""All jobs of a sweep side by side: the table in the terminal and the rows of sweep.csv."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table

from locnet.report.scores import SCORE_TITLES
from locnet.report.style import shorten

_SHOWN_METRICS = ("test/iou", "test/top1_loc", "test/accuracy")
_SHOWN_ROWS = 40
_WIDTH = 160  # of a log


@dataclass(frozen=True)
class SweepRow:
    """One job.

    Attributes:
        number: among the jobs.
        status: `done`, `failed` and so on.
        settings: what was swept, by key.
        score: what the sweep optimises; None where there is none.
        metrics: by log name, of `val` and `test`.
        seconds: that it took.
        error: why it failed.
        run_dir: relative to the sweep's directory.
    """

    number: int
    status: str
    settings: Mapping[str, str]
    score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    error: str | None = None
    run_dir: str = ""


def varied(rows: Sequence[SweepRow]) -> list[str]:
    """The keys that were swept, in the order in which they first appear."""
    return list(dict.fromkeys(key for row in rows for key in row.settings))


def best_first(rows: Sequence[SweepRow], mode: str = "max") -> list[SweepRow]:
    """The rows by score, those without one last; equals stay in their order.

    Args:
        rows: of a sweep.
        mode: `max` or `min`: which score is the best.
    """
    sign = -1 if mode == "max" else 1
    return sorted(rows, key=lambda row: math.inf if _missing(row.score) else sign * float(row.score or 0))


def write_csv(path: Path, rows: Sequence[SweepRow]) -> Path:
    """Write one line a job: number, status, the swept settings, score, all metrics, seconds, directory, error.

    Returns:
        `path`.
    """
    keys, metrics = varied(rows), sorted({name for row in rows for name in row.metrics})
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["job", "status", *keys, "score", *metrics, "seconds", "run_dir", "error"])
        for row in sorted(rows, key=lambda row: row.number):
            swept = [row.settings.get(key, "") for key in keys]
            values = [row.metrics.get(name, "") for name in metrics]
            last = [_blank(row.seconds), row.run_dir, row.error or ""]
            table.writerow([row.number, row.status, *swept, _blank(row.score), *values, *last])
    return path


def print_sweep(
    rows: Sequence[SweepRow], *, score: str = "score", mode: str = "max", file: TextIO | None = None
) -> None:
    """Print the jobs, best first; plain text unless `file` is a terminal.

    Args:
        rows: of a sweep.
        score: what the score is called.
        mode: `max` or `min`: which score is the best.
        file: where to; standard output by default.
    """
    file = sys.stdout if file is None else file
    console = Console(file=file, highlight=False, width=None if file.isatty() else _WIDTH)
    keys = varied(rows)
    metrics = [name for name in _SHOWN_METRICS if any(name in row.metrics for row in rows)]
    table = Table(box=box.SIMPLE_HEAD if file.isatty() else box.ASCII2, pad_edge=False)
    titles = [f"test\n{SCORE_TITLES[name.partition('/')[2]]}" for name in metrics]
    for title in ["job", *(key.replace(".", ".\n") for key in keys), score, *titles]:
        table.add_column(title, justify="left" if "." in title or title in keys else "right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for row in best_first(rows, mode)[:_SHOWN_ROWS]:
        swept = [short(row.settings.get(key, "")) for key in keys]
        values = [_shown(row.metrics.get(name)) for name in metrics]
        table.add_row(str(row.number), *swept, _shown(row.score), *values, row.status)
    console.print(table, markup=False)
    if len(rows) > _SHOWN_ROWS:
        console.print(f"the best {_SHOWN_ROWS} of {len(rows)} jobs; all of them are in sweep.csv")


def short(value: str) -> str:
    """A setting as a column shows it: numbers with four digits."""
    try:
        number = float(value)
    except ValueError:
        return shorten(value, 30)
    return value if len(value) <= 6 else f"{number:.3g}"


def _missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def _blank(value: float | None) -> float | str:
    return "" if value is None else value


def _shown(value: float | None) -> str:
    return "-" if value is None or _missing(value) else f"{value:.3f}"
