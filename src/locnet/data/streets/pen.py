"""The pen that everything is drawn with: solids of the world in, lit and hazed polygons on the canvas out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from PIL import Image, ImageDraw

from locnet.data.streets.mood import Mood
from locnet.data.streets.palette import Color
from locnet.data.streets.view import NEAR, View

Point = tuple[float, float, float]
Pixel = tuple[float, float]
Drawing = Callable[["Pen"], None]
"""A thing that is ready to be drawn, any number of times: all its random choices are made."""

# Pillow also fills the pixels that a polygon's border only touches. Shifted by this much, continuous edges grow
# by the same 0.4 canvas pixels on all four sides; unshifted, by more on the right and below.
_SHIFT = 0.1


def _circle(corners: int) -> tuple[Pixel, ...]:
    return tuple((math.cos(math.tau * i / corners), math.sin(math.tau * i / corners)) for i in range(corners))


CIRCLE = _circle(18)
_COARSE = _circle(10)
_SMALL = 5.0  # radius in pixels below which the coarse circle looks the same
_CAP = tuple((math.cos(t), math.sin(t)) for t in (-math.pi / 2 + math.pi * i / 4 for i in range(5)))
_THIN = 1.6  # radius in pixels below which a rod needs no round ends


class Pen:
    """Draws in the local coordinates of the thing that it was last placed at.

    Local coordinates are metres: x to the thing's right, y up, z to its front; yaw 0 turns its back to the
    camera. Without an image the pen only measures; with a mask it also marks every pixel that it covers.

    Args:
        view: the camera.
        mood: light and air.
        image: RGB canvas, or None.
        mask: L canvas of the same size, or None.

    Attributes:
        lights: emitted light as (x, y, radius in pixels, colour).
        scale: pixels per metre at the place of the thing.
    """

    def __init__(
        self, view: View, mood: Mood, image: Image.Image | None = None, mask: Image.Image | None = None
    ) -> None:
        self.view, self.mood = view, mood
        self.lights: list[tuple[float, float, float, Color]] = []
        self._draw = None if image is None else ImageDraw.Draw(image)
        self._blend = None if image is None else ImageDraw.Draw(image, "RGBA")
        self._mask = None if mask is None else ImageDraw.Draw(mask)
        self._measures = image is None or mask is not None
        self._left, self._top, self._right, self._bottom = math.inf, math.inf, -math.inf, -math.inf
        self._origin = (view.x - _SHIFT, view.y - _SHIFT)
        self._roll = (math.cos(view.roll), math.sin(view.roll))
        self.place(0.0, 10.0)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """xmin, ymin, xmax, ymax of all that a measuring pen drew, in pixels, in the picture or not."""
        return self._left + _SHIFT, self._top + _SHIFT, self._right + _SHIFT, self._bottom + _SHIFT

    # Where

    def place(self, x: float, z: float, yaw: float = 0.0, y: float = 0.0) -> None:
        """Go to a place of the world: (x, y, z) is the local origin, yaw turns to the right."""
        self._x, self._y, self._z = x, y, z
        self._cos, self._sin = math.cos(yaw), math.sin(yaw)
        self.scale = self.view.focal / max(z, NEAR)
        haze = 1.0 - math.exp(-max(z, 0.0) * self.mood.haze)
        beam = self.mood.beam * math.exp(-max(z, 0.0) / 22.0)
        self._clear = 1.0 - haze
        self._ambient = tuple((channel + beam) * self._clear for channel in self.mood.ambient)
        self._air = tuple(channel * haze for channel in self.mood.haze_color)

    @property
    def heading(self) -> tuple[float, float]:
        """Cosine and sine of the yaw."""
        return self._cos, self._sin

    def eye(self) -> tuple[float, float]:
        """The camera's local (x, z)."""
        return self._z * self._sin - self._x * self._cos, -self._x * self._sin - self._z * self._cos

    def project(self, points: Iterable[Point]) -> list[Pixel]:
        """Local coordinates to the pixel coordinates that Pillow draws in."""
        at_x, at_z, cos, sin = self._x, self._z, self._cos, self._sin
        focal, eye = self.view.focal, self.view.height - self._y
        origin_x, origin_y = self._origin
        roll_cos, roll_sin = self._roll
        pixels: list[Pixel] = []
        for x, y, z in points:  # the innermost loop of all: no calls in it
            depth = at_z - x * sin + z * cos
            scale = focal / (depth if depth > NEAR else NEAR)
            right = (at_x + x * cos + z * sin) * scale
            down = (eye - y) * scale
            pixels.append(
                (origin_x + right * roll_cos - down * roll_sin, origin_y + right * roll_sin + down * roll_cos)
            )
        return pixels

    def depth(self, point: Point) -> float:
        """Distance of a local point along the camera's axis, in metres."""
        return self._z - point[0] * self._sin + point[2] * self._cos

    # What: flat things

    def pixels(self, outline: Sequence[Pixel], color: Color, alpha: float = 1.0, lit: bool = False) -> None:
        """Fill a polygon of pixels; `lit` colours shine by themselves, whatever the daylight."""
        if self._measures:
            xs, ys = [p[0] for p in outline], [p[1] for p in outline]
            self._left, self._right = min(self._left, *xs), max(self._right, *xs)
            self._top, self._bottom = min(self._top, *ys), max(self._bottom, *ys)
            if self._mask is not None:
                self._mask.polygon(outline, fill=255)
        if alpha < 1.0:
            if self._blend is not None:
                self._blend.polygon(outline, fill=(*self._tone(color, lit), int(alpha * 255)))
        elif self._draw is not None:
            self._draw.polygon(outline, fill=self._tone(color, lit))

    def poly(self, points: Sequence[Point], color: Color, alpha: float = 1.0, lit: bool = False) -> None:
        """Fill a polygon, seen from either side, unshaded."""
        self.pixels(self.project(points), color, alpha, lit)

    def face(self, points: Sequence[Point], color: Color) -> float:
        """Fill one face of a solid if it looks at the camera.

        Args:
            points: the outline, clockwise as seen from outside the solid.
            color: in plain daylight.

        Returns:
            The brightness that the sun gave to it, 0.0 if it is hidden.
        """
        outline = self.project(points)
        (ax, ay), (bx, by), (cx, cy) = outline[0], outline[1], outline[2]
        if (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) <= 0:
            return 0.0
        light = self.sunlight(points)
        self.pixels(outline, (color[0] * light, color[1] * light, color[2] * light))
        return light

    def box(self, low: Point, high: Point, color: Color, top: Color | None = None) -> None:
        """A cuboid between two local corners; the underside is left out."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        self.face(((x0, y1, z0), (x0, y1, z1), (x1, y1, z1), (x1, y1, z0)), top or color)
        self.face(((x0, y1, z0), (x1, y1, z0), (x1, y0, z0), (x0, y0, z0)), color)
        self.face(((x1, y1, z1), (x0, y1, z1), (x0, y0, z1), (x1, y0, z1)), color)
        self.face(((x1, y1, z0), (x1, y1, z1), (x1, y0, z1), (x1, y0, z0)), color)
        self.face(((x0, y1, z1), (x0, y1, z0), (x0, y0, z0), (x0, y0, z1)), color)

    # What: round things

    def hull(self, points: Sequence[Point], color: Color, alpha: float = 1.0, lit: bool = False) -> None:
        """Fill the outline of the convex solid that the points span."""
        self.pixels(_convex_hull(self.project(points)), color, alpha, lit)

    def ball(
        self, at: Point, width: float, height: float, color: Color, *, alpha: float = 1.0, lit: bool = False
    ) -> None:
        """An ellipse that faces the camera; width and height are its radii in metres."""
        ((x, y),) = self.project((at,))
        scale = self.view.focal / max(self.depth(at), NEAR)
        width, height = width * scale, height * scale
        circle = _COARSE if width + height < 2 * _SMALL and not self._measures else CIRCLE
        self.pixels([(x + width * c, y + height * s) for c, s in circle], color, alpha, lit)

    def disc(self, at: Point, radius: float, color: Color, thick: float = 0.0) -> None:
        """A wheel whose axle is the local x axis; `thick` is its width in metres."""
        self.hull(wheel(at, radius, thick), color) if thick else self.poly(wheel(at, radius, 0.0), color)

    def limb(self, start: Point, end: Point, wide: float, narrow: float, color: Color) -> None:
        """A rod with round ends; `wide` and `narrow` are its radii in metres at start and end."""
        (ax, ay), (bx, by) = self.project((start, end))
        first = wide * self.view.focal / max(self.depth(start), NEAR)
        last = narrow * self.view.focal / max(self.depth(end), NEAR)
        dx, dy = bx - ax, by - ay
        length = math.sqrt(dx * dx + dy * dy) or 1.0
        dx, dy = dx / length, dy / length
        cap = _CAP if first > _THIN or self._measures else (_CAP[0], _CAP[-1])
        outline = [(bx + last * (c * dx - s * dy), by + last * (c * dy + s * dx)) for c, s in cap]
        outline += [(ax - first * (c * dx - s * dy), ay - first * (c * dy + s * dx)) for c, s in cap]
        self.pixels(outline, color)

    # Light

    def light(self, at: Point, radius: float, color: Color) -> None:
        """A glow around a local point; the radius is in metres."""
        ((x, y),) = self.project((at,))
        self.lights.append((x, y, radius * self.view.focal / max(self.depth(at), NEAR), color))

    def sunlight(self, points: Sequence[Point]) -> float:
        """Brightness of a face of a solid; the points go clockwise as seen from outside."""
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = points[0], points[1], points[2]
        ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
        # Clockwise from outside, with z pointing away from the viewer: u x v points out of the solid.
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        length = math.sqrt(nx * nx + ny * ny + nz * nz) or 1.0
        world_x, world_z = nx * self._cos + nz * self._sin, nz * self._cos - nx * self._sin
        sun = self.mood.sun
        direct = max(0.0, (world_x * sun[0] + ny * sun[1] + world_z * sun[2]) / length)
        return self.mood.fill + 0.1 * ny / length + self.mood.sunshine * direct

    def _tone(self, color: Color, lit: bool) -> tuple[int, int, int]:
        light = (self._clear,) * 3 if lit else self._ambient
        air = self._air
        return (
            min(255, int(color[0] * light[0] + air[0])),
            min(255, int(color[1] * light[1] + air[1])),
            min(255, int(color[2] * light[2] + air[2])),
        )


def wheel(at: Point, radius: float, thick: float) -> list[Point]:
    """The rims of a wheel around a local point, axle along x; one rim if it has no thickness."""
    x, y, z = at
    sides = (x - thick / 2, x + thick / 2) if thick else (x,)
    return [(side, y + radius * s, z + radius * c) for side in sides for c, s in CIRCLE]


def patch(quad: Sequence[Point], left: float, top: float, right: float, bottom: float) -> list[Point]:
    """A part of a four-cornered face, given as fractions of it from its first corner (bilinear)."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz), (dx, dy, dz) = quad
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    part: list[Point] = []
    for u, v in corners:
        a, b, c, d = (1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v
        part.append(
            (
                ax * a + bx * b + cx * c + dx * d,
                ay * a + by * b + cy * c + dy * d,
                az * a + bz * b + cz * c + dz * d,
            )
        )
    return part


def _convex_hull(points: list[Pixel]) -> list[Pixel]:
    ordered = sorted(points)
    outline: list[Pixel] = []
    for path in (ordered, ordered[::-1]):
        start = len(outline)
        for x, y in path:
            while len(outline) - start >= 2:
                (ax, ay), (bx, by) = outline[-2], outline[-1]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                outline.pop()
            outline.append((x, y))
        outline.pop()
    return outline or points
