"""Pictures as they come from a source, Pillow's or pixels in memory, and their parts as tensors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

Pixels = NDArray[np.uint8]
"""`(height, width, 3)` uint8, RGB."""

Picture = Image.Image | Pixels
"""An upright RGB image: decoded (Pillow, mode RGB), or kept decoded."""

REDUCING_GAP = 3.0
"""Large images are averaged in blocks first, to this many times the wanted size: faster, looks the same."""


def size_of(picture: Picture) -> tuple[int, int]:
    """Width and height in pixels."""
    return (picture.shape[1], picture.shape[0]) if isinstance(picture, np.ndarray) else picture.size


def as_image(picture: Picture) -> Image.Image:
    """The picture as Pillow has it."""
    return Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture


def to_tensor(image: Image.Image) -> Tensor:
    """`(3, height, width)` uint8, RGB, contiguous, of an image in mode RGB."""
    return torch.from_numpy(np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)))


def to_image(pixels: Tensor) -> Image.Image:
    """The inverse of `to_tensor`."""
    return Image.fromarray(np.ascontiguousarray(pixels.numpy().transpose(1, 2, 0)))


def filled(color: tuple[int, int, int], size: tuple[int, int]) -> Tensor:
    """`(3, height, width)` uint8 of one colour; `size` is width and height."""
    return torch.tensor(color, dtype=torch.uint8).view(3, 1, 1).expand(3, size[1], size[0]).contiguous()


def resample(picture: Picture, window: tuple[int, int, int, int], size: tuple[int, int]) -> Tensor:
    """A window of a picture at another size: bilinear, antialiased.

    Torch's kernel does this three times as fast as Pillow's, and differs from it by rounding.

    Args:
        picture: RGB.
        window: left, top, right, bottom in whole pixels of the picture, not empty.
        size: width and height of the result, pixels.

    Returns:
        `(3, height, width)` uint8, RGB.
    """
    left, top, right, bottom = window
    if isinstance(picture, np.ndarray):
        part = np.ascontiguousarray(picture[top:bottom, left:right])
    elif min((right - left) / size[0], (bottom - top) / size[1]) > 2 * REDUCING_GAP:
        small = picture.resize(size, Image.Resampling.BILINEAR, box=window, reducing_gap=REDUCING_GAP)
        return to_tensor(small)
    else:
        part = _cut(picture, window)
    # the kernel reads rows of pixels and writes what the network takes, planes
    pixels = torch.from_numpy(part).permute(2, 0, 1)[None]
    return F.interpolate(pixels, (size[1], size[0]), mode="bilinear", antialias=True)[0, :3].contiguous()


def _cut(image: Image.Image, window: tuple[int, int, int, int]) -> Pixels:
    """`(height, width, 3 or 4)` uint8 of a window: RGB, and perhaps a byte that means nothing.

    Pillow keeps four bytes a pixel, which the kernel takes as they are, and hands them over through Arrow where
    they lie in one block of memory; otherwise they are packed into three and copied twice.
    """
    left, top, right, bottom = window
    try:
        buffer = pa.array(image).buffers()[-1]
        pixels = np.frombuffer(buffer, dtype=np.uint8).reshape(image.height, image.width, 4)
    except Exception:  # a large image, or a Pillow before 11.3; Arrow raises nearly anything
        return np.array(image.crop(window))
    return pixels[top:bottom, left:right].copy()
