from __future__ import annotations

import timm
import torch
from torch import nn

from locnet.models.memory import prefers_channels_last


def test_ordinary_convnets_get_it_everywhere() -> None:
    network = timm.create_model("resnet10t")
    assert prefers_channels_last(network, "cpu")
    assert prefers_channels_last(network, "cuda")


def test_the_stems_that_crash_a_cpu_do_not_get_it_there() -> None:
    for name in ("mobileone_s0", "repvgg_a0"):
        network = timm.create_model(name)
        assert not prefers_channels_last(network, "cpu")
        assert prefers_channels_last(network, "cuda")


def test_a_network_without_convolutions_has_nothing_to_gain() -> None:
    assert not prefers_channels_last(nn.Linear(2, 2), "cuda")


def test_what_it_changes_is_the_layout_not_the_answer() -> None:
    network = timm.create_model("resnet10t").eval()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = network(images)
        after = network.to(memory_format=torch.channels_last)(images)
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-4)
