"""Pastes a cut-out object onto an image: objects in new surroundings, and others beside the one that is asked for.

Few labelled photos show few objects in few places; pasted elsewhere, they teach what belongs to the object and what to
its surroundings (Dwibedi et al., Cut, Paste and Learn, 2017; Ghiasi et al., Simple Copy-Paste, 2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import torch
from torch import Tensor
from torch.nn import functional as F

from locnet.data.augment.cutout import Cutout
from locnet.data.augment.windows import Rect, chance, clip, rect_area, uniform

_AREA = (0.02, 0.55)  # of a pasted object's box, share of the image
_STRETCH = 0.3  # its shape changes by up to exp(0.3) either way ...
_SQUASH = 0.87  # ... around this: most photos are wider than the input, which squashes them
_ENLARGED = 2.0  # at most so many times as large as in its photo
_LEAST_SIDE = 8  # pixels
_SPILLS, _SPILL = 0.3, 0.25  # how often, and by how much of its side at most, the image's edge cuts it off
_TRIES = 8
_OVERLAP = 0.1  # of the smaller box, that an object and one beside it share at most

Recolour = Callable[[Tensor, Random], Tensor]
"""A random change of colours of `(3, h, w)` uint8."""


def draw_area(generator: Random) -> float:
    """Area of a pasted object's box as a share of the image; small ones are as common as large ones."""
    low, high = _AREA
    return math.exp(uniform(generator, math.log(low), math.log(high)))


def paste(
    image: Tensor, cutout: Cutout, area: float, generator: Random, recolour: Recolour, *, beside: Rect | None = None
) -> Rect | None:
    """Paste an object somewhere, mirrored or not, in colours of its own.

    Args:
        image: `(3, height, width)` uint8; written to.
        cutout: the object. What its photo's edges cut off lies at the same edges here.
        area: of its box, share of the image; it becomes smaller where the cut-out is too small or the image too narrow.
        generator: source of randomness.
        recolour: of its pixels.
        beside: a box, fractions of the image, that it may hardly overlap.

    Returns:
        The box of what is visible, fractions of the image; None where it found no place, and nothing is written.
    """
    height, width = image.shape[1:]
    w, h = _draw_size(cutout, area, (width, height), generator)
    mirrored = chance(generator, 0.5)
    left, top, right, bottom = cutout.cut_off
    if mirrored:
        left, right = right, left
    spill = _SPILL if chance(generator, _SPILLS) else 0.0
    for _ in range(_TRIES):
        x = _draw_start(w, width, left, right, spill, generator)
        y = _draw_start(h, height, top, bottom, spill, generator)
        shown = (max(x, 0), max(y, 0), min(x + w, width), min(y + h, height))
        box = (shown[0] / width, shown[1] / height, shown[2] / width, shown[3] / height)
        if beside is None or _common(box, beside) <= _OVERLAP:
            break
    else:
        return None
    pixels = torch.from_numpy(cutout.pixels).permute(2, 0, 1)[None]
    pixels = F.interpolate(pixels, (h, w), mode="bilinear", antialias=True)[0]
    if mirrored:
        pixels = pixels.flip(-1)
    within = (slice(None), slice(shown[1] - y, shown[3] - y), slice(shown[0] - x, shown[2] - x))
    color = recolour(pixels[:3].contiguous(), generator)[within].float()
    share = pixels[3:][within].float() / 255
    part = image[:, shown[1] : shown[3], shown[0] : shown[2]]
    part.copy_(torch.lerp(part.float(), color, share).round())
    return box


def _draw_size(cutout: Cutout, area: float, size: tuple[int, int], generator: Random) -> tuple[int, int]:
    """Width and height in pixels of an object that is pasted onto an image of this width and height."""
    own_height, own_width = cutout.pixels.shape[:2]
    aspect = own_width / own_height * _SQUASH * math.exp(uniform(generator, -_STRETCH, _STRETCH))
    height = math.sqrt(area * size[0] * size[1] / aspect)
    width = height * aspect
    scale = min(1.0, _ENLARGED * own_height / height, _ENLARGED * own_width / width, size[1] / height, size[0] / width)
    sides = (max(_LEAST_SIDE, round(side * scale)) for side in (width, height))
    w, h = (min(side, most) for side, most in zip(sides, size, strict=True))
    return w, h


def _draw_start(side: int, whole: int, first: bool, last: bool, spill: float, generator: Random) -> int:
    """Where an object's side begins, pixels: at an edge that cuts it off, or anywhere."""
    if first or last:
        return whole - side if last else 0
    return round(uniform(generator, -spill * side, whole - side + spill * side))


def _common(box: Rect, other: Rect) -> float:
    """The intersection of two boxes as a share of the smaller one."""
    return rect_area(clip(box, other)) / max(min(rect_area(box), rect_area(other)), 1e-9)
