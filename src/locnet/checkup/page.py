"""`report.html`: one file that shows a data set, its pictures inside, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locnet import __version__
from locnet.checkup.statistics import Statistics, statistics
from locnet.checkup.suspects import Suspect
from locnet.data.labels.assemble import Reading
from locnet.data.labels.classes import BACKGROUND
from locnet.data.labels.defects import KINDS, Defect
from locnet.data.labels.summary import summary_lines
from locnet.data.records import SPLITS, Records
from locnet.page.document import document
from locnet.page.parts import Html, bars, card, heat_map, printable, table
from locnet.page.pictures import picture

_PER_CLASS, _PER_KIND, _MOST_CLASSES, _MOST_SUSPECTS = 12, 24, 40, 60
_MOST_GROUPS, _PER_GROUP = 12, 6
_OF_TWO_IMAGES = ("duplicate_across_splits", "near_duplicate_across_splits", "contradicting_labels")


def write_page(
    path: Path,
    reading: Reading,
    root: str,
    groups: Sequence[NDArray[np.int64]],
    suspects: Sequence[Suspect] | None,
) -> None:
    """Write the page.

    Args:
        path: of the file.
        reading: of the labels, with the facts of all images.
        root: of the data set, as the user wrote it.
        groups: rows that look the same and are of one split, the largest group first.
        suspects: labels that a model contradicts; None where none was asked.
    """
    numbers = statistics(reading)
    parts = [
        _summary(reading),
        _classes(reading.records),
        _boxes(numbers) if reading.records.has_boxes else "",
        _images(numbers),
        _suspects(reading.records, suspects) if suspects is not None else "",
        _defects(reading),
        _near_duplicates(reading.records, groups),
        _contact_sheets(reading.records),
    ]
    where = f"locnet {__version__} doctor"
    path.write_text(document(f"locnet doctor: {root}", parts, heading=root, where=where), "utf-8")


def _summary(reading: Reading) -> str:
    rows = [(heading, printable(text)) for heading, text in summary_lines(reading, "defects.jsonl")]
    return f"<h2>Summary</h2>{table(('', ''), rows)}"


def _classes(records: Records) -> str:
    counts = records.counts()
    names = (*records.classes, "background")
    sums = {name: sum(counts[split][name] for split in SPLITS) for name in names}
    rows = [
        (name, *(counts[split][name] for split in SPLITS), sums[name]) for name in sorted(names, key=lambda n: -sums[n])
    ]
    total = ("all", *(sum(counts[split].values()) for split in SPLITS), len(records))
    unused = [name for name in records.classes if not sums[name]]
    rest = f"<p>{len(unused)} classes are no image's object: {escape(', '.join(unused))}</p>" if unused else ""
    shown = [row for row in rows if sums[str(row[0])]]
    return f"<h2>Classes</h2>{table(('class', *SPLITS, 'all'), [*shown, total])}{rest}"


def _boxes(numbers: Statistics) -> str:
    maps = (
        heat_map(numbers.centres, "Midpoints", "x, 0 to 1", "y, 0 to 1"),
        heat_map(numbers.coverage, "Places that boxes cover", "x, 0 to 1", "y, 0 to 1"),
        heat_map(numbers.shapes, "Width and height", "box width, 0 to 1 of the image", "box height, 1 to 0"),
    )
    areas = [(f"{tenth * 10} to {tenth * 10 + 10} %", int(count)) for tenth, count in enumerate(numbers.areas)]
    return (
        f"<h2>Boxes</h2><div class=row>{''.join(maps)}</div><div class=row>"
        f"<div><h3>Share of the image</h3>{bars(areas)}</div>"
        f"<div><h3>Width / height</h3>{bars(numbers.ratios)}</div></div>"
    )


def _images(numbers: Statistics) -> str:
    return (
        f"<h2>Images</h2><div class=row><div><h3>Width x height (the commonest)</h3>{bars(numbers.sizes)}</div>"
        f"<div><h3>Mode</h3>{bars(numbers.modes)}<p>{numbers.bytes_total / 1e6:,.1f} MB of image files</p></div></div>"
    )


def _suspects(records: Records, suspects: Sequence[Suspect]) -> str:
    if not suspects:
        return "<h2>Suspect labels</h2><p>The model contradicts no label with confidence.</p>"
    cards = [
        card(
            picture(records.path(s.row), records.boxes[s.row], s.box),
            records.files[s.row],
            (records.files[s.row], f"label: {s.label}", f"model: {s.verdict} {s.confidence:.2f}", s.words),
        )
        for s in suspects[:_MOST_SUSPECTS]
    ]
    words = f"{len(suspects)} labels that the model contradicts with confidence: the label blue, the model orange."
    return f"<h2>Suspect labels</h2><p>{words}</p><div class=cards>{''.join(cards)}</div>"


def _defects(reading: Reading) -> str:
    """Defects by kind, what is left out first; near-duplicates of one split have a place of their own."""
    found_here = [defect for defect in reading.defects if defect.kind != "near_duplicate_in_split"]
    if not found_here:
        return "<h2>Defects</h2><p>None.</p>"
    order = {action: rank for rank, action in enumerate(("left out", "repaired", "reported", "noted"))}
    ranked = sorted(found_here, key=lambda defect: (order[defect.action], defect.kind))
    rows = {file: row for row, file in enumerate(reading.records.files)}
    parts = ["<h2>Defects</h2>"]
    for kind, group in groupby(ranked, key=lambda defect: defect.kind):
        found, rule = list(group), KINDS[kind]
        parts.append(
            f"<h3>{escape(rule.words)}: {len(found):,} <span class={rule.action.split()[0]}>{rule.action}</span></h3>"
            f"<div class=rule>{escape(rule.rule)}</div><div class=cards>"
        )
        parts += [_defect(reading, defect, rows) for defect in found[:_PER_KIND]]
        rest = len(found) - _PER_KIND
        parts.append(f"</div>{f'<p>and {rest:,} more in defects.jsonl</p>' if rest > 0 else ''}")
    return "".join(parts)


def _defect(reading: Reading, defect: Defect, rows: dict[str, int]) -> str:
    records = reading.records
    row = rows.get(defect.file)
    box = records.boxes[row] if row is not None and records.has_boxes else None
    image = picture(records.root / defect.file, box) if defect.file else None
    twin = rows.get(defect.value) if defect.kind in _OF_TWO_IMAGES else None
    second = (
        "" if twin is None else card(picture(records.path(twin), records.boxes[twin]), defect.value, (defect.value,))
    )
    message = defect.message.replace(f"{records.root}/", "").removeprefix(f"{records.root}: ")
    lines = (defect.file, message)
    return second + card(image, defect.message, lines)


def _near_duplicates(records: Records, groups: Sequence[NDArray[np.int64]]) -> str:
    """How many pictures a split has more than once, and some of them."""
    heading = "<h2>Near-duplicates within a split</h2>"
    if not groups:
        return f"{heading}<p>No picture looks like another one of its split.</p>"
    lines = []
    for split in SPLITS:
        sizes = [len(group) for group in groups if records.splits[group[0]] == split]
        images = int((records.splits == split).sum())
        if sizes:
            alike = sum(sizes)
            lines.append((split, images, alike, Html(f"{alike / images:.1%}"), len(sizes), max(sizes)))
    header = ("split", "images", "alike", "share", "groups", "largest group")
    words = (
        "Bursts, copies, one file under two names. Nothing is wrong with that, but what is there often counts often, "
        "and scores of val and test are less sure than their number of images says. Give a burst one key "
        "(data.split.group), so that it stays in one split. All are in defects.jsonl."
    )
    parts = [f"{heading}<p>{words}</p>", table(header, lines, numbers=True)]
    for group in groups[:_MOST_GROUPS]:
        cards = "".join(_example(records, int(row)) for row in _spread(group, _PER_GROUP))
        parts.append(f"<h3>{records.splits[group[0]]}: {len(group):,} alike</h3><div class=cards>{cards}</div>")
    rest = len(groups) - _MOST_GROUPS
    return "".join(parts) + (f"<p>and {rest:,} more groups</p>" if rest > 0 else "")


def _contact_sheets(records: Records) -> str:
    parts = ["<h2>Contact sheets</h2>"]
    names = dict(enumerate(records.classes)) | {-1: "background"}
    for label in sorted(names, key=lambda label: -int((records.labels == label).sum()))[:_MOST_CLASSES]:
        rows = np.flatnonzero(records.labels == label)
        if len(rows):
            cards = "".join(_example(records, int(row)) for row in _spread(rows, _PER_CLASS))
            parts.append(f"<h3>{escape(names[label])}: {len(rows):,}</h3><div class=cards>{cards}</div>")
    if len(names) > _MOST_CLASSES:
        parts.append(f"<p>and {len(names) - _MOST_CLASSES} smaller classes</p>")
    return "".join(parts)


def _example(records: Records, row: int) -> str:
    """A picture with its label."""
    image = picture(records.path(row), records.boxes[row] if records.has_boxes else None)
    where = records.origin.where(row).replace(f"{records.root}/", "") if records.origin else ""
    name = (*records.classes, BACKGROUND)[records.labels[row]]  # the label of background is -1
    return card(image, records.files[row], (records.files[row], f"{name}, {records.splits[row]}, {where}"))


def _spread(rows: NDArray[np.int64], most: int) -> Iterator[int]:
    """A few of the rows, evenly over all of them."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(np.int64))
    return iter(rows[places].tolist())
