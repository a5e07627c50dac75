"""The losses, one file each, and the names that the configuration knows them by."""

from __future__ import annotations

from typing import Any

from locnet.losses.base import Loss, Term
from locnet.losses.cross_entropy import CrossEntropyLoss
from locnet.losses.multipart import MultipartLoss
from locnet.losses.squared_error import SquaredErrorLoss

LOSSES: dict[str, type[Loss]] = {
    "squared_error": SquaredErrorLoss,
    "multipart": MultipartLoss,
    "cross_entropy": CrossEntropyLoss,
}

__all__ = ["LOSSES", "Loss", "Term", "build_loss"]


def build_loss(name: str, **settings: Any) -> Loss:
    """The loss of that name."""
    return LOSSES[name](**settings)
