"""Checkpoints: found by path or run directory, read without executing anything, built with no config beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import safetensors
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

import locnet
from locnet.calibration import Calibration
from locnet.config.messages import one_line
from locnet.config.schema import ModelSettings
from locnet.data.resize import ResizeMode
from locnet.errors import CheckpointError
from locnet.models.network import Network
from locnet.runtime.artifacts import default_cache, fetch, is_artifact
from locnet.runtime.storage import BEST, is_damaged, write_checkpoint

if TYPE_CHECKING:  # Lightning is for those who train
    from locnet.module import LocalizerModule

M = TypeVar("M", bound=nn.Module)

WEIGHTS = "model.safetensors"
"""The file that format=safetensors of export writes."""
HEADER = "locnet"
"""Where its header holds the hyperparameters, as JSON."""
_NEEDED = {"classes", "model", "version"}
_FOR_ANSWERS = ("state_dict", "hyper_parameters", "epoch", "global_step", "pytorch-lightning_version")


class Trained(NamedTuple):
    """A trained network and how it is used.

    Attributes:
        network: in evaluation mode, on the CPU.
        resize: how images meet its input.
        threshold: the verdict is background where p_c < threshold.
        hparams: all that the checkpoint says about itself.
    """

    network: Network
    resize: ResizeMode
    threshold: float
    hparams: dict[str, Any]


def find_checkpoint(place: str, name: str = BEST, *, cache: str | Path | None = None) -> Path:
    """The checkpoint file that a user means by a file, a run or `format=safetensors` folder, or an artifact at wandb.

    Args:
        place: as typed.
        name: of the file in a run directory.
        cache: folder for artifacts; None takes the default one.

    Raises:
        CheckpointError: there is none.
    """
    if is_artifact(place):
        kept = Path(cache) if cache is not None else default_cache()
        return fetch(place, kept.expanduser().absolute() / "artifacts", name)
    path = Path(place).expanduser()
    if path.is_file():
        return path
    for inside in (path / "checkpoints" / name, *([path / WEIGHTS] if name == BEST else [])):
        if inside.is_file():
            return inside
    kind = f"no checkpoints/{name} in it" if path.is_dir() else "no such file or directory"
    raise CheckpointError(f"{place}: {kind}; give a .ckpt file, or a run directory that training has finished in")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Content of a checkpoint, or as much of it as a safetensors file has; nothing in it is executed.

    Raises:
        CheckpointError: unreadable, not a locnet checkpoint, or written by a newer version.
    """
    content: Any = _read_weights(path) if path.suffix == ".safetensors" else _read_pickle(path)
    hparams = content.get("hyper_parameters") if isinstance(content, dict) else None
    if not isinstance(hparams, dict) or "state_dict" not in content or not hparams.keys() >= _NEEDED:
        raise CheckpointError(f"{path} is not a locnet checkpoint")
    if _release(hparams["version"]) > _release(locnet.__version__):
        raise CheckpointError(
            f"{path} was written by locnet {hparams['version']}, this is {locnet.__version__}; upgrade locnet"
        )
    return dict(content)


def _read_pickle(path: Path) -> Any:
    try:
        damaged = is_damaged(path)
        content = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a torn or foreign file makes the unpickler raise nearly anything
        raise CheckpointError(
            f"{path} is not a readable checkpoint: torn, or it holds more than tensors and plain values"
        ) from error
    if damaged:
        raise CheckpointError(f"{path} is damaged: its content does not fit its checksum")
    return content


def _read_weights(path: Path) -> dict[str, Any]:
    """A file of `format=safetensors`: its header holds the hyperparameters."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            state = {f"model.{name}": file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        return {"hyper_parameters": json.loads(header.get(HEADER, "null")), "state_dict": state}
    except Exception as error:  # a torn or foreign file
        raise CheckpointError(f"{path} is not a readable safetensors file: torn, or something else") from error


def load_module(path: Path) -> LocalizerModule:
    """The trained module of a checkpoint, in evaluation mode.

    Raises:
        CheckpointError: see `read_checkpoint`, or the weights do not fit.
    """
    from locnet.module import LocalizerModule

    content = read_checkpoint(path)
    return _filled(path, content, LocalizerModule, content["state_dict"])


def load_trained(path: Path) -> Trained:
    """What answers need of a checkpoint, without Lightning.

    Raises:
        CheckpointError: see `read_checkpoint`, or the weights do not fit.
    """
    content = read_checkpoint(path)
    state = {name.removeprefix("model."): value for name, value in content["state_dict"].items()}
    hparams = dict(content["hyper_parameters"])
    resize, threshold = cast(ResizeMode, hparams.get("resize", "squash")), float(hparams.get("threshold", 0.5))
    return Trained(_filled(path, content, _network, state), resize, threshold, hparams)


def _network(
    *,
    classes: Sequence[str],
    model: Mapping[str, Any],
    calibration: Mapping[str, Any] | None = None,
    **_: Any,
) -> Network:
    """The network alone, from the hyperparameters of a `LocalizerModule`."""
    settings = TypeAdapter(ModelSettings).validate_python(model)
    network = Network(classes, backbone=settings.backbone.model_dump(), head=settings.head.model_dump())
    if calibration is not None:
        network.calibration = TypeAdapter(Calibration).validate_python(calibration)
    return network


def _filled(path: Path, content: Mapping[str, Any], build: Callable[..., M], state: Mapping[str, Tensor]) -> M:
    """What `build` makes of the checkpoint's hyperparameters, with its weights, in evaluation mode."""
    hparams = dict(content["hyper_parameters"])
    backbone = {**hparams["model"]["backbone"], "pretrained": False, "checkpoint": None}  # the weights are in here
    hparams["model"] = {**hparams["model"], "backbone": backbone}
    try:
        built = build(**hparams)
    except (TypeError, ValueError) as error:  # pydantic's errors are ValueErrors
        raise CheckpointError(
            f"{path} was written by a locnet {hparams['version']} with other settings ({_first(error)}); "
            f"use that version, or start a new run from its weights: train init_from={path}"
        ) from error
    try:
        built.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: its weights do not fit the network that it describes") from error
    return built.eval()


def _first(error: Exception) -> str:
    """The first key that is wrong, and why; ends of a union's name are no keys."""
    if not isinstance(error, ValidationError):
        return one_line(str(error))
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg'].lower()}"


def step_of(path: Path) -> int:
    """After how many optimizer steps a checkpoint was written, without reading its tensors."""
    return int(torch.load(path, map_location="cpu", weights_only=True, mmap=True)["global_step"])


def for_answers_only(checkpoint: Path, copy: Path) -> None:
    """Write what `load_module` and `init_from` need: no optimizer, no weights beside the averaged ones.

    Raises:
        CheckpointError: the checkpoint cannot be read, or the copy cannot be written.
    """
    content = read_checkpoint(checkpoint)
    write_checkpoint({name: content[name] for name in _FOR_ANSWERS if name in content}, copy)


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
