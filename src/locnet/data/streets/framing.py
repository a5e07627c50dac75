"""Where the subject of a scene stands, and the camera that sees it at a wanted size and spot."""

from __future__ import annotations

import math
from dataclasses import dataclass

from locnet.data.streets.dice import Dice
from locnet.data.streets.mood import Mood
from locnet.data.streets.pen import Drawing, Pen
from locnet.data.streets.view import View

SMALLEST, LARGEST = 0.28, 0.66
"""The square root of the area of the subject's box before the border cuts it, as a share of the picture's side.

Area, not height or width: thin and flat objects get a short side of about 17 % at least."""
LONGEST = 0.85
"""The longer side of that box at most."""
_ATTEMPTS = 20


@dataclass(frozen=True)
class Framing:
    """A camera and a subject in front of it.

    Attributes:
        view: the camera.
        x: world X of the subject.
        z: world Z of it.
        yaw: how far it is turned to the right from showing us its back, in radians.
        bounds: xmin, ymin, xmax, ymax of the whole subject in canvas pixels, in the picture or not.
    """

    view: View
    x: float
    z: float
    yaw: float
    bounds: tuple[float, float, float, float]


def frame(dice: Dice, subject: Drawing, *, long: float, along_street: bool, mood: Mood, span: int) -> Framing:
    """Choose size and spot first and derive the camera from them, so that neither tells the other.

    Args:
        dice: the scene's random numbers.
        subject: what is to be seen.
        long: how long it is in metres, from its back to its front.
        along_street: whether it mostly heads up or down the street.
        mood: light and air (the pen wants it; it has no influence here).
        span: side of the canvas in pixels.
    """
    found = _attempt(dice, subject, long=long, along_street=along_street, mood=mood, span=span)
    for _ in range(_ATTEMPTS):
        if -0.45 * span < found.view.y < 0.93 * span and 0.4 * span < found.view.focal < 6.0 * span:
            break
        found = _attempt(dice, subject, long=long, along_street=along_street, mood=mood, span=span)
    return found


def _attempt(dice: Dice, subject: Drawing, *, long: float, along_street: bool, mood: Mood, span: int) -> Framing:
    side = dice.log_uniform(SMALLEST, LARGEST) * span
    yaw = _yaw(dice, along_street)
    extent = max(1.1, 0.6 * long * abs(math.sin(yaw)) + 0.4 * long * abs(math.cos(yaw)))
    z = max(0.75 * long + 1.8, dice.log_uniform(0.8, 2.0) * span * extent / side)
    x = dice.normal(0.0, 0.22) * span * extent / side
    view = View(focal=float(span), height=_eye_height(dice), roll=max(-0.07, min(0.07, dice.normal(0.0, 0.02))))
    ruler = Pen(view, mood)
    ruler.place(x, z, yaw)
    subject(ruler)
    left, top, right, bottom = ruler.bounds
    width, height = right - left, bottom - top
    factor = min(side / math.sqrt(width * height), LONGEST * span / max(width, height))
    left, top, right, bottom = left * factor, top * factor, right * factor, bottom * factor
    new_left, new_top = _spot(dice, right - left, bottom - top, span)
    dx, dy = new_left - left, new_top - top
    return Framing(view.zoomed(factor).moved(dx, dy), x, z, yaw, (left + dx, top + dy, right + dx, bottom + dy))


def _yaw(dice: Dice, along_street: bool) -> float:
    if along_street and dice.chance(0.6):
        return dice.choice((0.0, math.pi)) + dice.normal(0.0, 0.3)
    if dice.chance(0.45):
        return dice.choice((0.5, 1.5)) * math.pi + dice.normal(0.0, 0.2)
    return dice.uniform(0.0, math.tau)


def _eye_height(dice: Dice) -> float:
    kind = dice.uniform()
    if kind < 0.72:
        return dice.uniform(1.05, 1.8)
    return dice.uniform(1.8, 3.0) if kind < 0.95 else dice.uniform(3.0, 5.0)


def _spot(dice: Dice, width: float, height: float, span: int) -> tuple[float, float]:
    """Left and top of the subject: anywhere inside, or cut by one border, of which at least 65 % stays."""
    margin = 0.01 * span
    left = dice.uniform(margin, max(margin, span - width - margin))
    top = dice.uniform(margin, max(margin, span - height - margin))
    hidden = dice.uniform(0.05, 0.35)
    cut = dice.weighted({"none": 0.8, "left": 0.07, "right": 0.07, "bottom": 0.05, "top": 0.01})
    if cut == "left":
        left = -hidden * width
    elif cut == "right":
        left = span - width + hidden * width
    elif cut == "bottom":
        top = span - height + hidden * height
    elif cut == "top":
        top = -hidden * height
    return left, top
