"""What every loss takes and gives, and the rule for don't-care elements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from locnet.errors import ConfigError
from locnet.models.heads import Output


class Term(NamedTuple):
    """One weighted part of a loss, image by image.

    Attributes:
        values: `(B,)` float32, >= 0.
        counted: `(B,)` bool, the images that the mean is over; None: all of them.
    """

    values: Tensor
    counted: Tensor | None = None

    def total(self) -> Tensor:
        """Sum over the images that count; the others get a gradient of exactly 0."""
        if self.counted is None:
            return self.values.sum()
        return torch.where(self.counted, self.values, torch.zeros_like(self.values)).sum()

    def mean(self) -> Tensor:
        """Mean over the images that count; 0 (with a gradient of 0) where the batch has none."""
        if self.counted is None:
            return self.values.mean()
        return self.total() / self.counted.sum().clamp(min=1)


class Loss(nn.Module, ABC):
    """Compares an `Output` with the target vector."""

    @abstractmethod
    def terms(self, output: Output, y: Tensor) -> dict[str, Term]:
        """The weighted parts by name; the loss is the sum of their means.

        Parts that look at images with an object only count exactly those, in every part the same.

        Args:
            output: what the head said.
            y: `(B, 5 + C)` float32, the target; elements 1.. of a background row are don't-care.
        """

    def forward(self, output: Output, y: Tensor) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            output: what the head said.
            y: `(B, 5 + C)` float32, the target; elements 1.. of a background row are don't-care.

        Returns:
            Scalars (float32): `loss`, to minimise, and its weighted parts under their own names.
        """
        parts = {name: term.mean() for name, term in self.terms(output, y).items()}
        total = y.new_zeros(())
        for value in parts.values():
            total = total + value
        return {"loss": total, **parts}


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


def needed(part: Tensor | None, name: str, loss: str, heads: str) -> Tensor:
    """The part of an output that a loss needs, or a ConfigError that says which heads have it."""
    if part is None:
        raise ConfigError(f"loss={loss} needs {name}, which this head does not give; use head={heads}")
    return part
