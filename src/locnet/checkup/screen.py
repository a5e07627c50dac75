"""What the doctor says on one screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from locnet.checkup.suspects import Suspect
from locnet.data.labels.assemble import Reading
from locnet.data.labels.defects import KINDS
from locnet.data.labels.summary import summary_lines
from locnet.data.records import SPLITS

_MOST_CLASSES, _MOST_SUSPECTS = 12, 5


def print_screen(reading: Reading, root: str, suspects: Sequence[Suspect] | None) -> None:
    """Print the summary to stdout."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(Text(root, style="bold"))
    for heading, text in summary_lines(reading):
        console.print(Text(f"{heading:8} {text}"))
    console.print(_classes(reading))
    if reading.records.has_boxes and (reading.records.labels >= 0).any():
        console.print(Text(f"{'boxes':8} {_boxes(reading)}"))
    counts = Counter(defect.kind for defect in reading.defects)
    if counts:
        for line in _defects(reading, counts):
            console.print(Text(line))
    for suspect in (suspects or ())[:_MOST_SUSPECTS]:
        file = reading.records.files[suspect.row]
        words = (
            f"suspect  {file}: labelled {suspect.label}, the model says {suspect.verdict} ({suspect.confidence:.2f})"
        )
        console.print(Text(f"{words}: {suspect.words}"))
    if suspects is not None:
        console.print(Text(f"suspect  {len(suspects)} labels that the model contradicts with confidence"))
    if not any(defect.action != "noted" for defect in reading.defects):
        console.print(Text("clean    nothing to repair", style="green"))


def _classes(reading: Reading) -> Table:
    counts = reading.records.counts()
    table = Table("class", *SPLITS, box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    names = sorted(counts["train"], key=lambda name: -sum(counts[split][name] for split in SPLITS))
    for name in names[:_MOST_CLASSES]:
        table.add_row(Text(name), *(f"{counts[split][name]:,}" for split in SPLITS))
    rest = names[_MOST_CLASSES:]
    if rest:
        sums = (sum(counts[split][name] for name in rest) for split in SPLITS)
        table.add_row(Text(f"{len(rest)} more"), *(f"{total:,}" for total in sums))
    return table


def _boxes(reading: Reading) -> str:
    records = reading.records
    boxes = records.boxes[records.labels >= 0]
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    low, middle, high = np.percentile(areas, (5, 50, 95))
    return f"median {middle:.1%} of the image (5 % below {low:.1%}, 5 % above {high:.1%})"


def _defects(reading: Reading, counts: Counter[str]) -> Iterator[str]:
    """A line for each kind of defect, with the first of them."""
    root = str(reading.records.root)
    first = {defect.kind: defect for defect in reversed(reading.defects)}
    for kind, count in counts.most_common():
        example = first[kind].message.replace(f"{root}/", "").removeprefix(f"{root}: ")
        yield f"{count:8,} {KINDS[kind].words} ({KINDS[kind].action}), such as {example}"
