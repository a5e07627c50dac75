"""Training curves from the rows of `history.jsonl`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from locnet.report import style
from locnet.report.scores import SCORE_TITLES

Row = Mapping[str, Any]


class Curve(NamedTuple):
    """One metric over the epochs: `name` for people, `epochs` increasing, finite `values`."""

    name: str
    epochs: list[float]
    values: list[float]


class Best(NamedTuple):
    """The best value of the monitored metric, and its epoch."""

    epoch: float
    value: float


def plot_history(history: Sequence[Row], monitor: str, mode: str | None = None) -> Figure | None:
    """Loss, box scores, class scores and learning rate over the epochs, the best epoch marked.

    Args:
        history: flat rows such as `{"epoch": 3, "train/loss": 0.4, "val/iou": 0.7, "lr": 1e-3}`. Keys may be
            missing; where an epoch has several values the last counts; what is not finite is left out.
        monitor: the key that decides on the best epoch.
        mode: `max` or `min`; by default `min` if the monitor's name has `loss` in it.

    Returns:
        The figure; None if no row has anything to draw.
    """
    panels = {
        "loss": _curves(history, {"train/loss": "train", "val/loss": "val"}),
        "boxes (val)": _curves(history, _titles("iou", "gt_known_loc", "top1_loc", "max_box_acc_v2")),
        "objectness and class (val)": _curves(history, _titles("accuracy", "class_accuracy", "objectness_ap")),
        "learning rate": _curves(history, _learning_rates(history)),
    }
    panels = {title: curves for title, curves in panels.items() if curves}
    if not panels:
        return None
    best = best_epoch(history, monitor, mode)
    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = style.new_figure(5.2 * columns, 3.1 * rows + (0.3 if best else 0))
    all_axes = [figure.add_subplot(rows, columns, index + 1) for index in range(len(panels))]
    for axes, (title, curves) in zip(all_axes, panels.items(), strict=True):
        _panel(axes, title, curves, best)
    if best is not None:
        text = f"dashed line: epoch {best.epoch:g}, the best by {monitor} ({best.value:.3f})"
        figure.suptitle(style.plain(text), x=0.012, ha="left", fontsize=10, color=style.GREY, parse_math=False)
    for axes, curves in zip(all_axes, panels.values(), strict=True):
        if len(curves) > 1 or curves[0].name != "lr":
            ends = [
                (curve.epochs[-1], curve.values[-1], curve.name, colour)
                for curve, colour in zip(curves, _COLOURS, strict=False)
            ]
            style.name_lines(axes, ends)
    return figure


def best_epoch(history: Sequence[Row], monitor: str, mode: str | None = None) -> Best | None:
    """The earliest epoch with the best finite value of the monitor; None without such a value.

    Args:
        history: rows as for `plot_history`.
        monitor: the key that decides.
        mode: `max` or `min`; by default `min` if the monitor's name has `loss` in it.
    """
    curves = _curves(history, {monitor: monitor})
    if not curves:
        return None
    smallest = mode == "min" if mode is not None else "loss" in monitor
    values = curves[0].values
    index = values.index(min(values) if smallest else max(values))
    return Best(curves[0].epochs[index], values[index])


_COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE)


def _titles(*keys: str) -> dict[str, str]:
    return {f"val/{key}": SCORE_TITLES[key] for key in keys}


def _learning_rates(history: Sequence[Row]) -> dict[str, str]:
    """The keys `lr` and `lr-...` (one for each group of parameters), as many as there are colours."""
    keys = sorted({key for row in history for key in row if key == "lr" or key.startswith(("lr-", "lr/"))})
    return {key: key for key in keys[: len(_COLOURS)]}


def _curves(history: Sequence[Row], names: Mapping[str, str]) -> list[Curve]:
    curves = []
    for key, name in names.items():
        points = {}
        for index, row in enumerate(history):
            epoch, value = _number(row.get("epoch", index)), _number(row.get(key))
            if epoch is not None and value is not None:
                points[epoch] = value
        if points:
            epochs = sorted(points)
            curves.append(Curve(name, epochs, [points[epoch] for epoch in epochs]))
    return curves


def _number(value: object) -> float | None:
    """A finite number or None; a row read back from JSON may hold null, NaN or text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _panel(axes: Axes, title: str, curves: Sequence[Curve], best: Best | None) -> None:
    style.tidy(axes, title, x="epoch")
    for curve, colour in zip(curves, _COLOURS, strict=False):
        marker = "o" if len(curve.epochs) <= 3 else ""
        axes.plot(curve.epochs, curve.values, color=colour, linewidth=1.6, marker=marker, markersize=4)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    if title == "learning rate":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_ylim(0, 1.06 * max(max(curve.values) for curve in curves) or None)
    elif title == "loss":
        _loss_scale(axes, curves)
    else:
        style.shares(axes, "y")
    if best is not None:
        axes.axvline(best.epoch, color=style.GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)


def _loss_scale(axes: Axes, curves: Sequence[Curve]) -> None:
    """A loss that falls to a small part of its start is seen on a logarithmic axis only."""
    values = [value for curve in curves for value in curve.values]
    if min(values) > 0 and max(values) > 30 * min(values):
        axes.set_yscale("log")
    elif min(values) >= 0:
        axes.set_ylim(0, 1.06 * max(values) or None)
