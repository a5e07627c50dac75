"""safetensors: the weights and, in the header, all that it takes to build the network; no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch

from locnet.runtime.checkpoints import HEADER, Trained

_OWN = ("classes", "model", "resize", "threshold", "calibration", "version")


def write_weights(trained: Trained, path: Path, about: Mapping[str, Any]) -> Path:
    """Write the file; `locnet.Localizer.load` and the commands take it like a checkpoint.

    Settings of the data stay out of it: paths of this machine are nobody else's business.
    """
    hparams = {name: trained.hparams[name] for name in _OWN if name in trained.hparams}
    backbone = {**hparams["model"]["backbone"], "pretrained": False, "checkpoint": None}
    hparams["model"] = {**hparams["model"], "backbone": backbone}
    header = {"format": "pt", HEADER: json.dumps(hparams), "about": json.dumps(about)}
    state = {name: value.contiguous() for name, value in trained.network.state_dict().items()}
    safetensors.torch.save_file(state, path, metadata=header)
    return path
