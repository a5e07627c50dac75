"""Local backbone weights: read without executing anything, fitted strictly enough to say what did not match."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from locnet.errors import CheckpointError

log = logging.getLogger(__name__)

_NESTS = ("state_dict_ema", "model_ema", "state_dict", "model", "module")  # where trainers keep the weights
_WRAPPERS = ("module.", "_orig_mod.")
_CLASSIFIER = 0.5  # a file that fills less than this share of the backbone is taken for the wrong file


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors or a pickled file (`weights_only=True`: nothing in it is executed).

    Raises:
        CheckpointError: missing, unreadable, or a pickle that holds more than tensors and plain values.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a torn or foreign file makes the unpickler raise nearly anything
        raise CheckpointError(
            f"{path} is not a readable weight file ({type(error).__name__}); "
            "expected .safetensors, or .pth/.pt/.ckpt that holds tensors and plain values only"
        ) from error
    for key in _NESTS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, Mapping) else {}
    if not tensors:
        raise CheckpointError(f"{path} holds no weights")
    return {_unwrapped(name): value for name, value in tensors.items()}


def _unwrapped(name: str) -> str:
    """The name without what torch.compile and DistributedDataParallel put before it, in whichever order."""
    while name.startswith(_WRAPPERS):
        name = name.partition(".")[2]
    return name


def load_backbone_weights(model: nn.Module, path: Path, name: str) -> None:
    """Load a timm checkpoint into a timm model without classifier, and report what did not match.

    Weights of another classifier are expected to be left over; anything else that is missing or left over is named
    in the log, and a file of which less than half fits is refused.

    Raises:
        CheckpointError: the file cannot be read, or belongs to another model.
    """
    state = read_state_dict(path)
    try:
        state = _converted(state, model, name)
    except Exception as error:  # the family's conversion trusts its names and shapes
        raise CheckpointError(
            f"backbone.checkpoint={path} does not fit backbone.name={name}: it is not of that family"
        ) from error
    own = model.state_dict()
    wrong_shape = sorted(k for k, v in state.items() if k in own and own[k].shape != v.shape)
    fitting = {k: v for k, v in state.items() if k in own and k not in wrong_shape}
    # BatchNorm's counters are absent from many converted files and do not matter
    missing = sorted(k for k in own if k not in state and not k.endswith("num_batches_tracked"))
    unused = sorted(k for k in state if k not in own)
    matched = sum(own[k].numel() for k in fitting)
    total = sum(v.numel() for v in own.values())
    if matched < _CLASSIFIER * total:
        raise CheckpointError(
            f"backbone.checkpoint={path} does not fit backbone.name={name}: {len(fitting)} of {len(own)} tensors match "
            f"({matched / max(total, 1):.0%} of the weights), e.g. missing {', '.join((missing + wrong_shape)[:3])}"
        )
    model.load_state_dict(fitting, strict=False)
    about: Any = getattr(model, "pretrained_cfg", {})  # timm's, says what its classifier is called
    classifier = about.get("classifier") or ()
    heads = tuple(f"{head}." for head in ((classifier,) if isinstance(classifier, str) else classifier))
    unexpected = [k for k in unused if not k.startswith(heads)]
    log.info("%s: %d of %d tensors of %s loaded", path.name, len(fitting), len(own), name)
    for what, names in (("missing in the file", missing), ("of another shape", wrong_shape), ("not used", unexpected)):
        if names:
            log.warning("%s: %d tensors %s: %s", path.name, len(names), what, ", ".join(names[:8]))


def _converted(state: dict[str, Tensor], model: nn.Module, name: str) -> dict[str, Tensor]:
    """The family's own conversion of foreign names and position embeddings, where timm has one."""
    module = sys.modules[timm.models.model_entrypoint(name.partition(".")[0]).__module__]
    convert = getattr(module, "checkpoint_filter_fn", None)
    return dict(convert(state, model)) if convert else state
