"""Augmentation that knows that there is one object, and where: its box follows, its label is never lost.

One window of the image is chosen and resampled once, straight to the size of the network input; colours
change on the small image. Everything random comes from the generator that the caller passes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from random import Random

import torch
from torch import Tensor

from locnet.data.augment.colors import blur, color_matrix, recolour, retone, rounded
from locnet.data.augment.views import View, render, snap, turn, whole_pixels
from locnet.data.augment.windows import (
    FULL,
    Rect,
    chance,
    clip,
    draw_around,
    draw_beside,
    draw_beyond,
    draw_within,
    rect_area,
    uniform,
)
from locnet.data.pixels import Picture, size_of
from locnet.data.resize import ResizeMode, pad_to_input, place
from locnet.errors import ConfigError

_LEAST_SIDE = 8  # zooming out leaves the object at least this many pixels wide and high
_ERASE_TRIES = 10
_ERASE_LEAST_AREA = 0.02
_ERASE_ASPECT = 3.0

RANGES = {
    "flip": (0, 1),
    "zoom_in": (0, 1),
    "zoom_in_area": (0.01, 1),
    "zoom_in_aspect": (1, 4),
    "min_visible": (0.1, 1),
    "zoom_out": (0, 1),
    "zoom_out_side": (1, 4),
    "negative": (0, 1),
    "negative_area": (0.01, 1),
    "rotate": (0, 20),
    "shear": (0, 20),
    "brightness": (0, 1),
    "contrast": (0, 1),
    "saturation": (0, 1),
    "hue": (0, 0.5),
    "grayscale": (0, 1),
    "blur": (0, 1),
    "blur_sigma": (0, 10),
    "erase": (0, 1),
    "erase_area": (_ERASE_LEAST_AREA, 1),
    "erase_object": (0, 1),
    "mosaic": (0, 1),
    "paste": (0, 1),
    "paste_beside": (0, 1),
    "plain_epochs": (0, 1_000_000),
}
"""Least and greatest value of every setting of `Augment`, both allowed."""


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Random changes to one training image and its box; a probability or strength of 0 turns one off.

    Attributes:
        flip: probability of swapping left and right, 0 to 1.
        zoom_in: probability of showing a random window of the image, 0 to 1. An object stays visible.
        zoom_in_area: least area of that window as a share of the image, 0.01 to 1.
        zoom_in_aspect: the window's shape differs from the image's by up to this factor, 1 to 4.
        min_visible: share of the box's area that always stays in view, 0.1 to 1; the box is clipped.
        zoom_out: probability of putting the image on a larger canvas of its mean colour, 0 to 1. At most
            1 - zoom_in. (Mirrored or repeated edges would show a second object.)
        zoom_out_side: most length of the canvas's sides in those of the image, 1 to 4.
        negative: probability that an image with an object shows a window beside it instead and becomes
            background, 0 to 1. Only where there is room; only for data whose images hold no second object.
        negative_area: least area of that window as a share of the image, 0.01 to 1.
        rotate: most degrees of rotation either way, 0 to 20. The new box is the hull of the turned ellipse
            inside the old one: a few degrees are fine, more make the box a guess.
        shear: most degrees by which upright lines lean, 0 to 20. The box as with `rotate`.
        brightness: colours are multiplied by 1 - brightness to 1 + brightness, 0 to 1.
        contrast: distance from the mean grey is multiplied likewise, 0 to 1.
        saturation: distance from each pixel's grey is multiplied likewise, 0 to 1.
        hue: colours turn by up to this share of the colour circle either way, 0 to 0.5.
        grayscale: probability of losing all colour, 0 to 1.
        blur: probability of a Gaussian blur, 0 to 1.
        blur_sigma: its greatest standard deviation in pixels of the network input, 0 to 10.
        erase: probability of painting a rectangle over in a random colour, 0 to 1.
        erase_area: its greatest area as a share of the visible image, 0.02 to 1.
        erase_object: greatest share of the object's box that it may cover, 0 to 1.
        mosaic: probability of showing the image in one tile among tiles of background images, 0 to 1 (see
            `locnet.data.augment.mosaic`); the data set has to have background images for it.
        paste: probability that an image with an object gives way to a background image onto which another object of
            its class is pasted, cut out of its own photo, 0 to 1 (see `locnet.data.augment.paste`); the data set has
            to have background images for it. One image in three or so has an object that can be cut out.
        paste_beside: probability of pasting one or two smaller objects beside the one of an image, 0 to 1; the answer
            stays the largest. At most 1 - paste.
        plain_epochs: the last so many epochs of training go without mosaics and pasted objects, so that training
            ends on whole images (as in YOLOX, Ge et al., 2021).

    Raises:
        ConfigError: a setting is out of its range.
    """

    flip: float = 0.5
    zoom_in: float = 0.6
    zoom_in_area: float = 0.4
    zoom_in_aspect: float = 1.25
    min_visible: float = 0.9
    zoom_out: float = 0.2
    zoom_out_side: float = 1.5
    negative: float = 0.0
    negative_area: float = 0.1
    rotate: float = 0.0
    shear: float = 0.0
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.3
    hue: float = 0.02
    grayscale: float = 0.05
    blur: float = 0.1
    blur_sigma: float = 1.5
    erase: float = 0.2
    erase_area: float = 0.15
    erase_object: float = 0.3
    mosaic: float = 0.0
    paste: float = 0.0
    paste_beside: float = 0.0
    plain_epochs: float = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = RANGES[field.name]
            if not isinstance(value, (int, float)) or not low <= value <= high:
                raise ConfigError(f"augment.{field.name}={value!r} must be a number from {low} to {high}")
        if self.zoom_in + self.zoom_out > 1:
            raise ConfigError(
                f"augment.zoom_in={self.zoom_in} and augment.zoom_out={self.zoom_out} exclude each other;"
                " their sum must be at most 1"
            )
        if self.paste + self.paste_beside > 1:
            raise ConfigError(
                f"augment.paste={self.paste} and augment.paste_beside={self.paste_beside} exclude each other;"
                " their sum must be at most 1"
            )

    @property
    def pastes(self) -> bool:
        """Whether it takes cut-out objects."""
        return self.paste + self.paste_beside > 0

    def source_side(self, input_side: int) -> int:
        """How large images should be decoded so that a zoomed-in window is still as sharp as the input.

        Args:
            input_side: longer side of the network input, pixels.

        Returns:
            Pixels; what `locnet.data.images.load_image` wants as `at_least`.
        """
        share = self.zoom_in_area / self.zoom_in_aspect if self.zoom_in else 1.0
        return math.ceil(input_side / math.sqrt(share))

    def __call__(
        self,
        image: Picture,
        box: Tensor | None,
        input_height: int,
        input_width: int,
        mode: ResizeMode,
        generator: Random,
        fitted: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """One random variant of an image, fitted into the network input.

        Args:
            image: RGB, upright, any size.
            box: `(4,)` float, xyxy, fractions of the image, of positive area; None for background.
            input_height: of the network input, pixels.
            input_width: of the network input, pixels.
            mode: see `locnet.data.resize.place`.
            generator: the only source of randomness.
            fitted: the whole image at the size that it has in the input, where somebody has that: `(3, height, width)`
                uint8.

        Returns:
            `(3, input_height, input_width)` uint8, RGB, and the box `(4,)` float, xyxy in [0, 1], fractions
            of the input, of positive area. None for background and where `negative` has made it background.

        Raises:
            ValueError: the box has no area inside the image.
        """
        target = None if box is None else clip(_as_rect(box))
        if target is not None and rect_area(target) <= 0:
            raise ValueError(f"box {box} has no area inside the image")

        window, target = self._choose_window(target, (input_width, input_height), generator)
        image_width, image_height = size_of(image)
        window = whole_pixels(window, (image_width, image_height), outward=target is not None)
        window_size = ((window[2] - window[0]) * image_width, (window[3] - window[1]) * image_height)
        placement = place(window_size[1], window_size[0], input_height, input_width, mode)
        left, top, right, bottom = placement.pixels(input_height, input_width)
        size = (right - left, bottom - top)
        view = self._choose_view(snap(window, size), target, window_size, generator)

        patch = self.recoloured(render(image, view, size, fitted), generator)
        shown = None if target is None else view.show(target)
        patch = self._erase(patch, shown, generator)
        pixels = pad_to_input(patch, placement, input_height, input_width)
        if shown is None or box is None:
            return pixels, None
        return pixels, box.new_tensor(clip(placement.rect_to_input(shown)))

    def _choose_window(
        self, box: Rect | None, input_size: tuple[int, int], generator: Random
    ) -> tuple[Rect, Rect | None]:
        """A window, and the box if it still counts."""
        shape = {"aspect": self.zoom_in_aspect}
        if box is not None and chance(generator, self.negative):
            beside = draw_beside(generator, box, min_area=self.negative_area, **shape)
            if beside is not None:
                return beside, None
        kind = uniform(generator, 0.0, 1.0)
        if kind < self.zoom_in:
            if box is None:
                return draw_within(generator, FULL, min_area=self.zoom_in_area, **shape) or FULL, None
            visible = {"min_visible": self.min_visible}
            return draw_around(generator, box, min_area=self.zoom_in_area, **shape, **visible), box
        if kind < self.zoom_in + self.zoom_out:
            most = self.zoom_out_side
            if box is not None:
                sides = ((box[2] - box[0]) * input_size[0], (box[3] - box[1]) * input_size[1])
                most = min(most, min(sides) / _LEAST_SIDE)
            return draw_beyond(generator, most), box
        return FULL, box

    def _choose_view(self, window: Rect, box: Rect | None, window_size: tuple[float, float], generator: Random) -> View:
        """The window with a flip and a turn; without the turn where it would push the object out."""
        view = View(window, flip=chance(generator, self.flip))
        if not self.rotate and not self.shear:
            return view
        degrees = uniform(generator, -self.rotate, self.rotate)
        shear = uniform(generator, -self.shear, self.shear)
        turned = replace(view, linear=turn(degrees, shear, window_size))
        return turned if box is None or turned.visible(box) >= self.min_visible else view

    def recoloured(self, patch: Tensor, generator: Random) -> Tensor:
        """`(3, h, w)` uint8, RGB, in other colours, perhaps blurred."""
        brightness = uniform(generator, 1 - self.brightness, 1 + self.brightness)
        contrast = uniform(generator, 1 - self.contrast, 1 + self.contrast)
        saturation = uniform(generator, 1 - self.saturation, 1 + self.saturation)
        hue = uniform(generator, -self.hue, self.hue)
        if chance(generator, self.grayscale):
            saturation = 0.0
        sigma = uniform(generator, 0.0, self.blur_sigma) if chance(generator, self.blur) else 0.0
        changes = (brightness, contrast, saturation, hue)
        if changes == (1.0, 1.0, 1.0, 0.0) and not sigma:
            return patch
        pixels = patch.float()
        red, green, blue = pixels.mean(dim=(1, 2)).tolist()
        mean = (red, green, blue)
        if (saturation, hue) == (1.0, 0.0):
            pixels = retone(pixels, brightness, contrast, mean)
        else:
            pixels = recolour(pixels, color_matrix(*changes, mean))
        if sigma:
            pixels = blur(pixels, sigma)
        return rounded(pixels)

    def _erase(self, patch: Tensor, box: Rect | None, generator: Random) -> Tensor:
        """Paints one rectangle over that leaves enough of the object; none where no try does."""
        if not chance(generator, self.erase):
            return patch
        height, width = patch.shape[1:]
        for _ in range(_ERASE_TRIES):
            areas = {"min_area": _ERASE_LEAST_AREA, "max_area": self.erase_area}
            hole = draw_within(generator, FULL, aspect=_ERASE_ASPECT, **areas)
            if hole is None:
                continue
            left, right = (round(x * width) for x in (hole[0], hole[2]))
            top, bottom = (round(y * height) for y in (hole[1], hole[3]))
            hole = (left / width, top / height, right / width, bottom / height)
            if box is None or rect_area(clip(hole, box)) <= self.erase_object * rect_area(box):
                color = tuple(round(uniform(generator, 0, 255)) for _ in range(3))
                patch[:, top:bottom, left:right] = torch.tensor(color, dtype=torch.uint8).view(3, 1, 1)
                break
        return patch


def _as_rect(box: Tensor) -> Rect:
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom
