"""Whether p_c and class scores mean what they say, and whether crops hold what they promise."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from locnet.calibration.conformal import Residuals, areas
from locnet.calibration.reliability import Bins, class_bins, objectness_bins
from locnet.calibration.scores import LEVELS, Held, held
from locnet.predictions import Predictions
from locnet.report import style
from locnet.report.intervals import wilson


def plot_reliability(p: Predictions, raw: Predictions | None = None) -> Figure | None:
    """Confidence against the share of answers that are right, for p_c and for the class, before and after.

    Args:
        p: truth and calibrated answer for N images.
        raw: the same before calibration, or None.

    Returns:
        The figure; None without images or finite scores.
    """
    panels = []
    for name, y, of in (
        ("p_c", "share of images with an object", objectness_bins),
        ("highest class score", "share of object images of that class", class_bins),
    ):
        after = of(p)
        if after is not None:
            panels.append((name, y, after, of(raw) if raw is not None else None))
    if not panels:
        return None
    figure = style.new_figure(5.2 * len(panels), 4.2)
    for index, (name, y, after, before) in enumerate(panels):
        _reliability(figure.add_subplot(1, len(panels), index + 1), name, y, after, before)
    return figure


def plot_crops(p: Predictions, residuals: Residuals) -> Figure | None:
    """The coverage that crops reach, and the share of the image that they take, against the coverage asked for.

    Args:
        p: truth and answer for N images.
        residuals: of `val`.

    Returns:
        The figure; None without boxes or objects.
    """
    asked = np.round(np.arange(0.5, 0.991, 0.01), 2)
    found = [held(p, residuals, float(level)) for level in asked]
    crops = [crop for crop in found if crop is not None]
    if not crops:
        return None
    figure = style.new_figure(10.4, 4.2)
    left, right = figure.subplots(1, 2)
    objects = int(p.has_object.sum())
    style.tidy(left, f"crops hold the whole object ({objects} objects)", x="coverage asked for", y="coverage reached")
    left.plot([0.5, 1], [0.5, 1], color=style.GREY, linewidth=1.0)
    left.fill_between(
        asked, [c.low for c in crops], [c.high for c in crops], color=style.CROP_COLOUR, alpha=0.2, linewidth=0
    )
    left.plot(asked, [c.coverage for c in crops], color=style.CROP_COLOUR, linewidth=2)
    _mark(left, dict(zip(asked.tolist(), crops, strict=True)))
    left.set_xlim(0.5, 1)
    style.tidy(
        right, f"what that costs ({residuals.count} val objects)", x="coverage asked for", y="share of the image"
    )
    area = np.array([c.area for c in crops])
    right.plot(asked, area, color=style.CROP_COLOUR, linewidth=2)
    true, predicted = (float(areas(boxes[p.has_object]).mean()) for boxes in (p.boxes, p.predicted_boxes))
    right.axhline(true, color=style.TRUTH_COLOUR, linewidth=1.0)
    right.axhline(predicted, color=style.PREDICTION_COLOUR, linewidth=1.0)
    right.set_xlim(0.5, 1)
    right.set_ylim(0, max(1.1 * float(area.max()), 1.1 * true))
    ends = [(1.0, float(area[-1]), "crop", style.CROP_COLOUR), (1.0, true, "true box", style.TRUTH_COLOUR)]
    style.name_lines(right, [*ends, (1.0, predicted, "predicted box", style.PREDICTION_COLOUR)])
    return figure


def _mark(axes: Axes, crops: dict[float, Held]) -> None:
    """The coverages that metrics.json has, in figures."""
    for level in LEVELS:
        crop = crops[level]
        axes.plot(level, crop.coverage, "o", color=style.INK, markersize=5)
        text = f"{level:.0%}: {crop.coverage:.1%}"
        style.write(axes, level, crop.coverage, text, xytext=(-6, 4), ha="right", va="bottom")


def _reliability(axes: Axes, name: str, y: str, after: Bins, before: Bins | None) -> None:
    was = f", {before.ece:.3f} uncalibrated" if before is not None else ""
    style.tidy(axes, f"{name}: calibration error {after.ece:.3f}{was}", x=name, y=y)
    style.shares(axes, "x", "y")
    axes.plot([0, 1], [0, 1], color=style.GREY, linewidth=1.0)
    if before is not None:
        axes.plot(before.confidence, before.share, "o-", color=style.GREY, markersize=4, linewidth=1.2, alpha=0.8)
    ends = np.array([wilson(round(s * n), int(n)) for s, n in zip(after.share, after.images, strict=True)])
    axes.vlines(after.confidence, ends[:, 0], ends[:, 1], color=style.BLUE, linewidth=1.0, alpha=0.6)
    axes.plot(after.confidence, after.share, "-", color=style.BLUE, linewidth=1.6)
    size = 12 + 120 * after.images / after.images.sum()
    axes.scatter(after.confidence, after.share, s=size, color=style.BLUE, zorder=3)
    place = {"xycoords": "axes fraction", "ha": "right", "va": "bottom"}
    style.write(axes, 0.97, 0.09, "calibrated, with 95 % interval", color=style.BLUE, weight="bold", **place)
    if before is not None:
        style.write(axes, 0.97, 0.03, "uncalibrated", color=style.GREY, weight="bold", **place)
