"""Temperature scaling: one number that makes scores mean what they say, and changes no decision.

Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, 2017: logits are divided by the temperature T
that minimises the negative log-likelihood on `val`. Targets are softened as in Platt, Probabilistic outputs for
support vector machines, 1999 (a class that was right N times of N gets (N + 1) / (N + 2), not 1), so that a `val`
without a single mistake does not end in infinite confidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST, GREATEST = 0.01, 100.0
"""Temperatures are looked for between these two."""

LEAST_P_C = 1e-6
"""Probabilities closer to 0 or 1 than this are taken to be this: their logits are rounding errors of float32."""
LEAST_SCORE = 1e-12
"""The same for class scores, whose logits are plain logarithms: no rounding spoils them near 0."""


def objectness_logits(p_c: Array, *, probabilities: bool) -> Array:
    """What is divided by the temperature of p_c.

    Args:
        p_c: `(N,)` float64 in [0, 1].
        probabilities: whether p_c comes from a sigmoid or softmax. A plain linear unit, which a squared error has
            trained towards 0 and 1, has no logit: its distance from 1/2 is taken for one.

    Returns:
        `(N,)` float64; 0 where p_c is 1/2.
    """
    if not probabilities:
        return p_c - 0.5
    clipped = np.clip(p_c, LEAST_P_C, 1 - LEAST_P_C)
    return np.log(clipped) - np.log1p(-clipped)


def class_logits(scores: Array, *, probabilities: bool) -> Array:
    """What is divided by the temperature of the class scores.

    Args:
        scores: `(N, C)` float64.
        probabilities: whether they come from a softmax. Plain linear units are taken for logits as they are.

    Returns:
        `(N, C)` float64.
    """
    return np.log(np.clip(scores, LEAST_SCORE, None)) if probabilities else scores


def sigmoid(logits: Array) -> Array:
    """`1 / (1 + exp(-logits))`, for any size of logit."""
    half: Array = 0.5 * (1 + np.tanh(0.5 * logits))
    return half


def softmax(logits: Array) -> Array:
    """Shares that sum to 1 along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Array = shifted / shifted.sum(axis=-1, keepdims=True)
    return shares


def fit_binary(logits: Array, positive: NDArray[np.bool_]) -> float | None:
    """The temperature of p_c.

    Args:
        logits: `(N,)` float64.
        positive: `(N,)` bool, whether there is an object.

    Returns:
        T such that `sigmoid(logits / T)` has the least negative log-likelihood; None without both kinds of image.
    """
    count, negative = int(positive.sum()), int((~positive).sum())
    if not count or not negative:
        return None
    targets = np.where(positive, (count + 1) / (count + 2), 1 / (negative + 2))

    def slope(inverse: float) -> float:
        return float(((sigmoid(inverse * logits) - targets) * logits).mean())

    return _minimise(slope)


def fit_classes(logits: Array, labels: NDArray[np.int64]) -> float | None:
    """The temperature of the class scores.

    Args:
        logits: `(N, C)` float64, of images with an object.
        labels: `(N,)` int64, true class index.

    Returns:
        T such that `softmax(logits / T)` has the least negative log-likelihood; None without images or with one class.
    """
    count, classes = logits.shape
    if not count or classes < 2:
        return None
    targets = np.full((count, classes), 1 / (count + classes))
    targets[np.arange(count), labels] = (count + 1) / (count + classes)

    def slope(inverse: float) -> float:
        return float(((softmax(inverse * logits) - targets) * logits).sum(axis=-1).mean())

    return _minimise(slope)


def _minimise(slope: Callable[[float], float]) -> float:
    """T from the slope of the negative log-likelihood by 1 / T, in which it is convex: halve until it is found."""
    low, high = 1 / GREATEST, 1 / LEAST
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / math.sqrt(low * high)
