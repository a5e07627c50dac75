"""The ground: road, pavements and verges, markings, stains, and the haze over it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from locnet.data.streets import texture
from locnet.data.streets.dice import Dice
from locnet.data.streets.mood import Mood
from locnet.data.streets.palette import Color, mix, shade
from locnet.data.streets.pen import Pen
from locnet.data.streets.place import Place
from locnet.data.streets.view import View

NEAREST = 0.5
_COARSE = 64  # haze is smooth: it is worked out on a grid of this many cells a side
FARTHEST = 300.0
_BENDS = (6.0, 12.0, 20.0, 32.0, 48.0, 75.0, 120.0, 200.0)
_HERE = 4.0  # Z where the pen stands while it draws flat things, so that our headlights reach them
MARKING: Color = (222, 222, 216)


def draw_ground(canvas: Image.Image, pen: Pen, dice: Dice, place: Place, crossing: float | None) -> None:
    """Draw all that lies flat.

    Args:
        canvas: what the pen draws on, for the stains.
        pen: draws.
        dice: the scene's random numbers.
        place: the street.
        crossing: Z of a zebra crossing, or None.
    """
    pen.place(0.0, _HERE)
    span = 4.0 * canvas.width
    corners = [(-span, 0.0), (span, 0.0), (span, span), (-span, span)]
    pen.pixels([pen.view.beside_horizon(*corner) for corner in corners], place.ground)
    _strip(pen, place, place.left - place.walk, place.right + place.walk, place.verge)
    if place.kind in ("canyon", "row", "suburb"):
        kerb = mix(place.verge, (210, 208, 202), 0.5)
        _strip(pen, place, place.left - 0.3, place.right + 0.3, kerb)
        _strip(pen, place, place.left - 0.12, place.right + 0.12, shade(kerb, 0.62))
    _strip(pen, place, place.left, place.right, place.road)
    _repairs(pen, dice, place)
    if place.kind == "lot":
        _bays(pen, dice, place)
    else:
        _lanes(pen, dice, place)
    if crossing is not None:
        _zebra(pen, place, crossing)
    _stains(canvas, pen, dice)
    _veil(canvas, pen.view, pen.mood)


def _strip(
    pen: Pen,
    place: Place,
    left: float,
    right: float,
    color: Color,
    *,
    near: float = NEAREST,
    far: float = FARTHEST,
) -> None:
    """A strip of ground along the road between two X and two Z of the world."""
    stops = [near, *(z for z in _BENDS if place.bend and near < z < far), far]
    up = [(left + place.bend * z * z, 0.0, z - _HERE) for z in stops]
    down = [(right + place.bend * z * z, 0.0, z - _HERE) for z in reversed(stops)]
    pen.poly([*up, *down], color)


def _lanes(pen: Pen, dice: Dice, place: Place) -> None:
    color = dice.choice((MARKING, MARKING, (226, 190, 76)))
    width = place.right - place.left
    lanes = max(2, round(width / 3.4))
    if dice.chance(0.75):
        for x in (place.left + 0.35, place.right - 0.35):
            _strip(pen, place, x - 0.07, x + 0.07, MARKING)
    if dice.chance(0.15):
        return
    for lane in range(1, lanes):
        x = place.left + width * lane / lanes
        z = dice.uniform(1.0, 7.0)
        if lane == lanes // 2 and dice.chance(0.3):
            _strip(pen, place, x - 0.08, x + 0.08, color)
            continue
        while z < 70.0:
            _strip(pen, place, x - 0.08, x + 0.08, color, near=z, far=z + 3.0)
            z += 7.5 if z < 30 else 15.0


def _bays(pen: Pen, dice: Dice, place: Place) -> None:
    start, row = dice.uniform(3.0, 8.0), dice.uniform(8.0, 14.0)
    for z in (start, start + row):
        x = place.left
        while x < place.right:
            _strip(pen, place, x - 0.06, x + 0.06, MARKING, near=z, far=z + 5.0)
            x += 2.6


def _zebra(pen: Pen, place: Place, z: float) -> None:
    x, near = place.left + 0.4, max(NEAREST, z - 1.5)
    while x < place.right - 0.5:
        _strip(pen, place, x, x + 0.5, MARKING, near=near, far=near + 3.0)
        x += 1.0


def _repairs(pen: Pen, dice: Dice, place: Place) -> None:
    for _ in range(dice.integer(0, 3)):
        x, z = dice.uniform(place.left, place.right), dice.log_uniform(2.0, 30.0)
        wide, deep = dice.uniform(0.3, 1.6), dice.uniform(0.4, 5.0)
        tar = shade(place.road, dice.choice((0.82, 0.88, 1.08)))
        _strip(pen, place, x, min(x + wide, place.right), tar, near=z, far=z + deep)
    if dice.chance(0.5):
        x, z = dice.uniform(place.left + 0.5, place.right - 0.5), dice.log_uniform(2.5, 14.0)
        pen.place(x, z)
        ring = [
            (0.34 * c, 0.0, 0.34 * s)
            for c, s in ((1, 0), (0.7, 0.7), (0, 1), (-0.7, 0.7), (-1, 0), (-0.7, -0.7), (0, -1), (0.7, -0.7))
        ]
        pen.poly(ring, shade(place.road, 0.6))
        pen.place(0.0, _HERE)


def _stains(canvas: Image.Image, pen: Pen, dice: Dice) -> None:
    variant, strength, mirrored = dice.integer(0, 5), dice.uniform(0.25, 0.7), dice.chance(0.5)
    width, height = canvas.size
    top, middle = pen.view.y, pen.view.x
    first = max(0, int(top) + 1)
    if first >= height - 2:
        return
    # The texture reaches from the horizon downwards, and four canvases across around the vanishing point.
    rows = ((first - top) / height * 256 * 0.7, (height - top) / height * 256 * 0.7)
    columns = (
        min(max(96 - middle / width * 64, 0.0), 192.0),
        min(max(96 - middle / width * 64, 0.0), 192.0) + 64,
    )
    box = (columns[0], min(rows[0], 250.0), columns[1], min(rows[1], 256.0))
    mask = texture.wear(variant).resize((width, height - first), Image.Resampling.BILINEAR, box=box)
    if mirrored:
        mask = mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mask = mask.point([int(i * strength) for i in range(256)])
    dark = shade((34, 34, 36), min(1.0, sum(pen.mood.ambient) / 3))
    canvas.paste((int(dark[0]), int(dark[1]), int(dark[2])), (0, first), mask)


def _veil(canvas: Image.Image, view: View, mood: Mood) -> None:
    """Haze over the far ground, and the sky mirrored by a wet one."""
    axis = (np.arange(_COARSE, dtype=np.float32) + 0.5) * (canvas.width / _COARSE)
    cos, sin = math.cos(view.roll), math.sin(view.roll)
    below = np.maximum((axis[:, None] - view.y) * cos - (axis[None, :] - view.x) * sin, -1.0)
    on_ground = below > 0
    haze = on_ground * (1.0 - np.exp(-mood.haze * view.focal * view.height / np.maximum(below, 1.0)))
    haze = np.minimum(haze, min(0.95, 0.3 + 25.0 * mood.haze))  # in clear air the far ground stays darker than the sky
    _wash(canvas, mood.haze_color, haze)
    if mood.wet > 0.1:
        _wash(canvas, mood.sky_low, on_ground * mood.wet * 0.45 * np.exp(-below / (0.35 * canvas.width)))


def _wash(canvas: Image.Image, color: Color, strength: NDArray[np.floating]) -> None:
    seen = np.flatnonzero((strength > 0.02).any(axis=1))
    if not seen.size:
        return
    first, last = int(seen[0]), int(seen[-1]) + 1  # only the rows that change are pasted
    mask = Image.fromarray((np.clip(strength[first:last], 0.0, 1.0) * 255).astype(np.uint8))
    top, bottom = (round(row * canvas.height / len(strength)) for row in (first, last))
    whole = (min(255, int(color[0])), min(255, int(color[1])), min(255, int(color[2])))
    canvas.paste(whole, (0, top), mask.resize((canvas.width, bottom - top), Image.Resampling.BILINEAR))
