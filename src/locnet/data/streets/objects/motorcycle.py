"""Motorcycles and scooters, ridden or parked, seen from any side."""

from __future__ import annotations

import math
from dataclasses import dataclass

from locnet.data.streets.dice import Dice
from locnet.data.streets.objects.figure import Parts, bent_limb, slab, torso
from locnet.data.streets.palette import CAR_PAINT, CLOTHES, TROUSERS, Color, shade, vary
from locnet.data.streets.pen import Drawing, Pen, Point, wheel

TYRE: Color = (24, 24, 26)
CHROME: Color = (168, 172, 176)


@dataclass(frozen=True)
class Shape:
    """Proportions in metres: z is along the machine, 0 between the axles, its front positive."""

    wheel: float
    base: float
    seat: float
    bars: float
    tank: float
    width: float


SHAPES: dict[str, Shape] = {
    "naked": Shape(0.31, 1.42, 0.8, 1.06, 0.98, 0.36),
    "sport": Shape(0.3, 1.4, 0.82, 0.96, 0.94, 0.3),
    "cruiser": Shape(0.33, 1.62, 0.68, 1.1, 0.88, 0.42),
    "tourer": Shape(0.33, 1.52, 0.84, 1.16, 1.04, 0.42),
    "scooter": Shape(0.23, 1.28, 0.78, 1.04, 0.0, 0.33),
}


@dataclass(frozen=True)
class Motorcycle:
    """One machine with or without a rider, all choices made; calling it draws it."""

    kind: str
    shape: Shape
    paint: Color
    accent: Color
    seat: Color
    lights_on: bool
    boxes: bool
    screen: bool
    rider: Rider | None

    def __call__(self, pen: Pen) -> None:
        """Draw it where the pen stands."""
        parts = Parts(pen)
        self._wheels(parts)
        if self.kind == "scooter":
            self._scooter(parts)
        else:
            self._machine(parts)
        self._bars(parts)
        self._lamps(parts)
        if self.boxes:
            self._boxes(parts)
        if self.rider is not None:
            self.rider.add(parts, self.shape)
        parts.draw()

    def _wheels(self, parts: Parts) -> None:
        radius, half = self.shape.wheel, self.shape.base / 2
        for z, thick in ((-half, 0.16), (half, 0.12)):
            parts.add((0, radius, z), lambda z=z, thick=thick: _paint_wheel(parts.pen, radius, z, thick))  # type: ignore[misc]
        fender = [
            (x, radius + r * math.sin(t), half + r * math.cos(t))
            for x in (-0.08, 0.08)
            for r in (radius + 0.05,)
            for t in (0.5, 1.1, 1.7, 2.3)
        ]
        parts.hull(fender, self.paint)

    def _machine(self, parts: Parts) -> None:
        s = self.shape
        radius, half = s.wheel, s.base / 2
        steel = (70, 72, 76)
        head = (0.0, s.bars - 0.12, half - 0.3)
        for x in (-0.1, 0.1):
            parts.limb((x, radius, half), (x, head[1], head[2]), 0.03, 0.035, CHROME)
            parts.limb((x, radius, -half), (x * 0.9, radius + 0.12, -0.1), 0.035, 0.04, steel)
        parts.limb(head, (0, 0.38, -0.05), 0.05, 0.05, steel)
        parts.hull(slab((-0.15, 0.2, -0.26), (0.15, 0.56, 0.26), 0.8, 1.0), (56, 58, 62))
        parts.hull(slab((-0.17, 0.3, -0.12), (0.17, 0.46, 0.14)), (120, 122, 126), lift=0.03)
        tank_top = s.tank
        tank = [
            *slab((-0.13, s.seat - 0.06, -0.08), (0.13, s.seat, 0.4)),
            *slab((-0.13, tank_top - 0.06, 0.04), (0.13, tank_top, 0.32), 1.0, 0.6),
        ]
        parts.hull(tank, self.paint, lift=0.02)
        parts.hull(slab((-0.135, s.seat + 0.02, 0.06), (0.135, s.seat + 0.07, 0.34)), self.accent, lift=0.06)
        parts.hull(slab((-0.14, s.seat - 0.1, -0.62), (0.14, s.seat, -0.02), 0.7, 1.0), self.seat)
        tail = 0.16 if self.kind == "sport" else 0.02
        parts.hull(
            [
                *slab((-0.09, s.seat - 0.16, -0.5), (0.09, s.seat - 0.06, -0.3)),
                *slab((-0.06, s.seat + tail - 0.1, -0.95), (0.06, s.seat + tail, -0.78)),
            ],
            self.paint,
        )
        parts.limb((0.14, 0.3, 0.05), (0.19, 0.36 if self.kind != "sport" else 0.5, -half - 0.12), 0.04, 0.06, CHROME)
        if self.kind in ("sport", "tourer"):
            self._fairing(parts)

    def _fairing(self, parts: Parts) -> None:
        s, nose = self.shape, self.shape.base / 2
        low = 0.36 if self.kind == "sport" else 0.6
        points = [
            *slab((-0.19, low, -0.02), (0.19, s.tank - 0.05, 0.3)),
            *slab((-0.15, 0.78, nose - 0.25), (0.15, s.bars + 0.02, nose - 0.1), 0.6, 0.9),
        ]
        parts.hull(points, self.paint, lift=0.04)
        parts.hull(slab((-0.195, low + 0.1, 0.02), (0.195, low + 0.2, 0.34)), self.accent, lift=0.08)

    def _scooter(self, parts: Parts) -> None:
        s, half = self.shape, self.shape.base / 2
        body = [
            *slab((-0.16, 0.3, -half - 0.12), (0.16, 0.5, -0.1)),
            *slab((-0.14, s.seat - 0.12, -half - 0.22), (0.14, s.seat - 0.06, -0.12)),
        ]
        parts.hull(body, self.paint)
        parts.hull(slab((-0.15, s.seat - 0.08, -half - 0.18), (0.15, s.seat, 0.0), 1.0, 0.85), self.seat)
        parts.hull(slab((-0.17, 0.24, -0.25), (0.17, 0.32, 0.35)), shade(self.paint, 0.7))
        parts.hull(
            [
                *slab((-0.2, 0.3, 0.3), (0.2, 0.36, 0.42)),
                *slab((-0.16, s.bars - 0.14, half - 0.36), (0.16, s.bars - 0.05, half - 0.24)),
            ],
            self.paint,
            lift=0.03,
        )
        parts.limb((0, s.wheel, half), (0, 0.6, half - 0.18), 0.05, 0.05, (80, 82, 86))
        parts.limb((0.16, 0.26, -0.3), (0.18, 0.32, -half - 0.2), 0.05, 0.06, (90, 92, 96))

    def _bars(self, parts: Parts) -> None:
        s, z = self.shape, self.shape.base / 2 - 0.34
        wide = s.width
        parts.limb((-wide, s.bars, z - 0.06), (wide, s.bars, z - 0.06), 0.022, 0.022, (40, 40, 44), lift=0.02)
        for side in (-1.0, 1.0):
            parts.limb(
                (side * wide, s.bars, z - 0.06),
                (side * (wide - 0.12), s.bars, z - 0.05),
                0.032,
                0.03,
                (22, 22, 24),
            )
            parts.limb(
                (side * wide * 0.7, s.bars, z),
                (side * wide * 0.95, s.bars + 0.18, z),
                0.012,
                0.012,
                (40, 40, 44),
            )
            parts.ball((side * wide * 0.98, s.bars + 0.2, z), 0.075, 0.05, (36, 38, 42))
        if self.screen:
            parts.hull(
                slab((-0.17, s.bars - 0.04, z + 0.16), (0.17, s.bars + 0.3, z + 0.04), 1.0, 0.7),
                (110, 128, 140),
            )

    def _lamps(self, parts: Parts) -> None:
        s, pen = self.shape, parts.pen
        front = (0.0, s.bars - 0.14, s.base / 2 - 0.08)
        back = (0.0, s.seat - 0.06 + (0.14 if self.kind == "sport" else 0.0), -s.base / 2 - 0.26)
        parts.ball(front, 0.115, 0.115, shade(self.paint, 0.6))
        for at, size, off, on, glow, ahead in (
            (front, 0.085, (228, 232, 236), (255, 248, 220), 0.42, 0.05),
            (back, 0.06, (190, 24, 28), (255, 50, 40), 0.25, -0.05),
        ):
            spot = (at[0], at[1], at[2] + ahead)
            faces_us = pen.depth(spot) < pen.depth(at)
            parts.ball(spot, size * 1.3 if ahead < 0 else size, size, on if self.lights_on and faces_us else off)
            if self.lights_on and faces_us:
                pen.light(spot, glow * (0.3 + pen.mood.beam), on)
        parts.hull(slab((-0.1, back[1] - 0.3, back[2] - 0.02), (0.1, back[1] - 0.1, back[2])), (226, 228, 228))
        parts.limb((0, back[1] - 0.1, back[2] + 0.1), (0, back[1] - 0.3, back[2] + 0.02), 0.03, 0.03, (34, 34, 36))

    def _boxes(self, parts: Parts) -> None:
        s = self.shape
        z = -s.base / 2
        parts.hull(
            slab((-0.22, s.seat, z - 0.32), (0.22, s.seat + 0.32, z + 0.08), 1.0, 0.85),
            shade(self.accent, 0.8),
        )
        if self.kind == "tourer":
            for x in (-0.3, 0.3):
                parts.hull(
                    slab((x - 0.12, s.seat - 0.42, z - 0.2), (x + 0.12, s.seat - 0.06, z + 0.25)),
                    shade(self.accent, 0.75),
                )


@dataclass(frozen=True)
class Rider:
    """Who sits on it."""

    jacket: Color
    trousers: Color
    helmet: Color
    lean: float
    pack: Color | None

    def add(self, parts: Parts, shape: Shape) -> None:
        """Add the rider's parts to those of a machine of that shape."""
        z = -0.22
        hips, neck = (
            (0.0, shape.seat + 0.08, z),
            (0.0, shape.seat + 0.58 - 0.1 * self.lean, z + 0.1 + 0.32 * self.lean),
        )
        torso(parts, hips, neck, self.jacket, hip_half=0.17, shoulder_half=0.21, thick=0.12)
        bar_z = shape.base / 2 - 0.4
        for side in (-1.0, 1.0):
            shoulder = (side * 0.2, neck[1] - 0.03, neck[2])
            grip = (side * shape.width * 0.92, shape.bars + 0.02, bar_z)
            elbow = (side * 0.34, (shoulder[1] + grip[1]) / 2 - 0.1, (shoulder[2] + grip[2]) / 2 - 0.04)
            bent_limb(
                parts,
                (shoulder, elbow, grip),
                (0.07, 0.058, 0.045),
                (shade(self.jacket, 0.9), shade(self.jacket, 0.85)),
            )
            parts.ball(grip, 0.055, 0.05, (34, 32, 32))
            knee, foot = (side * 0.24, shape.seat - 0.06, z + 0.46), (side * 0.21, 0.32, z + 0.26)
            bent_limb(
                parts,
                ((side * 0.12, hips[1], z), knee, foot),
                (0.1, 0.075, 0.055),
                (self.trousers, shade(self.trousers, 0.88)),
            )
            parts.limb(
                (foot[0], foot[1] - 0.03, foot[2] - 0.04),
                (foot[0], foot[1] - 0.05, foot[2] + 0.17),
                0.05,
                0.04,
                (28, 26, 26),
            )
        head = (0.0, neck[1] + 0.2, neck[2] + 0.05)
        parts.limb(neck, head, 0.07, 0.07, shade(self.jacket, 0.7))
        parts.ball(head, 0.145, 0.165, self.helmet, lift=0.03)
        parts.hull(
            slab((-0.105, head[1] - 0.04, head[2] + 0.11), (0.105, head[1] + 0.065, head[2] + 0.14), 0.8, 1.0),
            (26, 30, 38),
            lift=0.05,
        )
        if self.pack is not None:
            parts.hull(slab((-0.16, hips[1] + 0.1, z - 0.24), (0.16, neck[1] - 0.02, z - 0.1), 1.0, 0.85), self.pack)


def _paint_wheel(pen: Pen, radius: float, z: float, thick: float) -> None:
    at: Point = (0.0, radius, z)
    pen.disc(at, radius, TYRE, thick=thick)
    eye_x, _ = pen.eye()
    x = math.copysign(thick / 2, eye_x)
    if abs(eye_x) > 0.8:
        pen.poly(wheel((x, radius, z), radius * 0.7, 0.0), (92, 94, 96))
        pen.poly(wheel((x, radius, z), radius * 0.6, 0.0), (44, 45, 48))
        for k in range(3):
            turn = k * math.pi / 3 + 0.3
            dy, dz = radius * 0.62 * math.sin(turn), radius * 0.62 * math.cos(turn)
            pen.limb((x, radius - dy, z - dz), (x, radius + dy, z + dz), 0.018, 0.018, (150, 152, 154))
        pen.poly(wheel((x, radius, z), radius * 0.3, 0.0), CHROME)


def sample_motorcycle(dice: Dice, night: bool) -> Drawing:
    """A machine of a random kind and colour, ridden two times out of three.

    Args:
        dice: the scene's random numbers.
        night: whether its lamps are on for sure; a ridden one's mostly are.
    """
    kind = dice.weighted({"naked": 0.25, "sport": 0.22, "cruiser": 0.18, "tourer": 0.15, "scooter": 0.2})
    rider = None
    if dice.chance(0.66):
        rider = Rider(
            jacket=vary(dice.choice(CLOTHES), dice, 0.08),
            trousers=vary(dice.choice(TROUSERS), dice, 0.08),
            helmet=vary(dice.choice(CAR_PAINT), dice, 0.05),
            lean={"sport": 0.9, "scooter": 0.05, "cruiser": 0.1}.get(kind, 0.4) * dice.uniform(0.7, 1.1),
            pack=vary(dice.choice(CLOTHES), dice, 0.08) if dice.chance(0.2) else None,
        )
    paint = vary(dice.choice(CAR_PAINT), dice, 0.08)
    return Motorcycle(
        kind=kind,
        shape=SHAPES[kind],
        paint=paint,
        accent=dice.choice(((230, 230, 228), (36, 36, 40), shade(paint, 0.6), (210, 60, 40))),
        seat=dice.choice(((30, 28, 28), (48, 40, 36), (92, 60, 40))),
        lights_on=night or (rider is not None and dice.chance(0.6)),
        boxes=dice.chance({"tourer": 0.6, "scooter": 0.35}.get(kind, 0.06)),
        screen=dice.chance({"tourer": 0.8, "sport": 0.9, "cruiser": 0.3, "scooter": 0.3}.get(kind, 0.15)),
        rider=rider,
    )
