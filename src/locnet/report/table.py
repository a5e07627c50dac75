"""The final table: the model beside the baselines, then class by class."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from locnet.predictions import Predictions
from locnet.report.scores import SCORE_TITLES, scores, scores_per_class

WIDTH = 100
"""Columns of a terminal that the tables are made for; also their width where the output is not a terminal."""

_ROW_TITLES = {"mean_box": "mean box", "centre_box": "centre box", "majority": "majority"}
_CLASS_SCORES = ("iou", "gt_known_loc", "top1_loc", "class_accuracy")
_MAX_CLASSES = 40
_DASH = "\u2013"


def report(
    p: Predictions,
    baselines: Mapping[str, Mapping[str, float]],
    *,
    split: str = "test",
    plain: bool = False,
    encoding: str = "utf-8",
) -> RenderableType:
    """Both tables of a split.

    Args:
        p: truth and answer of the model.
        baselines: scores by baseline, as from `locnet.report.baselines.baselines`.
        split: name of the split, for the title.
        plain: without colour and with ASCII lines, for logs and files.
        encoding: what the output can hold; other characters of class names become `?`.

    Returns:
        Something that a rich console can print, 100 columns wide at most.
    """
    writer = _Writer(plain, encoding)
    lines: list[RenderableType] = [
        Text(title(p, split), style="bold"),
        writer.text("below the model: one answer for all images; majority with the mean box", "dim"),
        _overview(p, baselines, writer),
    ]
    if p.classes and len(p):
        lines += ["", Text(f"{split} split, by true class", style="bold"), *_by_class(p, writer)]
    return Group(*lines)


def title(p: Predictions, split: str) -> str:
    """One line: the split, the number of images, how many have an object, and the threshold of p_c."""
    images = f"{len(p)} image{'' if len(p) == 1 else 's'}"
    objects = int(p.has_object.sum())
    return f"{split} split: {images}, {objects} with an object; verdict background where p_c < {p.threshold:g}"


def print_report(
    p: Predictions,
    baselines: Mapping[str, Mapping[str, float]],
    *,
    split: str = "test",
    file: TextIO | None = None,
) -> None:
    """Print both tables; plain text unless `file` is a terminal. `NO_COLOR` in the environment is honoured.

    Args:
        p: truth and answer of the model.
        baselines: scores by baseline, as from `locnet.report.baselines.baselines`.
        split: name of the split, for the title.
        file: where to; standard output by default.
    """
    file = sys.stdout if file is None else file
    console = Console(file=file, highlight=False, soft_wrap=False)
    plain = not console.is_terminal
    if plain:
        console = Console(file=file, width=WIDTH, color_system=None, highlight=False)
    console.print(report(p, baselines, split=split, plain=plain, encoding=console.encoding))


class _Writer:
    """Cells as text that the output can hold."""

    def __init__(self, plain: bool, encoding: str) -> None:
        self.plain = plain
        self.encoding = encoding
        self.missing = _DASH if self.fit(_DASH) == _DASH else "-"

    def fit(self, text: str) -> str:
        """The text in one line, without what the output's encoding cannot hold."""
        return " ".join(text.encode(self.encoding, "replace").decode(self.encoding).split())

    def text(self, text: str, style: str = "") -> Text:
        return Text(self.fit(text), style="" if self.plain else style)

    def numbers(self, values: Mapping[str, float], keys: Sequence[str], style: str = "") -> list[Text]:
        return [self.text(f"{values[key]:.3f}" if key in values else self.missing, style) for key in keys]

    def table(self, first: str, *numbers: str) -> Table:
        """An empty table with a column of names and columns of numbers."""
        # The padding makes it narrow enough for a terminal of 80 columns.
        table = Table(box=box.ASCII2) if self.plain else Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
        table.add_column(first, overflow="ellipsis", no_wrap=True, max_width=30, vertical="bottom")
        for heading in numbers:
            table.add_column(heading, justify="right", vertical="bottom")
        return table


def _overview(p: Predictions, baselines: Mapping[str, Mapping[str, float]], writer: _Writer) -> Table:
    table = writer.table("", *(_two_lines(heading) for heading in SCORE_TITLES.values()))
    keys = tuple(SCORE_TITLES)
    table.add_row(writer.text("model", "bold"), *writer.numbers(scores(p), keys, "bold"))
    for name, values in baselines.items():
        table.add_row(writer.text(_ROW_TITLES.get(name, name)), *writer.numbers(values, keys))
    return table


def _by_class(p: Predictions, writer: _Writer) -> list[RenderableType]:
    per_class = scores_per_class(p)
    names = list(per_class)
    notes: list[RenderableType] = []
    if len(names) > _MAX_CLASSES:
        names.sort(key=lambda name: per_class[name].get("accuracy", 1.0))
        notes.append(writer.text(f"the {_MAX_CLASSES} of {len(names)} rows with the lowest accuracy"))
        names = names[:_MAX_CLASSES]
    keys = (*_CLASS_SCORES, "accuracy")
    table = writer.table("class", "images", *(_two_lines(SCORE_TITLES[key]) for key in keys))
    for name in names:
        row = per_class[name]
        table.add_row(writer.text(name), writer.text(f"{row['images']:.0f}"), *writer.numbers(row, keys))
    return [*notes, table]


def _two_lines(heading: str) -> str:
    return {"MaxBoxAccV2": "MaxBox\nAccV2"}.get(heading, heading.replace(" ", "\n"))
