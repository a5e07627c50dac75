"""Checkpoints that wandb keeps: `artifact:ENTITY/PROJECT/NAME:ALIAS` wherever a checkpoint is asked for."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from locnet.config.messages import one_line
from locnet.errors import CheckpointError

_START = re.compile(r"(artifact:|wandb-artifact:)/*")
_NAME = re.compile(r"(?:[\w.-]+/){0,2}[\w.-]+:[\w.-]+")


def default_cache() -> Path:
    """Where things are kept for those who have no configuration to say so: as `paths.cache` has it."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("LOCNET_CACHE") or f"{home}/locnet")


def is_artifact(place: str) -> bool:
    """Whether a user means an artifact and no file."""
    return _START.match(place) is not None


def fetch(place: str, folder: Path, wanted: str) -> Path:
    """Download an artifact, unless it is there already, and find the checkpoint in it.

    Args:
        place: as typed.
        folder: that artifacts are kept in.
        wanted: name of the file that is meant where there are several.

    Raises:
        CheckpointError: wandb is switched off, nobody is logged in, or there is no such artifact.
    """
    name = _START.sub("", place, count=1)
    if not _NAME.fullmatch(name):
        raise CheckpointError(
            f"{place}: an artifact is written artifact:ENTITY/PROJECT/NAME:ALIAS, such as "
            "artifact:me/locnet/model-abc123:best"
        )
    mode = os.environ.get("WANDB_MODE", "online")
    if mode in ("offline", "disabled", "dryrun"):
        raise CheckpointError(
            f"{place}: WANDB_MODE={mode}, but artifacts are on wandb's server; unset it, or give "
            "a file or a run directory"
        )
    _check_login(place)
    artifact = _find(place, name)
    kept = folder / re.sub(r"[^\w.-]", "_", artifact.qualified_name)
    try:
        artifact.download(root=str(kept))
    except Exception as error:  # of the network, the server, the disk
        raise CheckpointError(f"{place}: cannot be downloaded: {one_line(str(error))}") from error
    files = sorted(kept.rglob("*.ckpt"))
    named = [file for file in files if file.name == wanted]
    if len(named or files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise CheckpointError(f"{place}: one checkpoint is wanted ({wanted}), and there is {found} in it")
    return (named or files)[0]


def _check_login(place: str) -> None:
    import wandb

    try:
        # looks for a key in the environment, in netrc and in wandb's settings, and tries it out; asks nobody
        logged_in = wandb.login(prompt=False, verify=True)
    except Exception as error:
        raise CheckpointError(f"{place}: the login at wandb cannot be verified: {one_line(str(error))}") from error
    if not logged_in:
        raise CheckpointError(
            f"{place}: nobody is logged in to wandb; run `wandb login`, or give a file or a run directory"
        )


def _find(place: str, name: str) -> Any:
    import wandb

    try:
        return wandb.Api().artifact(name)
    except Exception as error:
        raise CheckpointError(f"{place}: there is no such artifact: {one_line(str(error))}") from error
