"""Memory format of convolutions: channels last is faster nearly everywhere, and crashes in one known case."""

from __future__ import annotations

from torch import nn

_LEAST_CHANNELS = 16


def prefers_channels_last(network: nn.Module, device_type: str) -> bool:
    """Whether to keep images and weights with their channels last (NHWC).

    On the CPU oneDNN corrupts memory in the backward pass of a strided 1 x 1 convolution with fewer than 16 input
    channels (oneDNN #6035, seen in torch 2.14 with the stems of mobileone and repvgg); such networks stay as they
    are. To be removed once the least torch that we support has the cure.

    Args:
        network: with all its convolutions.
        device_type: that it will be trained on, `cpu`, `cuda`, ...
    """
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    if not convolutions:
        return False
    return device_type != "cpu" or not any(_crashes(m) for m in convolutions)


def _crashes(convolution: nn.Conv2d) -> bool:
    strided = max(convolution.stride) > 1
    return strided and convolution.kernel_size == (1, 1) and convolution.in_channels < _LEAST_CHANNELS
