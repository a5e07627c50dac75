"""Which parts of a network are gathered and freed on their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from locnet.models.network import Network
from locnet.runtime.sharding import parts_of

Settings = Callable[..., dict[str, Any]]


def network_of(tiny_model: Settings, backbone: str) -> Network:
    settings = tiny_model(image_size=32)
    settings["backbone"]["name"] = backbone
    return Network(("a", "b"), backbone=settings["backbone"], head=settings["head"])


def test_parts_are_the_smallest_that_are_large_enough(tiny_model: Settings) -> None:
    network = network_of(tiny_model, "test_resnet")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    least = 20_000
    parts = parts_of(network, least)
    assert len(parts) > 2
    for place, part in enumerate(parts):
        inner = {p for other in parts[:place] for p in other.parameters()}
        assert sum(p.numel() for p in part.parameters() if p not in inner) >= least
        assert not any(part in set(other.modules()) for other in parts[:place])  # inner before outer
    assert network not in parts
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())  # statistics too
    assert parts_of(network, 10**9) == []


def test_weights_that_are_used_without_a_call_stay_with_the_part_around_them(tiny_model: Settings) -> None:
    """BEiT reads `qkv.weight` and never calls `qkv`: gathered at its call, it would never be."""
    network = network_of(tiny_model, "test_vit")
    attention = next(m for m in network.modules() if hasattr(m, "qkv"))
    qkv: Any = attention.qkv

    class Uncalled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = qkv.weight, qkv.bias

    class Around(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Uncalled()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.linear(x, self.inner.weight, self.inner.bias)

    least = qkv.weight.numel()
    assert qkv in parts_of(network, least)
    around = Around()
    attention.qkv = around
    parts = parts_of(network, least)
    assert around in parts
    assert around.inner not in parts
