"""Networks whose BatchNorm layers do something."""

from __future__ import annotations

import torch
from torch import nn

from locnet.models.network import Network

_GRID = {"name": "grid", "strides": [8, 16, 32], "width": 16, "depth": 1}


def normed_network(name: str, **backbone: object) -> Network:
    """With statistics, scales and shifts that are not those of layers fresh from the constructor."""
    torch.manual_seed(0)
    made = Network(("a", "b"), backbone={"name": name, **backbone}, head=_GRID)
    for norm in norms(made):
        norm.running_mean.normal_(std=0.1)  # type: ignore[union-attr]
        norm.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.1)
    return made


def norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    """All of its BatchNorm layers."""
    return [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
