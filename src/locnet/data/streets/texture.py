"""Grey masks that are drawn once a process and pasted many times: clouds, worn ground, gradients."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIZE = 256


@cache
def clouds(variant: int) -> Image.Image:
    """A cloud cover as an L mask, larger and thicker clouds at the top."""
    noise = _fractal(np.random.default_rng(variant), rows=5, columns=3)
    fade = np.linspace(1.0, 0.5, _SIZE)[:, None]
    return _mask(np.clip((noise - 0.48) * 4.2, 0, 1) * fade)


@cache
def wear(variant: int) -> Image.Image:
    """Stains and grain of a road surface as an L mask, as seen in perspective: flat far, tall near."""
    rng = np.random.default_rng(1000 + variant)
    noise = _fractal(rng, rows=4, columns=4)
    depth = 1.0 / (np.linspace(0.06, 1.0, _SIZE))
    rows = _folded(depth * 40)
    columns = _folded(np.linspace(-0.5, 0.5, _SIZE)[None, :] * depth[:, None] * 150 + 77)
    flat = noise[rows[:, None], columns]
    grain = rng.random((_SIZE, _SIZE)) * np.linspace(0.1, 0.35, _SIZE)[:, None]
    return _mask(np.clip((flat - 0.42) * 1.8, 0, 1) * 0.6 + grain)


@lru_cache(maxsize=8)
def vignette(size: int) -> NDArray[np.float32]:
    """`(size, size, 1)` float32: 0 in the middle, 1 in the corners."""
    axis = np.linspace(-1.0, 1.0, size, dtype=np.float32) ** 2
    return np.asarray(((axis[:, None] + axis[None, :]) / 2)[..., None], dtype=np.float32)


def _folded(position: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions to indices of a row that is repeated to and fro, so that there is no seam."""
    return np.abs(np.floor(position).astype(np.int64) % (2 * _SIZE) - _SIZE).clip(0, _SIZE - 1)


def _fractal(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    total = np.zeros((_SIZE, _SIZE))
    for octave in range(5):
        cells = rng.random((rows * 2**octave, columns * 2**octave)) * 255
        layer = Image.fromarray(cells.astype(np.uint8)).resize((_SIZE, _SIZE), Image.Resampling.BICUBIC)
        total += np.asarray(layer, dtype=np.float64) / 255 * 0.5**octave
    low, high = total.min(), total.max()
    return np.asarray((total - low) / (high - low))


def _mask(values: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8))
