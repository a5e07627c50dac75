"""Tiny ImageNet: `train/WNID/WNID_boxes.txt` and `val/val_annotations.txt`, pixels from 0, both ends inside the box."""

from __future__ import annotations

from pathlib import Path

from locnet.config.schema import TinyImagenetSettings
from locnet.data.labels.tables import Labels, LabelsBuilder
from locnet.data.readers.numbers import number
from locnet.data.readers.text import read_text
from locnet.errors import DataError

VAL = "val/val_annotations.txt"


def read_tiny_imagenet(settings: TinyImagenetSettings) -> Labels:
    """Read `train` and `val`; the images of `test` have no labels.

    Raises:
        DataError: neither is there, or a label file cannot be read; single rows become defects.
    """
    root = Path(settings.root).expanduser()
    builder = LabelsBuilder(root)
    boxes = sorted((root / "train").glob("*/*_boxes.txt"))
    for path in boxes:
        wnid = path.parent.name
        _read_one(builder, path, "train", f"train/{wnid}/images", wnid)
    if (root / VAL).is_file():
        _read_one(builder, root / VAL, "val", "val/images", None)
    elif not boxes:
        raise DataError(f"{root}: neither train/*/*_boxes.txt nor {VAL} is there; it is no Tiny ImageNet")
    return builder.build(box_origin=settings.box_origin)


def _read_one(builder: LabelsBuilder, path: Path, split: str, folder: str, wnid: str | None) -> None:
    """One label file; its rows name the class unless `wnid` does."""
    source, cells_of_row = str(path), 5 if wnid else 6
    seen: dict[str, int] = {}
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        if not text.strip():
            continue
        cells = [cell.strip() for cell in text.split("\t")]
        where = {"source": source, "line": line}
        if len(cells) != cells_of_row:
            words = f"{len(cells)} cells where {cells_of_row} should be, divided by tabs"
            builder.defect("wrong_cells", words, value=text[:200], **where)  # type: ignore[arg-type]
            continue
        file, name = f"{folder}/{cells[0]}", wnid or cells[1]
        if not cells[0] or not name:
            kind = "empty_class" if cells[0] else "empty_filename"
            builder.defect(kind, "file name or class is empty", file=file if cells[0] else "", **where)  # type: ignore[arg-type]
            continue
        numbers = [number(cell) for cell in cells[-4:]]
        wrong = next((cell for cell, found in zip(cells[-4:], numbers, strict=True) if not found.finite), None)
        if wrong is not None:
            builder.defect("not_a_number", f"{wrong} is not a number", file=file, value=wrong, **where)  # type: ignore[arg-type]
            continue
        if file not in seen:
            seen[file] = builder.add_image(file, split=split, source=source, line=line)
        builder.add_object(seen[file], name, [found.value for found in numbers], line=line)
