"""The threshold of p_c below which the verdict is background, chosen on `val`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

DEFAULT = 0.5


def best_threshold(
    p_c: NDArray[np.float64], labels: NDArray[np.int64], predicted_labels: NDArray[np.int64]
) -> float | None:
    """The threshold nearest to 0.5 whose (C + 1)-way accuracy is, within one standard error, the highest.

    Calibrated probabilities want 0.5; on a small `val` the highest accuracy of all may lie anywhere by chance, so it
    has to be clearly higher to move the threshold (the one-standard-error rule of Breiman et al., Classification and
    Regression Trees, 1984).

    Accuracy is a staircase in the threshold: it moves only where a background image, or an object image whose class is
    right, changes sides (an object image whose class is wrong is wrong on both). So whole intervals are equally good;
    of the nearest one the middle is taken, which is farthest from changing any verdict of `val`.

    Args:
        p_c: `(N,)` float64 in [0, 1].
        labels: `(N,)` int64, true class index, -1 for background.
        predicted_labels: `(N,)` int64, class index of the highest class score.

    Returns:
        A number in [0, 1]; None where there is nothing to weigh (no background, or no object of the right class).
    """
    background = labels < 0
    right = ~background & (labels == predicted_labels)
    if not background.any() or not right.any():
        return None
    places, where = np.unique(p_c[background | right], return_inverse=True)
    is_background = background[background | right]
    # with the threshold between places i - 1 and i: those background images below, those objects from there on
    below = np.bincount(where[is_background], minlength=len(places)).cumsum()
    above = np.bincount(where[~is_background], minlength=len(places))[::-1].cumsum()[::-1]
    hits = np.append(0, below) + np.append(above, 0)
    edges = np.concatenate(([0.0], places, [1.0]))
    if places[-1] >= 1:
        hits[-1] = -1  # no threshold lies above a p_c of 1
    share = hits.max() / len(p_c)
    good = hits >= hits.max() - math.sqrt(share * (1 - share) * len(p_c)) - 1e-9
    middles = (edges[:-1] + edges[1:]) / 2
    inside = good & (edges[:-1] < DEFAULT) & (edges[1:] >= DEFAULT)
    middle = DEFAULT if inside.any() else middles[good][np.abs(middles[good] - DEFAULT).argmin()]
    return float(np.float32(middle))  # NumPy and torch then compare p_c with the same number
