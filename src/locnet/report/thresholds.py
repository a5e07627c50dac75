"""What follows from the threshold of p_c, from 0 to 1."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from locnet.predictions import BACKGROUND, Predictions
from locnet.report import style

_STEPS = 501


def plot_thresholds(p: Predictions) -> Figure | None:
    """Precision and recall of p_c and the accuracy of the verdicts, for every threshold.

    Args:
        p: truth and answer for N images.

    Returns:
        The figure; None without images or finite p_c.
    """
    if not len(p) or not np.isfinite(p.p_c).all():
        return None
    thresholds = np.linspace(0, 1, _STEPS)
    figure = style.new_figure(5.2, 3.4)
    axes = figure.add_subplot()
    style.tidy(axes, "", x="threshold of p_c")
    style.shares(axes, "x", "y")
    above = _at_least(p.p_c, thresholds)
    hits = _at_least(p.p_c[p.has_object], thresholds)
    right_class = _at_least(p.p_c[(p.predicted_labels == p.labels) & p.has_object], thresholds)
    rightly_none = (p.labels == BACKGROUND).sum() - (above - hits)
    lines = [("accuracy", (right_class + rightly_none) / len(p), style.GREEN)]
    if p.has_object.any():
        with np.errstate(invalid="ignore"):
            precision = np.where(above > 0, hits / above, np.nan)
        lines += [("precision", precision, style.BLUE), ("recall", hits / p.has_object.sum(), style.ORANGE)]
    for name, values, colour in lines:
        axes.plot(thresholds, values, color=colour, linewidth=1.8, label=name)
    style.name_lines(axes, [(1.0, float(v[np.isfinite(v)][-1]), name, colour) for name, v, colour in lines])
    return figure


def _at_least(p_c: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many are at least as high as each threshold."""
    counts: NDArray[np.int64] = len(p_c) - np.searchsorted(np.sort(p_c), thresholds, side="left")
    return counts
