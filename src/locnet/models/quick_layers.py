"""Layers that train faster with the same numbers."""

from __future__ import annotations

from typing import cast

import torch
from timm.layers import Conv2dSame
from timm.layers.conv2d_same import conv2d_same
from torch import Tensor, nn

from locnet.models.network import Network
from locnet.models.pairs import convolutions_with_norms, plain_convolutions

_QUICK_SIDE = 3  # of a depthwise filter, in pixels


def quicken(network: Network) -> int:
    """Have the network compute its training steps faster; its weights, their names and its answers stay.

    A BatchNorm that keeps its statistics while the network trains (`backbone.norm_eval`, `backbone.freeze`) scales and
    shifts, which the convolution before it can do with its weights; both learn as before. And depthwise convolutions
    with a stride or with filters beyond 3 x 3 are computed in float32 in mixed precision on the CPU: in bfloat16 oneDNN
    takes three to ten times as long for their backward pass (torch 2.14). Without gradients every layer is as it was,
    so what is evaluated or exported is not touched.

    Args:
        network: in training mode, float32, on the CPU, whole (not sharded), not compiled, with the BatchNorm layers
            that it will be trained with.

    Returns:
        How many convolutions were changed.
    """
    merged = _with_kept_norms(network)
    changed = [m for m in plain_convolutions(network) if m in merged or _is_slow_in_bfloat16(m)]
    for convolution in changed:
        convolution.forward = _Convolution(convolution, merged.get(convolution))  # type: ignore[assignment]
    for norm in merged.values():
        norm.forward = _Activation(norm)  # type: ignore[assignment]
    return len(changed)


def _with_kept_norms(network: Network) -> dict[nn.Conv2d, nn.BatchNorm2d]:
    """The convolutions before BatchNorm layers that keep their statistics, and those."""
    kept = {m for m in network.modules() if isinstance(m, nn.BatchNorm2d) and not m.training and m.affine}
    if not kept:  # most trainings from scratch: no forward pass for nothing
        return {}
    network.eval()
    pairs = convolutions_with_norms(network)
    network.train()
    return {convolution: norm for convolution, norm in pairs if norm in kept}


class _Convolution:
    """The forward pass of a convolution, with the BatchNorm behind it if there is one to be merged."""

    def __init__(self, convolution: nn.Conv2d, norm: nn.BatchNorm2d | None) -> None:
        self.convolution, self.norm = convolution, norm

    def __call__(self, images: Tensor) -> Tensor:
        own = self.convolution
        if not torch.is_grad_enabled():
            return type(own).forward(own, images)
        weight, bias = own.weight, own.bias
        if self.norm is not None:
            weight, bias = _merged(weight, bias, self.norm)
        goes_back = weight.requires_grad or images.requires_grad  # not in frozen layers
        if not (goes_back and _is_slow_in_bfloat16(own) and images.device.type == "cpu"):
            return _convolved(own, images, weight, bias)
        with torch.autocast("cpu", enabled=False):
            return _convolved(own, images.to(weight.dtype), weight, bias).to(images.dtype)


class _Activation:
    """What is left of a BatchNorm that its convolution has taken over: timm has layers that activate, too."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        self.norm = norm

    def __call__(self, images: Tensor) -> Tensor:
        norm = self.norm
        if not torch.is_grad_enabled():
            return type(norm).forward(norm, images)
        for name in ("drop", "act"):
            images = getattr(norm, name)(images) if hasattr(norm, name) else images
        return images


def _is_slow_in_bfloat16(convolution: nn.Conv2d) -> bool:
    depthwise = convolution.groups == convolution.in_channels > 1
    return depthwise and (max(convolution.stride) > 1 or max(convolution.kernel_size) > _QUICK_SIDE)


def _merged(weight: Tensor, bias: Tensor | None, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight `(N, M, h, w)` and bias `(N,)` that do what these and then the BatchNorm do, with their gradient.

    Torch's `fuse_conv_bn_weights` gives new parameters, which the gradient does not go beyond.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    shift = norm.running_mean if bias is None else norm.running_mean - bias
    return weight * scale[:, None, None, None], norm.bias - shift * scale


def _convolved(convolution: nn.Conv2d, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if isinstance(convolution, Conv2dSame):
        made = conv2d_same(images, weight, bias, convolution.stride, (0, 0), convolution.dilation, convolution.groups)
    else:
        made = convolution._conv_forward(images, weight, bias)
    return cast(Tensor, made)
