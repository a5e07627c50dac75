"""Checkpoints: found by path or run directory, read without executing anything, built with no config beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import locnet
from locnet.errors import CheckpointError
from locnet.module import LocalizerModule
from locnet.runtime.storage import BEST, is_damaged

_NEEDED = {"classes", "model", "version"}


def find_checkpoint(place: str, name: str = BEST) -> Path:
    """The checkpoint file that a user means by a file, or by a run directory.

    Raises:
        CheckpointError: there is none.
    """
    path = Path(place).expanduser()
    if path.is_file():
        return path
    inside = path / "checkpoints" / name
    if inside.is_file():
        return inside
    kind = f"no checkpoints/{name} in it" if path.is_dir() else "no such file or directory"
    raise CheckpointError(f"{place}: {kind}; give a .ckpt file, or a run directory that training has finished in")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Content of a checkpoint (`weights_only=True`: nothing in it is executed).

    Raises:
        CheckpointError: unreadable, not a locnet checkpoint, or written by a newer version.
    """
    try:
        damaged = is_damaged(path)
        content: Any = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a torn or foreign file makes the unpickler raise nearly anything
        raise CheckpointError(
            f"{path} is not a readable checkpoint: torn, or it holds more than tensors and plain values"
        ) from error
    if damaged:
        raise CheckpointError(f"{path} is damaged: its content does not fit its checksum")
    hparams = content.get("hyper_parameters") if isinstance(content, dict) else None
    if not isinstance(hparams, dict) or "state_dict" not in content or not hparams.keys() >= _NEEDED:
        raise CheckpointError(f"{path} is not a locnet checkpoint")
    if _release(hparams["version"]) > _release(locnet.__version__):
        raise CheckpointError(
            f"{path} was written by locnet {hparams['version']}, this is {locnet.__version__}; upgrade locnet"
        )
    return dict(content)


def load_module(path: Path) -> LocalizerModule:
    """The trained module of a checkpoint, in evaluation mode.

    Raises:
        CheckpointError: see `read_checkpoint`, or the weights do not fit.
    """
    content = read_checkpoint(path)
    hparams = dict(content["hyper_parameters"])
    backbone = {**hparams["model"]["backbone"], "pretrained": False, "checkpoint": None}  # the weights are in here
    hparams["model"] = {**hparams["model"], "backbone": backbone}
    try:
        module = LocalizerModule(**hparams)
    except (TypeError, ValueError) as error:  # pydantic's errors are ValueErrors
        raise CheckpointError(
            f"{path} was written by locnet {hparams['version']}, whose settings this version does not know"
        ) from error
    try:
        module.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise CheckpointError(f"{path}: its weights do not fit the network that it describes") from error
    return module.eval()


def init_from(module: LocalizerModule, path: Path) -> tuple[int, int]:
    """Copy the weights that fit (name and shape) from another run's checkpoint; returns how many of how many fitted.

    Raises:
        CheckpointError: not one fits.
    """
    state = read_checkpoint(path)["state_dict"]
    own = module.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise CheckpointError(f"init_from={path}: none of its weights fits this network")
    module.load_state_dict(fitting, strict=False)
    return len(fitting), len(own)


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
