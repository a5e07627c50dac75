"""The sky and what closes the horizon: clouds, hills, woods, a skyline."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from locnet.data.streets import texture
from locnet.data.streets.dice import Dice
from locnet.data.streets.mood import Mood
from locnet.data.streets.palette import LEAVES, Color, mix, shade
from locnet.data.streets.pen import Pen


def draw_sky(canvas: Image.Image, dice: Dice, mood: Mood, horizon: float) -> None:
    """Fill the canvas with the sky down to the horizon's pixel row, and below it with haze."""
    width, height = canvas.size
    low = np.array(mood.sky_low, dtype=np.float32)
    high = np.array(mood.sky_top, dtype=np.float32)
    reach = max(0.8 * height, horizon)  # the sky is as tall as this above the horizon
    share = np.clip((np.arange(height, dtype=np.float32) - (horizon - reach)) / reach, 0.0, 1.0)[:, None]
    column = np.clip(high + (low - high) * share, 0, 255).astype(np.uint8)[:, None, :]
    canvas.paste(Image.fromarray(column).resize((width, height), Image.Resampling.NEAREST))
    variant, left = dice.integer(0, 7), dice.uniform(0.0, 0.4)
    rows = min(height, int(horizon) + 8)
    if mood.clouds < 0.08 or rows < 4:
        return
    top = max(0.0, 1.0 - (horizon + 8) / reach)
    mask = texture.clouds(variant).resize(
        (width, rows), Image.Resampling.BILINEAR, box=(left * 256, top * 256, (left + 0.6) * 256, 256)
    )
    mask = mask.point([int(i * mood.clouds) for i in range(256)])
    color = mix(mood.sky_low, mood.sky_low if mood.lamps else (255, 255, 255), 0.7)
    canvas.paste(_whole(shade(color, 0.82) if mood.clouds > 0.7 else color), (0, 0), mask)


def draw_backdrop(pen: Pen, dice: Dice, kind: str, span: float) -> None:
    """What stands at the end of sight.

    Args:
        pen: draws.
        dice: the scene's random numbers.
        kind: of the place.
        span: width of the canvas in pixels.
    """
    pen.place(0.0, 60.0)
    if kind in ("country", "highway", "park", "suburb"):
        for far in (0.75, 0.4):
            color = mix((98, 118, 96), pen.mood.haze_color, far)
            _ridge(pen, dice, span, height=dice.uniform(0.02, 0.12) * span, steps=9, color=color)
        woods = shade(dice.choice(LEAVES), 0.6)
        _ridge(pen, dice, span, height=dice.uniform(0.02, 0.06) * span, steps=26, color=woods)
    else:
        for far in (0.7, 0.45):
            _skyline(
                pen,
                dice,
                span,
                dice.uniform(0.06, 0.22) * span,
                mix((112, 112, 120), pen.mood.haze_color, far),
            )


def _ridge(pen: Pen, dice: Dice, span: float, *, height: float, steps: int, color: Color) -> None:
    phase, waves = dice.uniform(0, math.tau), dice.uniform(1.0, 2.5)
    top = []
    for i in range(steps + 1):
        share = i / steps
        lift = 0.55 + 0.3 * math.sin(phase + waves * math.tau * share) + dice.uniform(-0.16, 0.16)
        top.append(pen.view.beside_horizon((share * 4 - 2) * span, -height * lift))
    pen.pixels([*top, pen.view.beside_horizon(2 * span, 4), pen.view.beside_horizon(-2 * span, 4)], color)


def _skyline(pen: Pen, dice: Dice, span: float, height: float, color: Color) -> None:
    at, outline = -1.6 * span, []
    while at < 1.6 * span:
        wide, tall = dice.uniform(0.05, 0.16) * span, height * dice.uniform(0.35, 1.0)
        outline += [pen.view.beside_horizon(at, -tall), pen.view.beside_horizon(at + wide, -tall)]
        at += wide
    pen.pixels([*outline, pen.view.beside_horizon(at, 4), pen.view.beside_horizon(-1.6 * span, 4)], color)


def _whole(color: Color) -> tuple[int, int, int]:
    return min(255, int(color[0])), min(255, int(color[1])), min(255, int(color[2]))
