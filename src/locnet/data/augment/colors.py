"""Colour changes as one matrix: brightness, contrast, saturation and hue in a single pass over the pixels."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

# Luma and two chroma axes of a pixel (YIQ, of analogue television): the hue is an angle between the latter.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)

# A change in YIQ is (1, s cos, s sin) times three fixed matrices of RGB; their sum costs less than two products.
_LUMA = np.outer(_FROM_YIQ[:, 0], _TO_YIQ[0])
_CHROMA = _FROM_YIQ[:, 1:] @ _TO_YIQ[1:]
_TURN = np.outer(_FROM_YIQ[:, 2], _TO_YIQ[1]) - np.outer(_FROM_YIQ[:, 1], _TO_YIQ[2])


def mean_color(pixels: Tensor) -> tuple[int, int, int]:
    """Mean red, green and blue of `(3, H, W)` pixels, 0 to 255."""
    red, green, blue = pixels.float().mean(dim=(1, 2)).round().int().tolist()
    return red, green, blue


def color_matrix(
    brightness: float, contrast: float, saturation: float, hue: float, mean: tuple[float, float, float]
) -> tuple[float, ...]:
    """The matrix of a colour change, for `recolour`.

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
    cos, sin = saturation * math.cos(2 * math.pi * hue), saturation * math.sin(2 * math.pi * hue)
    factors = brightness * contrast * (_LUMA + cos * _CHROMA + sin * _TURN)
    offset = brightness * (1 - contrast) * _grey(mean)
    return tuple(value for row in factors.tolist() for value in (*row, offset))


def retone(pixels: Tensor, brightness: float, contrast: float, mean: tuple[float, float, float]) -> Tensor:
    """`recolour` where saturation is 1 and hue 0, in fewer passes; changes what it is given."""
    return pixels.mul_(brightness * contrast).add_(brightness * (1 - contrast) * _grey(mean)).clamp_(0, 255)


def _grey(color: tuple[float, float, float]) -> float:
    red, green, blue = _TO_YIQ[0].tolist()
    return float(red * color[0] + green * color[1] + blue * color[2])


def recolour(pixels: Tensor, matrix: tuple[float, ...]) -> Tensor:
    """Colours after a change.

    Args:
        pixels: `(3, H, W)` float, 0 to 255.
        matrix: see `color_matrix`.

    Returns:
        `(3, H, W)` float, 0 to 255.
    """
    changed = torch.empty_like(pixels)
    # plane by plane: a product with so small a matrix is no faster, and its last bit depends on the number of threads
    offsets = torch.tensor(matrix[3::4]).unbind()
    for row, (plane, offset) in enumerate(zip(changed.unbind(), offsets, strict=True)):
        red, green, blue = matrix[4 * row : 4 * row + 3]
        torch.add(offset, pixels[0], alpha=red, out=plane)
        plane.add_(pixels[1], alpha=green).add_(pixels[2], alpha=blue)
    return changed.clamp_(0, 255)


def rounded(pixels: Tensor) -> Tensor:
    """`(3, H, W)` float, 0 to 255, to uint8; changes what it is given."""
    # NumPy's cast is four times as fast as torch's
    return torch.from_numpy(pixels.add_(0.5).numpy().astype(np.uint8))


def blur(pixels: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur; edges are repeated beyond the image.

    Args:
        pixels: `(3, H, W)` float.
        sigma: standard deviation in pixels, at least 0.

    Returns:
        `(3, H, W)` float.
    """
    weights = gaussian(sigma)
    radius = len(weights) // 2
    height, width = pixels.shape[1:]
    wide = F.pad(pixels[None], (radius,) * 4, mode="replicate")[0]
    across = _weighted([wide[:, :, first : first + width] for first in range(len(weights))], weights)
    return _weighted([across[:, first : first + height] for first in range(len(weights))], weights)


def gaussian(sigma: float) -> list[float]:
    """Weights of a blur, an odd number of them, that sum to 1.

    They are those of the discrete Gaussian (Lindeberg, 1990), whose variance is sigma^2 for small sigma too; a
    sampled bell would then be no blur at all.
    """
    radius = math.ceil(3 * sigma) + 1 if sigma else 0
    length = 4 * radius + 2
    frequencies = 2 * math.pi * np.arange(length // 2 + 1) / length
    weights = np.fft.irfft(np.exp(sigma**2 * (np.cos(frequencies) - 1)), length)[: radius + 1]
    mirrored = np.concatenate((weights[:0:-1], weights))
    kernel: list[float] = (mirrored / mirrored.sum()).tolist()
    return kernel


def _weighted(parts: list[Tensor], weights: list[float]) -> Tensor:
    """The weighted sum; for few weights several times as fast as torch's convolution of single planes."""
    mean = parts[0] * weights[0]
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        mean.add_(part, alpha=weight)
    return mean
