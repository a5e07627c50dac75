"""What moves but is no class: buses, bicycles without riders, dogs, prams, scaffolds on wheels."""

from __future__ import annotations

import math
from collections.abc import Callable

from locnet.data.streets.dice import Dice
from locnet.data.streets.palette import CLOTHES, SIGNALS, mix, shade, vary
from locnet.data.streets.pen import Drawing, Pen, patch, wheel


def bus(dice: Dice) -> Drawing:
    """A city bus, much taller and longer than any car, two bands of colour and a row of panes."""
    paint, band = (
        vary(dice.choice((*SIGNALS, (60, 130, 160))), dice),
        vary(dice.choice(((240, 238, 232), (46, 60, 84))), dice),
    )
    turn, long, tall = (
        dice.choice((0.0, math.pi)) + dice.normal(0.0, 0.12),
        dice.uniform(9.5, 12.0),
        dice.uniform(3.0, 3.3),
    )

    def draw(pen: Pen) -> None:
        yaw_cos, yaw_sin = math.cos(turn), math.sin(turn)

        def at(x: float, y: float, z: float) -> tuple[float, float, float]:
            return x * yaw_cos + z * yaw_sin, y, z * yaw_cos - x * yaw_sin

        half, end = 1.25, long / 2
        for side in (-1.0, 1.0):
            wall = [at(side * half, y, z) for y, z in ((tall, -end), (tall, end), (0.3, end), (0.3, -end))]
            wall = wall if side > 0 else [wall[1], wall[0], wall[3], wall[2]]
            light = pen.face(wall, paint)
            if light:
                pen.poly(patch(wall, 0.0, 0.72, 1.0, 1.0), shade(band, light))
                for i in range(7):
                    pen.poly(
                        patch(wall, 0.02 + i * 0.14, 0.14, 0.135 + i * 0.14, 0.5),
                        (58, 72, 84),
                        lit=pen.mood.lamps,
                    )
                for u in (0.2, 0.78):
                    pen.poly(patch(wall, u - 0.05, 0.82, u + 0.05, 1.09), (28, 28, 30))
        for front in (-1.0, 1.0):
            wall = [at(x * front, y, front * end) for x, y in ((half, tall), (-half, tall), (-half, 0.3), (half, 0.3))]
            light = pen.face(wall, paint)
            if light:
                pen.poly(patch(wall, 0.06, 0.16, 0.94, 0.6), (50, 62, 74))
                pen.poly(patch(wall, 0.2, 0.03, 0.8, 0.12), (250, 190, 60), lit=True)
                pen.poly(patch(wall, 0.0, 0.72, 1.0, 1.0), shade(band, light))
                for u in (0.06, 0.82):
                    lamp = (240, 240, 226) if front > 0 else (190, 30, 30)
                    pen.poly(patch(wall, u, 0.78, u + 0.12, 0.86), lamp, lit=pen.mood.lamps)
        pen.face(
            [at(x, tall, z) for x, z in ((-half, -end), (-half, end), (half, end), (half, -end))],
            shade(paint, 0.9),
        )

    return draw


def bicycle(dice: Dice) -> Drawing:
    """A parked bicycle: two thin rims and a frame of thin tubes, nobody on it."""
    color, turn = vary(dice.choice(CLOTHES), dice, 0.1), dice.choice((1.0, -1.0)) * dice.uniform(0.9, 1.57)

    def draw(pen: Pen) -> None:
        c, s = math.cos(turn), math.sin(turn)

        def at(y: float, z: float, x: float = 0.0) -> tuple[float, float, float]:
            return x * c + z * s, y, z * c - x * s

        for hub in (-0.52, 0.52):
            rim = [at(y, z, x) for x, y, z in wheel((0.0, 0.34, hub), 0.33, 0.0)]
            for a, b in zip(rim, [*rim[1:], rim[0]], strict=True):
                pen.limb(a, b, 0.02, 0.02, (34, 34, 36))
        for (ya, za), (yb, zb) in (
            ((0.34, -0.52), (0.85, -0.18)), ((0.34, -0.52), (0.32, -0.02)), ((0.32, -0.02), (0.85, -0.18)),
            ((0.32, -0.02), (0.78, 0.36)), ((0.8, -0.17), (0.78, 0.36)), ((0.34, 0.52), (0.98, 0.32)),
        ):  # fmt: skip
            pen.limb(at(ya, za), at(yb, zb), 0.022, 0.022, color)
        pen.limb(at(0.9, -0.3), at(0.9, -0.06), 0.05, 0.025, (30, 28, 28))
        pen.limb(at(0.98, 0.3, -0.26), at(0.98, 0.3, 0.26), 0.018, 0.018, (40, 40, 42))

    return draw


def dog(dice: Dice) -> Drawing:
    """A dog, standing or trotting sideways."""
    fur = vary(dice.choice(((60, 44, 34), (156, 114, 70), (222, 210, 190), (36, 34, 34), (120, 112, 104))), dice)
    size, way, step = dice.uniform(0.6, 1.15), dice.choice((-1.0, 1.0)), dice.uniform(-0.14, 0.14)

    def draw(pen: Pen) -> None:
        def at(x: float, y: float) -> tuple[float, float, float]:
            return way * x * size, y * size, 0.0

        for x, swing in ((-0.3, step), (0.28, -step), (-0.24, -step), (0.34, step)):
            pen.limb(at(x, 0.38), at(x + swing, 0.03), 0.05 * size, 0.035 * size, shade(fur, 0.8))
        pen.limb(at(-0.32, 0.44), at(0.3, 0.46), 0.13 * size, 0.15 * size, fur)
        pen.limb(at(-0.4, 0.5), at(-0.62, 0.7), 0.04 * size, 0.02 * size, fur)
        pen.limb(at(0.36, 0.5), at(0.48, 0.7), 0.1 * size, 0.09 * size, fur)
        pen.limb(at(0.5, 0.7), at(0.66, 0.65), 0.1 * size, 0.05 * size, shade(fur, 1.08))
        pen.limb(at(0.46, 0.76), at(0.42, 0.66), 0.04 * size, 0.03 * size, shade(fur, 0.6))

    return draw


def pram(dice: Dice) -> Drawing:
    """A shopping trolley or a pram, left alone."""
    color, way = vary(dice.choice(CLOTHES), dice), dice.choice((-1.0, 1.0))

    def draw(pen: Pen) -> None:
        for x in (-0.3, 0.3):
            pen.ball((x, 0.12, 0), 0.11, 0.12, (34, 34, 36))
            pen.limb((x, 0.14, 0), (-x * 0.6, 0.55, 0), 0.02, 0.02, (120, 122, 126))
        pen.poly(((-0.4, 0.8, 0), (-0.26, 0.45, 0), (0.26, 0.45, 0), (0.4, 0.8, 0)), color)
        pen.poly(
            ((way * 0.02, 0.78, 0), (way * 0.08, 1.12, 0), (way * 0.34, 1.05, 0), (way * 0.42, 0.78, 0)),
            shade(color, 0.75),
        )
        pen.limb((-way * 0.3, 0.7, 0), (-way * 0.56, 1.0, 0), 0.02, 0.02, (60, 62, 66))

    return draw


def barrow(dice: Dice) -> Drawing:
    """A market stall: a striped roof over crates."""
    color, half = vary(dice.choice(SIGNALS), dice, 0.15), dice.uniform(0.9, 1.5)
    goods = [vary(dice.choice(((206, 60, 40), (236, 160, 40), (110, 150, 60))), dice, 0.2) for _ in range(3)]

    def draw(pen: Pen) -> None:
        for x in (-half, half):
            pen.limb((x, 0, -0.5), (x, 2.1, -0.5), 0.03, 0.03, (120, 110, 96))
        pen.box((-half, 0.3, -0.5), (half, 0.85, 0.5), (150, 118, 82), (110, 84, 58))
        for i, fruit in enumerate(goods):
            pen.ball((-half * 0.6 + i * half * 0.6, 0.9, -0.3), half * 0.28, 0.12, fruit)
        for i in range(6):
            low, high = -half * 1.15 + i * half * 0.383, -half * 1.15 + (i + 1) * half * 0.383
            top = ((low * 0.9, 2.5, 0.3), (high * 0.9, 2.5, 0.3), (high, 2.0, -0.8), (low, 2.0, -0.8))
            pen.poly(top, color if i % 2 else mix(color, (244, 242, 236), 0.85))

    return draw


MOVABLES: dict[Callable[[Dice], Drawing], float] = {bus: 0.9, bicycle: 0.5, dog: 0.9, pram: 0.5, barrow: 0.7}
