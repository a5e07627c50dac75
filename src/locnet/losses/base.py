"""What every loss takes and gives, and the rule for don't-care elements."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from locnet.errors import ConfigError
from locnet.models.heads import Output


class Loss(nn.Module, ABC):
    """Compares an `Output` with the target vector."""

    @abstractmethod
    def forward(self, output: Output, y: Tensor) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            output: what the head said.
            y: `(B, 5 + C)` float32, the target; elements 1.. of a background row are don't-care.

        Returns:
            Scalars (float32): `loss`, to minimise, and its weighted parts under their own names.
        """


def where_object(mask: Tensor, predicted: Tensor, safe: Tensor) -> Tensor:
    """Predictions for images with an object, a constant for the others.

    The loss of a don't-care row is then finite and constant, so its gradient is exactly 0, not 0 times something
    that may be inf (which is NaN), and the shapes stay the same for every batch.

    Args:
        mask: `(B,)` bool, the image has an object.
        predicted: `(B, ...)` float.
        safe: a value that broadcasts to `predicted`, in the loss's domain.
    """
    shaped = mask.view(-1, *(1,) * (predicted.ndim - 1))
    return torch.where(shaped, predicted, safe)


def mean_over_objects(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `(B,)` values over the images with an object; 0 (with a gradient of 0) where the batch has none."""
    return torch.where(mask, values, torch.zeros_like(values)).sum() / mask.sum().clamp(min=1)


def needed(part: Tensor | None, name: str, loss: str, heads: str) -> Tensor:
    """The part of an output that a loss needs, or a ConfigError that says which heads have it."""
    if part is None:
        raise ConfigError(f"loss={loss} needs {name}, which this head does not give; use head={heads}")
    return part
