"""The heads, one file each, and the names that the configuration knows them by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from locnet.models.heads.base import Cells, Head, Output, Refined
from locnet.models.heads.grid import GridHead
from locnet.models.heads.linear import LinearHead
from locnet.models.heads.softmax import ClassifierHead, SoftmaxBoxHead

HEADS: dict[str, type[Head]] = {
    "linear": LinearHead,
    "classifier": ClassifierHead,
    "softmax_box": SoftmaxBoxHead,
    "grid": GridHead,
}

__all__ = ["HEADS", "Cells", "Head", "Output", "Refined", "build_head"]


def build_head(
    name: str, channels: Sequence[int], num_classes: int, *, strides: Sequence[int] = (), **settings: Any
) -> Head:
    """The head of that name for feature maps of these channels and strides."""
    if name == "grid":  # the others read the coarsest map
        settings["strides"] = strides
    return HEADS[name](channels, num_classes, **settings)
