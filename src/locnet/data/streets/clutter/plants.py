"""Trees, conifers, bushes, planters and hedges."""

from __future__ import annotations

import math
from collections.abc import Callable

from locnet.data.streets.dice import Dice
from locnet.data.streets.palette import LEAVES, Color, shade, vary
from locnet.data.streets.pen import Drawing, Pen

BARK: Color = (92, 74, 58)


def tree(dice: Dice) -> Drawing:
    """A broad-leaved tree: a trunk and a crown of overlapping clumps, lit from the sun's side."""
    tall, wide = dice.uniform(4.0, 8.5), dice.uniform(1.3, 2.6)
    trunk, color, bark = dice.uniform(0.09, 0.2), vary(dice.choice(LEAVES), dice), vary(BARK, dice)
    bare = dice.chance(0.08)
    low = tall * dice.uniform(0.3, 0.42)
    clumps = []
    for _ in range(7):
        turn, out = dice.uniform(0, math.tau), math.sqrt(dice.uniform())
        clumps.append(
            (
                wide * 0.6 * out * math.cos(turn),
                (tall + low) / 2 + (tall - low) * 0.34 * out * math.sin(turn),
                dice.uniform(0.4, 0.62) * wide,
            )
        )

    def draw(pen: Pen) -> None:
        pen.limb((0, 0, 0), (0, low + 0.6, 0), trunk * 1.2, trunk * 0.8, bark)
        for x, y, _ in clumps[:5] if bare else ():
            pen.limb((0, low, 0), (x * 1.2, y, 0), trunk * 0.7, 0.02, bark)
        if not bare:
            sun = 0.25 if pen.mood.sun[0] > 0 else -0.25
            for x, y, r in clumps:
                pen.ball((x, y - 0.12 * r, 0), r, r * 0.9, shade(color, 0.66))
            for x, y, r in clumps:
                pen.ball((x + sun * r, y + 0.16 * r, 0), r * 0.72, r * 0.62, color)
            for x, y, r in clumps[::2]:
                pen.ball((x + 1.8 * sun * r, y + 0.38 * r, 0), r * 0.36, r * 0.28, shade(color, 1.22))

    return draw


def conifer(dice: Dice) -> Drawing:
    """A fir or a cypress."""
    tall, wide = dice.uniform(2.5, 8.0), dice.uniform(0.5, 1.5)
    color, tiers = vary(dice.choice(((44, 80, 56), (52, 88, 48), (38, 66, 52))), dice), dice.integer(2, 4)

    def draw(pen: Pen) -> None:
        pen.limb((0, 0, 0), (0, tall * 0.2, 0), 0.1, 0.1, BARK)
        for i in range(tiers):
            low, top = tall * (0.1 + 0.75 * i / tiers), tall * (0.1 + 0.75 * i / tiers + 0.9 / tiers)
            half = wide * (1 - 0.75 * i / tiers)
            pen.poly(
                ((-half, low, 0), (0, min(top + 0.3, tall), 0), (half, low, 0), (0, low - 0.12, 0)),
                shade(color, 0.8),
            )
            pen.poly(
                ((-half * 0.55, low + 0.1, 0), (0, min(top + 0.3, tall), 0), (half * 0.2, low + 0.05, 0)),
                shade(color, 1.1),
            )

    return draw


def bush(dice: Dice) -> Drawing:
    """A bush, sometimes in flower."""
    tall, color = dice.uniform(0.5, 1.3), vary(dice.choice(LEAVES), dice)
    clumps = [(dice.uniform(-0.7, 0.7), dice.uniform(0.3, 0.75) * tall, dice.uniform(0.22, 0.42)) for _ in range(6)]
    flowers = dice.choice(((216, 80, 110), (240, 236, 230), (236, 190, 60))) if dice.chance(0.25) else None

    def draw(pen: Pen) -> None:
        for x, y, r in clumps:
            pen.ball((x, y - 0.1, 0), r * 1.1, max(r, y * 0.8), shade(color, 0.62))
        for x, y, r in clumps:
            pen.ball((x - 0.05, y + 0.06, 0), r * 0.8, r * 0.7, color)
        for x, y, _ in clumps if flowers else ():
            pen.ball((x + 0.1, y + 0.12, 0), 0.05, 0.05, flowers or color)

    return draw


def planter(dice: Dice) -> Drawing:
    """A stone tub with something green."""
    half, tall = dice.uniform(0.35, 0.8), dice.uniform(0.4, 0.6)
    stone, leaves = vary((164, 158, 150), dice), bush(dice)

    def draw(pen: Pen) -> None:
        pen.box((-half, 0, -0.35), (half, tall, 0.35), stone, shade(stone, 0.5))
        for x in (-half * 0.5, 0.0, half * 0.5):
            pen.ball((x, tall + 0.12, 0), half * 0.42, 0.26, (66, 100, 54))
        if half > 0.6:
            leaves(pen)
            pen.box((-half, 0, -0.35), (half, tall, -0.3), stone)

    return draw


def hedge(dice: Dice) -> Drawing:
    """A clipped hedge along the street."""
    long, tall, color = dice.uniform(1.5, 5.0), dice.uniform(0.6, 1.4), vary((70, 100, 54), dice)

    def draw(pen: Pen) -> None:
        pen.box((-0.35, 0, -long), (0.35, tall, long), color, shade(color, 1.2))

    return draw


PLANTS: dict[Callable[[Dice], Drawing], float] = {
    tree: 3.0,
    conifer: 1.0,
    bush: 2.0,
    planter: 0.8,
    hedge: 0.6,
}
