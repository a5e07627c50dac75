"""Which BatchNorm takes the output of which convolution, seen in a forward pass."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn

from locnet.models.network import Network

_CONVOLUTIONS = (nn.Conv2d, Conv2dSame)  # these very classes: others may do more with their weights

Pair = tuple[nn.Conv2d, nn.BatchNorm2d]


@torch.no_grad()
def convolutions_with_norms(network: Network) -> list[Pair]:
    """Each convolution that one BatchNorm with statistics and nothing else follows, and that one; both run once.

    Where something else uses the output of one of these convolutions too, none is given.

    Args:
        network: in evaluation mode, float32, on the CPU.
    """
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1, 3, *network.image_size), dtype=torch.uint8, generator=random)
    pairs = _pairs(network, images)
    return [] if _used_elsewhere(network, pairs, images) else pairs


def plain_convolutions(network: Network) -> list[nn.Conv2d]:
    """The convolutions that do nothing else with their weights."""
    return [m for m in network.modules() if isinstance(m, nn.Conv2d) and type(m) in _CONVOLUTIONS]


def _pairs(network: Network, images: Tensor) -> list[Pair]:
    """Each convolution with the BatchNorm that takes its output, where both run once."""
    outputs: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # by id; tensors are kept, so that no other one has it
    runs: Counter[nn.Module] = Counter()
    pairs: list[Pair] = []

    def after(module: nn.Module, _: Any, output: Tensor) -> None:
        runs[module] += 1
        outputs[id(output)] = (module, output)  # type: ignore[assignment]  # only convolutions are watched so

    def before(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        runs[module] += 1
        if id(arguments[0]) in outputs:
            pairs.append((outputs[id(arguments[0])][0], module))  # type: ignore[arg-type]  # only norms, likewise

    hooks = [m.register_forward_hook(after) for m in plain_convolutions(network)]
    hooks += [m.register_forward_pre_hook(before) for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    network(images)
    for hook in hooks:
        hook.remove()
    norms = Counter(convolution for convolution, _ in pairs)
    once = [(c, n) for c, n in pairs if runs[c] == runs[n] == norms[c] == 1]
    return [(c, n) for c, n in once if n.running_mean is not None and n.running_var is not None]


def _used_elsewhere(network: Network, pairs: list[Pair], images: Tensor) -> bool:
    """Whether anybody but its BatchNorm uses the output of a convolution: everybody else is given NaN."""
    hooks = []
    for convolution, norm in pairs:
        kept: list[Tensor] = []

        def after(_: nn.Module, __: Any, output: Tensor, kept: list[Tensor] = kept) -> Tensor:
            kept.append(output)
            return torch.full_like(output, torch.nan)

        def before(_: nn.Module, __: Any, kept: list[Tensor] = kept) -> tuple[Tensor]:
            return (kept.pop(),)

        hooks += [convolution.register_forward_hook(after), norm.register_forward_pre_hook(before)]
    y = network(images).y
    for hook in hooks:
        hook.remove()
    return bool(y.isnan().any())
