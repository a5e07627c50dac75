"""Truth and prediction drawn on an image, with a caption underneath that is also the legend.

The truth is blue with a white edge, the prediction orange with a dark edge, its crop green with a white edge: one
of the two contrasts with any background, and the pairs differ in brightness as well as in hue. The box of a
background verdict is dashed: it is what was scored, but not part of the answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from locnet.report.caption import BACKGROUND_NAME, Box, Prediction, Truth, caption
from locnet.report.style import CROP_COLOUR, PREDICTION_COLOUR, TRUTH_COLOUR

_MIN_SIDE = 256
_MIN_CAPTION = 240


@dataclass(frozen=True)
class Look:
    """Sizes in pixels of what is drawn on one image.

    Attributes:
        line: width of a box's coloured line; its edge adds a third on both sides.
        font: font size of the caption.
    """

    line: int
    font: int

    @classmethod
    def of(cls, width: int, height: int) -> Look:
        """Sizes for an image of this width and height in pixels; never too small to read."""
        side = (width * height) ** 0.5
        return cls(line=max(2, round(side / 170)), font=max(13, round(min(side / 32, width / 14))))


def annotate(
    image: Image.Image,
    *,
    truth: Truth | tuple[Box | None, str] | None = None,
    prediction: Prediction | tuple[Box | None, str, float, float | None] | None = None,
    look: Look | None = None,
) -> Image.Image:
    """A copy of the image with the boxes drawn on it and a caption underneath.

    An image smaller than 256 pixels is enlarged by a whole factor first, so that boxes and caption can be
    read. The caption makes the picture higher; an image narrower than 240 pixels gets margins left and right.

    Args:
        image: RGB, upright.
        truth: true box (None for background) and class name; None if it is not known.
        prediction: predicted box, name of the verdict, p_c, IoU (None if not known); None if there is none.
        look: line width and font size; chosen by image size if None.

    Returns:
        RGB, the image on top and the caption beneath it.
    """
    factor = max(1, -(-_MIN_SIDE // max(image.size)))
    size = (image.width * factor, image.height * factor)
    image = image.convert("RGB").resize(size, Image.Resampling.NEAREST)
    look = Look.of(*size) if look is None else look
    truth = None if truth is None else Truth(*truth)
    prediction = None if prediction is None else Prediction(*prediction)
    image = draw_boxes(image, truth=truth, prediction=prediction, line=look.line)
    width = max(image.width, _MIN_CAPTION)
    bar = caption(width, truth=truth, prediction=prediction, font_size=look.font)
    page = Image.new("RGB", (width, image.height + bar.height), "white")
    page.paste(image, ((width - image.width) // 2, 0))
    page.paste(bar, (0, image.height))
    return page


def draw_boxes(image: Image.Image, *, truth: Truth | None, prediction: Prediction | None, line: int) -> Image.Image:
    """A copy of the image with the boxes on it; parts outside the image are not seen.

    Args:
        image: RGB.
        truth: true box and class, or None.
        prediction: predicted box and the rest, or None.
        line: width of the coloured lines in pixels.

    Returns:
        RGB of the same size.
    """
    image = image.copy()
    if truth is not None and truth.box is not None:
        _Pen(image, TRUTH_COLOUR, "white", line).rectangle(truth.box)
    if prediction is not None and prediction.crop is not None:
        _Pen(image, CROP_COLOUR, "white", line).rectangle(prediction.crop)
    if prediction is not None and prediction.box is not None:
        pen = _Pen(image, PREDICTION_COLOUR, "black", line)
        pen.rectangle(prediction.box, dashed=prediction.name == BACKGROUND_NAME)
    return image


@dataclass(frozen=True)
class _Pen:
    """Draws lines of one colour between two thin lines of another."""

    image: Image.Image
    colour: str
    edge: str
    line: int

    def rectangle(self, box: Box, *, dashed: bool = False) -> None:
        """The four sides of a box in fractions of the image, centred on its edges."""
        if not np.isfinite(box).all():
            return
        left, right = self._span(box[0], box[2], self.image.width)
        top, bottom = self._span(box[1], box[3], self.image.height)
        period = self.line * 6 if dashed else 0
        draw = ImageDraw.Draw(self.image)
        strokes = [(start, y, end, y) for start, end in _dashes(left, right, period) for y in (top, bottom)]
        strokes += [(x, start, x, end) for start, end in _dashes(top, bottom, period) for x in (left, right)]
        pixels = [self._pixels(stroke) for stroke in strokes]
        for x0, y0, x1, y1 in pixels:
            thin = self._thin
            draw.rectangle((x0 - thin, y0 - thin, x1 + thin, y1 + thin), fill=self.edge)
        for corners in pixels:
            draw.rectangle(corners, fill=self.colour)

    def _pixels(self, stroke: Box) -> tuple[int, int, int, int]:
        """First and last pixel, in x and y, of a coloured stroke that is exactly `line` pixels wide."""
        # Not round(): it rounds halves to even, so a line would be one pixel wider at every second place.
        x0, y0, x1, y1 = (math.floor(place - self.line / 2 + 0.5) for place in stroke)
        return x0, y0, x1 + self.line - 1, y1 + self.line - 1

    @property
    def _thin(self) -> int:
        return max(1, round(self.line / 3))

    def _span(self, low: float, high: float, size: int) -> tuple[float, float]:
        """Two opposite sides in pixels; one on the image's border moves in, to show its line in full."""
        inset = self.line / 2 + self._thin
        pixels = []
        for side in sorted((low, high)):
            # A wild prediction may lie anywhere; farther away than the image is large nothing of it is seen.
            value = min(max(side, -1.0), 2.0) * size
            pixels.append(min(max(value, inset), size - inset) if 0 <= value <= size else value)
        return pixels[0], pixels[1]


def _dashes(start: float, end: float, period: float) -> list[tuple[float, float]]:
    """One stretch if `period` is 0, else dashes of about half the period, one at either end."""
    if period == 0 or end - start < period:
        return [(start, end)]
    count = round((end - start) / period)
    step = (end - start) / (count + 0.5)
    return [(start + index * step, start + (index + 0.5) * step) for index in range(count + 1)]
