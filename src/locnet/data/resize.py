"""Fitting an image into the network's input, and boxes there and exactly back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from locnet.data.pixels import REDUCING_GAP, filled, to_tensor
from locnet.errors import ConfigError

ResizeMode = Literal["squash", "letterbox"]
"""How an image meets an input of another shape: stretched to fill it, or whole with grey bars."""

PADDING = (114, 114, 114)
"""The grey of the letterbox bars."""


def boxes_to_input(boxes: Tensor, placements: Tensor) -> Tensor:
    """Boxes of the image to boxes of the network input.

    Args:
        boxes: `(..., 4)` float, xyxy, fractions of the image.
        placements: `(..., 4)` float, xyxy, fractions of the input (see `Placement`), broadcast to `boxes`.

    Returns:
        `(..., 4)` float, xyxy, fractions of the input.
    """
    corner, sides = _corner_and_sides(placements)
    return corner + boxes * sides


def boxes_to_image(boxes: Tensor, placements: Tensor) -> Tensor:
    """Boxes of the network input to boxes of the image; the inverse of `boxes_to_input`.

    Args:
        boxes: `(..., 4)` float, xyxy, fractions of the input.
        placements: `(..., 4)` float, xyxy, fractions of the input, broadcast against `boxes`.

    Returns:
        `(..., 4)` float, xyxy, fractions of the image; not clipped, so a box in the bars lies outside 0..1.
    """
    corner, sides = _corner_and_sides(placements)
    return (boxes - corner) / sides


def _corner_and_sides(placements: Tensor) -> tuple[Tensor, Tensor]:
    corner = placements[..., :2]
    sides = placements[..., 2:] - corner
    return torch.cat((corner, corner), dim=-1), torch.cat((sides, sides), dim=-1)


@dataclass(frozen=True)
class Placement:
    """Where the image lies inside the network input: its edges as fractions of the input.

    A squashed image fills the input: (0, 0, 1, 1). A letterboxed one ends on whole pixels, rounding included.
    """

    left: float
    top: float
    right: float
    bottom: float

    def as_tensor(self, like: Tensor | None = None) -> Tensor:
        """`(4,)` left, top, right, bottom; float64 on the CPU, or the dtype and device of `like`."""
        edges = (self.left, self.top, self.right, self.bottom)
        if like is None:
            return torch.tensor(edges, dtype=torch.float64)
        return torch.tensor(edges, dtype=like.dtype, device=like.device)

    def to_input(self, boxes: Tensor) -> Tensor:
        """`(..., 4)` float boxes, xyxy, fractions of the image to fractions of the input."""
        return boxes_to_input(boxes, self.as_tensor(boxes))

    def rect_to_input(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """`to_input` of one box of plain numbers, many times as fast: loaders do it for every sample."""
        width, height = self.right - self.left, self.bottom - self.top
        return (
            self.left + box[0] * width,
            self.top + box[1] * height,
            self.left + box[2] * width,
            self.top + box[3] * height,
        )

    def to_image(self, boxes: Tensor) -> Tensor:
        """`(..., 4)` float boxes, xyxy, fractions of the input to fractions of the image."""
        return boxes_to_image(boxes, self.as_tensor(boxes))

    def pixels(self, input_height: int, input_width: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom edge in whole pixels of the input."""
        return (
            round(self.left * input_width),
            round(self.top * input_height),
            round(self.right * input_width),
            round(self.bottom * input_height),
        )


def place(height: float, width: float, input_height: int, input_width: int, mode: ResizeMode) -> Placement:
    """Where an image of this size goes.

    Args:
        height: of the image, any unit, above 0.
        width: of the image, in the same unit.
        input_height: of the network input, pixels.
        input_width: of the network input, pixels.
        mode: `squash` stretches the image over the whole input; `letterbox` keeps its shape, centred.

    Returns:
        The image's edges inside the input.

    Raises:
        ConfigError: the mode is unknown.
    """
    if mode == "squash":
        return Placement(0.0, 0.0, 1.0, 1.0)
    if mode != "letterbox":
        raise ConfigError(f"resize={mode!r} is unknown; choose squash or letterbox")
    scale = min(input_height / height, input_width / width)
    inner_height = min(max(round(height * scale), 1), input_height)
    inner_width = min(max(round(width * scale), 1), input_width)
    left, top = (input_width - inner_width) // 2, (input_height - inner_height) // 2
    return Placement(
        left / input_width,
        top / input_height,
        (left + inner_width) / input_width,
        (top + inner_height) / input_height,
    )


def placed_size(height: float, width: float, input_height: int, input_width: int, mode: ResizeMode) -> tuple[int, int]:
    """Height and width in pixels of what `place` places."""
    left, top, right, bottom = place(height, width, input_height, input_width, mode).pixels(input_height, input_width)
    return bottom - top, right - left


def fit(image: Image.Image, input_height: int, input_width: int, mode: ResizeMode) -> tuple[Tensor, Placement]:
    """Scale an image into the network input: bilinear, antialiased.

    Args:
        image: mode RGB, any size.
        input_height: of the network input, pixels.
        input_width: of the network input, pixels.
        mode: see `place`.

    Returns:
        `(3, input_height, input_width)` uint8, RGB, and where the image lies in it.

    Raises:
        ConfigError: the mode is unknown.
    """
    height, width = placed_size(image.height, image.width, input_height, input_width, mode)
    return fit_scaled(scale(image, (width, height)), input_height, input_width, mode)


def scale(image: Image.Image, size: tuple[int, int]) -> Tensor:
    """`(3, height, width)` uint8 of an RGB image at this width and height, as `fit` scales it."""
    return to_tensor(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP))


def fit_scaled(inner: Tensor, input_height: int, input_width: int, mode: ResizeMode) -> tuple[Tensor, Placement]:
    """`fit` of an image that has its size in the input already: `(3, height, width)` uint8."""
    placement = place(inner.shape[1], inner.shape[2], input_height, input_width, mode)
    return pad_to_input(inner, placement, input_height, input_width), placement


def pad_to_input(inner: Tensor, placement: Placement, input_height: int, input_width: int) -> Tensor:
    """The finished input: the scaled image at its place, `PADDING` around it.

    Args:
        inner: `(3, height, width)` uint8, RGB, of the size that the placement has in pixels.
        placement: where it goes.
        input_height: of the network input, pixels.
        input_width: of the network input, pixels.

    Returns:
        `(3, input_height, input_width)` uint8, RGB, contiguous.
    """
    if inner.shape[1:] == (input_height, input_width):
        return inner
    left, top, right, bottom = placement.pixels(input_height, input_width)
    canvas = filled(PADDING, (input_width, input_height))
    canvas[:, top:bottom, left:right] = inner
    return canvas
