"""Labels that contradict each other: the same picture twice in a split, with another class or another box."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from locnet.data.images import load_image
from locnet.data.inspection import Facts
from locnet.data.labels.boxes import overlaps
from locnet.data.labels.classes import BACKGROUND
from locnet.data.labels.defects import Defect
from locnet.data.records import Records
from locnet.errors import LocnetError

LEAST_IOU = 0.5
"""IoU of two boxes of one picture below which their labels contradict each other."""
_TRIES = 4  # pictures that one is compared with at most, those most like it first
_CELLS, _PER_CELL = 8, 4  # along each side of a region, and samples along each side of a cell
_APART = 16.0  # mean grey of a cell, of 255
_LARGEST = 2048  # pixels that an image's shorter side is decoded to at most


def disagreeing(records: Records, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The pairs whose labels are of two classes, or whose boxes have an IoU below `LEAST_IOU`.

    Args:
        records: the labels.
        pairs: `(P, 2)` int64, rows.
    """
    one, other = pairs.T
    labels = records.labels
    apart: NDArray[np.bool_] = labels[one] != labels[other]
    if records.has_boxes:  # NaN where one is background: not smaller than anything
        apart = apart | (overlaps(records.boxes[one], records.boxes[other]) < LEAST_IOU)
    return pairs[np.flatnonzero(apart)]


def contradictions(
    records: Records,
    facts: Sequence[Facts],
    pairs: NDArray[np.int64],
    *,
    workers: int = 1,
    progress: Callable[[Iterator[int], int], Iterator[int]],
) -> list[Defect]:
    """A defect for each picture whose label another one of its split contradicts.

    A camera that stands still takes pictures that look the same on the whole and have the object somewhere else. So
    the two pictures are compared once more, cell by cell, where either has its box.

    Args:
        records: the labels.
        facts: of their image files, all of them looked at as a whole.
        pairs: `(P, 2)` int64, rows of one split that look the same and whose labels disagree.
        workers: threads that decode pictures.
        progress: wraps the answers as they come; also gets how many there will be.
    """
    candidates: dict[int, list[tuple[float, int]]] = {}
    for twin, row in pairs.tolist():
        candidates.setdefault(row, []).append((_unlike(facts[twin], facts[row]), twin))

    def contradicted_by(row: int) -> int:
        for _, twin in sorted(candidates[row])[:_TRIES]:
            if facts[row].digest == facts[twin].digest or _same_there(records, facts, twin, row):
                return twin
        return -1

    if not candidates:
        return []
    with ThreadPoolExecutor(max(1, workers)) as pool:
        found = list(progress(pool.map(contradicted_by, candidates), len(candidates)))
    return [_defect(records, twin, row) for row, twin in sorted(zip(candidates, found, strict=True)) if twin >= 0]


def _grey(facts: Facts) -> NDArray[np.float64]:
    return np.frombuffer(facts.thumbnail, dtype=np.uint8).astype(np.float64)


def _unlike(one: Facts, other: Facts) -> float:
    """Mean difference of two thumbnails, in grey levels."""
    return float(np.abs(_grey(one) - _grey(other)).mean())


def _same_there(records: Records, facts: Sequence[Facts], one: int, other: int) -> bool:
    """Whether two pictures are the same where the labels speak of them: brighter as a whole, compressed, scaled."""
    regions = [records.boxes[row] for row in (one, other) if records.labels[row] >= 0]
    smallest = min(float((region[2:] - region[:2]).min()) for region in regions)
    wanted = min(_LARGEST, round(_CELLS * _PER_CELL / max(smallest, 1e-3)))
    try:
        pictures = [load_image(records.path(row), at_least=wanted).image.convert("L") for row in (one, other)]
    except LocnetError:  # it has gone while we looked
        return False
    brighter = float(_grey(facts[one]).mean() - _grey(facts[other]).mean())
    for region in regions:
        here, there = (_cells(picture, region) for picture in pictures)
        if np.abs(here - there - brighter).max() > _APART:
            return False
    return True


def _cells(picture: Image.Image, region: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean grey of the cells of a region: `(_CELLS, _CELLS)` float64.

    Args:
        picture: grey.
        region: `(4,)` float64, xyxy in fractions of the picture.
    """
    left, top, right, bottom = (region * (picture.width, picture.height, picture.width, picture.height)).tolist()
    side = _CELLS * _PER_CELL
    sampled = picture.resize((side, side), Image.Resampling.BOX, box=(left, top, right, bottom))
    grey = np.asarray(sampled, dtype=np.float64)
    cells: NDArray[np.float64] = grey.reshape(_CELLS, _PER_CELL, _CELLS, _PER_CELL).mean(axis=(1, 3))
    return cells


def _defect(records: Records, twin: int, row: int) -> Defect:
    names = (*records.classes, BACKGROUND)  # the label of background is -1
    file, other = records.files[row], records.files[twin]
    said, before = names[records.labels[row]], names[records.labels[twin]]
    if said == before:
        overlap = float(overlaps(records.boxes[row], records.boxes[twin]))
        words = f"its box and that of {other} have an IoU of {overlap:.2f}"
    else:
        words = f"{other} is {before}"
    origin = records.origin
    where = (origin and origin.where(row)) or str(records.root)
    elsewhere = origin.where(twin) if origin else ""
    text = (
        f"{where}: {file} is {said}, {words}{elsewhere and f' ({elsewhere})'}, and they are the same picture; "
        "correct one of the two"
    )
    source = origin.sources[origin.source[row]] if origin and origin.source[row] >= 0 else ""
    line = int(origin.line[row]) if origin else 0
    return Defect("contradicting_labels", text, file, source, line, other)
