"""The size at which decoded images are kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from PIL import Image

from locnet.data.augment import Augment
from locnet.data.pixels import REDUCING_GAP
from locnet.data.resize import ResizeMode, place


@dataclass(frozen=True)
class KeepCovering:
    """For training: both sides at least this long, the shape kept; a smaller image stays as it is.

    Attributes:
        side: pixels; what the augmentation's closest view needs.
    """

    side: int

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that an image of this full size is kept at."""
        scale = self.side / min(height, width)
        if scale >= 1:
            return height, width
        return math.ceil(height * scale - 1e-9), math.ceil(width * scale - 1e-9)

    @property
    def at_least(self) -> int:
        """For decoding."""
        return self.side

    def apply(self, image: Image.Image) -> Image.Image:
        """The image as it is kept."""
        height, width = self.size(image.height, image.width)
        if (width, height) == image.size:
            return image
        # it will be scaled down once more: the sharper filter leaves that something to do
        return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)


@dataclass(frozen=True)
class KeepFitted:
    """For evaluation: just as the network takes it, so that nothing differs from an uncached run.

    Attributes:
        height: of the network input, pixels.
        width: of the network input, pixels.
        resize: how the image meets it.
    """

    height: int
    width: int
    resize: ResizeMode

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that an image of this size is kept at."""
        left, top, right, bottom = place(height, width, self.height, self.width, self.resize).pixels(
            self.height, self.width
        )
        return bottom - top, right - left

    @property
    def at_least(self) -> int:
        """For decoding."""
        return max(self.height, self.width)

    def apply(self, image: Image.Image) -> Image.Image:
        """The image as it is kept: what `locnet.data.resize.fit` makes of it, without the bars."""
        height, width = self.size(image.height, image.width)
        return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP)


Keep = KeepCovering | KeepFitted


def keep_for(image_size: tuple[int, int], resize: ResizeMode, augment: Augment | None) -> Keep:
    """What to keep of images that are served at `image_size` (height, width), augmented or not."""
    if augment is not None:
        return KeepCovering(augment.source_side(max(image_size)))
    return KeepFitted(*image_size, resize)


def describe(keep: Keep) -> dict[str, Any]:
    """What the cache's name depends on."""
    return {"kind": type(keep).__name__, **vars(keep)}
