"""CUB-200-2011: numbered lists `images.txt`, `bounding_boxes.txt`, `image_class_labels.txt`, `train_test_split.txt`."""

from __future__ import annotations

from pathlib import Path

from locnet.config.schema import CubSettings
from locnet.data.labels.tables import Labels, LabelsBuilder
from locnet.data.readers.numbers import number
from locnet.data.readers.text import read_text
from locnet.errors import DataError

LISTS = ("images.txt", "bounding_boxes.txt", "image_class_labels.txt", "classes.txt")
_SPLIT = "train_test_split.txt"


def read_cub(settings: CubSettings) -> Labels:
    """Read the lists; boxes are left, top, width and height in pixels.

    Raises:
        DataError: a list is missing or cannot be read; single rows become defects.
    """
    root = Path(settings.root).expanduser()
    missing = next((name for name in LISTS if not (root / name).is_file()), None)
    if missing:
        raise DataError(f"{root}: {missing} is missing; it is no CUB-200-2011")
    builder = LabelsBuilder(root)
    names = {key: text for key, (text, _) in _read(builder, root / "classes.txt").items()}
    boxes, classes = _read(builder, root / "bounding_boxes.txt"), _read(builder, root / "image_class_labels.txt")
    splits = _read(builder, root / _SPLIT) if (root / _SPLIT).is_file() else {}
    for key, (path, listed) in _read(builder, root / "images.txt").items():
        file = f"images/{path}"
        split = {"1": "train", "0": "test"}.get(splits.get(key, ("", 0))[0], "")
        source, line = str(root / "bounding_boxes.txt"), boxes.get(key, ("", 0))[1]
        if splits and not split:
            words = f"image {key} is neither 1 (train) nor 0 (test) in {_SPLIT}"
            builder.defect("unknown_split", words, file=file, source=str(root / "images.txt"), line=listed)
            continue
        name = names.get(classes.get(key, ("", 0))[0], "")
        if not name:
            words = f"image {key} has no class that classes.txt names"
            builder.defect("unknown_class", words, file=file, source=str(root / "images.txt"), line=listed)
            continue
        numbers = [number(cell) for cell in boxes.get(key, ("", 0))[0].split()]
        if len(numbers) != 4 or not all(found.finite for found in numbers):
            kind = "not_a_number" if len(numbers) == 4 else "no_box"
            builder.defect(kind, f"image {key} has no box of 4 numbers", file=file, source=source, line=line)
            continue
        row = builder.add_image(file, split=split, source=source, line=line)
        builder.add_object(row, name, [found.value for found in numbers], line=line)
    return builder.build(form="xywh")


def _read(builder: LabelsBuilder, path: Path) -> dict[str, tuple[str, int]]:
    """Rest of the line and its number, by what it begins with."""
    rows: dict[str, tuple[str, int]] = {}
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        key, _, rest = text.strip().partition(" ")
        if not key:
            continue
        if key in rows or not rest.strip():
            words = "the number stands there twice" if key in rows else "a number alone"
            builder.defect("wrong_cells", words, source=str(path), line=line, value=text[:200])
            continue
        rows[key] = (rest.strip(), line)
    return rows
