"""What became of an image, in one word: every image is of exactly one kind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from locnet.predictions import BACKGROUND, Predictions

KINDS = ("right", "false_positive", "missed", "wrong_class", "box_off")
"""In the order of their numbers. `box_off`: the verdict is right, and the box has an IoU below 0.5."""
KIND_TITLES = {
    "right": "right",
    "false_positive": "false positive",
    "missed": "missed",
    "wrong_class": "wrong class",
    "box_off": "box off",
}
GOOD_IOU = 0.5


def kinds(p: Predictions) -> NDArray[np.int64]:
    """The kind of every answer.

    Args:
        p: truth and answer for N images.

    Returns:
        `(N,)` int64, index into `KINDS`.
    """
    verdicts = p.verdicts
    found = verdicts != BACKGROUND
    conditions = [
        ~p.has_object & found,
        p.has_object & ~found,
        p.has_object & (verdicts != p.labels),
        p.has_object & (p.ious < GOOD_IOU),  # NaN of a system without boxes is not below
    ]
    return np.select(conditions, [1, 2, 3, 4], 0).astype(np.int64)
