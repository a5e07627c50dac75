"""The comparison on one screen."""

from __future__ import annotations

import sys

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from locnet.comparison.numbers import PER_CLASS, Comparison, beyond_luck
from locnet.config.messages import shown
from locnet.page.parts import printable
from locnet.report.intervals import Interval
from locnet.report.scores import SCORE_TITLES
from locnet.report.table import WIDTH

_MOST_SETTINGS, _MOST_CLASSES = 12, 12


def print_comparison(c: Comparison) -> None:
    """Print it to stdout; plain text unless that is a terminal."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    images = len(c.tables[0])
    console.print(Text(f"{images:,} images, 95 % intervals in brackets; * is beyond luck", style="bold"))
    if c.note:
        console.print(Text(c.note))
    console.print(_scores(c))
    for name, against in zip(c.names[1:], c.against, strict=True):
        gained, lost = len(against.gained), len(against.lost)
        console.print(Text(f"{name} beside {c.names[0]}: {gained} images gained, {lost} lost"))
        table = _table("class", *(SCORE_TITLES[key] for key in PER_CLASS))
        for label, found in list(against.classes.items())[:_MOST_CLASSES]:
            cells = (_difference(found.get(key)) for key in PER_CLASS)
            table.add_row(Text(printable(label)), *cells)
        console.print(table)
    for key, values in list(c.settings.items())[:_MOST_SETTINGS]:
        console.print(Text(f"{key}: {' | '.join(shown(value) for value in values)}"))
    if len(c.settings) > _MOST_SETTINGS:
        console.print(Text(f"and {len(c.settings) - _MOST_SETTINGS} more settings that differ"))


def _scores(c: Comparison) -> Table:
    table = _table("", *c.names, *(f"{name} - {c.names[0]}" for name in c.names[1:]))
    for key, title in SCORE_TITLES.items():
        if any(key in scores for scores in c.scores):
            values = [_value(scores.get(key)) for scores in c.scores]
            table.add_row(Text(title), *values, *(_difference(against.scores.get(key)) for against in c.against))
    return table


def _table(first: str, *rest: str) -> Table:
    table = Table(box=box.ASCII2 if not sys.stdout.isatty() else box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column(first, no_wrap=True)
    for name in rest:
        table.add_column(Text(printable(name)), justify="right")
    return table


def _value(found: Interval | None) -> Text:
    return Text("-") if found is None else Text(f"{found.value:.3f} [{found.low:.2f}, {found.high:.2f}]")


def _difference(found: Interval | None) -> Text:
    if found is None:
        return Text("-")
    star = "*" if beyond_luck(found) else " "
    style = "" if star == " " else "green" if found.value > 0 else "red"
    return Text(f"{found.value:+.3f} [{found.low:+.2f}, {found.high:+.2f}]{star}", style=style)
