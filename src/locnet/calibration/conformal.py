"""A crop that holds the whole object as often as it is asked to: split conformal prediction for one box.

On `val` each object gets a nonconformity score: by how much its predicted box must grow to hold all of the true one.
New images that are exchangeable with those of `val` need no more than the ceil((n + 1) * coverage)-th smallest of the
n scores, with a probability of at least `coverage` (Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World,
2005; Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, Distribution-free predictive inference for regression, 2018).
For boxes: de Grancey, Adam, Alecu, Gerchinovitz, Mamalet, Vigouroux, Object detection with probabilistic guarantees,
2022; Andeol, Fel, de Grancey, Mossina, Confident object detection via conformal prediction and conformal risk
control, 2023. They bound the four edges one by one and share the error among them (Bonferroni); here the score is the
largest of the four edges' needs, so that nothing is shared and the crop is smaller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OFFSET = 0.1
"""An edge's need is measured in sides of the predicted box, each made longer by this share of the image: 0 would let
small boxes grow too little beside large ones, a very large number would let all grow alike. `benchmarks/crops.py`
compares them."""

_KEPT = 1000


@dataclass(frozen=True)
class Residuals:
    """The scores of `val`, thinned out so that any coverage can be asked for later.

    Attributes:
        count: n, objects of `val`.
        scores: M <= n of their scores in increasing order; number i (from 1) is the ceil(i * n / M)-th smallest.
    """

    count: int
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check.

        Raises:
            ValueError: no scores, or they are not in order.
        """
        if not 0 < len(self.scores) <= self.count or any(a > b for a, b in zip(self.scores, self.scores[1:])):  # noqa: B905
            raise ValueError("conformal residuals must be at least one score, in increasing order")

    @classmethod
    def of(cls, scores: Array, kept: int = _KEPT) -> Residuals:
        """Keep at most `kept` of `(N,)` float64 scores, N > 0."""
        ordered = np.sort(scores)
        number = min(kept, len(ordered))
        ranks = [-(-index * len(ordered) // number) for index in range(1, number + 1)]
        return cls(len(ordered), tuple(float(ordered[rank - 1]) for rank in ranks))

    def margin(self, coverage: float) -> float:
        """The score that a new object does not exceed with a probability of at least `coverage`.

        Args:
            coverage: above 0 and below 1.

        Returns:
            What `grow` takes; infinity where n is too small to promise so much (see `needed`).
        """
        rank = math.ceil((self.count + 1) * coverage - 1e-9)
        if rank > self.count:
            return math.inf
        index = -(-rank * len(self.scores) // self.count)  # the first kept one that is not below it
        while index > 1 and -(-(index - 1) * self.count // len(self.scores)) >= rank:
            index -= 1
        return self.scores[index - 1]


def needed(coverage: float) -> int:
    """How many objects `val` must have for this coverage to be promised: n with (n + 1) * coverage <= n."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def nonconformity(predicted: Array, true: Array, offset: float = OFFSET) -> Array:
    """By how much each predicted box must grow to hold all of the true one; negative where it may shrink.

    Args:
        predicted: `(N, 4)` float64, xyxy in fractions of the image.
        true: `(N, 4)` float64, likewise.
        offset: see `OFFSET`.

    Returns:
        `(N,)` float64: the greatest of the four edges' needs, in units of `_units`.
    """
    beyond = np.concatenate((predicted[:, :2] - true[:, :2], true[:, 2:] - predicted[:, 2:]), axis=1)
    need: Array = (beyond / _units(predicted, offset)).max(axis=1)
    return need


def grow(predicted: Array, margin: float, offset: float = OFFSET) -> Array:
    """The crop: each edge moved outward by `margin`, no farther than the image's.

    Args:
        predicted: `(N, 4)` float64, xyxy in fractions of the image, inside it.
        margin: as `Residuals.margin` gives it; infinity gives the whole image.
        offset: the one that the margin was measured with.

    Returns:
        `(N, 4)` float64, xyxy in [0, 1]. Where a negative margin leaves nothing of a side, its middle.
    """
    outward = np.array([-1.0, -1.0, 1.0, 1.0])
    moved = predicted + outward * margin * _units(predicted, offset)
    middle = np.tile((predicted[:, :2] + predicted[:, 2:]) / 2, 2)
    return np.clip(np.where(outward < 0, np.minimum(moved, middle), np.maximum(moved, middle)), 0, 1)


def areas(boxes: Array) -> Array:
    """`(N,)` float64: share of the image that each of `(N, 4)` xyxy boxes takes."""
    sides: Array = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return sides[:, 0] * sides[:, 1]


def _units(predicted: Array, offset: float) -> Array:
    """`(N, 4)` float64: width, height, width, height of each box, each longer by `offset`."""
    return np.tile(np.clip(predicted[:, 2:] - predicted[:, :2], 0, None) + offset, 2)
