"""Street furniture: bins, benches, boxes, shelters, billboards."""

from __future__ import annotations

from collections.abc import Callable

from locnet.data.streets.dice import Dice
from locnet.data.streets.palette import CLOTHES, METAL, SIGNALS, mix, shade, vary
from locnet.data.streets.pen import Drawing, Pen


def litter_bin(dice: Dice) -> Drawing:
    """A litter bin."""
    tall, color = dice.uniform(0.7, 1.1), vary(dice.choice((*METAL, (60, 92, 60), (150, 90, 50))), dice)

    def draw(pen: Pen) -> None:
        pen.hull([(x, y, z) for x in (-0.24, 0.24) for y in (0.03, tall) for z in (-0.2, 0.2)], color)
        pen.hull([(x, y, -0.2) for x in (-0.24, -0.14) for y in (0.03, tall)], shade(color, 1.2))
        pen.hull([(x, y, -0.2) for x in (-0.17, 0.17) for y in (tall * 0.74, tall * 0.86)], (22, 22, 24))
        pen.hull(
            [(x, y, z) for x in (-0.27, 0.27) for y in (tall, tall + 0.06) for z in (-0.22, 0.22)],
            shade(color, 0.8),
        )

    return draw


def wheelie_bin(dice: Dice) -> Drawing:
    """A wheeled rubbish bin."""
    color = vary(dice.choice(((46, 84, 56), (50, 66, 110), (60, 60, 64), (130, 84, 48), (216, 180, 50))), dice)
    turn = dice.uniform(-0.6, 0.6)

    def draw(pen: Pen) -> None:
        pen.hull(
            [(x * w, y, z) for x in (-1.0, 1.0) for y, w in ((0.06, 0.23), (1.0, 0.3)) for z in (-0.28, 0.28)],
            shade(color, 0.8),
        )
        pen.hull(
            [(x * w + turn * 0.1, y, -0.3) for x in (-0.9, 0.8) for y, w in ((0.08, 0.22), (0.98, 0.28))],
            color,
        )
        pen.hull(
            [(x, y, z) for x in (-0.33, 0.33) for y in (0.98, 1.06) for z in (-0.34, 0.32)],
            shade(color, 1.15),
        )
        pen.ball((0.18, 0.1, -0.2), 0.08, 0.1, (28, 28, 30))

    return draw


def bench(dice: Dice) -> Drawing:
    """A park bench."""
    wood, metal, half = vary((142, 96, 58), dice, 0.2), dice.choice(METAL), dice.uniform(0.6, 1.0)

    def draw(pen: Pen) -> None:
        for x in (-half * 0.85, half * 0.85):
            pen.limb((x, 0.02, -0.2), (x, 0.42, -0.2), 0.03, 0.03, metal)
            pen.limb((x, 0.02, 0.2), (x, 0.85, 0.28), 0.03, 0.03, metal)
        for y in (0.56, 0.7, 0.84):
            pen.box((-half, y - 0.05, 0.22), (half, y + 0.04, 0.27), wood)
        pen.box((-half, 0.4, -0.24), (half, 0.45, 0.22), wood, shade(wood, 1.15))

    return draw


def mailbox(dice: Dice) -> Drawing:
    """A letter box or a switch cabinet."""
    color = vary(dice.choice(((228, 184, 40), (190, 36, 38), (40, 66, 130), (150, 156, 150), (110, 120, 112))), dice)
    half, tall, legs = dice.uniform(0.22, 0.55), dice.uniform(0.9, 1.4), dice.uniform(0.0, 0.4)

    def draw(pen: Pen) -> None:
        for x in (-half * 0.7, half * 0.7):
            pen.limb((x, 0, 0), (x, legs + 0.1, 0), 0.04, 0.04, (70, 72, 74))
        pen.box((-half, legs, -0.2), (half, tall, 0.2), color, shade(color, 1.15))
        pen.hull(
            [(x, y, -0.21) for x in (-half * 0.6, half * 0.6) for y in (tall - 0.24, tall - 0.18)],
            (30, 30, 32),
        )

    return draw


def shelter(dice: Dice) -> Drawing:
    """A bus shelter: glass, a roof, a poster."""
    half, poster = dice.uniform(1.3, 2.0), vary(dice.choice(CLOTHES), dice, 0.2)
    side = dice.choice((-1.0, 1.0))

    def draw(pen: Pen) -> None:
        for x in (-half, half):
            pen.limb((x, 0, 0.6), (x, 2.4, 0.6), 0.05, 0.05, (80, 84, 88))
        pane = ((-half, 0.3, 0.6), (-half, 2.2, 0.6), (half, 2.2, 0.6), (half, 0.3, 0.6))
        pen.poly(pane, (150, 176, 184), alpha=0.55)
        pen.box((-half * 0.7, 0.42, 0.2), (half * 0.5, 0.47, 0.5), (110, 84, 62))
        low, high = sorted((side * half, side * (half - 0.9)))
        pen.box((low, 0.3, 0.4), (high, 2.1, 0.5), (60, 62, 66))
        panel = [
            (x, y, 0.39) for x, y in ((low + 0.08, 0.4), (low + 0.08, 2.0), (high - 0.08, 2.0), (high - 0.08, 0.4))
        ]
        pen.poly(panel, mix(poster, (240, 240, 236), 0.3), lit=pen.mood.lamps)
        pen.poly([(x * 0.999, 0.8 + (y - 0.4) * 0.4, z) for x, y, z in panel], poster, lit=pen.mood.lamps)
        pen.box((-half - 0.15, 2.3, -0.6), (half + 0.15, 2.42, 0.7), (92, 96, 100), (110, 114, 118))

    return draw


def billboard(dice: Dice) -> Drawing:
    """A billboard with coloured shapes."""
    half, tall = dice.uniform(1.2, 2.6), dice.uniform(2.6, 4.2)
    colors = [vary(dice.choice((*CLOTHES, *SIGNALS)), dice, 0.2) for _ in range(3)]
    split = dice.uniform(-0.5, 0.5)

    def draw(pen: Pen) -> None:
        for x in (-half * 0.7, half * 0.7):
            pen.limb((x, 0, 0.1), (x, tall - 0.5, 0.1), 0.07, 0.07, (76, 78, 80))
        low = tall - half * 0.9
        pen.box((-half - 0.08, low - 0.08, -0.05), (half + 0.08, tall + 0.08, 0.08), (52, 54, 58))
        for (a, b, c, d), color in zip(
            ((-1.0, 1.0, 0.0, 1.0), (split, 1.0, 0.0, 0.65), (-0.85, split - 0.1, 0.55, 0.75)),
            colors,
            strict=True,
        ):
            span = tall - low
            pen.hull([(half * x, low + span * y, -0.06) for x in (a, b) for y in (c, d)], color, lit=pen.mood.lamps)

    return draw


def fence(dice: Dice) -> Drawing:
    """A stretch of railing."""
    half, color, tall = dice.uniform(1.0, 2.5), dice.choice((*METAL, (226, 226, 220))), dice.uniform(0.8, 1.2)

    def draw(pen: Pen) -> None:
        for y in (tall, tall * 0.3):
            pen.limb((-half, y, 0), (half, y, 0), 0.03, 0.03, color)
        for i in range(int(half * 3.5) + 1):
            x = -half + 2 * half * i / int(half * 3.5)
            pen.limb((x, 0, 0), (x, tall, 0), 0.018, 0.018, color)

    return draw


def crate_stack(dice: Dice) -> Drawing:
    """Crates or boxes on the pavement."""
    color = vary((176, 138, 94), dice, 0.2)
    boxes = [(dice.uniform(-0.4, 0.4), level * 0.42, dice.uniform(0.22, 0.36)) for level in range(dice.integer(1, 3))]

    def draw(pen: Pen) -> None:
        for x, y, half in boxes:
            pen.box((x - half, y, -half), (x + half, y + 0.4, half), color, shade(color, 1.15))
            pen.hull(
                [(x + dx * half, y + 0.2 + dy, -half) for dx in (-1, 1) for dy in (-0.02, 0.02)],
                shade(color, 0.65),
            )

    return draw


FURNITURE: dict[Callable[[Dice], Drawing], float] = {
    litter_bin: 1.5,
    wheelie_bin: 1.4,
    bench: 1.2,
    mailbox: 1.2,
    shelter: 0.8,
    billboard: 0.8,
    fence: 0.9,
    crate_stack: 0.7,
}
