"""What `${locnet....}` means in a configuration file."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from omegaconf import OmegaConf

_state = {"token": "000000"}


def register() -> None:
    """Tell OmegaConf about the resolvers and draw a new token; a command does it once, before it composes.

    `${locnet.token:}` is six hex characters that are the same wherever this process resolves them. In a
    directory name beside the time of day they keep two runs of the same second apart. All jobs of a multirun
    share the token, because each of them resolves `hydra.sweep.dir` anew and must find the same folder; their
    number tells them apart.

    `${locnet.join:a,b,...}` joins the parts that are not null with dashes and keeps only characters that
    every file system takes, for directory names such as `3-grid-ema`.

    `${locnet.run_dir:${resume},NEW}` is the directory of the run that is resumed, or NEW (also where a command
    only says whether to go on, `resume=true`).
    """
    _state["token"] = secrets.token_hex(3)  # not `random`: a seed must not make two runs collide
    OmegaConf.register_new_resolver("locnet.token", lambda: _state["token"], replace=True)
    OmegaConf.register_new_resolver("locnet.join", _join, replace=True)
    OmegaConf.register_new_resolver("locnet.run_dir", _run_dir, replace=True)


def _run_dir(resume: str | bool | None, new: str) -> str:
    """The directory of the run that is resumed, or a new one; a mistyped one must not be made."""
    place = Path(resume).expanduser() if isinstance(resume, str) and resume else None
    return str(place) if place is not None and place.is_dir() else new


def _join(*parts: object) -> str:
    names = (re.sub(r"[^\w.]+", "-", str(part)).strip("-.") for part in parts if part is not None)
    return "-".join(name for name in names if name)
