"""The confusion matrix as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from locnet.predictions import Predictions
from locnet.report import style
from locnet.report.scores import confusion

_MAP = LinearSegmentedColormap.from_list("paper_to_blue", ["#FFFFFF", "#9CC5DF", style.BLUE, "#00395A"])
_MAX_NUMBERS = 16
_MAX_NAMES = 60


def plot_confusion(p: Predictions) -> Figure | None:
    """Shares of the verdicts within each true class, with the counts; background last.

    Args:
        p: truth and answer for N images.

    Returns:
        The figure; None without images. Up to 16 rows have numbers in their cells, up to 60 have their names.
    """
    if len(p) == 0:
        return None
    counts = confusion(p)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    names = [style.shorten(name, 24) for name in (*p.classes, "background")]
    side = float(np.clip(0.62 * len(names) + 1.8, 4.2, 11))
    figure = style.new_figure(side + 0.8, side)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap=_MAP, vmin=0, vmax=1)
    right = int(np.trace(counts))
    style.tidy(axes, f"{right} of {len(p)} verdicts right ({right / len(p):.3f})", x="verdict", y="truth")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    _name(axes, names, totals[:, 0])
    if len(names) <= _MAX_NUMBERS:
        _number(axes, counts, shares)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, ticks=[0, 0.5, 1])
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, length=0, labelcolor=style.INK)
    bar.set_label("share of the true class", fontsize=8, color=style.INK)
    return figure


def _name(axes: Axes, names: list[str], totals: NDArray[Any]) -> None:
    if len(names) > _MAX_NAMES:
        axes.xaxis.set_major_locator(NullLocator())
        axes.yaxis.set_major_locator(NullLocator())
        axes.set_xlabel(f"verdict ({len(names) - 1} classes in order, then background)", fontsize=9)
        return
    size = 8 if len(names) <= 30 else 5
    places = range(len(names))
    axes.set_xticks(places, names, fontsize=size, parse_math=False)
    if max(len(name) for name in names) * len(names) > 60:  # they would run into each other
        for text in axes.get_xticklabels():
            text.set(rotation=45, ha="right", rotation_mode="anchor")
    rows = [f"{name} ({total})" for name, total in zip(names, totals, strict=True)]
    axes.set_yticks(places, rows, fontsize=size, parse_math=False)


def _number(axes: Axes, counts: NDArray[Any], shares: NDArray[Any]) -> None:
    """The share and the count in each cell that has any."""
    for row, column in zip(*np.nonzero(counts), strict=True):
        share = shares[row, column]
        ink = "white" if share > 0.6 else style.INK
        text = f"{share:.2f}\n{counts[row, column]}" if len(counts) <= 10 else f"{counts[row, column]}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
