"""Boxes of any convention to the canonical one, all at once, with a defect for each that cannot be right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from locnet.data.labels.defects import Defect
from locnet.data.labels.tables import BoxOrigin, Form, Labels

ROUNDING = 0.01
"""Pixels that a box may leave the image by without a word: the labels' own rounding, clipped."""
CLIPPED = 1.0
"""Pixels that a box may leave the image by at most; clipped, and listed as repaired."""
_NEEDS = "it needs xmin < xmax and ymin < ymax"


def to_edges(boxes: NDArray[np.float64], form: Form, origin: BoxOrigin = "continuous") -> NDArray[np.float64]:
    """Numbers as label files have them to edges of a continuous plane, in the same unit.

    Args:
        boxes: `(K, 4)` float64: left, top, right, bottom (`xyxy`), left, top, width, height (`xywh`), or midpoint
            x, y, width, height (`cxcywh`).
        form: which of these.
        origin: of `xyxy` in pixels: what the numbers mean.

    Returns:
        `(K, 4)` float64, xyxy, (0, 0) the upper left corner of the image.
    """
    first, second = boxes[:, :2], boxes[:, 2:]
    if form == "xywh":
        return np.concatenate((first, first + second), axis=1)
    if form == "cxcywh":
        return np.concatenate((first - second / 2, first + second / 2), axis=1)
    start = {"continuous": 0, "zero_inclusive": 0, "one_inclusive": 1}[origin]
    end = {"continuous": 0, "zero_inclusive": 1, "one_inclusive": 0}[origin]  # behind the last pixel inside
    return np.concatenate((first - start, second + end), axis=1)


def check_boxes(
    labels: Labels, frames: NDArray[np.int64], rows: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], list[Defect]]:
    """The boxes in fractions of their image, and what is wrong with them.

    Args:
        labels: the boxes as stated.
        frames: `(I, 2)` int64, height and width in pixels of the image that each box was drawn on.
        rows: `(K,)` bool, the objects to look at.

    Returns:
        `(K, 4)` float64 xyxy in [0, 1], clipped where `CLIPPED` allows; NaN where a box is not usable.
    """
    # by columns, as Fortran has it: to ask for any of four edges is then several times as fast
    sides = np.asfortranarray(frames[labels.image][:, [1, 0, 1, 0]], dtype=np.float64)
    stated = np.asfortranarray(labels.boxes)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # absurd numbers are judged below
        edges = to_edges(stated, labels.form, labels.box_origin if labels.unit == "pixels" else "continuous")
        pixels = edges * sides if labels.unit == "fractions" else edges
        beyond = np.maximum(-pixels, pixels - sides).max(axis=1, initial=-np.inf)
        clipped = np.clip(pixels, 0.0, sides)
        finite = np.isfinite(pixels).all(axis=1)
        swapped = (pixels[:, :2] > pixels[:, 2:]).any(axis=1)
        empty = (pixels[:, :2] >= pixels[:, 2:]).any(axis=1)
        outside = beyond > CLIPPED
        no_area = (clipped[:, :2] >= clipped[:, 2:]).any(axis=1)
        # fractions stay as they are stated: through pixels and back would cost their last bit
        fractions = np.clip(edges, 0.0, 1.0) if labels.unit == "fractions" else clipped / sides
    verdicts = {
        "not_a_number": ~finite,
        "swapped_edges": swapped,
        "zero_area": empty,
        "outside": outside,
        "beyond_edge": (beyond > ROUNDING) & ~no_area,
    }
    left_to_judge = rows.copy()
    defects: list[Defect] = []
    for kind, found in verdicts.items():
        hits = np.flatnonzero(found & left_to_judge)
        defects += [_defect(labels, kind, int(k), frames) for k in hits]
        left_to_judge[hits] = kind == "beyond_edge"
    hits = np.flatnonzero(no_area & left_to_judge)  # nothing is left inside the image
    defects += [_defect(labels, "zero_area", int(k), frames) for k in hits]
    left_to_judge[hits] = False
    return np.where(left_to_judge[:, None], fractions, np.nan), defects


def overlaps(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of boxes with others, pair by pair, or of one with many.

    Args:
        boxes: `(K, 4)` or `(4,)` float64, xyxy in any unit.
        others: `(K, 4)` float64, in the same unit.

    Returns:
        `(K,)` float64; NaN where a box is missing.
    """
    low, high = np.maximum(boxes[..., :2], others[..., :2]), np.minimum(boxes[..., 2:], others[..., 2:])
    common = np.clip(high - low, 0, None).prod(axis=-1)
    areas = (others[..., 2:] - others[..., :2]).prod(axis=-1) + (boxes[..., 2:] - boxes[..., :2]).prod(axis=-1)
    overlap: NDArray[np.float64] = common / np.maximum(areas - common, np.finfo(np.float64).tiny)
    return overlap


def origin_hint(labels: Labels) -> str:
    """A line where pixel numbers speak against `data.box_origin`; empty otherwise."""
    if labels.unit != "pixels" or labels.form != "xyxy" or not len(labels.boxes):
        return ""
    stated = labels.sizes[labels.image][:, ::-1]
    at_zero = int((labels.boxes[:, :2] == 0).any(axis=1).sum())
    at_end = int(((labels.boxes[:, 2:] == stated) & (stated > 0)).any(axis=1).sum())
    if labels.box_origin == "one_inclusive" and at_zero:
        better = "continuous" if at_end else "zero_inclusive"
        return f"{at_zero:,} boxes begin at pixel 0, and data.box_origin=one_inclusive counts from 1: {better}?"
    if labels.box_origin == "zero_inclusive" and at_end:
        better = "continuous" if at_zero else "one_inclusive"
        return f"{at_end:,} boxes end at the image's size, and data.box_origin=zero_inclusive ends before it: {better}?"
    return ""


def _defect(labels: Labels, kind: str, row: int, frames: NDArray[np.int64]) -> Defect:
    image = int(labels.image[row])
    numbers = ", ".join(f"{value:.10g}" for value in labels.boxes[row])
    height, width = (int(side) for side in frames[image])
    edges = {
        "one_inclusive": "edges are pixels of the upright image, 1 to width and 1 to height (data.box_origin)",
        "zero_inclusive": "edges are pixels of the upright image, 0 to width - 1 and 0 to height - 1 (data.box_origin)",
        "continuous": "edges are pixels of the upright image, 0 to width and 0 to height",
    }[labels.box_origin]
    unit = "they are fractions of the upright image, 0 to 1" if labels.unit == "fractions" else edges
    words = {
        "not_a_number": "has an edge that is not a number",
        "swapped_edges": f"is empty or its edges are swapped; {_NEEDS}",
        "zero_area": f"is empty or its edges are swapped; {_NEEDS}",
        "outside": f"leaves the {width} x {height} image; {unit}",
        "beyond_edge": f"leaves the {width} x {height} image by a pixel at most; clipped",
    }[kind]
    line = int(labels.object_line[row])
    return Defect(
        kind,
        f"{labels.where(image, line)}: the box ({numbers}) {words}",
        labels.files[image],
        labels.source_of(image),
        line,
        numbers,
    )
