"""The human figure as depth-sorted limbs, for people on foot and in the saddle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from locnet.data.streets.palette import Color, shade
from locnet.data.streets.pen import Pen, Point


class Parts:
    """Parts of a thing, drawn from the farthest to the nearest whatever the order they were added in."""

    def __init__(self, pen: Pen) -> None:
        self.pen = pen
        self._parts: list[tuple[float, Callable[[], None]]] = []

    def add(self, at: Point, paint: Callable[[], None], lift: float = 0.0) -> None:
        """Draw by `paint` in the order of the local point's distance; `lift` metres nearer than it is."""
        self._parts.append((self.pen.depth(at) - lift, paint))

    def limb(self, start: Point, end: Point, wide: float, narrow: float, color: Color, *, lift: float = 0.0) -> None:
        """A rod with round ends."""
        self.add(middle(start, end), lambda: self.pen.limb(start, end, wide, narrow, color), lift)

    def ball(self, at: Point, width: float, height: float, color: Color, *, lift: float = 0.0) -> None:
        """An ellipse that faces the camera."""
        self.add(at, lambda: self.pen.ball(at, width, height, color), lift)

    def hull(self, points: Sequence[Point], color: Color, *, lift: float = 0.0) -> None:
        """A convex solid."""
        n = len(points)
        at = (sum(p[0] for p in points) / n, sum(p[1] for p in points) / n, sum(p[2] for p in points) / n)
        self.add(at, lambda: self.pen.hull(points, color), lift)

    def draw(self) -> None:
        """Draw all of them."""
        for _, paint in sorted(self._parts, key=lambda part: -part[0]):
            paint()


def middle(first: Point, second: Point) -> Point:
    """The point half way."""
    return (first[0] + second[0]) / 2, (first[1] + second[1]) / 2, (first[2] + second[2]) / 2


def slab(low: Point, high: Point, wide_low: float = 1.0, wide_high: float = 1.0) -> list[Point]:
    """The corners of a cuboid between two points, its bottom and top as wide as the factors say."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    x, half = (x0 + x1) / 2, (x1 - x0) / 2
    rows = ((y0, half * wide_low), (y1, half * wide_high))
    return [(x + side * width, y, z) for y, width in rows for side in (-1.0, 1.0) for z in (z0, z1)]


def bent_limb(parts: Parts, joints: Sequence[Point], radii: Sequence[float], colors: Sequence[Color]) -> None:
    """A chain of rods: an arm or a leg. There is one radius a joint and one colour a rod."""
    for i, color in enumerate(colors):
        parts.limb(joints[i], joints[i + 1], radii[i], radii[i + 1], color)


def torso(
    parts: Parts,
    hips: Point,
    shoulders: Point,
    color: Color,
    *,
    hip_half: float,
    shoulder_half: float,
    thick: float,
) -> None:
    """The trunk, a solid from hips to shoulders, with a lighter strip on the sunny side."""
    collar = (shoulders[0], shoulders[1] + 0.05, shoulders[2])
    rows = (
        (hips, hip_half, thick * 0.9),
        (middle(hips, shoulders), (hip_half + shoulder_half) * 0.485, thick),
        (shoulders, shoulder_half, thick * 0.75),
        (collar, shoulder_half * 0.5, thick * 0.5),
    )
    sides = (-1.0, 1.0)
    points = [(x + s * half, y, z + d * deep) for (x, y, z), half, deep in rows for s in sides for d in sides]
    parts.hull(points, color)
    if parts.pen.mood.sunshine > 0.15 and parts.pen.scale > 40:
        sun = 1.0 if parts.pen.mood.sun[0] > 0 else -1.0
        strip = [(x + sun * half * f, y, z) for (x, y, z), half, _ in rows[:3] for f in (0.55, 0.93)]
        parts.hull(strip, shade(color, 1.14), lift=thick)
