"""`torch.export` (.pt2): the same answer in plain torch, scaling included, without locnet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from locnet.data.resize import PADDING, ResizeMode
from locnet.errors import ConfigError
from locnet.formats.answering import Answering
from locnet.formats.onnx_file import METADATA, reason
from locnet.models.network import Network

_LARGEST = 2**15  # pixels a side


class Whole(nn.Module):
    """Scaling and answering for images of any size.

    torch.export traces no resize to a size that depends on the image, which a letterbox needs. So each axis is scaled
    by a matrix of weights, worked out in the program: Pillow's triangle filter, rows of 0 for the letterbox's bars.
    """

    def __init__(self, network: Network, mode: ResizeMode) -> None:
        """Take a trained network and how images meet it."""
        super().__init__()
        self.answering = Answering(network)
        self.height, self.width = network.image_size
        self.letterbox = mode == "letterbox"

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Answer for a batch of images of one size.

        Args:
            images: `(B, height, width, 3)` uint8, RGB.

        Returns:
            The tensors of `Outputs` by their names.
        """
        sides = torch.ones_like(images[0, :, :, 0], dtype=torch.float64)
        size = torch.stack((sides[:, 0].sum(), sides[0].sum()))  # as tensors: the program works for any
        whole = torch.tensor((self.height, self.width), dtype=torch.float64, device=images.device)
        inner, before = whole, torch.zeros_like(whole)
        if self.letterbox:
            inner = (size * (whole / size).min()).round().clamp(min=1).minimum(whole)
            before = ((whole - inner) / 2).floor()
        rows = _weights(images.shape[1], self.height, inner[0], before[0])
        columns = _weights(images.shape[2], self.width, inner[1], before[1])
        planes = images.permute(0, 3, 1, 2).float()
        small = (planes @ columns.T).round()  # Pillow rounds between the axes too
        scaled = (rows @ small).round()
        inside = rows.sum(-1)[:, None] * columns.sum(-1)
        pixels = torch.where(inside > 0.5, scaled, PADDING[0]).clamp(0, 255)
        begin, end = before / whole, (before + inner) / whole
        placement = torch.stack((begin[1], begin[0], end[1], end[0])).float()
        return dict(zip(self.answering.names, self.answering(pixels, placement, size.float()), strict=True))


def _weights(side: int, wanted: int, inner: Tensor, before: Tensor) -> Tensor:
    """`(wanted, side)` float32: how much each pixel of an axis gives to each pixel of the input's.

    Args:
        side: of the image, pixels.
        wanted: of the input, pixels.
        inner: `()` float64, of the image within the input, pixels.
        before: `()` float64, pixels of bar before the image.
    """
    places = torch.arange(side, dtype=torch.float64, device=inner.device) + 0.5
    scale = places.shape[0] / inner
    numbers = torch.arange(wanted, dtype=torch.float64, device=inner.device) - before
    distance = (places - ((numbers + 0.5) * scale)[:, None]).abs() / scale.clamp(min=1)
    weights = (1 - distance).clamp(min=0) * ((numbers >= 0) & (numbers < inner))[:, None]
    return (weights / weights.sum(-1, keepdim=True).clamp(min=1e-12)).float()


def write_pt2(network: Network, mode: ResizeMode, path: Path, about: Mapping[str, Any]) -> Path:
    """Write the file; `extra_files` of `torch.export.load` holds what it says about itself, as JSON under `locnet`.

    Raises:
        ConfigError: torch.export cannot trace the network.
    """
    dim = torch.export.Dim
    images = torch.zeros(2, 70, 90, 3, dtype=torch.uint8)
    shapes = {0: dim("batch", max=2**16), 1: dim("height", max=_LARGEST), 2: dim("width", max=_LARGEST)}
    try:
        program = torch.export.export(Whole(network, mode).eval(), (images,), dynamic_shapes=(shapes,), strict=False)
    except Exception as error:  # whatever the tracing meets
        raise ConfigError(
            f"format=pt2: torch.export cannot trace backbone.name={network.backbone.name}: {reason(error)}"
        ) from error
    torch.export.save(program, path, extra_files={METADATA: json.dumps(about)})
    return path
