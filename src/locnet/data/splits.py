"""Splits by a stable hash: an image's split depends on its name alone, so more images move no old one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def hash_split(keys: Sequence[str], *, val: float, test: float, seed: int = 0) -> NDArray[np.str_]:
    """Assign each key to train, val or test.

    Args:
        keys: one string an image, e.g. its relative path; equal keys get the same split.
        val: expected share of val, in [0, 1).
        test: expected share of test, in [0, 1); `val + test < 1`.
        seed: another seed gives another assignment.

    Returns:
        `(len(keys),)` str.
    """
    points = np.array([_unit(f"{seed}:{key}") for key in keys])
    return np.where(points < test, "test", np.where(points < test + val, "val", "train"))


def _unit(text: str) -> float:
    """A point in [0, 1) that depends on the text alone, on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") / 2**56
