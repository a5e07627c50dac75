"""How well p_c tells images with an object from background."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from locnet.predictions import Predictions
from locnet.report import style
from locnet.report.scores import average_precision, precision_recall

_BINS = 25


def plot_objectness(p: Predictions) -> Figure | None:
    """Precision and recall of p_c with the threshold marked, and the p_c of object and of background images.

    Args:
        p: truth and answer for N images.

    Returns:
        The figure; None without finite p_c. Without background or without objects it is a histogram only.
    """
    if not np.isfinite(p.p_c).any():
        return None
    objects = p.has_object
    both = bool(objects.any() and not objects.all())
    figure = style.new_figure(10.4 if both else 5.6, 3.9)
    if both:
        curve, histogram = figure.subplots(1, 2)
        _precision_recall(curve, p)
    else:
        histogram = figure.add_subplot()
    _histogram(histogram, p)
    return figure


def _precision_recall(axes: Axes, p: Predictions) -> None:
    objects = p.has_object
    _, precision, recall = precision_recall(objects, p.p_c)
    style.tidy(axes, f"objectness AP {average_precision(objects, p.p_c):.3f}", x="recall", y="precision")
    base = float(objects.mean())
    axes.axhline(base, color=style.GREY, linewidth=1.0)
    style.write(axes, 1.02, base, f"base rate\n{base:.3f}", xytext=(4, 0), va="center", color=style.GREY)
    # The average precision is the area under exactly these steps.
    axes.step([0, *recall], [precision[0], *precision], where="pre", color=style.BLUE, linewidth=2)
    style.shares(axes, "x", "y")
    said = p.p_c >= p.threshold
    if said.any():
        at = float((objects & said).sum() / objects.sum()), float(objects[said].mean())
        axes.plot(*at, "o", color=style.INK, markersize=6)
        text = f"p_c >= {p.threshold:g}\nprecision {at[1]:.3f}\nrecall {at[0]:.3f}"
        right, low = at[0] < 0.5, at[1] > 0.5
        sides = {"ha": "left" if right else "right", "va": "top" if low else "bottom"}
        style.write(axes, at[0], at[1], text, xytext=(8 if right else -8, -8 if low else 8), **sides)


def _histogram(axes: Axes, p: Predictions) -> None:
    style.tidy(axes, "", x="p_c", y="images")
    for name, rows, colour in (
        ("object", p.has_object, style.BLUE),
        ("background", ~p.has_object, style.GREY),
    ):
        values = p.p_c[rows & np.isfinite(p.p_c)]
        if len(values) == 0:
            continue
        axes.hist(values, bins=_BINS, range=(0, 1), histtype="stepfilled", alpha=0.3, color=colour)
        axes.hist(values, bins=_BINS, range=(0, 1), histtype="step", linewidth=1.4, color=colour)
        high = name == "object"
        look = {"color": colour, "weight": "bold", "ha": "right" if high else "left"}
        place = {"xycoords": "axes fraction", "xytext": (0, 4), "va": "bottom"}
        style.write(axes, float(high), 1.0, f"{name} ({len(values)})", **place, **look)
    if axes.get_ylim()[1] > 50:
        # Mistakes are few where a model is good; they must be seen beside hundreds.
        axes.set_yscale("symlog", linthresh=1, linscale=0.4)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 1)
    axes.axvline(p.threshold, color=style.INK, linewidth=1.0, linestyle=(0, (4, 3)))
    style.write(axes, p.threshold, 1.0, "threshold", xycoords=("data", "axes fraction"), xytext=(0, 4), ha="center")
