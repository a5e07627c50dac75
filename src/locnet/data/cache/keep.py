"""What of a decoded image is kept, and at which size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from locnet.data.augment import Augment
from locnet.data.pixels import REDUCING_GAP, Picture, Pixels, as_image, resample, size_of
from locnet.data.resize import ResizeMode, placed_size, scale

Size = tuple[int, int]
"""Height and width, pixels."""

NOTHING: Size = (0, 0)


class Kept(NamedTuple):
    """What is kept of one image, the pixels or the fitted image at least.

    Attributes:
        pixels: `(height, width, 3)`, for windows of the image; empty where none are cut out.
        fitted: `(3, height, width)` uint8, the whole image as it stands in the network's input, without bars; empty
            where the pixels are that already.
    """

    pixels: Pixels
    fitted: Tensor


@dataclass(frozen=True)
class Keep:
    """What to keep.

    Attributes:
        height: of the network input, pixels.
        width: of the network input, pixels.
        resize: how images meet it.
        covering: for training, the least sides in pixels of what windows are cut from, such that the augmentation's
            closest view is still as sharp as the input; None for evaluation, which shows whole images.
    """

    height: int
    width: int
    resize: ResizeMode
    covering: int | None = None

    def sizes(self, height: int, width: int) -> tuple[Size, Size]:
        """Sizes that pixels and fitted image of an image of this size are kept at."""
        fitted = placed_size(height, width, self.height, self.width, self.resize)
        if self.covering is None:
            return NOTHING, fitted
        factor = min(self.covering / min(height, width), 1.0)
        pixels = math.ceil(height * factor - 1e-9), math.ceil(width * factor - 1e-9)
        return pixels, NOTHING if fitted == pixels else fitted

    @property
    def at_least(self) -> int:
        """For decoding."""
        return self.covering or max(self.height, self.width)

    def apply(self, picture: Picture) -> Kept:
        """What is kept of an image, for training or evaluation just what these would make of the image itself."""
        width, height = size_of(picture)
        pixels, (fitted_height, fitted_width) = self.sizes(height, width)
        size = (fitted_width, fitted_height)
        if self.covering is None:
            return Kept(np.empty((0, 0, 3), np.uint8), scale(as_image(picture), size))
        whole = resample(picture, (0, 0, width, height), size) if all(size) else torch.empty(3, 0, 0, dtype=torch.uint8)
        return Kept(_reduced(picture, pixels), whole)


def _reduced(picture: Picture, size: Size) -> Pixels:
    image = as_image(picture)
    if (image.height, image.width) != size:
        # windows of it are scaled down once more: the sharper filter leaves that something to do
        image = image.resize(size[::-1], Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    return np.array(image)


def keep_for(image_size: Size, resize: ResizeMode, augment: Augment | None) -> Keep:
    """What to keep of images that are served at `image_size`, augmented or not."""
    return Keep(*image_size, resize, None if augment is None else augment.source_side(max(image_size)))


def describe(keep: Keep) -> dict[str, Any]:
    """What the cache's name depends on."""
    return vars(keep)
