"""Small pictures with boxes, as text that stands inside a page."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from locnet.data.images import load_image
from locnet.errors import LocnetError

SIDE = 176
_TRUTH, _OTHER, _THIRD = "#0072B2", "#E69F00", "#009E73"  # as in locnet.report.style, which needs matplotlib


def picture(
    path: Path,
    box: NDArray[np.float64] | None = None,
    other: NDArray[np.float64] | None = None,
    third: NDArray[np.float64] | None = None,
) -> str | None:
    """A data URI of the upright image, its longer side `SIDE` pixels; None where it cannot be read.

    Args:
        path: of the image.
        box: `(4,)` float64, xyxy in fractions of the upright image, drawn blue; NaN for none.
        other: a second box, drawn orange.
        third: one more, drawn green.
    """
    try:
        image = load_image(path, at_least=SIDE).image
    except LocnetError:
        return None
    image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    if (factor := SIDE // max(image.size)) > 1:
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    for edges, colour in ((box, _TRUTH), (other, _OTHER), (third, _THIRD)):
        if edges is not None and np.isfinite(edges).all():
            _draw(image, edges, colour)
    stream = BytesIO()
    image.save(stream, "JPEG", quality=72)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _draw(image: Image.Image, box: NDArray[np.float64], colour: str) -> None:
    """A coloured line on a white one: seen on any background."""
    left, top, right, bottom = box * (image.width, image.height, image.width, image.height)
    corners = [round(left), round(top), max(round(left), round(right) - 1), max(round(top), round(bottom) - 1)]
    draw = ImageDraw.Draw(image)
    wide = [corners[0] - 1, corners[1] - 1, corners[2] + 1, corners[3] + 1]
    draw.rectangle(wide, outline="white", width=4)
    draw.rectangle(corners, outline=colour, width=2)
