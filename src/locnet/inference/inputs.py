"""Images of any kind as the network takes them: decoded upright, at its size, and where they lie in its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from locnet.data.images import Encoded, LoadedImage, load_image, upright
from locnet.data.pixels import to_image
from locnet.data.resize import ResizeMode, fit
from locnet.errors import DataError

ImageLike = str | PathLike[str] | Encoded | Image.Image | NDArray[np.uint8] | Tensor
"""A file's path, an encoded file in memory, a Pillow image, `(H, W, 3)` uint8 RGB in NumPy, or `(3, H, W)` in torch."""

SINGLE = (str, PathLike, Encoded, Image.Image)


@dataclass(frozen=True)
class Input:
    """One image as the network takes it.

    Attributes:
        image: `(3, H, W)` uint8, RGB, of the network's size.
        placement: `(4,)` float32, where the image lies in it (see `locnet.data.resize.Placement`).
        height: of the original image, upright, in pixels.
        width: of the original image, upright, in pixels.
    """

    image: Tensor
    placement: Tensor
    height: int
    width: int


class Batch(NamedTuple):
    """Inputs side by side; one tensor each, because every tensor that a worker hands over costs an open file.

    Attributes:
        images: `(B, 3, H, W)` uint8, RGB.
        placements: `(B, 4)` float32.
        sizes: height and width of each original image, in pixels.
    """

    images: Tensor
    placements: Tensor
    sizes: list[tuple[int, int]]


def prepare(image: ImageLike, height: int, width: int, resize: ResizeMode) -> Input:
    """Decode an image, where it is not yet, and scale it as in training.

    Args:
        image: see `ImageLike`.
        height: of the network's input, pixels.
        width: of the network's input, pixels.
        resize: how the image meets the input.

    Raises:
        DataError: it cannot be read, or is no image.
    """
    loaded = _loaded(image, at_least=max(height, width))
    pixels, placement = fit(loaded.image, height, width, resize)
    return Input(pixels, placement.as_tensor().float(), loaded.height, loaded.width)


def stack(inputs: Sequence[Input]) -> Batch:
    """Inputs of one size as a batch; at least one."""
    return Batch(
        images=torch.stack([item.image for item in inputs]),
        placements=torch.stack([item.placement for item in inputs]),
        sizes=[(item.height, item.width) for item in inputs],
    )


def _loaded(image: ImageLike, at_least: int) -> LoadedImage:
    if isinstance(image, (str, PathLike)):
        return load_image(Path(image).expanduser(), at_least=at_least)
    if isinstance(image, Encoded):
        return load_image(image, at_least=at_least)
    picture = upright(image) if isinstance(image, Image.Image) else _from_pixels(image)
    return LoadedImage(picture, picture.height, picture.width)


def _from_pixels(pixels: Any) -> Image.Image:
    """An array or tensor as Pillow has it, so that it goes the way of all images."""
    if isinstance(pixels, np.ndarray):
        wanted = "(height, width, 3) uint8 RGB"
        if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8 and pixels.size:
            return Image.fromarray(np.ascontiguousarray(pixels))
    elif isinstance(pixels, Tensor):
        wanted = "(3, height, width) uint8 RGB"
        if pixels.ndim == 3 and pixels.shape[0] == 3 and pixels.dtype == torch.uint8 and pixels.numel():
            return to_image(pixels.detach().cpu())
    else:
        raise DataError(
            f"an image must be a path, a Pillow image, a NumPy array or a torch tensor, not {type(pixels).__name__}"
        )
    kind = "array" if isinstance(pixels, np.ndarray) else "tensor"
    raise DataError(f"an image {kind} must be {wanted}, not {tuple(pixels.shape)} {pixels.dtype}")
