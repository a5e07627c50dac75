"""One object an image, on purpose: which of several is taken, and what becomes of images without one."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from locnet.data.labels.boxes import overlaps
from locnet.data.labels.defects import Defect
from locnet.data.labels.tables import Labels
from locnet.errors import DataError

Multiple = Literal["largest", "first", "error", "skip", "background"]
_SAME = 0.9  # IoU from which two boxes of one class are the same object, labelled twice


def count_objects(labels: Labels, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """`(I,)` int64: kept objects of each image."""
    return np.bincount(labels.image[kept], minlength=len(labels.files)).astype(np.int64)


def choose(
    labels: Labels, kept: NDArray[np.bool_], boxes: NDArray[np.float64], multiple: Multiple
) -> NDArray[np.int64]:
    """The object of each image.

    Args:
        labels: the objects.
        kept: `(K,)` bool, those that count.
        boxes: `(K, 4)` float64, xyxy in fractions of the image; NaN where the format has none.
        multiple: `data.multiple`.

    Returns:
        `(I,)` int64: row of the object; -1 where there is none, or where several are none by `multiple`.

    Raises:
        DataError: `multiple` is `error` and an image has several.
    """
    rows = np.flatnonzero(kept)
    images = labels.image[rows]
    counts = count_objects(labels, kept)
    several = np.flatnonzero(counts > 1)
    if multiple == "error" and len(several):
        image = int(several[0])
        of_image = rows[images == image]
        raise DataError(
            f"{labels.where(image, int(labels.object_line[of_image[1]]))}: {labels.files[image]} has "
            f"{counts[image]} objects and data.multiple=error; choose data.multiple=largest, first, skip or background"
        )
    size = np.zeros(len(rows))
    if multiple == "largest" and labels.has_boxes:
        sides = boxes[rows][:, 2:] - boxes[rows][:, :2]
        size = sides[:, 0] * sides[:, 1]
    order = np.lexsort((rows, -size, images))  # of equal ones the first in the file
    chosen = np.full(len(labels.files), -1, dtype=np.int64)
    found, first = np.unique(images[order], return_index=True)
    chosen[found] = rows[order][first]
    if multiple in ("skip", "background"):
        chosen[several] = -1
    return chosen


def repeats(
    labels: Labels, kept: NDArray[np.bool_], classes: NDArray[np.int64], boxes: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], list[Defect]]:
    """Objects that are in the labels twice: equal ones count once, nearly equal ones are reported.

    Args:
        labels: the objects.
        kept: `(K,)` bool, those that count.
        classes: `(K,)` int64, class index.
        boxes: `(K, 4)` float64, xyxy in fractions of the image.

    Returns:
        `(K,)` bool, those that still count; and the defects.
    """
    rows = np.flatnonzero(kept)
    rows = rows[count_objects(labels, kept)[labels.image[rows]] > 1]  # few, usually
    result, defects = kept.copy(), []
    groups: dict[tuple[int, int], list[int]] = {}
    for row in rows.tolist():
        earlier = groups.setdefault((int(labels.image[row]), int(classes[row])), [])
        same = overlaps(boxes[row], boxes[earlier])
        for other in np.flatnonzero(same >= _SAME)[:1]:
            twin = earlier[other]
            equal = bool((boxes[row] == boxes[twin]).all())
            result[row] &= not equal
            defects.append(_defect(labels, row, twin, equal))
        earlier.append(row)
    return result, defects


def _defect(labels: Labels, row: int, twin: int, equal: bool) -> Defect:
    image, line, other = int(labels.image[row]), int(labels.object_line[row]), int(labels.object_line[twin])
    name, file = labels.names[labels.name[row]], labels.files[image]
    earlier = f" (line {other})" if other else ""
    words = "is there already, with the same box" if equal else "is there already, with nearly the same box"
    text = f"{labels.where(image, line)}: class={name} of {file} {words}{earlier}; keep one of the two"
    numbers = ", ".join(f"{value:.10g}" for value in labels.boxes[row])
    kind = "duplicate_row" if equal else "conflicting_rows"
    return Defect(kind, text, file, labels.source_of(image), line, numbers)
