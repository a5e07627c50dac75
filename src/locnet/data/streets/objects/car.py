"""Cars: a body and a cabin of flat faces in seven shapes, seen from any side."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from locnet.data.streets.dice import Dice
from locnet.data.streets.objects.figure import slab
from locnet.data.streets.objects.lamps import HEADLIGHT, TAIL_LIGHT, number_plate, paired_lamps
from locnet.data.streets.palette import CAR_PAINT, SKIN, Color, mix, shade, vary
from locnet.data.streets.pen import Drawing, Pen, Point, patch

TYRE: Color = (26, 26, 28)


@dataclass(frozen=True)
class Shape:
    """Proportions of a car: metres, and the cabin's corners along the car as shares of its length.

    The car's middle is 0, its tail -0.5, its nose 0.5; `belt` is the share of the height below the windows.
    """

    length: float
    width: float
    height: float
    tail: float
    roof_tail: float
    roof_nose: float
    nose: float
    belt: float = 0.64
    hood: float = 0.86


SHAPES: dict[str, Shape] = {
    "sedan": Shape(4.6, 1.82, 1.46, -0.38, -0.22, 0.05, 0.2),
    "hatchback": Shape(3.95, 1.76, 1.5, -0.485, -0.4, 0.05, 0.22),
    "suv": Shape(4.5, 1.9, 1.76, -0.49, -0.44, 0.06, 0.2, 0.62, 0.92),
    "coupe": Shape(4.4, 1.86, 1.3, -0.43, -0.14, 0.0, 0.17, 0.66),
    "wagon": Shape(4.7, 1.83, 1.5, -0.49, -0.43, 0.05, 0.19),
    "van": Shape(4.8, 1.94, 1.98, -0.49, -0.47, 0.2, 0.37, 0.56, 0.86),
    "pickup": Shape(5.2, 1.95, 1.8, -0.1, -0.06, 0.08, 0.2, 0.58, 0.95),
}
WEIGHTS = dict(zip(SHAPES, (0.25, 0.24, 0.2, 0.08, 0.1, 0.08, 0.05), strict=True))


@dataclass(frozen=True)
class Car:
    """One car, all choices made; calling it draws it."""

    shape: Shape
    paint: Color
    roof: Color
    rim: Color
    glass: Color
    lights_on: bool
    brakes: bool
    drivers: tuple[tuple[float, Color], ...]
    taxi: bool
    rails: bool
    plate: Color
    tail_rows: tuple[float, float]
    tail_width: float
    trim: Color

    def __call__(self, pen: Pen) -> None:
        """Draw it where the pen stands."""
        pen.poly(_footprint(self.shape, 0.06), (18, 18, 20), 1.0)
        self._wheels(pen)
        from_behind = pen.eye()[1] < 0
        if from_behind:
            self._mirrors(pen)
        self._body(pen)
        self._cabin(pen)
        if not from_behind:
            self._mirrors(pen)

    @property
    def _ground(self) -> float:
        return 0.11 * self.shape.height + 0.04

    @property
    def _belt(self) -> float:
        return self.shape.height * self.shape.belt

    @property
    def _radius(self) -> float:
        return 0.205 * self.shape.height + 0.02

    def _axles(self) -> tuple[float, float]:
        return -0.3 * self.shape.length, 0.31 * self.shape.length

    def _wheels(self, pen: Pen) -> None:
        radius, half = self._radius, self.shape.width / 2
        for z in self._axles():
            for x in (-half + 0.12, half - 0.12):
                pen.disc((x, radius, z), radius, TYRE, thick=0.22)

    def _stations(self) -> list[tuple[float, float, float]]:
        """Outline of the body from the tail's bottom over the top to the nose's bottom: z, y, half width."""
        s, belt, ground, half = self.shape, self._belt, self._ground, self.shape.width / 2
        end = s.length / 2
        return [
            (-end + 0.06, ground, half * 0.9),
            (-end, ground + 0.4 * (belt - ground), half * 0.93),
            (-end + 0.05, belt * 0.95, half * 0.92),
            (s.tail * s.length, belt, half),
            (s.nose * s.length, belt, half),
            (end - 0.16, belt * s.hood, half * 0.9),
            (end, ground + 0.42 * (belt - ground), half * 0.88),
            (end - 0.05, ground, half * 0.86),
        ]

    def _body(self, pen: Pen) -> None:
        stations = self._stations()
        for i, ((z0, y0, w0), (z1, y1, w1)) in enumerate(itertools.pairwise(stations)):
            quad = ((-w0, y0, z0), (-w1, y1, z1), (w1, y1, z1), (w0, y0, z0))
            light = pen.face(quad, self.paint)
            if light and pen.scale > 12:
                self._end_detail(pen, i, quad, light)
        eye_x, _ = pen.eye()
        side = 1.0 if eye_x > 0 else -1.0
        if abs(eye_x) > self.shape.width / 2:
            self._side(pen, stations, side)

    def _end_detail(self, pen: Pen, i: int, quad: tuple[Point, ...], light: float) -> None:
        dark = shade((34, 36, 40), light)
        if i in (0, 6):  # lower bumpers; the first coordinate of a face runs from the tail to the nose
            low, high = (0.0, 0.45) if i == 0 else (0.55, 1.0)
            pen.poly(patch(quad, low, 0.06, high, 0.94), mix(self.trim, shade(self.paint, light * 0.7), 0.25))
        elif i == 1:
            glows = self.lights_on or self.brakes
            paired_lamps(pen, quad, TAIL_LIGHT, rows=self.tail_rows, width=self.tail_width, is_on=glows)
            number_plate(pen, patch(quad, 0.2, 0.37, 0.52, 0.63), self.plate)
        elif i == 5:
            pen.poly(patch(quad, 0.2, 0.28, 0.8, 0.72), dark)
            paired_lamps(pen, quad, HEADLIGHT, rows=(0.12, 0.62), width=0.23, is_on=self.lights_on)
            number_plate(pen, patch(quad, 0.72, 0.37, 0.95, 0.63), self.plate)
        elif i == 4:
            for v in (0.22, 0.78):
                pen.poly(patch(quad, 0.05, v - 0.012, 0.95, v + 0.012), shade(self.paint, light * 0.86))

    def _side(self, pen: Pen, stations: list[tuple[float, float, float]], side: float) -> None:
        outline = [(side * w, y, z) for z, y, w in stations]
        half = side * self.shape.width / 2
        end, belt, ground = self.shape.length / 2, self._belt, self._ground
        light = pen.sunlight(((half, ground, -end * side), (half, belt, -end * side), (half, belt, end * side)))
        pen.poly(outline, shade(self.paint, light))
        sill = ground + 0.2 * (belt - ground)
        low = [(half * 0.98, sill, -end + 0.1), (half * 0.98, sill, end - 0.2)]
        pen.poly(
            [*low, (half * 0.96, ground, end - 0.2), (half * 0.96, ground, -end + 0.1)],
            shade(self.paint, light * 0.55),
        )
        line = belt * 0.88
        ridge = [(half, line, -end + 0.12), (half, line, end - 0.3), (half, line - 0.045, end - 0.3)]
        pen.poly([*ridge, (half, line - 0.045, -end + 0.12)], shade(self.paint, light * 1.16))
        if pen.scale > 14:
            for z in self._doors():
                edge = ((half, belt, z), (half, belt, z + 0.035), (half, sill, z + 0.035), (half, sill, z))
                pen.poly(edge, shade(self.paint, light * 0.6))
                grip = belt - 0.14
                pen.poly(
                    (
                        (half, grip, z + 0.08),
                        (half, grip, z + 0.26),
                        (half, grip - 0.05, z + 0.26),
                        (half, grip - 0.05, z + 0.08),
                    ),
                    shade(self.trim, 1.3),
                )
        radius = self._radius
        for z in self._axles():
            pen.disc((half * 0.995, radius, z), radius * 1.17, (16, 16, 18))
            pen.disc((half, radius, z), radius, TYRE)
            pen.disc((half * 1.005, radius, z), radius * 0.66, self.rim)
            pen.disc((half * 1.008, radius, z), radius * 0.2, shade(self.rim, 0.5))

    def _doors(self) -> tuple[float, ...]:
        s = self.shape
        front, back = s.nose * s.length - 0.25, max(s.tail, -0.3) * s.length + 0.3
        return (back, (front + back) / 2 - 0.05, front) if s.tail < -0.2 else (back - 0.2, front)

    def _cabin(self, pen: Pen) -> None:
        s, belt = self.shape, self._belt
        base, top = s.width / 2 * 0.95, s.width / 2 * 0.74
        z = [share * s.length for share in (s.tail, s.roof_tail, s.roof_nose, s.nose)]
        height = s.height
        rear = ((-top, height, z[1]), (top, height, z[1]), (base, belt, z[0]), (-base, belt, z[0]))
        front = ((top, height, z[2]), (-top, height, z[2]), (-base, belt, z[3]), (base, belt, z[3]))
        right = ((top, height, z[1]), (top, height, z[2]), (base, belt, z[3]), (base, belt, z[0]))
        left = ((-top, height, z[2]), (-top, height, z[1]), (-base, belt, z[0]), (-base, belt, z[3]))
        roof = ((-top, height, z[2]), (top, height, z[2]), (top, height, z[1]), (-top, height, z[1]))
        for quad, mirrored in ((rear, False), (left, True), (right, False), (front, False)):
            light = pen.face(quad, self.paint if quad in (left, right) else mix(self.paint, (30, 30, 34), 0.35))
            if not light:
                continue
            if quad in (rear, front):
                self._window(pen, patch(quad, 0.07, 0.1, 0.93, 0.94), quad is front)
            else:
                self._side_windows(pen, quad, mirrored)
        pen.face(roof, self.roof)
        pen.poly(patch(roof, 0.12, 0.1, 0.88, 0.9), shade(self.roof, 1.06)) if pen.view.height > height else None
        if self.rails:
            for x in (-top * 0.92, top * 0.92):
                pen.limb((x, height + 0.05, z[1] + 0.1), (x, height + 0.05, z[2] - 0.1), 0.03, 0.03, (70, 72, 76))
        if self.taxi:
            middle = (z[1] + z[2]) / 2
            pen.box((-0.28, height, middle - 0.09), (0.28, height + 0.17, middle + 0.09), (246, 214, 70))

    def _window(self, pen: Pen, glass: list[Point], front: bool) -> None:
        pen.poly(glass, self.glass)
        if pen.scale > 14:
            seat_z = self.shape.roof_nose * self.shape.length + (0.25 if front else -0.2)
            for x, skin in self.drivers:
                tint = mix(skin if front else (40, 36, 34), self.glass, 0.45)
                pen.ball((x, self._belt + 0.2, seat_z), 0.12, 0.15, tint)
                pen.poly(patch(glass, 0.5 + x / 2 - 0.17, 0.72, 0.5 + x / 2 + 0.17, 1.0), shade(self.glass, 0.7))
        shine = mix(self.glass, pen.mood.sky_low, 0.45)
        pen.poly([glass[0], patch(glass, 0.34, 0, 1, 1)[0], patch(glass, 0.16, 0, 1, 1)[3]], shine, 0.6)

    def _side_windows(self, pen: Pen, quad: tuple[Point, ...], mirrored: bool) -> None:
        stretches = ((0.07, 0.47), (0.53, 0.93)) if self.shape.tail < -0.2 else ((0.1, 0.9),)
        for low, high in stretches:
            u0, u1 = (1 - high, 1 - low) if mirrored else (low, high)
            glass = patch(quad, u0, 0.12, u1, 0.94)
            pen.poly(glass, self.glass)
            pen.poly(
                [glass[0], glass[1], patch(glass, 0.1, 0.5, 1, 1)[0]],
                mix(self.glass, pen.mood.sky_low, 0.4),
                0.55,
            )

    def _mirrors(self, pen: Pen) -> None:
        s = self.shape
        z, half = s.nose * s.length - 0.42, s.width / 2
        for side in (-1.0, 1.0):
            low, high = sorted((side * (half - 0.02), side * (half + 0.16)))
            pen.hull(slab((low, self._belt, z), (high, self._belt + 0.13, z + 0.1)), shade(self.paint, 0.75))


def _footprint(shape: Shape, inset: float) -> list[Point]:
    half, end = shape.width / 2 - inset, shape.length / 2 - inset * 3
    return [(-half, 0.12, -end), (half, 0.12, -end), (half, 0.12, end), (-half, 0.12, end)]


def sample_car(dice: Dice, night: bool) -> Drawing:
    """A car of a random shape, colour and fit-out.

    Args:
        dice: the scene's random numbers.
        night: whether its lamps are on for sure; otherwise they sometimes are.
    """
    name = dice.weighted(WEIGHTS)
    base = SHAPES[name]
    shape = Shape(
        base.length * dice.uniform(0.94, 1.05), base.width, base.height * dice.uniform(0.96, 1.04),
        base.tail, base.roof_tail, base.roof_nose, base.nose, base.belt, base.hood,
    )  # fmt: skip
    paint = vary(dice.choice(CAR_PAINT), dice, 0.06)
    drivers = [(x, dice.choice(SKIN)) for x, odds in ((-0.36, 0.6), (0.36, 0.25)) if dice.chance(odds)]
    return Car(
        shape=shape,
        paint=paint,
        roof=dice.choice(((28, 28, 30), (230, 230, 228))) if dice.chance(0.12) else paint,
        rim=dice.choice(((176, 180, 184), (140, 144, 148), (60, 62, 66), (204, 206, 208))),
        glass=vary(dice.choice(((38, 48, 58), (52, 64, 76), (30, 34, 40), (70, 84, 94))), dice, 0.1),
        lights_on=night or dice.chance(0.25),
        brakes=dice.chance(0.25),
        drivers=tuple(drivers),
        taxi=dice.chance(0.04),
        rails=name in ("suv", "wagon", "van") and dice.chance(0.4),
        plate=dice.choice(((236, 238, 238), (240, 214, 90), (230, 236, 244))),
        tail_rows=dice.choice(((0.55, 0.9), (0.2, 0.95), (0.62, 0.85))),
        tail_width=dice.uniform(0.1, 0.24),
        trim=dice.choice(((36, 38, 42), (58, 60, 64), paint)),
    )
