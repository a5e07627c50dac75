"""Which image a box was drawn on: the size that the label states against the size of the file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from locnet.data.labels.defects import Defect
from locnet.data.labels.tables import Labels


def reconcile(
    labels: Labels, upright: NDArray[np.int64], orientation: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Defect]]:
    """Compare stated and actual sizes.

    Args:
        labels: whose `sizes` are the stated ones.
        upright: `(I, 2)` int64, height and width of the upright image in the file; 0 where it was not looked at.
        orientation: `(I,)` int64, EXIF orientation 1 to 8 of the file.

    Returns:
        frames: `(I, 2)` int64, height and width of the image that the box's pixels count in.
        turned: `(I,)` int64, the EXIF orientation to apply to the box; 1 leaves it.
        defects: sizes that disagree.
    """
    stated = labels.sizes
    known, looked_at = ((sizes[:, 0] > 0) & (sizes[:, 1] > 0) for sizes in (stated, upright))
    frames = np.where(known[:, None], stated, upright)
    differs = known & looked_at & (stated != upright).any(axis=1)
    if not differs.any():
        return frames, np.ones(len(stated), dtype=np.int64), []
    unrotated = differs & (orientation >= 5) & (stated == upright[:, ::-1]).all(axis=1)
    # at the scale of the stated size, the other side may be a rounding apart
    ideal = upright * (stated / np.maximum(upright, 1)).max(axis=1, keepdims=True)
    scaled = differs & ~unrotated & (np.abs(ideal - stated) <= 1).all(axis=1)
    turned = np.where(unrotated, orientation, 1)
    verdicts = {
        "size_before_rotation": unrotated,
        "size_scaled": scaled,
        "size_disagrees": differs & ~unrotated & ~scaled,
    }
    words = {
        "size_before_rotation": "which is its size before the EXIF rotation; the box is rotated with the image",
        "size_scaled": "the same at another scale; the box is scaled with it",
        "size_disagrees": "correct the label, or leave width and height out",
    }
    defects = []
    for kind, found in verdicts.items():
        for row in np.flatnonzero(found):
            (height, width), (actual_height, actual_width) = stated[row], upright[row]
            value = f"{width} x {height}"
            text = (
                f"{labels.where(int(row))}: the size of {labels.files[row]} is stated as {value}, "
                f"the upright image is {actual_width} x {actual_height}; {words[kind]}"
            )
            line, source = int(labels.line[row]), labels.source_of(int(row))
            defects.append(Defect(kind, text, labels.files[row], source, line, value))
    return frames, turned, defects


def turn(boxes: NDArray[np.float64], orientation: NDArray[np.int64]) -> NDArray[np.float64]:
    """Boxes of the stored image to boxes of the upright one.

    Args:
        boxes: `(K, 4)` float64, xyxy in fractions of the image as it is stored.
        orientation: `(K,)` int64, EXIF orientation of each one's image; 1 leaves it.

    Returns:
        `(K, 4)` float64, xyxy in fractions of the upright image.
    """
    if (orientation == 1).all():
        return boxes
    left, top, right, bottom = boxes.T
    views = {
        2: (1 - right, top, 1 - left, bottom),
        3: (1 - right, 1 - bottom, 1 - left, 1 - top),
        4: (left, 1 - bottom, right, 1 - top),
        5: (top, left, bottom, right),
        6: (1 - bottom, left, 1 - top, right),
        7: (1 - bottom, 1 - right, 1 - top, 1 - left),
        8: (top, 1 - right, bottom, 1 - left),
    }
    result = boxes.copy()
    for value, edges in views.items():
        rows = orientation == value
        if rows.any():
            result[rows] = np.stack(edges, axis=1)[rows]
    return result
