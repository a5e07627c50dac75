"""Composes a scene: a subject or none, framed by a camera, in a street full of other things."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from locnet.data.streets.buildings import draw_buildings
from locnet.data.streets.camera import Glow, develop
from locnet.data.streets.clutter import sample_occluder, sample_road_thing, sample_thing
from locnet.data.streets.dice import Dice
from locnet.data.streets.framing import Framing, frame
from locnet.data.streets.ground import draw_ground
from locnet.data.streets.mood import Mood, sample_mood
from locnet.data.streets.objects import sample_car, sample_motorcycle, sample_pedestrian
from locnet.data.streets.pen import Drawing, Pen
from locnet.data.streets.place import Place, sample_place
from locnet.data.streets.scene import (
    BACKGROUND,
    CLASSES,
    SMALLEST_SIZE,
    SPLITS,
    SUPERSAMPLING,
    VERSION,
    Painting,
    Scene,
)
from locnet.data.streets.sky import draw_backdrop, draw_sky
from locnet.errors import ConfigError

_LENGTH = {0: 0.6, 1: 4.4, 2: 2.1, BACKGROUND: 1.5}  # from back to front in metres
_MOST_HIDDEN = 0.35  # share of an object that may be hidden on purpose, and by chance
_MOST_HIDDEN_BY_CHANCE = 0.15


def render(seed: int, split: str, index: int, size: int) -> Scene:
    """Draw one scene; it depends on nothing but the arguments.

    Args:
        seed: of the data set.
        split: train, val or test.
        index: of the scene in its split, from 0.
        size: side of the picture in pixels.

    Raises:
        ConfigError: if the split is unknown or the size too small.
    """
    return paint(seed, split, index, size).scene


def paint(seed: int, split: str, index: int, size: int) -> Painting:
    """Draw one scene and keep the object's mask; see `render`."""
    if size < SMALLEST_SIZE:
        raise ConfigError(f"data.size={size}: street scenes need at least {SMALLEST_SIZE} pixels")
    if split not in SPLITS:
        raise ConfigError(f"split={split!r}: choose one of {', '.join(SPLITS)}")
    dice = Dice("streets", VERSION, seed, split, index)
    label = dice.integer(BACKGROUND, len(CLASSES) - 1)
    return _Studio(dice, label, size).shoot()


class _Studio:
    """The canvas of one scene while it is being drawn."""

    def __init__(self, dice: Dice, label: int, size: int) -> None:
        self.dice, self.label, self.size = dice, label, size
        self.span = SUPERSAMPLING * size
        self.mood: Mood = sample_mood(dice)
        self.stand = {0: "any", BACKGROUND: dice.choice(("road", "beside"))}.get(label, "road")
        self.subject: Drawing = _sample_subject(dice, label, self.mood, self.stand)
        framed, role = self.subject, label
        if label == BACKGROUND and dice.chance(0.75):  # the camera of an object that is not there
            role = dice.integer(0, len(CLASSES) - 1)
            framed = _sample_subject(dice, role, self.mood, self.stand)
        self.framing: Framing = frame(
            dice, framed, long=_LENGTH[role], along_street=role > 0, mood=self.mood, span=self.span
        )
        self.place: Place = sample_place(dice, self.framing.z + 3.0, self.framing.x, self.stand)
        self.canvas = Image.new("RGB", (self.span, self.span))
        self.pen = Pen(self.framing.view, self.mood, self.canvas)
        self.mask = Image.new("L", self.canvas.size)
        self.cover = Image.new("L", self.canvas.size)
        self.hidden = 0.0

    def shoot(self) -> Painting:
        """Draw everything from the farthest to the nearest and take the picture."""
        dice, pen, framing, place = self.dice, self.pen, self.framing, self.place
        draw_sky(self.canvas, dice, self.mood, pen.view.y)
        draw_backdrop(pen, dice, place.kind, self.span)
        draw_ground(self.canvas, pen, dice, place, self._crossing())
        draw_buildings(pen, dice, place)
        found = (self._thing() for _ in range(dice.integer(2, 8)))
        things = sorted((thing for thing in found if thing is not None), key=lambda thing: -thing[1])
        for x, z, drawing in things:
            if z >= framing.z:
                self._stand(x, z, drawing)
        lights = self._subject()
        for x, z, drawing in things:
            if z < framing.z:
                self._stand_in_front(x, z, drawing, most=_MOST_HIDDEN_BY_CHANCE)
        if dice.chance(0.2):
            self._occlude()
        image = develop(self.canvas, dice, self.mood, [*pen.lights, *lights], self.size)
        return self._painting(image)

    def _painting(self, image: NDArray[np.uint8]) -> Painting:
        edges = self.mask.getbbox()
        if self.label == BACKGROUND or edges is None:  # framing keeps most of an object inside
            return Painting(Scene(image, BACKGROUND, None), None, None, 0.0)
        box = np.array(edges, dtype=np.float64) / SUPERSAMPLING
        left, top, right, bottom = (edge / SUPERSAMPLING for edge in self.framing.bounds)
        whole = (left, top, right, bottom)
        return Painting(Scene(image, self.label, box), np.asarray(self.mask), whole, self.hidden)

    def _crossing(self) -> float | None:
        f, place = self.framing, self.place
        on_road = place.left < f.x < place.right
        odds = 0.4 if self.label == 0 and on_road else 0.12
        return f.z if self.dice.chance(odds) else None

    def _subject(self) -> list[Glow]:
        """Draw the object, in a background scene mostly something else in its place; returns its lights."""
        f = self.framing
        if self.label == BACKGROUND:
            if self.dice.chance(0.7):
                self._stand(f.x, f.z, self.subject)
            return []
        long = _LENGTH[self.label]
        self.pen.place(f.x, f.z, f.yaw)
        _shadow(self.pen, long * 0.42, 0.9 if self.label == 1 else 0.3, 1.5)
        pen = Pen(f.view, self.mood, self.canvas, self.mask)
        pen.place(f.x, f.z, f.yaw)
        self.subject(pen)
        return pen.lights

    def _thing(self) -> tuple[float, float, Drawing] | None:
        """Something else and its X and Z: on the verge, or where a column of the picture meets the ground."""
        dice, place, f = self.dice, self.place, self.framing
        z = min(max(3.0, f.z * dice.log_uniform(0.6, 4.0)), place.end - 1.0)
        shift = place.bend * z * z
        if dice.chance(0.6):
            out = dice.uniform(0.3, place.walk)
            x = place.right + out if dice.chance(0.5) else place.left - out
        else:
            x = f.view.lateral(dice.uniform(0.0, 1.0) * self.span, z) - shift
        column, _ = f.view.project(x + shift, 0.0, z)
        if not -0.1 * self.span < column < 1.1 * self.span:
            return None
        if place.left - 0.2 < x < place.right + 0.2:
            return (x + shift, z, sample_road_thing(dice, z)) if dice.chance(0.25) else None
        return x + shift, z, sample_thing(dice, place.green, z)

    def _stand(self, x: float, z: float, drawing: Drawing) -> None:
        self.pen.place(x, z)
        _shadow(self.pen, 0.3, 0.25, 1.0)
        drawing(self.pen)

    def _stand_in_front(self, x: float, z: float, drawing: Drawing, most: float = _MOST_HIDDEN) -> None:
        """Draw it unless it would fill the picture or hide more than that share of the object."""
        ruler = Pen(self.framing.view, self.mood)
        ruler.place(x, z)
        drawing(ruler)
        left, top, right, bottom = (min(max(edge, 0.0), self.span) for edge in ruler.bounds)
        if (right - left) * (bottom - top) > 0.3 * self.span**2:
            return
        mine = self.framing.bounds
        overlaps = left < mine[2] and right > mine[0] and top < mine[3] and bottom > mine[1]
        if self.label != BACKGROUND and overlaps:
            cover = self.cover.copy()
            marker = Pen(self.framing.view, self.mood, None, cover)
            marker.place(x, z)
            drawing(marker)
            hidden = self._hidden_by(cover)
            if hidden > most:
                return
            self.cover, self.hidden = cover, hidden
        self._stand(x, z, drawing)

    def _hidden_by(self, cover: Image.Image) -> float:
        edges = self.mask.getbbox()
        if edges is None:
            return 0.0
        mine, other = np.asarray(self.mask.crop(edges)), np.asarray(cover.crop(edges))
        return float(np.count_nonzero(mine & other) / np.count_nonzero(mine))

    def _occlude(self) -> None:
        f, dice = self.framing, self.dice
        left, _, right, _ = f.bounds
        z = max(2.0, (f.z - 0.5 * _LENGTH[self.label]) * dice.uniform(0.65, 0.95))
        column = (left + right) / 2 + dice.uniform(-0.6, 0.6) * (right - left)
        self._stand_in_front(f.view.lateral(column, z), z, sample_occluder(dice, self.place.green))


def _sample_subject(dice: Dice, label: int, mood: Mood, stand: str) -> Drawing:
    if label == 0:
        return sample_pedestrian(dice, mood.rain > 0)
    if label == 1:
        return sample_car(dice, mood.lamps)
    if label == 2:
        return sample_motorcycle(dice, mood.lamps)
    return sample_road_thing(dice) if stand == "road" else sample_thing(dice, 0.3)


def _shadow(pen: Pen, long: float, wide: float, tall: float) -> None:
    """A soft shadow under a thing, and one away from the sun."""
    strength = min(1.0, sum(pen.mood.ambient) / 2.4)
    for grow, alpha in ((1.25, 0.2), (1.0, 0.28)):
        rim = [(wide * grow * c, 0.0, (long * grow + 0.1) * s) for c, s in _RIM]
        pen.poly(rim, (10, 10, 14), alpha=alpha * strength)
    if pen.mood.sunshine > 0.15:
        sun_x, sun_y, sun_z = pen.mood.sun
        reach = min(2.2, 0.9 / sun_y) * tall
        cos, sin = pen.heading
        dx, dz = (
            reach * (sun_z * sin - sun_x * cos),
            -reach * (sun_x * sin + sun_z * cos),
        )  # local
        base = [(wide * c, 0.0, long * s) for c, s in _RIM]
        pen.hull([*base, *((x * 0.7 + dx, 0.0, z * 0.7 + dz) for x, _, z in base)], (10, 12, 22), alpha=0.34)


_RIM = tuple((math.cos(math.tau * i / 14), math.sin(math.tau * i / 14)) for i in range(14))
