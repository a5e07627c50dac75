"""One look for everything that is drawn: colours, fonts, axes. No global setting of matplotlib is changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

# Okabe and Ito's palette: told apart with every common form of colour blindness.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
INK, GREY, PALE = "#222222", "#767676", "#E4E4E4"

TRUTH_COLOUR, PREDICTION_COLOUR, CROP_COLOUR = BLUE, ORANGE, GREEN
"""Truth is blue, the prediction orange and its crop green wherever they are shown."""

_TEXT_COLOURS = {ORANGE: "#9C6A00"}  # the same hue, dark enough for letters on white

DPI = 150
_FONT = 9.0


def new_figure(width: float, height: float) -> Figure:
    """An empty figure without global state, so that threads and processes may draw at the same time.

    Args:
        width: in inches.
        height: in inches.
    """
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG.

    Returns:
        `path`.
    """
    figure.savefig(path, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.12)
    return path


def tidy(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    """Title, axis names, and no more lines than needed."""
    axes.set_title(plain(title), loc="left", fontsize=_FONT + 1, color=INK, parse_math=False)
    axes.set_xlabel(plain(x), fontsize=_FONT, color=INK)
    axes.set_ylabel(plain(y), fontsize=_FONT, color=INK)
    axes.tick_params(labelsize=_FONT - 1, colors=GREY, labelcolor=INK, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.grid(axis="y", color=PALE, linewidth=0.7)
    axes.set_axisbelow(True)


def shares(axes: Axes, *which: str) -> None:
    """Make the axes named `x` or `y` show shares: 0 to 1, and room to see a line at 0 or 1 whole."""
    for axis in which:
        getattr(axes, f"set_{axis}lim")(-0.02, 1.02)
        getattr(axes, f"set_{axis}ticks")(np.linspace(0, 1, 6))


def write(axes: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """Write text at a point of the data, on a white halo so that it is read across lines too."""
    defaults = {"xytext": (0, 0), "textcoords": "offset points", "fontsize": _FONT - 1, "color": INK}
    halo = [withStroke(linewidth=2.5, foreground="white")]
    axes.annotate(text, (x, y), **{**defaults, **options, "parse_math": False, "path_effects": halo})


def name_lines(axes: Axes, lines: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each line's name right of its last point, moved apart where they would overlap.

    Call it when everything else is drawn: the names' places follow from the size and limits of the axes.

    Args:
        axes: where the lines are.
        lines: for each line x and y of its last point, its name and its colour.
    """
    if not lines:
        return
    figure = axes.figure
    if isinstance(figure, Figure):
        figure.draw_without_rendering()  # only the layout knows how high the axes are
    gap = 1.3 * (_FONT - 1) / 72 * DPI / axes.get_window_extent().height
    points = axes.transData.transform([(x, y) for x, y, _, _ in lines])
    wanted = axes.transAxes.inverted().transform(points)[:, 1]  # also where the axis is logarithmic
    for (x, _, name, colour), place in zip(lines, spread(wanted, gap), strict=True):
        axes.annotate(
            plain(name),
            (x, place),
            xycoords=("data", "axes fraction"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=_FONT - 1,
            color=text_colour(colour),
            parse_math=False,
            annotation_clip=False,
        )


def text_colour(colour: str) -> str:
    """The colour for letters that name something drawn in `colour`."""
    return _TEXT_COLOURS.get(colour, colour)


def spread(places: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Move numbers apart until neighbours differ by `gap` at least, keeping their order and the mean.

    Args:
        places: `(K,)` float64.
        gap: smallest distance allowed.

    Returns:
        `(K,)` float64, in the order of `places`.
    """
    order = np.argsort(places, kind="stable")
    clusters: list[list[float]] = []  # sum of wanted centres, number of members
    for wanted in places[order]:
        clusters.append([float(wanted), 1])
        while len(clusters) > 1 and _too_close(clusters[-2], clusters[-1], gap):
            total, members = clusters.pop()
            clusters[-1] = [clusters[-1][0] + total, clusters[-1][1] + members]
    moved = [
        total / members + (index - (members - 1) / 2) * gap
        for total, members in clusters
        for index in range(int(members))
    ]
    result = np.empty(len(places))
    result[order] = moved
    return result


def plain(text: str) -> str:
    """The text in one line, without characters that cannot be written at all."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


def shorten(text: str, length: int) -> str:
    """The text, or its start and an ellipsis, in at most `length` characters."""
    text = plain(text)
    return text if len(text) <= length else text[: length - 1] + "…"


def _too_close(below: list[float], above: list[float], gap: float) -> bool:
    distance = above[0] / above[1] - below[0] / below[1]
    return distance < gap * (above[1] + below[1]) / 2
