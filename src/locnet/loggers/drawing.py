"""Charts and pictures as pixels, for dashboards that draw nothing themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from locnet.loggers.content import Bars, Chart, Lines, Matrix, Picture
from locnet.report import style
from locnet.report.caption import Prediction, Truth, caption
from locnet.report.overlay import draw_boxes

_COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.GREY)
_MOST_NUMBERS = 16


def chart_figure(shown: Chart) -> Figure:
    """Draw a chart."""
    figure = style.new_figure(5.6, 4.2)
    axes = figure.add_subplot()
    if isinstance(shown, Lines):
        style.tidy(axes, shown.title, x=shown.x, y=shown.y)
        for number, (name, (xs, ys)) in enumerate(shown.series.items()):
            axes.plot(xs, ys, color=_COLOURS[number % len(_COLOURS)], linewidth=1.8, label=style.plain(name))
        axes.legend(frameon=False, fontsize=8)
    elif isinstance(shown, Bars):
        style.tidy(axes, shown.title, x=shown.x, y=shown.y)
        axes.bar(range(len(shown.bars)), list(shown.bars.values()), color=style.BLUE)
        axes.set_xticks(range(len(shown.bars)), list(shown.bars), rotation=90, fontsize=7)
    else:
        _matrix(axes, shown)
    return figure


def sheet(pictures: Sequence[Picture], side: int = 224, columns: int = 4) -> Image.Image:
    """Pictures with boxes and captions in rows, as one image."""
    tiles = [_tile(shown, side) for shown in pictures]
    height = max(tile.height for tile in tiles)
    columns = min(columns, len(tiles))
    page = Image.new("RGB", (columns * side, -(-len(tiles) // columns) * height), "white")
    for number, tile in enumerate(tiles):
        page.paste(tile, (number % columns * side, number // columns * height))
    return page


def pixels(figure: Figure) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """`(H, W, 3)` uint8 of a figure."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]  # of Agg


def _tile(shown: Picture, side: int) -> Image.Image:
    image = shown.image.copy()
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    background = "background"
    truth = Truth(shown.truth.edges if shown.truth else None, shown.truth.name if shown.truth else background)
    predicted = shown.prediction
    answer = Prediction(predicted.edges, predicted.name, predicted.p_c or 0.0, predicted.iou) if predicted else None
    drawn = draw_boxes(image, truth=truth, prediction=answer, line=2)
    bar = caption(side, truth=truth, prediction=answer, font_size=11)
    tile = Image.new("RGB", (side, side + bar.height), "white")
    tile.paste(drawn, ((side - drawn.width) // 2, (side - drawn.height) // 2))
    tile.paste(bar, (0, side))
    return tile


def _matrix(axes: Axes, shown: Matrix) -> None:
    counts = np.asarray(shown.counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    style.tidy(axes, shown.title, x="verdict", y="truth")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(shown.names) > _MOST_NUMBERS:
        return
    places = range(len(shown.names))
    axes.set_xticks(places, list(shown.names), rotation=45, ha="right")
    axes.set_yticks(places, list(shown.names))
    for row in places:
        for column in places:
            colour = "white" if shares[row, column] > 0.5 else style.INK
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=8)
