"""Whether scores mean what they say: of all answers given with confidence 0.8, are 80 % right?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from locnet.predictions import Predictions

BINS = 15
"""Of equal width, as in Guo et al., 2017."""


class Bins(NamedTuple):
    """The bins that hold any image, lowest first.

    Attributes:
        confidence: `(K,)` float64, mean confidence of the images in each.
        share: `(K,)` float64, share of them that are right.
        images: `(K,)` int64, how many.
    """

    confidence: NDArray[np.float64]
    share: NDArray[np.float64]
    images: NDArray[np.int64]

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean distance between confidence and share, weighted by images."""
        return float((np.abs(self.confidence - self.share) * self.images).sum() / self.images.sum())


def bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Bins:
    """Sort images into bins by confidence.

    Args:
        confidence: `(N,)` float64 in [0, 1], N > 0.
        right: `(N,)` bool.
    """
    which = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(which, minlength=BINS)
    used = count > 0
    sums = (np.bincount(which, weights=values, minlength=BINS) for values in (confidence, right.astype(np.float64)))
    mean, share = (total[used] / count[used] for total in sums)
    return Bins(mean, share, count[used].astype(np.int64))


def objectness_bins(p: Predictions) -> Bins | None:
    """p_c against whether there is an object, over all images; None without any."""
    return bins(np.clip(p.p_c, 0, 1), p.has_object) if len(p) and np.isfinite(p.p_c).all() else None


def class_bins(p: Predictions) -> Bins | None:
    """The highest class score against whether that class is right, over images with an object; None without any."""
    objects = p.has_object
    if not objects.any():
        return None
    confidence = np.clip(p.class_scores[objects].max(axis=1), 0, 1)  # plain linear units may leave [0, 1]
    return bins(confidence, (p.predicted_labels == p.labels)[objects]) if np.isfinite(confidence).all() else None
