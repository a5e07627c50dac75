"""How good the boxes are: the distribution of IoU, and the share of boxes that are good enough."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from locnet.predictions import Predictions
from locnet.report import style
from locnet.report.baselines import constant_ious
from locnet.report.scores import IOU_THRESHOLDS


def plot_iou(p: Predictions, mean_box: NDArray[np.float64] | None = None) -> Figure | None:
    """Histogram of IoU over the object images, and the success curve beside that of the mean box.

    Args:
        p: truth and answer for N images.
        mean_box: `(4,)` float64, xyxy fractions: the mean box of the training objects; None if there is none.

    Returns:
        The figure; None without boxes or without object images.
    """
    if not p.has_object.any() or not p.has_boxes:
        return None
    ious = p.ious[p.has_object]
    figure = style.new_figure(10.4, 3.9)
    histogram, curve = figure.subplots(1, 2)
    _histogram(histogram, ious)
    baseline = None if mean_box is None else constant_ious(mean_box, p)[p.has_object]
    _success(curve, ious, baseline)
    return figure


def success(ious: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The share of boxes with IoU >= t as a function of t; a step after each IoU that occurs.

    Args:
        ious: `(N,)` float64 in [0, 1], N > 0.

    Returns:
        t from 0 to 1 and the share that holds from the t before (exclusive) up to it, each `(K,)` float64.
    """
    thresholds = np.unique(np.concatenate((ious, [0.0, 1.0])))
    return thresholds, 1 - np.searchsorted(np.sort(ious), thresholds, side="left") / len(ious)


def _histogram(axes: Axes, ious: NDArray[np.float64]) -> None:
    mean = float(ious.mean())
    style.tidy(axes, f"IoU where there is an object (n = {len(ious)}), mean {mean:.3f}", x="IoU", y="images")
    axes.hist(ious, bins=20, range=(0, 1), color=style.PREDICTION_COLOUR, edgecolor="white", linewidth=0.6)
    axes.axvline(mean, color=style.INK, linewidth=1.0, linestyle=(0, (4, 3)))
    right = mean < 0.2
    place = {"xytext": (4 if right else -4, -2), "ha": "left" if right else "right", "va": "top"}
    style.write(axes, mean, 1, "mean", xycoords=("data", "axes fraction"), **place)
    axes.set_xlim(0, 1)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _success(axes: Axes, ious: NDArray[np.float64], baseline: NDArray[np.float64] | None) -> None:
    style.tidy(axes, "share of object images with IoU of at least t", x="t")
    style.shares(axes, "x", "y")
    if baseline is not None:
        axes.step(*success(baseline), where="pre", color=style.GREY, linewidth=1.4)
    axes.step(*success(ious), where="pre", color=style.PREDICTION_COLOUR, linewidth=2)
    for threshold in IOU_THRESHOLDS:
        share = float(np.mean(ious >= threshold))
        axes.plot(threshold, share, "o", color=style.INK, markersize=5)
        low = share > 0.9  # no room above
        style.write(
            axes,
            threshold,
            share,
            f"{share:.3f} at {threshold}",
            xytext=(-5, -5) if low else (5, 4),
            ha="right" if low else "left",
            va="top" if low else "bottom",
        )
    ahead = baseline is None or _median(ious) >= _median(baseline)
    _name_curve(axes, ious, "model", style.PREDICTION_COLOUR, right=ahead)
    if baseline is not None:
        _name_curve(axes, baseline, "mean box", style.GREY, right=not ahead or _median(baseline) < 0.2)


def _median(ious: NDArray[np.float64]) -> float:
    return float(np.median(ious))


def _name_curve(axes: Axes, ious: NDArray[np.float64], name: str, colour: str, *, right: bool) -> None:
    """Write the name beside the middle of a success curve, at half height where it falls."""
    offset = (7, 0) if right else (-7, 0)
    side = "left" if right else "right"
    look = {"color": style.text_colour(colour), "weight": "bold"}
    style.write(axes, _median(ious), 0.5, name, xytext=offset, ha=side, va="center", **look)
