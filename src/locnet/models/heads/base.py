"""What every head takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU}


@dataclass(frozen=True)
class Cells:
    """What each of the K cells of a grid head says, for dense supervision.

    Attributes:
        heat: `(B, K)` float, logit that the object's midpoint lies in the cell.
        boxes: `(B, K, 4)` float, xyxy in fractions of the network's input: the box as this cell sees it.
        centres: `(K, 2)` float, x and y of the cell's centre in fractions of the network's input.
        distances: `(B, K, 4, N + 1)` float, logits of the distribution of each distance to the left, top, right and
            bottom edge over 0, 1/N, ..., 1 of the input; None where each distance is one number.
    """

    heat: Tensor
    boxes: Tensor
    centres: Tensor
    distances: Tensor | None = None


@dataclass(frozen=True)
class Refined:
    """What a second look at the edges of J boxes an image says; the first one is the answer, others help training.

    Attributes:
        first: `(B, 4)` float, xyxy in fractions of the network's input: the box before the second look.
        proposals: `(B, J, 4)` float, the boxes that were looked around, without a gradient.
        boxes: `(B, J, 4)` float, those boxes with their edges moved.
        logits: `(B, J, 4, S)` float, of the distribution of each edge over S places in the window.
    """

    first: Tensor
    proposals: Tensor
    boxes: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Output:
    """What a head answers: y for everybody, and what the losses need beside it (None where a head has no such part).

    Attributes:
        y: `(B, 5 + C)` float, the answer in the space of the target vector, calibrated where the network is.
        objectness_logits: `(B,)` float, before the sigmoid.
        class_logits: `(B, C)` float, before the softmax over classes.
        softmax_logits: `(B, C + 1)` float, before one softmax over the classes and background (last).
        cells: what a grid's cells say.
        refined: the second look at the box's edges.
        zoomed: the look at the object's pixels, around the box before it; in training around a disturbed one.
        raw_y: `(B, 5 + C)` float, y before the calibration, for the losses; None where there is none.
    """

    y: Tensor
    objectness_logits: Tensor | None = None
    class_logits: Tensor | None = None
    softmax_logits: Tensor | None = None
    cells: Cells | None = None
    refined: Refined | None = None
    zoomed: Refined | None = None
    raw_y: Tensor | None = None

    @property
    def uncalibrated(self) -> Output:
        """What the head itself said."""
        return self if self.raw_y is None else replace(self, y=self.raw_y, raw_y=None)


class Head(nn.Module, ABC):
    """Reads feature maps and gives an `Output`.

    Attributes:
        has_box: whether the box elements of y mean anything; box metrics are left out where they do not.
    """

    has_box: ClassVar[bool] = True

    @abstractmethod
    def forward(self, maps: list[Tensor]) -> Output:
        """Answer for a batch.

        Args:
            maps: one `(B, channels[i], h_i, w_i)` float map for each stride, fine to coarse.
        """
