"""The network: uint8 images in, the vector y out; a plain nn.Module that knows its own normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from locnet.calibration import Calibration
from locnet.models.backbone import Backbone
from locnet.models.heads import Output, build_head


class Network(nn.Module):
    """Backbone and head, with the normalisation of the backbone inside.

    Attributes:
        classes: the C class names.
        has_box: whether the box elements of y mean anything.
        image_size: (height, width) of the images that it takes, in pixels.
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
            head: `name`, `strides` that it asks the backbone for, and the head's own keyword arguments.
        """
        super().__init__()
        settings = dict(head)
        name, strides = settings.pop("name"), settings.pop("strides")
        self.classes = tuple(classes)
        self.backbone = Backbone(**backbone, strides=strides)
        channels, found = self.backbone.channels, self.backbone.strides
        self.head = build_head(name, channels, len(self.classes), strides=found, **settings)
        self.has_box = self.head.has_box
        self.image_size = self.backbone.image_size
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
        output: Output = self.head(self.backbone((images - self.mean) / self.std))
        if self.calibration is None:
            return output
        return replace(output, y=self.calibration.apply(output.y), raw_y=output.y)
