"""timm's published weights: whether they are within reach, asked once and quickly."""

from __future__ import annotations

import timm
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError

from locnet.errors import CheckpointError

_FILES = ("model.safetensors", "pytorch_model.bin")  # where timm looks when it names no file
_SECONDS = 10.0
_LOCAL = "backbone.checkpoint=FILE (a local .safetensors or .pth)"
_SCRATCH = "backbone.pretrained=false (from scratch)"


def check_published(name: str) -> None:
    """Say at once that the weights of a model cannot be had: the hub's client tries for 46 seconds before it does.

    Raises:
        CheckpointError: timm publishes none of that name, or they are not cached and the hub does not answer.
    """
    config = timm.models.get_pretrained_cfg(name, allow_unregistered=False)
    if config is None or not config.has_weights:
        raise CheckpointError(
            f"backbone.pretrained=true: timm publishes no weights of {name}; ways out: {_LOCAL}, or {_SCRATCH}"
        )
    if not config.hf_hub_id or constants.HF_HUB_OFFLINE:
        return  # a plain download, or a look into the cache: both fail quickly by themselves
    repository, _, revision = config.hf_hub_id.partition("@")
    files = (config.hf_hub_filename,) if config.hf_hub_filename else _FILES
    if any(isinstance(try_to_load_from_cache(repository, f, revision=revision or None), str) for f in files):
        return
    try:
        get_hf_file_metadata(hf_hub_url(repository, files[0], revision=revision or None), timeout=_SECONDS)
    except HfHubHTTPError:
        return  # it answers; what it says, timm will hear too
    except Exception as error:  # of whichever HTTP library the client is built on
        raise out_of_reach(name, error) from error


def out_of_reach(name: str, error: Exception) -> CheckpointError:
    """The error that names the ways out where weights cannot be fetched."""
    return CheckpointError(
        f"backbone.pretrained=true: the weights of {name} cannot be fetched here ({type(error).__name__}); ways out: "
        f"{_LOCAL}, HF_HOME=DIR with HF_HUB_OFFLINE=1 (a filled cache), or {_SCRATCH}"
    )
