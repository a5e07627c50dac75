"""Colour changes as one matrix: brightness, contrast, saturation and hue in a single pass over the pixels."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

# Luma and two chroma axes of a pixel (YIQ, of analogue television): the hue is an angle between the latter.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


def mean_color(image: Image.Image) -> tuple[int, int, int]:
    """Mean red, green and blue of an RGB image, 0 to 255."""
    red, green, blue = image.resize((1, 1), Image.Resampling.BOX).tobytes()
    return red, green, blue


def color_matrix(
    brightness: float, contrast: float, saturation: float, hue: float, mean: tuple[float, float, float]
) -> tuple[float, ...]:
    """The matrix of a colour change, for `Image.convert("RGB", matrix)`.

    One matrix is several times faster than four passes, and only the result is clipped to 0..255.

    Args:
        brightness: factor of all values.
        contrast: factor of the distance from the mean's grey.
        saturation: factor of the distance from each pixel's own grey; 0 leaves grey.
        hue: turn of the colours, as a share of the full circle; grey values stay.
        mean: red, green and blue that contrast pivots on, before the change.

    Returns:
        12 floats: three rows of factors for red, green, blue, and an offset.
    """
    cos, sin = math.cos(2 * math.pi * hue), math.sin(2 * math.pi * hue)
    in_yiq = np.array([[1, 0, 0], [0, saturation * cos, -saturation * sin], [0, saturation * sin, saturation * cos]])
    factors = brightness * contrast * (_FROM_YIQ @ in_yiq @ _TO_YIQ)
    offset = brightness * (1 - contrast) * float(_TO_YIQ[0] @ np.array(mean))
    return tuple(float(value) for row in factors for value in (*row, offset))
