"""Light and air: the time of day and the weather, as numbers that the pen and the camera use."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from locnet.data.streets.dice import Dice
from locnet.data.streets.palette import Color, mix, vary


@dataclass(frozen=True)
class Mood:
    """One state of light and air.

    Attributes:
        sky_top: colour of the sky overhead.
        sky_low: colour of the sky at the horizon.
        haze_color: colour that far things fade to.
        haze: how fast they do, per metre.
        ambient: brightness of daylight, one factor per channel.
        fill: brightness of a face that the sun does not reach.
        sunshine: what the sun adds to a face that it hits squarely.
        sun: unit vector towards the sun, world coordinates.
        beam: what our own headlights add to near things.
        lamps: whether street lamps, windows and vehicles are lit.
        clouds: how much of the sky they cover, 0 to 1.
        wet: how much the road mirrors, 0 to 1.
        rain: how much falls, 0 to 1.
        grain: sensor noise in grey levels.
    """

    sky_top: Color
    sky_low: Color
    haze_color: Color
    haze: float = 0.002
    ambient: Color = (1.0, 1.0, 1.0)
    fill: float = 0.8
    sunshine: float = 0.35
    sun: tuple[float, float, float] = (0.0, 1.0, 0.0)
    beam: float = 0.0
    lamps: bool = False
    clouds: float = 0.4
    wet: float = 0.0
    rain: float = 0.0
    grain: float = 3.0


MOODS: dict[str, Mood] = {
    "day": Mood(sky_top=(74, 132, 206), sky_low=(188, 214, 236), haze_color=(196, 212, 226)),
    "overcast": Mood(
        sky_top=(158, 168, 178),
        sky_low=(208, 212, 214),
        haze_color=(200, 205, 208),
        haze=0.005,
        ambient=(0.88, 0.9, 0.92),
        fill=0.95,
        sunshine=0.06,
        clouds=0.9,
    ),
    "golden": Mood(
        sky_top=(108, 142, 190),
        sky_low=(252, 206, 138),
        haze_color=(244, 204, 150),
        haze=0.005,
        ambient=(1.08, 0.92, 0.74),
        fill=0.66,
        sunshine=0.55,
        clouds=0.5,
    ),
    "dusk": Mood(
        sky_top=(44, 54, 98),
        sky_low=(222, 138, 110),
        haze_color=(128, 104, 118),
        haze=0.005,
        ambient=(0.56, 0.52, 0.62),
        fill=0.92,
        sunshine=0.08,
        beam=0.12,
        lamps=True,
        grain=5.0,
    ),
    "night": Mood(
        sky_top=(10, 14, 30),
        sky_low=(34, 38, 62),
        haze_color=(26, 30, 46),
        haze=0.008,
        ambient=(0.31, 0.32, 0.43),
        fill=0.95,
        sunshine=0.04,
        beam=0.55,
        lamps=True,
        clouds=0.1,
        grain=7.0,
    ),
    "fog": Mood(
        sky_top=(196, 202, 206),
        sky_low=(206, 210, 212),
        haze_color=(204, 208, 210),
        haze=0.03,
        ambient=(0.86, 0.88, 0.9),
        fill=0.97,
        sunshine=0.03,
        lamps=True,
        clouds=0.0,
    ),
    "rain": Mood(
        sky_top=(112, 122, 134),
        sky_low=(166, 174, 180),
        haze_color=(158, 166, 172),
        haze=0.014,
        ambient=(0.66, 0.7, 0.75),
        fill=0.95,
        sunshine=0.03,
        lamps=True,
        clouds=0.8,
        wet=0.8,
        rain=0.8,
        grain=5.0,
    ),
}
_LIKELY = (0.36, 0.21, 0.15, 0.1, 0.07, 0.05, 0.06)
WEIGHTS = dict(zip(MOODS, _LIKELY, strict=True))


def sample_mood(dice: Dice) -> Mood:
    """One of the moods, with its numbers shaken a little and the sun somewhere in the sky."""
    name = dice.weighted(WEIGHTS)
    mood = MOODS[name]
    height = dice.uniform(0.25, 0.5) if name == "golden" else dice.uniform(0.5, 0.9)
    heading = dice.uniform(0.0, math.tau)
    flat = math.sqrt(1.0 - height * height)
    bright = dice.uniform(0.9, 1.08)
    tint = vary((100, 100, 100), dice, 0.05)
    red, green, blue = (a * bright * t / 100 for a, t in zip(mood.ambient, tint, strict=True))
    top = vary(mood.sky_top, dice, 0.08)
    return replace(
        mood,
        sky_top=top,
        sky_low=mix(vary(mood.sky_low, dice, 0.05), top, dice.uniform(0.0, 0.25)),
        haze=mood.haze * dice.log_uniform(0.5, 1.8),
        ambient=(red, green, blue),
        sunshine=mood.sunshine * dice.uniform(0.6, 1.2),
        sun=(flat * math.sin(heading), height, flat * math.cos(heading)),
        clouds=mood.clouds * dice.uniform(0.2, 1.1),
        wet=max(mood.wet, dice.uniform(0.3, 0.8) if mood.lamps and dice.chance(0.3) else 0.0),
        grain=mood.grain * dice.log_uniform(0.4, 1.5),
    )
