"""Folded networks answer as before, with fewer layers."""

from __future__ import annotations

import pytest
import torch
from families import QUICK
from torch import Tensor, nn

from locnet.models.folding import folded
from locnet.models.network import Network

GRID = {"name": "grid", "strides": [8, 16, 32], "width": 16, "depth": 1}


def network(name: str, **backbone: object) -> Network:
    """With statistics that are not those of layers fresh from the constructor."""
    torch.manual_seed(0)
    made = Network(("a", "b"), backbone={"name": name, **backbone}, head=GRID).eval()
    for norm in norms(made):
        norm.running_mean.normal_(std=0.1)  # type: ignore[union-attr]
        norm.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.1)
    return made


def norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize("name", QUICK)
def test_every_family_answers_as_before(name: str) -> None:
    before = network(name)
    after = folded(before)
    assert len(norms(after)) < len(norms(before))
    images = torch.randint(0, 256, (2, 3, *before.image_size), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(after(images).y, before(images).y, atol=1e-5, rtol=0)


def test_padding_as_tensorflow_has_it_is_kept() -> None:
    before = network("mobilenetv2_035", image_size=64, kwargs={"pad_type": "same"})
    after = folded(before)
    assert norms(before)
    assert not norms(after)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(after(images).y, before(images).y, atol=1e-5, rtol=0)


class Branching(nn.Module):
    """A convolution whose output goes elsewhere, too."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels)

    def forward(self, maps: Tensor) -> Tensor:
        plain: Tensor = self.conv(maps)
        return plain - self.norm(plain)  # type: ignore[no-any-return]


def test_a_network_that_would_answer_otherwise_stays_as_it_is() -> None:
    before = network("lcnet_035", image_size=64)
    before.head.blocks = Branching(16)
    assert folded(before.eval()) is before
    assert norms(before)
