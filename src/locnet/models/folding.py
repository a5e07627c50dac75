"""BatchNorm folded into the convolutions before it: the same answers with a third fewer steps, for inference alone."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import Any

import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from locnet.models.network import Network

_CONVOLUTIONS = (nn.Conv2d, Conv2dSame)  # these very classes: others may do more with their weights

Pair = tuple[nn.Conv2d, nn.BatchNorm2d]


@torch.no_grad()
def folded(network: Network) -> Network:
    """A copy of the network whose convolutions have the scale and shift of the BatchNorm behind them in their weights.

    Who follows whom is seen in a forward pass of noise. Where something else uses the output of one of these
    convolutions too, the network is given back as it was.

    Args:
        network: in evaluation mode, float32, on the CPU.
    """
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1, 3, *network.image_size), dtype=torch.uint8, generator=random)
    copy = deepcopy(network)
    pairs = _pairs(copy, images)
    if not pairs or _used_elsewhere(copy, pairs, images):
        return network
    activations: dict[nn.Module, nn.Module] = {}
    for convolution, norm in pairs:
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            continue
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight, convolution.bias, mean, variance, norm.eps, norm.weight, norm.bias
        )
        activations[norm] = getattr(norm, "act", nn.Identity())  # timm has layers that are both
    for module in list(copy.modules()):
        for name, child in module.named_children():
            if child in activations:
                setattr(module, name, activations[child])
    return copy


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

    hooks = [m.register_forward_hook(after) for m in network.modules() if type(m) in _CONVOLUTIONS]
    hooks += [m.register_forward_pre_hook(before) for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    network(images)
    for hook in hooks:
        hook.remove()
    norms = Counter(convolution for convolution, _ in pairs)
    return [(c, n) for c, n in pairs if runs[c] == runs[n] == norms[c] == 1]


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
