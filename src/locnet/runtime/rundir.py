"""The run directory: claimed by one run, never overwritten by another."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from locnet.errors import ConfigError

CONFIG = "config.yaml"
_RANK = "LOCAL_RANK"  # set by torchrun and by Lightning for the processes that it starts


def is_main_process() -> bool:
    """Whether this process is the one that writes (the first of a distributed run)."""
    return os.environ.get(_RANK, "0") == "0" and os.environ.get("SLURM_PROCID", "0") == "0"


def claim(run_dir: Path, config: Mapping[str, Any], overrides: Sequence[str], *, resume: bool = False) -> None:
    """Make the directory this run's own and write `config.yaml` and `overrides.yaml`.

    Raises:
        ConfigError: another run lives there, or (with resume) none does.
    """
    path = run_dir / CONFIG
    if not is_main_process():
        return
    if resume:
        if not path.is_file():
            raise ConfigError(f"resume={run_dir}: there is no run in it ({CONFIG} is missing)")
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:  # atomic: of two runs that try, one gets it
            yaml.safe_dump(dict(config), file, sort_keys=False)
    except FileExistsError:
        raise ConfigError(
            f"{run_dir} holds another run; choose another hydra.run.dir, or go on with that one: resume={run_dir}"
        ) from None
    (run_dir / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)), encoding="utf-8")


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
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    partial = path.with_suffix(path.suffix + ".tmp")
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
