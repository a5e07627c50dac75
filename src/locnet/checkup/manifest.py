"""The usable labels as a manifest that `data=csv` reads: what is left when everything doubtful is gone."""

from __future__ import annotations

import csv
from pathlib import Path

from locnet.data.records import Records

_HEADER = ("filename", "split", "class", "xmin", "ymin", "xmax", "ymax", "width", "height")


def write_manifest(path: Path, records: Records) -> None:
    """Write one row an image; boxes in pixels of the upright image, file names relative to the data's root."""
    extra = [name for name in records.extra if name not in _HEADER]
    columns = [records.extra[name].tolist() for name in extra]
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*_HEADER, *extra))
        for row, name in enumerate(records.files):
            height, width = (int(side) for side in records.sizes[row])
            label = int(records.labels[row])
            edges = [""] * 4
            if label >= 0:
                pixels = records.boxes[row] * (width, height, width, height)
                edges = [f"{round(float(edge), 4):.10g}" for edge in pixels]
            said = records.classes[label] if label >= 0 else "background"
            more = (column[row] for column in columns)
            writer.writerow((name, records.splits[row], said, *edges, width, height, *more))
