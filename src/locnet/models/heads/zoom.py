"""A look at the object's pixels, close up: its window is cut out of the image and has layers of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align

from locnet.errors import ConfigError
from locnet.models.backbone import Backbone
from locnet.models.heads.base import ACTIVATIONS, Refined
from locnet.models.heads.windows import LEAST_SIDE, REACH, EdgeReader, corners, score_convolution, window

_SHIFT, _STRETCH = 0.22, 0.4  # standard deviations of windows in training, in sides and in their logarithms
_SMALLEST = 2.0  # and each is scaled by exp(-2) to 1: most boxes are nearly right


class Zoom(EdgeReader):
    """Cuts a window around a box out of the image, at one size for all objects, and says where each edge really lies.

    The image is looked at as a whole first, and where the object is once more (Wang et al., Glance and Focus, 2020; the
    crops of Girshick et al., R-CNN, 2014, with one proposal only). The crop goes through the same kind of backbone from
    the same weights, up to a stride of 16 or so, for edges are no matter of the last layers. It learns apart, so that
    what is seen of the whole stays as it was. Training disturbs the window as much as boxes of unseen images are off.

    Attributes:
        backbone: what the crop goes through.
    """

    def __init__(
        self,
        backbone: Mapping[str, Any],
        *,
        side: int,
        least_stride: int = 8,
        hidden: int = 32,
        activation: str = "silu",
    ) -> None:
        """Build it.

        Args:
            backbone: keyword arguments of `Backbone`, except strides and the image size.
            side: of the crop, in pixels.
            least_stride: of the finest map that is read; the coarsest has twice that.
            hidden: channels of the fused map.
            activation: as that of `GridHead`.

        Raises:
            ConfigError: `side` is no multiple of the coarsest stride, or too small.
        """
        strides = (least_stride, 2 * least_stride)
        _check_side(side, strides[-1])
        made = Backbone(**{**backbone, "image_size": side}, strides=strides)
        _check_side(side, made.strides[-1])
        super().__init__(side // made.strides[0])
        self.backbone, self.side = made, side
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden))
            for channels in made.channels
        )
        self.look = nn.Sequential(
            ACTIVATIONS[activation](),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            ACTIVATIONS[activation](),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            ACTIVATIONS[activation](),
            score_convolution(hidden),
        )

    def forward(self, images: Tensor, box: Tensor) -> Refined:
        """Look at each box.

        Args:
            images: `(B, 3, H, W)` float, normalised.
            box: `(B, 4)` float32, xyxy in fractions of the input; taken as it is, without a gradient.
        """
        middle, sides = window(box.detach())
        if self.training:
            middle, sides = _disturbed(middle, sides)
        maps = self.backbone(self._crop(images, middle, sides))
        grid = self.lateral[-1](maps[-1])
        for lateral, finer in zip(reversed(self.lateral[:-1]), reversed(maps[:-1]), strict=True):
            grid = F.interpolate(grid, scale_factor=float(finer.shape[-1] // grid.shape[-1])) + lateral(finer)
        return self.read(self.look(grid), box, middle[:, None], sides[:, None])

    def _crop(self, images: Tensor, middle: Tensor, sides: Tensor) -> Tensor:
        """`(B, 3, side, side)`: bilinear samples of the windows, 0 beyond the image.

        The centres of the first and of the last cell of the finest map lie at the first and the last place.
        """
        cells = len(self.places)
        width = (1 + 2 * REACH) * cells / (cells - 1)
        rows, columns = images.shape[-2:]
        size = middle.new_tensor((columns, rows, columns, rows))
        number = torch.arange(images.shape[0], device=images.device, dtype=middle.dtype)
        regions = torch.cat((number[:, None], corners(middle, sides * width) * size), dim=-1)
        # `roi_align`, not `grid_sample`: ONNX Runtime has it twice as fast; on the CPU it has no half precision
        crops: Tensor = roi_align(images.float(), regions, (self.side, self.side), sampling_ratio=1, aligned=True)
        return crops.to(images.dtype)


def _check_side(side: int, stride: int) -> None:
    if side % stride or side < 4 * stride:
        raise ConfigError(f"head.zoom={side} must be a multiple of {stride}, and at least {4 * stride} (0: no zoom)")


def _disturbed(middle: Tensor, sides: Tensor) -> tuple[Tensor, Tensor]:
    """Windows `(B, 2)`, moved and stretched at random."""
    scale = (-_SMALLEST * torch.rand(len(middle), 1, device=middle.device)).exp()
    moved = middle + _SHIFT * sides * scale * torch.randn_like(middle)
    return moved, (sides * (_STRETCH * scale * torch.randn_like(sides)).exp()).clamp(min=LEAST_SIDE)
