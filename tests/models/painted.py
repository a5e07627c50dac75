"""Scenes that are nothing but a box."""

from __future__ import annotations

import torch
from torch import Tensor


def painted(count: int, side: int) -> tuple[Tensor, Tensor]:
    """`(count, 1, side, side)` float, 1 inside of a box and 0 elsewhere, and `(count, 4)` boxes, xyxy in fractions."""
    corner = torch.rand(count, 2) * 0.5
    boxes = torch.cat((corner, corner + 0.2 + torch.rand(count, 2) * 0.25), dim=-1)
    centre = (torch.arange(side) + 0.5) / side
    x = (centre > boxes[:, 0:1]) & (centre < boxes[:, 2:3])
    y = (centre > boxes[:, 1:2]) & (centre < boxes[:, 3:4])
    return (y[:, None, :, None] & x[:, None, None, :]).float(), boxes
