"""Buildings along the street and across its end: facades, windows, shops, gabled houses."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from locnet.data.streets.dice import Dice
from locnet.data.streets.palette import ROOFS, SIGNALS, WALLS, Color, mix, shade, vary
from locnet.data.streets.pen import Pen, Point, patch
from locnet.data.streets.place import Place

LAMPLIGHT: Color = (255, 214, 140)


def draw_buildings(pen: Pen, dice: Dice, place: Place) -> None:
    """Draw all buildings of the place, the farthest first."""
    if place.kind in ("row", "lot"):
        _row(pen, dice, place)
    elif place.kind == "suburb":
        _houses(pen, dice, place)
    if place.kind == "canyon" or (place.kind == "row" and dice.chance(0.5)):
        _sides(pen, dice, place)
    elif place.kind == "highway":
        _barriers(pen, dice, place)


def _sides(pen: Pen, dice: Dice, place: Place) -> None:
    for side in (-1.0, 1.0):
        face = place.right + place.walk if side > 0 else place.left - place.walk
        stops = [dice.uniform(-6.0, 3.0)]
        while stops[-1] < min(90.0, place.end):
            stops.append(stops[-1] + dice.uniform(8.0, 20.0))
        for start, far in reversed(list(itertools.pairwise(stops))):
            near = max(start, 0.8)
            if far < near + 1.0 or dice.chance(0.08):
                continue
            height, wall = dice.uniform(5.0, 18.0), vary(dice.choice(WALLS), dice)
            pen.place(face, near)
            deep, back = far - near, side * 12.0
            end = ((0.0, height, 0.0), (back, height, 0.0), (back, 0.0, 0.0), (0.0, 0.0, 0.0))
            pen.face(end if side > 0 else [end[1], end[0], end[3], end[2]], shade(wall, 0.92))
            pen.place(face, (near + far) / 2)
            wide = deep / 2
            front = ((0.0, height, wide), (0.0, height, -wide), (0.0, 0.0, -wide), (0.0, 0.0, wide))
            quad = front if side > 0 else (front[1], front[0], front[3], front[2])
            _facade(pen, dice, quad, wide=deep, height=height, wall=wall)


def _row(pen: Pen, dice: Dice, place: Place) -> None:
    """Houses that stand across the end of the street and face us."""
    z, reach = place.end, 0.75 * place.end + 12.0
    x = -reach - dice.uniform(0.0, 8.0)
    low = place.kind == "lot"
    while x < reach:
        wide, height = dice.uniform(6.0, 15.0), dice.uniform(3.5, 7.0) if low else dice.uniform(6.0, 18.0)
        wall = vary(dice.choice(WALLS), dice)
        if not dice.chance(0.07):
            pen.place(x + wide / 2, z)
            half = wide / 2
            front = ((-half, height, 0.0), (half, height, 0.0), (half, 0.0, 0.0), (-half, 0.0, 0.0))
            _facade(pen, dice, front, wide=wide, height=height, wall=wall)
        x += wide


def _facade(pen: Pen, dice: Dice, quad: Sequence[Point], *, wide: float, height: float, wall: Color) -> None:
    light = pen.face(quad, wall)
    seen = height * pen.scale
    if not light or seen < 14:
        return
    floors, columns = max(1, int(height / 3.1)), max(2, int(wide / dice.uniform(2.0, 3.4)))
    ground = 1.0 - 3.2 / height if height > 4.5 else 0.35
    wall = shade(wall, light)
    lit, cool = pen.mood.lamps, mix((66, 80, 94), pen.mood.sky_low, 0.28)
    tall = ground / max(1, floors - 1)
    for floor in range(floors - 1):
        top = (floor + 0.24) * tall
        pen.poly(patch(quad, 0.04, top, 0.96, top + tall * 0.52), shade(cool, 0.95))
    if floors > 1:
        gap = dice.uniform(0.4, 0.65) / columns
        for i in range(columns + 1):
            middle = 0.02 + 0.96 * i / columns
            pen.poly(patch(quad, max(0.0, middle - gap / 2), 0.04, min(1.0, middle + gap / 2), ground), wall)
    if lit and floors > 1:
        for _ in range(dice.integer(1, 5)):
            i, floor = dice.integer(0, columns - 1), dice.integer(0, floors - 2)
            left, top = 0.02 + 0.96 * i / columns + gap / 2, (floor + 0.24) * tall
            window = patch(quad, left, top, left + 0.96 / columns - gap, top + tall * 0.52)
            pen.poly(window, vary(LAMPLIGHT, dice, 0.1), lit=True)
    pen.poly(patch(quad, 0.0, 0.0, 1.0, 0.035), shade(wall, 0.78))
    if seen > 40:
        _shop(pen, dice, quad, top=ground, wall=wall, lit=lit)


def _shop(pen: Pen, dice: Dice, quad: Sequence[Point], *, top: float, wall: Color, lit: bool) -> None:
    if dice.chance(0.45):  # a plain ground floor: a door and a plinth
        left = dice.uniform(0.1, 0.8)
        pen.poly(patch(quad, left, top + (1 - top) * 0.3, left + 0.09, 1.0), vary((84, 62, 48), dice, 0.3))
        pen.poly(patch(quad, 0.0, 1 - (1 - top) * 0.14, 1.0, 1.0), shade(wall, 0.72))
        return
    sign = vary(dice.choice(SIGNALS), dice, 0.15)
    glass = mix((70, 78, 84), LAMPLIGHT, 0.75) if lit else (74, 84, 92)
    pen.poly(patch(quad, 0.03, top + (1 - top) * 0.22, 0.97, 1 - (1 - top) * 0.1), glass, lit=lit)
    for i in range(dice.integer(1, 4)):
        at = (i + dice.uniform(0.6, 1.2)) / 5
        pen.poly(patch(quad, at, top + (1 - top) * 0.22, at + 0.025, 1.0), shade(wall, 0.7))
    pen.poly(patch(quad, 0.02, top + 0.01, 0.98, top + (1 - top) * 0.22), sign, lit=lit and dice.chance(0.4))
    if dice.chance(0.4):
        stripes = dice.integer(4, 8)
        for i in range(stripes):
            color = (236, 234, 228) if i % 2 else shade(sign, 0.9)
            pen.poly(
                patch(
                    quad,
                    0.03 + 0.94 * i / stripes,
                    top + (1 - top) * 0.2,
                    0.03 + 0.94 * (i + 1) / stripes,
                    top + (1 - top) * 0.36,
                ),
                color,
            )


def _houses(pen: Pen, dice: Dice, place: Place) -> None:
    """Detached houses with gables and hedges across the view."""
    z, reach = place.end, 0.75 * place.end + 12.0
    x = -reach - dice.uniform(0.0, 8.0)
    while x < reach:
        half, deep, eaves = dice.uniform(3.5, 6.0), dice.uniform(6.0, 9.0), dice.uniform(2.8, 5.6)
        pen.place(x + half, z + deep / 2 + dice.uniform(0.0, 4.0), dice.choice((0.0, 0.0, 1.5708)))
        _house(pen, dice, half, deep, eaves)
        x += 2 * half + dice.uniform(1.0, 7.0)
    if dice.chance(0.6):
        pen.place(0.0, z - 2.0)
        tall = dice.uniform(0.7, 1.5)
        color = dice.choice(((62, 92, 50), (74, 104, 58), (150, 120, 90), (226, 224, 218)))
        pen.box((-reach * 1.5, 0.0, -0.2), (reach * 1.5, tall, 0.2), color, shade(color, 1.1))


def _house(pen: Pen, dice: Dice, half: float, deep: float, eaves: float) -> None:
    wall, roof = vary(dice.choice(WALLS), dice), vary(dice.choice(ROOFS), dice)
    ridge, end, over = eaves + half * 0.75, deep / 2, 0.4
    for s in (-1.0, 1.0):  # gables, at both ends
        flip = 1 if s < 0 else -1
        gable = [
            (-half, 0.0, s * end),
            (-half, eaves, s * end),
            (0.0, ridge, s * end),
            (half, eaves, s * end),
            (half, 0.0, s * end),
        ]
        light = pen.face(gable[::flip], wall)
        if light and pen.scale > 4:
            storeys = 2 if eaves > 4.4 else 1
            for row in range(storeys):
                for x in (-0.55, 0.0, 0.55):
                    low = 0.9 + 2.7 * row
                    glow = pen.mood.lamps and dice.chance(0.35)
                    window = [
                        (x * half + dx, low + dy, s * (end + 0.01))
                        for dx, dy in ((-0.5, 0.0), (-0.5, 1.3), (0.5, 1.3), (0.5, 0.0))
                    ]
                    pen.poly(window, LAMPLIGHT if glow else (70, 84, 96), lit=glow)
    for s in (-1.0, 1.0):
        side = ((s * half, eaves, -end), (s * half, eaves, end), (s * half, 0.0, end), (s * half, 0.0, -end))
        pen.face(side if s > 0 else [side[1], side[0], side[3], side[2]], wall)
        drop = eaves - over * 0.7
        slope = (
            (0.0, ridge, -end - over),
            (0.0, ridge, end + over),
            (s * (half + over), drop, end + over),
            (s * (half + over), drop, -end - over),
        )
        pen.face(slope if s > 0 else [slope[1], slope[0], slope[3], slope[2]], roof)


def _barriers(pen: Pen, dice: Dice, place: Place) -> None:
    tall = dice.uniform(2.5, 4.5) if dice.chance(0.4) else 0.0
    color = vary(dice.choice(((150, 152, 148), (120, 134, 118), (170, 160, 140))), dice)
    for side in (-1.0, 1.0):
        edge = place.right + 1.0 if side > 0 else place.left - 1.0
        for low, high, x, paint in ((0.0, tall, edge + side * 4, color), (0.45, 0.78, edge, (176, 180, 182))):
            if high:
                stops = (1.0, 4.0, 10.0, 20.0, 40.0, 80.0, 150.0)
                for near, far in reversed(list(itertools.pairwise(stops))):
                    pen.place(0.0, near)
                    ends = [(x + place.bend * z * z, z) for z in (near, far)]
                    pen.pixels(
                        [
                            pen.view.project(a, y, z)
                            for (a, z), ys in ((ends[0], (low, high)), (ends[1], (high, low)))
                            for y in ys
                        ],
                        paint,
                    )
