"""A mosaic that keeps the promise of one object: the image in one tile, backgrounds in the others.

Detectors learn much from mosaics of four training images (Bochkovskiy et al., YOLOv4, 2020): objects at more scales,
places and before more backgrounds. With one object an image at most, the other tiles may only show background.
"""

from __future__ import annotations

import math
from random import Random

from locnet.data.augment.windows import chance, uniform

Tile = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the network's input."""

_SIDES = (0.45, 0.85)  # the image's own tile, in sides of the input
_ASPECT = 1.5  # its shape differs from the input's by up to this factor: images are squashed into it
_WHOLE = 0.9  # a tile that leaves less than a tenth of a side takes all of it: two tiles instead of four


def draw_tiles(generator: Random, width: int, height: int) -> list[Tile]:
    """Two or four tiles that fill the input without a gap or an overlap.

    Args:
        generator: source of randomness.
        width: of the input, pixels.
        height: of the input, pixels.

    Returns:
        The tiles; the first one, the largest, is the image's own, in a random corner.
    """
    side = uniform(generator, *_SIDES)
    stretch = math.exp(uniform(generator, -0.5, 0.5) * math.log(_ASPECT))
    across, down = (1.0 if share > _WHOLE else share for share in (side * stretch, side / stretch))
    x, y = round(across * width), round(down * height)
    tiles = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
    if chance(generator, 0.5):
        tiles = [(width - right, top, width - left, bottom) for left, top, right, bottom in tiles]
    if chance(generator, 0.5):
        tiles = [(left, height - bottom, right, height - top) for left, top, right, bottom in tiles]
    return [tile for tile in tiles if tile[0] < tile[2] and tile[1] < tile[3]]
