"""Which part of an image a training sample shows: random windows that know where the object is.

A window is left, top, right, bottom as fractions of the image, like a box; outside 0..1 is empty canvas.
Everything random is drawn from a `random.Random` (torch takes many times as long for a number); everything else is a
pure function of plain floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Any, TypeVar

from numpy.typing import NDArray

T = TypeVar("T")

Rect = tuple[float, float, float, float]
"""Left, top, right, bottom."""

FULL: Rect = (0.0, 0.0, 1.0, 1.0)

_TRIES = 10
_MARGIN = 0.01  # labels are a little loose; a window beside the object keeps this share of the image away from it


def uniform(generator: Random, low: float, high: float) -> float:
    """A float drawn evenly from low to high."""
    return low + (high - low) * generator.random()


def chance(generator: Random, probability: float) -> bool:
    """True with this probability; 0 is never, 1 is always."""
    return uniform(generator, 0.0, 1.0) < probability


def one_of(generator: Random, choice: Sequence[T] | NDArray[Any]) -> T:
    """One of a choice, each as likely as another."""
    chosen: T = choice[int(generator.random() * len(choice))]
    return chosen


def rect_area(rect: Rect) -> float:
    """Area of a rectangle; 0 where its edges are in the wrong order."""
    return max(rect[2] - rect[0], 0.0) * max(rect[3] - rect[1], 0.0)


def clip(rect: Rect, bounds: Rect = FULL) -> Rect:
    """The part of a rectangle inside another; of area 0 where they do not meet."""
    left, top = max(rect[0], bounds[0]), max(rect[1], bounds[1])
    return left, top, max(min(rect[2], bounds[2]), left), max(min(rect[3], bounds[3]), top)


def draw_around(generator: Random, box: Rect, *, min_area: float, aspect: float, min_visible: float) -> Rect:
    """A window inside the image that shows the object.

    Args:
        generator: source of randomness.
        box: the object, fractions of the image, inside it.
        min_area: least area of the window as a share of the image.
        aspect: the window's sides differ from the image's shape by up to this factor, at least 1.
        min_visible: at least this share of the box's area lies inside the window.

    Returns:
        The window; the whole image where no smaller window of allowed shape shows the object.
    """
    # What may be cut off is divided between the axes; along each, any window that keeps its length is fair.
    kept = uniform(generator, min_visible, 1.0)
    split = uniform(generator, 0.0, 1.0)
    lengths = ((box[2] - box[0]) * kept**split, (box[3] - box[1]) * kept ** (1.0 - split))
    sides = _draw_sides(generator, lengths, (1.0, 1.0), (min_area, 1.0), aspect)
    if sides is None:
        return FULL
    starts = []
    for side, length, low, high in zip(sides, lengths, box[:2], box[2:], strict=True):
        first, last = max(0.0, low + length - side), min(1.0 - side, high - length)
        starts.append(uniform(generator, first, max(first, last)))
    return starts[0], starts[1], starts[0] + sides[0], starts[1] + sides[1]


def draw_within(
    generator: Random, region: Rect, *, min_area: float, aspect: float, max_area: float = 1.0
) -> Rect | None:
    """Any window inside a region of the image.

    Args:
        generator: source of randomness.
        region: fractions of the image.
        min_area: least area of the window as a share of the image.
        aspect: the window's sides differ from the image's shape by up to this factor, at least 1.
        max_area: greatest area of the window as a share of the image.

    Returns:
        The window, or None where the region has no room for it.
    """
    room = (region[2] - region[0], region[3] - region[1])
    sides = _draw_sides(generator, (0.0, 0.0), room, (min_area, max_area), aspect)
    if sides is None:
        return None
    left = uniform(generator, region[0], max(region[0], region[2] - sides[0]))
    top = uniform(generator, region[1], max(region[1], region[3] - sides[1]))
    return left, top, left + sides[0], top + sides[1]


def draw_beside(generator: Random, box: Rect, *, min_area: float, aspect: float) -> Rect | None:
    """A window that shows nothing of the object: left of it, right of it, above or below.

    Args:
        generator: source of randomness.
        box: the object, fractions of the image.
        min_area: least area of the window as a share of the image.
        aspect: the window's sides differ from the image's shape by up to this factor, at least 1.

    Returns:
        The window, or None where no side of the object has room for it.
    """
    left, top, right, bottom = box[0] - _MARGIN, box[1] - _MARGIN, box[2] + _MARGIN, box[3] + _MARGIN
    strips: list[Rect] = [(0, 0, left, 1), (right, 0, 1, 1), (0, 0, 1, top), (0, bottom, 1, 1)]
    windows = [(strip, draw_within(generator, strip, min_area=min_area, aspect=aspect)) for strip in strips]
    found = [(rect_area(strip), window) for strip, window in windows if window is not None]
    pick = uniform(generator, 0.0, sum(share for share, _ in found))
    for share, window in found:
        pick -= share
        if pick <= 0:
            return window
    return None


def draw_beyond(generator: Random, max_side: float) -> Rect:
    """A window larger than the image, up to `max_side` times its sides, with the image anywhere inside it."""
    side = uniform(generator, 1.0, max(max_side, 1.0))
    left, top = uniform(generator, 1.0 - side, 0.0), uniform(generator, 1.0 - side, 0.0)
    return left, top, left + side, top + side


def _draw_sides(
    generator: Random,
    least: tuple[float, float],
    most: tuple[float, float],
    areas: tuple[float, float],
    aspect: float,
) -> tuple[float, float] | None:
    """Width and height of a window within these sides and areas, even in area; None where nothing fits."""
    for _ in range(_TRIES):
        stretch = math.exp(uniform(generator, -0.5, 0.5) * math.log(aspect))
        low = max(math.sqrt(areas[0]), least[0] / stretch, least[1] * stretch)
        high = min(math.sqrt(areas[1]), most[0] / stretch, most[1] * stretch)
        if low <= high:
            side = math.sqrt(uniform(generator, low**2, high**2))
            return min(side * stretch, most[0]), min(side / stretch, most[1])
    return None
