"""The run directory: claimed by one run, never overwritten by another."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from locnet.errors import ConfigError
from locnet.runtime.files import replace_text

CONFIG, OVERRIDES = "config.yaml", "overrides.yaml"
_RANKS = ("RANK", "NODE_RANK", "GROUP_RANK", "LOCAL_RANK", "SLURM_PROCID")  # of torchrun, Lightning, Slurm


def is_main_process() -> bool:
    """Whether this process is the one that writes (the first of a distributed run)."""
    return all(os.environ.get(name, "0") == "0" for name in _RANKS)


def process_label() -> str:
    """`process 3: ` for a message of any but the first process."""
    if is_main_process():
        return ""
    number = next((os.environ[name] for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK") if name in os.environ), "?")
    return f"process {number}: "


def claim(run_dir: Path, config: Mapping[str, Any], overrides: Sequence[str], *, resume: bool = False) -> None:
    """Make the directory this run's own and write `config.yaml` and `overrides.yaml`.

    Raises:
        ConfigError: another run lives there, or (with resume) none does, or it cannot be made.
    """
    path = run_dir / CONFIG
    if not is_main_process():
        return
    if resume:
        if not path.is_file():
            raise ConfigError(f"resume={run_dir}: there is no run in it ({CONFIG} is missing)")
        return
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{run_dir} cannot be made a run directory ({error.strerror}); choose another") from error
    text = OmegaConf.to_yaml(OmegaConf.create(dict(config)))
    try:
        _create(path, text)
    except FileExistsError:
        how = "true" if isinstance(config.get("resume"), bool) else run_dir
        resumable = f", or go on with that one: resume={how}" if "resume" in config else ""
        raise ConfigError(f"{run_dir} holds another run; choose another directory{resumable}") from None
    (run_dir / OVERRIDES).write_text(OmegaConf.to_yaml(OmegaConf.create(list(overrides))), encoding="utf-8")


def record(run_dir: Path, config: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Write what a resumed run has changed into its `config.yaml` and `overrides.yaml`."""
    if is_main_process():
        plain = dict(config) | {"resume": None}
        replace_text(run_dir / OVERRIDES, OmegaConf.to_yaml(OmegaConf.create(list(overrides))))
        replace_text(run_dir / CONFIG, OmegaConf.to_yaml(OmegaConf.create(plain)))


def _create(path: Path, text: str) -> None:
    """Write a new file, whole from its first moment on; of several processes that try, one gets it.

    Raises:
        FileExistsError: the file is there.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        try:
            os.link(partial, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Append everything that the root logger gets to a file, as long as the context lasts."""
    if not is_main_process():
        yield
        return
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a flat JSON object so that a reader sees the old file or the new one, never half of it.

    Numbers that JSON has no word for (of a run that diverged) become null.
    """
    plain = {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in content.items()}
    replace_text(path, json.dumps(plain, indent=2) + "\n")
