"""What a drawn scene is: a picture and its label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLASSES = ("pedestrian", "car", "motorcycle")
BACKGROUND = -1
SPLITS = ("train", "val", "test")
VERSION = 2
"""Raise it with every change that changes a picture: it is part of the cache's name."""

SMALLEST_SIZE = 32
SUPERSAMPLING = 2
"""The canvas is drawn at this many times the picture's size."""


@dataclass(frozen=True)
class Scene:
    """A picture and its label.

    Attributes:
        image: `(size, size, 3)` uint8, RGB.
        label: class index, -1 for background.
        box: `(4,)` float64, xyxy in pixels (continuous edges): the part of the object that lies in the
            picture, whatever stands in front of it, without its shadow. None for background.
    """

    image: NDArray[np.uint8]
    label: int
    box: NDArray[np.float64] | None


@dataclass(frozen=True)
class Painting:
    """A scene with what only the tests want to know.

    Attributes:
        scene: the picture and its label.
        mask: `(SUPERSAMPLING * size,) * 2` uint8, 255 where the object was drawn; None for background.
        whole: xmin, ymin, xmax, ymax of the object in pixels, in the picture or not; None for background.
        hidden: share of the mask that other things cover.
    """

    scene: Scene
    mask: NDArray[np.uint8] | None
    whole: tuple[float, float, float, float] | None
    hidden: float
