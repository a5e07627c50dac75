"""The bar under an annotated image, which is also the legend of the boxes' colours."""

from __future__ import annotations

from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from locnet.report.style import CROP_COLOUR, GREY, INK, PREDICTION_COLOUR, TRUTH_COLOUR, plain

Box = tuple[float, float, float, float]
"""xyxy in fractions of the image."""

BACKGROUND_NAME = "background"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Truth(NamedTuple):
    """What is on the image: `box` (None for background) and the class `name`."""

    box: Box | None
    name: str


class Prediction(NamedTuple):
    """The answer: `box` (None from a system without boxes), `name` of the verdict, `p_c`, `iou` if known.

    `crop` holds the whole object with the probability `coverage`, if such a crop was asked for.
    """

    box: Box | None
    name: str
    p_c: float
    iou: float | None = None
    crop: Box | None = None
    coverage: float | None = None


class _Row(NamedTuple):
    colour: str
    role: str
    name: str
    numbers: str


def caption(width: int, *, truth: Truth | None, prediction: Prediction | None, font_size: int) -> Image.Image:
    """One line for the prediction, one for its crop if it has one, and one for the truth, each with its colour.

    A tick or a cross at the right says whether the whole answer is right: the verdict, and IoU >= 0.5 where
    there is one.

    Args:
        width: of the bar in pixels.
        truth: true box and class, or None.
        prediction: predicted box and the rest, or None.
        font_size: in pixels.

    Returns:
        RGB on white, as high as its lines; 1 pixel high without any.
    """
    rows = _rows(truth, prediction)
    font = ImageFont.load_default(font_size)
    height, margin = round(font_size * 1.45), font_size // 2
    bar = Image.new("RGB", (width, height * len(rows) + margin if rows else 1), "white")
    draw = ImageDraw.Draw(bar)
    right = width - margin
    if truth is not None and prediction is not None:
        _mark(
            draw,
            (right - font_size * 0.45, margin // 2 + height / 2),
            font_size * 0.4,
            is_right(truth, prediction),
        )
        right -= round(font_size * 1.3)
    for index, row in enumerate(rows):
        _write(draw, (margin, right, margin // 2 + height * index + height // 2), row, font)
    return bar


def is_right(truth: Truth, prediction: Prediction) -> bool:
    """Whether the whole answer is right: the verdict, and IoU >= 0.5 where there is one."""
    if truth.name != prediction.name:
        return False
    return truth.box is None or prediction.iou is None or prediction.iou >= 0.5


def _rows(truth: Truth | None, prediction: Prediction | None) -> list[_Row]:
    rows = []
    if prediction is not None:
        numbers = f"p_c {prediction.p_c:.2f}"
        if prediction.iou is not None:
            numbers += f"  IoU {prediction.iou:.2f}"
        rows.append(_Row(PREDICTION_COLOUR, "predicted ", plain(prediction.name), numbers))
        if prediction.crop is not None and prediction.coverage is not None:
            rows.append(_Row(CROP_COLOUR, "crop ", f"whole object, {100 * prediction.coverage:g} %", ""))
    if truth is not None:
        rows.append(_Row(TRUTH_COLOUR, "truth ", plain(truth.name), ""))
    return rows


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int, int], row: _Row, font: Font) -> None:
    """Swatch, role, name, numbers at the right; where room is short the role goes, then the name is cut."""
    left, right, middle = place
    side = round(font.getbbox("x")[3] * 0.8)
    draw.rectangle((left, middle - side // 2, left + side, middle + side // 2), fill=row.colour)
    left += round(side * 1.6)
    draw.text((right, middle), row.numbers, fill=INK, font=font, anchor="rm")
    room = right - left - font.getlength(f"{row.numbers}  ")
    if font.getlength(row.role + row.name) <= room:
        draw.text((left, middle), row.role, fill=GREY, font=font, anchor="lm")
        left += round(font.getlength(row.role))
    draw.text((left, middle), _fit(row.name, room, font), fill=INK, font=font, anchor="lm")


def _fit(text: str, room: float, font: Font) -> str:
    """The text, or as much of its start as fits into `room` pixels with an ellipsis."""
    text = text[:200]  # bounds the work for absurd names; no caption is wide enough for more
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"


def _mark(draw: ImageDraw.ImageDraw, place: tuple[float, float], radius: float, right: bool) -> None:
    """A tick or a cross around a point, as lines because not every font has the signs."""
    x, y = place
    width = max(2, round(radius / 2.5))
    if right:
        points = [(x - radius, y), (x - radius * 0.3, y + radius * 0.7), (x + radius, y - radius * 0.8)]
        draw.line(points, fill=INK, width=width, joint="curve")
        return
    r = radius * 0.8
    draw.line([(x - r, y - r), (x + r, y + r)], fill=INK, width=width)
    draw.line([(x - r, y + r), (x + r, y - r)], fill=INK, width=width)
