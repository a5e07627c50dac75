"""The device that a user means by a word."""

from __future__ import annotations

import re

import torch

from locnet.config.schema.base import DEVICE
from locnet.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """The device of this name; `auto` takes CUDA, else MPS, else the CPU.

    Raises:
        ConfigError: there is no such device, or this machine does not have it.
    """
    if not re.match(DEVICE, name):
        raise ConfigError(f"device={name} is unknown; choose auto, cpu, cuda, cuda:1 or mps")
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    device = torch.device(name)
    available = {"cuda": torch.cuda.device_count(), "mps": int(has_mps), "cpu": 1}
    if (device.index or 0) >= available[device.type]:
        raise ConfigError(f"device={name} is not on this machine; use device=auto or device=cpu")
    return device
