"""From the drawn canvas to a camera's picture: rain, blur, glow, lens, exposure, noise, compression."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from locnet.data.streets import texture
from locnet.data.streets.dice import Dice
from locnet.data.streets.mood import Mood
from locnet.data.streets.palette import Color, shade

Glow = tuple[float, float, float, Color]
"""Emitted light: x, y and radius in canvas pixels, colour."""


def develop(canvas: Image.Image, dice: Dice, mood: Mood, lights: Sequence[Glow], size: int) -> NDArray[np.uint8]:
    """Take the picture.

    Args:
        canvas: the drawn RGB canvas, a whole multiple of `size`.
        dice: the scene's random numbers.
        mood: light and air.
        lights: what shines.
        size: side of the picture in pixels.

    Returns:
        `(size, size, 3)` uint8 RGB.
    """
    factor = canvas.width // size
    if mood.rain:
        _rain(canvas, dice, mood.rain)
    picture = _blurred(canvas.reduce(factor), dice, size)
    glows = [*lights, *_flare(dice, mood, canvas.width)]
    pixels = np.asarray(picture, dtype=np.float32)
    if glows:
        halo = _halo(glows, canvas.width, size)
        pixels = pixels + halo * (1.0 - pixels * (0.7 / 255.0))
    pixels = pixels * (1.0 - dice.uniform(0.05, 0.38) * texture.vignette(size))
    pixels = _exposed(pixels, dice)
    pixels += _grain(dice, mood.grain, size)
    image = np.clip(pixels, 0.0, 255.0).astype(np.uint8)
    return _squeezed(image, dice) if dice.chance(0.25) else image


def _blurred(picture: Image.Image, dice: Dice, size: int) -> Image.Image:
    kind, strength, flat = dice.uniform(), dice.uniform() * size / 128, dice.uniform(0.0, 0.5)
    if kind < 0.35:
        return picture
    if kind < 0.8:
        return picture.filter(ImageFilter.GaussianBlur(0.25 + 0.3 * strength))
    if kind < 0.92:
        return picture.filter(ImageFilter.GaussianBlur(0.5 + 0.7 * strength))
    return picture.filter(ImageFilter.BoxBlur((0.5 + 1.5 * strength, flat)))


def _halo(glows: Sequence[Glow], width: int, size: int) -> NDArray[np.float32]:
    small = max(16, size // 2)
    scale = small / width
    layer = Image.new("RGB", (small, small))
    draw = ImageDraw.Draw(layer)
    for x, y, radius, color in sorted(glows, key=lambda glow: -glow[2]):
        r = max(0.7, radius * scale)
        fill = shade(color, 0.7)
        draw.ellipse(
            (x * scale - r, y * scale - r, x * scale + r, y * scale + r),
            fill=(int(fill[0]), int(fill[1]), int(fill[2])),
        )
    layer = layer.filter(ImageFilter.BoxBlur(small / 24)).filter(ImageFilter.BoxBlur(small / 24))
    return np.asarray(layer.resize((size, size), Image.Resampling.BILINEAR), dtype=np.float32)


def _flare(dice: Dice, mood: Mood, width: int) -> list[Glow]:
    low_sun = mood.sunshine > 0.4
    if not dice.chance(0.3 if low_sun else 0.06 if mood.sunshine > 0.2 else 0.0):
        return []
    x, y = dice.uniform(-0.05, 1.05) * width, dice.uniform(-0.05, 0.4) * width
    warm: Color = (255, 226, 170) if low_sun else (250, 246, 236)
    glows: list[Glow] = [
        (x, y, dice.uniform(0.1, 0.2) * width, shade(warm, 0.55)),
        (x, y, 0.05 * width, warm),
    ]
    for share in (0.5, 0.85, 1.25):
        ghost = (x + (0.5 * width - x) * 2 * share, y + (0.5 * width - y) * 2 * share)
        glows.append((*ghost, dice.uniform(0.02, 0.06) * width, shade(warm, 0.16)))
    return glows


def _rain(canvas: Image.Image, dice: Dice, strength: float) -> None:
    draw, width = ImageDraw.Draw(canvas, "RGBA"), canvas.width
    slant = dice.uniform(-0.3, 0.3)
    for _ in range(int(26 * strength * dice.uniform(0.4, 1.4))):
        x, y, long = dice.uniform(0, width), dice.uniform(0, width), dice.uniform(0.03, 0.1) * width
        draw.line(
            (x, y, x + slant * long, y + long),
            fill=(214, 222, 230, dice.integer(30, 90)),
            width=1 + width // 400,
        )
    for _ in range(dice.integer(0, 7)):  # drops on the windscreen
        x, y, r = dice.uniform(0, width), dice.uniform(0, width), dice.uniform(0.008, 0.022) * width
        draw.ellipse((x - r, y - r * 1.1, x + r, y + r * 1.1), fill=(200, 210, 220, 60))
        draw.arc(
            (x - r, y - r * 1.1, x + r, y + r * 1.1),
            20,
            160,
            fill=(240, 244, 248, 120),
            width=1 + width // 300,
        )


def _exposed(pixels: NDArray[np.float32], dice: Dice) -> NDArray[np.float32]:
    gain = dice.uniform(0.9, 1.12)
    tint = np.array([gain * dice.uniform(0.96, 1.04) for _ in range(3)], dtype=np.float32)
    contrast, pivot = dice.uniform(0.85, 1.15), 118.0
    lift = dice.uniform(-6.0, 10.0)
    return np.asarray(pixels * (tint * contrast) + (pivot * (1.0 - contrast) + lift), dtype=np.float32)


def _grain(dice: Dice, sigma: float, size: int) -> NDArray[np.float32]:
    grey = dice.noise(size, size, 1)
    if sigma < 4.0:
        return grey * np.float32(sigma)
    return (grey + 0.6 * dice.noise(size, size, 3)) * np.float32(sigma * 0.8)


def _squeezed(image: NDArray[np.uint8], dice: Dice) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    quality = int(math.exp(dice.uniform(math.log(30), math.log(75))))
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality)
    return np.asarray(Image.open(buffer))
