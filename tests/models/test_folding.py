"""Folded networks answer as before, with fewer layers."""

from __future__ import annotations

import pytest
import torch
from families import QUICK
from normed import normed_network, norms
from torch import Tensor, nn

from locnet.models.folding import folded


@pytest.mark.parametrize("name", QUICK)
def test_every_family_answers_as_before(name: str) -> None:
    before = normed_network(name).eval()
    after = folded(before)
    assert len(norms(after)) < len(norms(before))
    images = torch.randint(0, 256, (2, 3, *before.image_size), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(after(images).y, before(images).y, atol=1e-5, rtol=0)


def test_padding_as_tensorflow_has_it_is_kept() -> None:
    before = normed_network("mobilenetv2_035", image_size=64, kwargs={"pad_type": "same"}).eval()
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
    before = normed_network("lcnet_035", image_size=64)
    before.head.blocks = Branching(16)
    assert folded(before.eval()) is before
    assert norms(before)
