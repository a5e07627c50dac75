"""What a run was made from: code, configuration, versions."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import locnet

_PACKAGES = (
    "torch",
    "torchvision",
    "pytorch-lightning",
    "torchmetrics",
    "timm",
    "hydra-core",
    "wandb",
    "numpy",
    "pillow",
)
_ELSEWHERE = ("resume", "name", "tags", "paths", "logger")  # do not change what is computed


def provenance(config: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of metrics.json: git state, hash of the configuration, versions.

    Args:
        config: the resolved configuration.
    """
    entries: dict[str, Any] = {
        "config/hash": config_hash(config),
        "git/working_directory": git_state(Path.cwd()),
        "git/locnet": git_state(Path(locnet.__file__).parent),
        "version/locnet": locnet.__version__,
        "version/python": platform.python_version(),
    }
    return entries | {f"version/{package}": version(package) for package in _PACKAGES}


def config_hash(config: Mapping[str, Any]) -> str:
    """A short hash that two runs share which compute the same thing."""
    computed = {key: value for key, value in config.items() if key not in _ELSEWHERE}
    return hashlib.sha256(json.dumps(computed, sort_keys=True, default=str).encode()).hexdigest()[:12]


def git_state(folder: Path) -> str | None:
    """The commit that a folder's files are of, `-dirty` where they differ from it; None outside a work tree."""
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        tracked = _git(folder, "ls-files", "--", ".")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    if not tracked:  # a folder such as .venv inside somebody's repository
        return None
    return f"{commit}-dirty" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.strip()
