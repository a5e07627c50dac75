"""The network: uint8 images in, the vector y out; a plain nn.Module that knows its own normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locnet import target
from locnet.calibration import Calibration
from locnet.errors import ConfigError
from locnet.models.backbone import Backbone, image_size
from locnet.models.heads import Output, Refined, build_head
from locnet.models.heads.zoom import Zoom


class Network(nn.Module):
    """Backbone and head, with the normalisation of the backbone inside.

    Attributes:
        classes: the C class names.
        has_box: whether the box elements of y mean anything.
        image_size: (height, width) of the images that it takes, in pixels.
        overview: the backbone sees the whole image so many times smaller; only the zoom looks at its detail.
        calibration: what was learned on `val` after training, part of every answer; None until then.
    """

    calibration: Calibration | None
    mean: Tensor
    std: Tensor

    def __init__(self, classes: Sequence[str], *, backbone: Mapping[str, Any], head: Mapping[str, Any]) -> None:
        """Build both parts.

        Args:
            classes: the C class names, C >= 1.
            backbone: keyword arguments of `Backbone`, except strides.
            head: `name`, `strides` that it asks the backbone for, and the head's own keyword arguments; `zoom`, the
                side of a crop of the object that is looked at once more (see `Zoom`; 0: none), and `overview`.

        Raises:
            ConfigError: the parts do not fit together.
        """
        super().__init__()
        settings = dict(head)
        name, strides = settings.pop("name"), settings.pop("strides")
        zoom, self.overview = settings.pop("zoom", 0), settings.pop("overview", 1)
        self.classes = tuple(classes)
        self.backbone = Backbone(**_overlooking(backbone, self.overview), strides=strides)
        channels, found = self.backbone.channels, self.backbone.strides
        self.head = build_head(name, channels, len(self.classes), strides=found, **settings)
        self.zoom = Zoom(backbone, side=zoom, activation=settings.get("activation", "silu")) if zoom else None
        self.has_box = self.head.has_box
        height, width = self.backbone.image_size
        self.image_size = (height * self.overview, width * self.overview)
        self.calibration = None
        scale = 255.0  # images arrive as uint8: small to move between processes and devices
        shape = (1, 3, 1, 1)
        self.register_buffer("mean", torch.tensor(self.backbone.mean).view(shape) * scale, persistent=False)
        self.register_buffer("std", torch.tensor(self.backbone.std).view(shape) * scale, persistent=False)

    def forward(self, images: Tensor) -> Output:
        """Answer for a batch.

        Args:
            images: `(B, 3, H, W)` uint8 RGB, or float in 0..255; resized as in training.
        """
        output = self.answer((images - self.mean) / self.std)
        if self.calibration is None:
            return output
        return replace(output, y=self.calibration.apply(output.y), raw_y=output.y)

    def answer(self, images: Tensor) -> Output:
        """The answer before the calibration.

        Args:
            images: `(B, 3, H, W)` float, normalised.
        """
        output: Output = self.head(self.backbone(_reduced(images, self.overview)))
        if self.zoom is None:
            return output
        parts = target.split(output.y)
        zoomed: Refined = self.zoom(images, parts.box)
        box = (parts.box + zoomed.boxes[:, 0]) / 2  # the two err differently
        return replace(output, y=target.join(parts.objectness, box, parts.classes), zoomed=zoomed)


def _overlooking(backbone: Mapping[str, Any], factor: int) -> dict[str, Any]:
    """Keyword arguments of a `Backbone` that sees images which are `factor` times smaller than the input."""
    if factor == 1:
        return dict(backbone)
    height, width = image_size(backbone["name"], backbone.get("image_size"))
    if height % factor or width % factor:
        raise ConfigError(f"head.overview={factor} does not divide the input of {height} x {width} pixels")
    return {**backbone, "image_size": (height // factor, width // factor)}


def _reduced(images: Tensor, factor: int) -> Tensor:
    """`(B, 3, H / factor, W / factor)`: the mean of each square of pixels."""
    if factor == 1:
        return images
    if factor == 2:  # the same, and faster in engines
        return F.interpolate(images, scale_factor=0.5, mode="bilinear")
    # a convolution, which engines are faster at than at pooling maps of few channels
    mean = images.new_full((images.shape[1], 1, factor, factor), factor**-2)
    return F.conv2d(images, mean, stride=factor, groups=images.shape[1])
