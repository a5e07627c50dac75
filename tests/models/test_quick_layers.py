"""Quick layers learn the same as slow ones."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from families import QUICK
from normed import normed_network
from torch import Tensor

from locnet.models.network import Network
from locnet.models.quick_layers import quicken


def learned(network: Network, *, amp: bool = False) -> dict[str, Tensor]:
    """What a batch would teach: the gradient of each weight."""
    network.zero_grad()
    images = torch.randint(0, 256, (4, 3, *network.image_size), generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16, enabled=amp):
        output = network(images.float())
    output.y.float().square().sum().backward()
    return {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        size = gradient.norm().item()
        assert (found[name] - gradient).norm().item() <= tolerance * size + 1e-5, name


@pytest.mark.parametrize("name", QUICK)
def test_every_family_learns_as_before(name: str) -> None:
    slow = normed_network(name, norm_eval=True).double()
    quick = deepcopy(slow)
    assert quicken(quick.float()) > 0
    assert_same(learned(quick.double()), learned(slow), 1e-6)


def test_layers_merge_where_statistics_are_kept_and_only_there() -> None:
    learning, kept = (
        normed_network("mobilenetv2_035", image_size=64),
        normed_network("mobilenetv2_035", image_size=64, norm_eval=True),
    )
    strided = quicken(learning)
    assert quicken(kept) > strided > 0
    assert_same(learned(learning), learned(normed_network("mobilenetv2_035", image_size=64)), 1e-4)


def test_padding_as_tensorflow_has_it_is_kept() -> None:
    slow = normed_network("mobilenetv2_035", image_size=64, norm_eval=True, kwargs={"pad_type": "same"})
    quick = deepcopy(slow)
    quicken(quick)
    assert_same(learned(quick.double()), learned(slow.double()), 1e-6)


def test_frozen_layers_give_the_others_what_they_gave() -> None:
    slow = normed_network("mobilenetv2_035", image_size=64, freeze=4)
    quick = deepcopy(slow)
    quicken(quick)
    assert_same(learned(quick.double()), learned(slow.double()), 1e-6)


def test_in_half_precision_it_is_no_further_from_the_truth() -> None:
    slow = normed_network("mobilenetv2_035", image_size=64, norm_eval=True)
    quick = deepcopy(slow)
    quicken(quick)
    truth, before, after = learned(slow), learned(slow, amp=True), learned(quick, amp=True)

    def error(found: dict[str, Tensor]) -> float:
        return float(sum((found[name] - gradient).square().sum() for name, gradient in truth.items()))

    assert error(after) < 2 * error(before)


def test_answers_and_names_of_weights_stay() -> None:
    before = normed_network("mobilenetv2_035", image_size=64, norm_eval=True)
    after = deepcopy(before)
    quicken(after)
    assert after.state_dict().keys() == before.state_dict().keys()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(after.eval()(images).y, before.eval()(images).y)


def test_a_copy_has_layers_of_its_own() -> None:
    quick = normed_network("mobilenetv2_035", image_size=64, norm_eval=True)
    quicken(quick)
    copy = deepcopy(quick)  # as the moving average is one
    expected = learned(copy)
    with torch.no_grad():
        for weight in quick.parameters():
            weight.zero_()
    assert_same(learned(copy), expected, 0)
