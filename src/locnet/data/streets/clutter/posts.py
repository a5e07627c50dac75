"""What stands on a pole: signs, traffic lights, street lamps, bollards, cones, hydrants."""

from __future__ import annotations

import math
from collections.abc import Callable

from locnet.data.streets.dice import Dice
from locnet.data.streets.palette import METAL, SIGNALS, Color, shade, vary
from locnet.data.streets.pen import Drawing, Pen, Point


def _regular(corners: int, radius: float, y: float, turn: float) -> list[Point]:
    return [
        (
            radius * math.cos(turn + math.tau * i / corners),
            y + radius * math.sin(turn + math.tau * i / corners),
            -0.02,
        )
        for i in range(corners)
    ]


def sign(dice: Dice) -> Drawing:
    """A traffic sign: round, triangular, octagonal or square."""
    tall, metal = dice.uniform(2.0, 3.0), dice.choice(METAL)
    corners, turn = dice.choice(
        ((16, 0.0), (3, math.pi / 2), (3, -math.pi / 2), (8, math.pi / 8), (4, math.pi / 4), (4, 0.0))
    )
    rim, inner = dice.choice(
        (
            ((200, 30, 34), (240, 240, 238)),
            ((28, 84, 168), (30, 90, 180)),
            ((200, 30, 34), (204, 34, 38)),
            ((30, 30, 32), (240, 200, 40)),
        )
    )
    size, mark = dice.uniform(0.3, 0.45), dice.choice(((240, 240, 238), (30, 30, 32)))

    def draw(pen: Pen) -> None:
        pen.limb((0, 0, 0), (0, tall, 0), 0.04, 0.04, metal)
        pen.poly(_regular(corners, size, tall - size * 0.7, turn), rim)
        pen.poly(_regular(corners, size * 0.78, tall - size * 0.7, turn), inner)
        pen.poly(_regular(4, size * 0.3, tall - size * 0.7, math.pi / 4), mark)

    return draw


def traffic_light(dice: Dice) -> Drawing:
    """A traffic light, one of its lamps lit."""
    tall, state, arm = dice.uniform(2.6, 4.0), dice.integer(0, 2), dice.chance(0.3)
    reach = dice.choice((-2.5, 2.5))

    def draw(pen: Pen) -> None:
        pen.limb((0, 0, 0), (0, tall, 0), 0.06, 0.05, (64, 66, 70))
        at = reach if arm else 0.0
        if arm:
            pen.limb((0, tall, 0), (reach, tall + 0.2, 0), 0.05, 0.04, (64, 66, 70))
        pen.box((at - 0.17, tall - 0.75, -0.15), (at + 0.17, tall + 0.25, 0.05), (34, 36, 38))
        for i, color in enumerate(((255, 60, 50), (255, 196, 60), (70, 230, 120))):
            spot = (at, tall + 0.08 - 0.32 * i, -0.16)
            pen.ball(spot, 0.1, 0.1, color if i == state else shade(color, 0.22), lit=i == state)
            if i == state:
                pen.light(spot, 0.5, shade(color, 0.6))

    return draw


def street_lamp(dice: Dice) -> Drawing:
    """A street lamp, burning when it is dark."""
    tall, metal, old = dice.uniform(4.5, 8.0), dice.choice(METAL), dice.chance(0.3)
    reach = dice.choice((-1.4, 1.4))

    def draw(pen: Pen) -> None:
        top = tall * 0.55 if old else tall
        pen.limb((0, 0, 0), (0, top, 0), 0.09, 0.05, metal)
        head = (0.0, top + 0.15, 0.0) if old else (reach, top + 0.25, 0.0)
        if old:
            pen.poly(
                ((-0.2, top, 0), (-0.28, top + 0.45, 0), (0.28, top + 0.45, 0), (0.2, top, 0)),
                (216, 212, 190),
                lit=pen.mood.lamps,
            )
            pen.poly(((-0.32, top + 0.45, 0), (0, top + 0.7, 0), (0.32, top + 0.45, 0)), metal)
        else:
            pen.limb((0, top, 0), head, 0.05, 0.04, metal)
            pen.limb(head, (reach * 1.35, top + 0.25, 0), 0.08, 0.06, (255, 226, 160) if pen.mood.lamps else metal)
        if pen.mood.lamps:
            pen.light(head, 1.8, (255, 206, 130))

    return draw


def bollard(dice: Dice) -> Drawing:
    """A bollard, plain or striped."""
    tall, color = dice.uniform(0.6, 1.1), dice.choice((*METAL, (200, 60, 40), (232, 232, 226)))
    band: Color = dice.choice(((236, 236, 230), (214, 50, 40), (240, 196, 50)))

    def draw(pen: Pen) -> None:
        pen.limb((0, 0.06, 0), (0, tall, 0), 0.09, 0.09, color)
        pen.hull(
            (
                (-0.09, tall * 0.72, 0),
                (0.09, tall * 0.72, 0),
                (-0.09, tall * 0.86, 0),
                (0.09, tall * 0.86, 0),
            ),
            band,
        )

    return draw


def cone(dice: Dice) -> Drawing:
    """A traffic cone."""
    tall = dice.uniform(0.45, 0.9)

    def draw(pen: Pen) -> None:
        pen.box((-0.22, 0, -0.22), (0.22, 0.05, 0.22), (52, 48, 46))
        for low, high, color in (
            (0.05, 1.0, (232, 92, 30)),
            (0.35, 0.52, (244, 242, 238)),
            (0.68, 0.82, (244, 242, 238)),
        ):
            a, b = 0.17 * (1 - low) + 0.03, 0.17 * (1 - high) + 0.03
            pen.poly(((-a, low * tall, 0), (-b, high * tall, 0), (b, high * tall, 0), (a, low * tall, 0)), color)

    return draw


def hydrant(dice: Dice) -> Drawing:
    """A fire hydrant."""
    color = vary(dice.choice(((196, 40, 36), (226, 180, 40), (180, 184, 186))), dice)

    def draw(pen: Pen) -> None:
        pen.box((-0.16, 0, -0.16), (0.16, 0.07, 0.16), shade(color, 0.7))
        pen.limb((0, 0.12, 0), (0, 0.6, 0), 0.13, 0.12, color)
        pen.limb((-0.22, 0.45, 0), (0.22, 0.45, 0), 0.065, 0.065, shade(color, 0.85))
        pen.ball((0, 0.66, 0), 0.14, 0.09, shade(color, 1.1))
        pen.ball((0, 0.45, -0.12), 0.08, 0.08, shade(color, 0.75))

    return draw


def parking_meter(dice: Dice) -> Drawing:
    """A parking meter or a ticket machine."""
    tall, color = dice.uniform(1.2, 1.6), dice.choice((*METAL, *SIGNALS[:2]))

    def draw(pen: Pen) -> None:
        pen.limb((0, 0, 0), (0, tall - 0.3, 0), 0.05, 0.05, (70, 72, 76))
        pen.box((-0.16, tall - 0.45, -0.1), (0.16, tall, 0.1), color)
        pen.poly(
            (
                (-0.1, tall - 0.22, -0.11),
                (-0.1, tall - 0.08, -0.11),
                (0.1, tall - 0.08, -0.11),
                (0.1, tall - 0.22, -0.11),
            ),
            (186, 204, 196),
        )

    return draw


POSTS: dict[Callable[[Dice], Drawing], float] = {
    sign: 2.0,
    traffic_light: 1.4,
    street_lamp: 1.6,
    bollard: 1.2,
    cone: 0.8,
    hydrant: 0.9,
    parking_meter: 0.7,
}
