"""The manifest: one CSV row an image, boxes in pixels of the upright image (right and bottom exclusive).

    filename,split,class,xmin,ymin,xmax,ymax,width,height
    a.jpg,train,car,12,40,96,120,256,192
    b.jpg,train,background,,,,,256,192

`split` may be left out (then a stable hash of the name decides), `width` and `height` too (then each image's
header is read). Images lie in `images/` beside the file, or beside the file itself.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from locnet.config.messages import suggest
from locnet.data.images import image_size
from locnet.data.records import SPLITS, Records
from locnet.data.splits import hash_split
from locnet.errors import DataError

BACKGROUND = "background"
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_NEEDED = ("filename", "class", *_EDGES)


@dataclass(frozen=True)
class _Row:
    line: int
    file: str
    split: str
    name: str
    box: tuple[float, float, float, float]
    size: tuple[int, int]


def read_csv(
    root: Path,
    *,
    annotations: str = "annotations.csv",
    classes: Sequence[str] | None = None,
    val: float = 0.15,
    test: float = 0.15,
    split_seed: int = 0,
) -> Records:
    """Read a manifest folder.

    Args:
        root: the folder.
        annotations: name of the CSV file in it.
        classes: class names in the order of the class scores; None takes those of the file, sorted.
        val: share of val where the file has no split column.
        test: share of test, likewise.
        split_seed: seed of that split.

    Raises:
        DataError: the file or a row of it cannot be used; names file, line, value and the way out.
    """
    path = root / annotations
    images = root / "images" if (root / "images").is_dir() else root
    rows = _read_rows(path, images)
    names = _class_names(rows, classes, path)
    files = [row.file for row in rows]
    splits = [row.split for row in rows]
    if not any(splits):
        splits = hash_split(files, val=val, test=test, seed=split_seed).tolist()
    prefix = f"{images.relative_to(root)}/" if images != root else ""
    return Records(
        root=root,
        classes=names,
        files=np.array([prefix + file for file in files], dtype=np.str_),
        splits=np.array(splits, dtype=np.str_),
        labels=np.array([-1 if r.name == BACKGROUND else names.index(r.name) for r in rows], dtype=np.int64),
        boxes=np.array([row.box for row in rows], dtype=np.float64).reshape(-1, 4),
        sizes=np.array([row.size for row in rows], dtype=np.int64).reshape(-1, 2),
    )


def _read_rows(path: Path, images: Path) -> list[_Row]:
    if not path.is_file():
        raise DataError(f"data.root={path.parent}: there is no {path.name} in it (data.annotations names another file)")
    reader = csv.DictReader(io.StringIO(_text(path), newline=""))
    try:
        header = reader.fieldnames or []
        missing = [column for column in _NEEDED if column not in header]
        if missing:
            raise DataError(
                f"{path}: column {missing[0]} is missing (columns: {', '.join(header) or 'none'})"
                f"; {suggest(missing[0], header)}".rstrip("; ")
            )
        rows = [_parse(row, path, reader.line_num, images) for row in reader]
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not a CSV row ({error}); is a quotation mark open?") from error
    if not rows:
        raise DataError(f"{path} has no rows under its header; it needs one for each image")
    _refuse_repeats(rows, path)
    return rows


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error


def _parse(cells: dict[str, str | None], path: Path, line: int, images: Path) -> _Row:
    """One row; file and line are for the messages."""
    where = f"{path}:{line}"
    if None in cells or None in cells.values():
        raise DataError(f"{where}: the row has another number of cells than the header; quote cells that hold a comma")
    row = {key: (value or "").strip() for key, value in cells.items()}
    file, name = row["filename"], row["class"]
    if not file:
        raise DataError(f"{where}: filename is empty")
    if not name:
        raise DataError(f"{where}: class is empty; an image without an object has the class {BACKGROUND}")
    if row.get("split", "") not in ("", *SPLITS):
        raise DataError(f"{where}: split={row['split']} is not one of {', '.join(SPLITS)}")
    if not (images / file).is_file():  # now, not hours later in a loader
        raise DataError(f"{where}: filename={file}: there is no such image in {images}")
    if row.get("width") and row.get("height"):
        height, width = (_whole(row[side], f"{where}: {side}") for side in ("height", "width"))
    else:
        height, width = _size(images / file, where)
    return _Row(line, file, row.get("split", ""), name, _box(row, where, height, width), (height, width))


def _size(path: Path, where: str) -> tuple[int, int]:
    """Height and width from the image's header."""
    try:
        return image_size(path)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _box(row: dict[str, str], where: str, height: int, width: int) -> tuple[float, float, float, float]:
    """The box in fractions of the image; NaN for background."""
    given = [edge for edge in _EDGES if row[edge]]
    if row["class"] == BACKGROUND:
        if given:
            raise DataError(f"{where}: {BACKGROUND} has a box ({given[0]}={row[given[0]]}); empty its box cells")
        return (math.nan,) * 4
    if len(given) < 4:
        absent = next(edge for edge in _EDGES if not row[edge])
        raise DataError(f"{where}: {absent} is empty; an image without an object has the class {BACKGROUND}")
    left, top, right, bottom = (_number(row[edge], f"{where}: {edge}") for edge in _EDGES)
    box = f"the box ({', '.join(row[edge] for edge in _EDGES)})"
    if not (left < right and top < bottom):
        raise DataError(f"{where}: {box} is empty or its edges are swapped; it needs xmin < xmax and ymin < ymax")
    if left < 0 or top < 0 or right > width or bottom > height:
        raise DataError(
            f"{where}: {box} leaves the {width} x {height} image; "
            "edges are pixels of the upright image, 0 to width and 0 to height"
        )
    return left / width, top / height, right / width, bottom / height


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}={text} is not a number")
    return value


def _whole(text: str, where: str) -> int:
    value = _number(text, where)
    if value != int(value) or value < 1:
        raise DataError(f"{where}={text} is not a number of pixels")
    return int(value)


def _refuse_repeats(rows: Sequence[_Row], path: Path) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        first = seen.setdefault(row.file, row.line)
        if first != row.line:
            raise DataError(
                f"{path}:{row.line}: filename={row.file} has a row already (line {first}); "
                "locnet takes one object an image, keep one row"
            )
    if any(row.split for row in rows) and not all(row.split for row in rows):
        empty = next(row.line for row in rows if not row.split)
        raise DataError(f"{path}:{empty}: split is empty here but not in all rows; fill it, or leave the column out")


def _class_names(rows: Sequence[_Row], wanted: Sequence[str] | None, path: Path) -> tuple[str, ...]:
    found = {row.name for row in rows} - {BACKGROUND}
    if wanted is None:
        if not found:
            raise DataError(f"{path}: every row is {BACKGROUND}; there is no object class to learn")
        return tuple(sorted(found))
    if not wanted or len(set(wanted)) < len(wanted) or BACKGROUND in wanted:
        raise DataError(f"data.classes={list(wanted)} must be different names, at least one; {BACKGROUND} is no class")
    strange = found - set(wanted)
    unknown = next((row for row in rows if row.name in strange), None)
    if unknown is not None:
        raise DataError(
            f"{path}:{unknown.line}: class={unknown.name} is none of the {len(wanted)} of data.classes "
            f"or of the checkpoint; {suggest(unknown.name, wanted)}"
        )
    return tuple(wanted)
