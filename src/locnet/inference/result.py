"""What is said about one image, typed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from locnet.predictions import EDGES

BACKGROUND = "background"
CROP = tuple(f"crop_{edge}" for edge in EDGES)
FIELDS = ("file", "p_c", "class", "verdict", *EDGES, "width", "height")
"""The columns of every table of answers, before the crop (where one is asked for) and the class scores."""


class Box(NamedTuple):
    """Edges of a continuous plane, right and lower edge exclusive; in pixels or in fractions of the image."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


class Crop(NamedTuple):
    """Edges in whole pixels, as `PIL.Image.crop` takes them."""

    xmin: int
    ymin: int
    xmax: int
    ymax: int


@dataclass(frozen=True)
class Result:
    """The answer about one image.

    Attributes:
        present: there is an object: p_c reaches the threshold.
        p_c: probability of that, in [0, 1].
        class_name: of the highest class score, told also where no object is present.
        label: index of that class.
        scores: score of each class by its name.
        box: in pixels of the original image, told also where no object is present; None from a system without boxes.
        box_fractions: the same box in fractions of the image's width and height.
        crop: holds the whole object as often as `coverage` asked for; None where it was not asked for.
        width: of the original image, upright, in pixels.
        height: of the original image, upright, in pixels.
    """

    present: bool
    p_c: float
    class_name: str
    label: int
    scores: dict[str, float]
    box: Box | None
    box_fractions: Box | None
    crop: Crop | None
    width: int
    height: int

    @property
    def verdict(self) -> str:
        """The class name, or `background` where no object is present."""
        return self.class_name if self.present else BACKGROUND

    def row(self) -> dict[str, Any]:
        """Plain values by the names in `FIELDS` and `CROP`; edges to a thousandth of a pixel."""
        box = [None] * 4 if self.box is None else [round(edge, 3) for edge in self.box]
        return {
            "p_c": self.p_c,
            "class": self.class_name,
            "verdict": self.verdict,
            **dict(zip(EDGES, box, strict=True)),
            "width": self.width,
            "height": self.height,
            **(dict(zip(CROP, self.crop, strict=True)) if self.crop is not None else {}),
            **{f"score_{name}": score for name, score in self.scores.items()},
        }


def whole_pixels(crop: NDArray[np.float64], width: int, height: int) -> Crop:
    """A crop in fractions of the image as whole pixels, rounded outward."""
    left, top, right, bottom = crop * (width, height, width, height)
    slack = 1e-6  # what float32 adds to an edge that lies on a pixel's
    low = (max(0, math.floor(edge + slack)) for edge in (left, top))
    high = (min(side, math.ceil(edge - slack)) for edge, side in ((right, width), (bottom, height)))
    return Crop(*low, *high)
