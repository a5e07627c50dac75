"""`resume=RUN_DIR`: the same run goes on, with its own configuration, from its newest checkpoint that is whole."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from locnet.config.app import Job
from locnet.config.check import check
from locnet.config.command_line import split
from locnet.config.messages import shown
from locnet.config.schema import TrainSettings
from locnet.errors import CheckpointError, ConfigError
from locnet.runtime.checkpoints import read_checkpoint
from locnet.runtime.rundir import CONFIG, OVERRIDES, is_main_process
from locnet.runtime.storage import LAST, PREVIOUS

log = logging.getLogger(__name__)

MAY_CHANGE = (
    *("trainer.max_epochs", "trainer.max_steps", "trainer.max_time"),
    *("trainer.checkpoint_minutes", "trainer.checkpoint_steps", "callbacks.checkpoint"),
    *("trainer.log_every_n_steps", "trainer.enable_progress_bar", "trainer.profiler"),
    *("callbacks.progress", "callbacks.panel", "callbacks.alarm", "logger", "name", "tags", "paths", "allow_targets"),
    *("data.root", "data.num_workers", "calibration", "report"),
)
"""Keys (and all below them) that do not change what a run computes, or only how long it goes on."""


def continued(job: Job) -> tuple[Job, list[str]]:
    """The job with the run's own configuration, and with what was typed now where that may change.

    What was typed at the beginning need not be typed again, and may be.

    Returns:
        The job, and a line for each change.

    Raises:
        CheckpointError: there is no such directory.
        ConfigError: no run is in it, or something was typed that a run cannot change.
    """
    typed = str(job.config["resume"])
    place = Path(typed).expanduser()
    if not place.is_dir():
        kind = "is a file" if place.exists() else "no such file or directory"
        raise CheckpointError(
            f"{typed}: {kind}; resume takes the directory of a run (init_from takes a checkpoint too)"
        )
    if not (place / CONFIG).is_file():
        raise ConfigError(f"resume={typed}: there is no run in it ({CONFIG} is missing)")
    old = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(place / CONFIG)))
    known = [str(text) for text in OmegaConf.load(place / OVERRIDES)] if (place / OVERRIDES).is_file() else []
    config, lines, added = deepcopy(old), [], []
    for text in job.overrides:
        key = split(text)[1]
        value_now = _get(job.config, key)
        chosen_before = text in known and (value_now is _MISSING or isinstance(value_now, Mapping))  # group=option
        if chosen_before or key == "resume" or key.startswith("hydra"):
            continue
        changes = _changes(old, job.config, key, text)
        for name, value in changes:
            before = _get(old, name)
            if not any(name == free or name.startswith(f"{free}.") for free in MAY_CHANGE):
                raise ConfigError(
                    f"resume={typed}: {name} was {_shown(before)} and is now {_shown(value)}; a run goes on as it "
                    f"began (resume={typed} alone is enough; {', '.join(MAY_CHANGE[:3])} and a few more may change); "
                    f"init_from={typed} starts a new run from its weights"
                )
            _set(config, name, value)
            lines.append(f"{name} was {_shown(before)} and is now {_shown(value)}")
        added += [text] if changes else []
    config["resume"] = typed
    return replace(job, config=config, overrides=[*known, *added]), lines


def checked(job: Job) -> TrainSettings:
    """The settings of a run that goes on.

    Raises:
        ConfigError: its configuration is of a locnet with other keys.
    """
    try:
        return check(job.config, TrainSettings)
    except ConfigError as error:  # what was typed now has been checked before
        typed = job.config["resume"]
        raise ConfigError(
            f"resume={typed}: another version of locnet began this run, with other settings ({error}); go on with that "
            f"version, or init_from={typed} starts a new run from its weights"
        ) from error


def newest_checkpoint(run_dir: Path) -> Path | None:
    """The newest checkpoint that is whole; None where the run was stopped before its first one.

    Raises:
        CheckpointError: there are checkpoints, and all are damaged.
    """
    damaged: list[str] = []
    for path in (run_dir / "checkpoints" / name for name in (LAST, PREVIOUS)):
        if not path.is_file():
            continue
        try:
            content = read_checkpoint(path)
        except CheckpointError as error:
            damaged.append(str(error))
            continue
        for text in damaged:
            log.warning("%s; going on from the one before it, %s", text, path.name)
        if damaged and is_main_process():  # it must not take the place of the whole one when the next is written
            (path.parent / LAST).replace(path.parent / "damaged.ckpt")
        log.info("resume         %s, after step %d", path, content["global_step"])
        return path
    if damaged:
        raise CheckpointError(
            f"{run_dir}: no checkpoint is whole ({'; '.join(damaged)}); init_from={run_dir} starts a new run from the "
            "best one, if that is"
        )
    log.info("resume         no checkpoint yet: from the beginning")
    return None


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], key: str, text: str) -> list[tuple[str, Any]]:
    """Dotted keys at or below `key` that have another value now, with it."""
    if _get(new, key) is _MISSING:  # experiment=..., ~callbacks.panel: may concern anything
        raise ConfigError(f"{text} was not among the settings that the run began with, so it cannot go on with it")
    before, now = dict(_leaves(_get(old, key), key)), dict(_leaves(_get(new, key), key))
    names = [*(name for name in before if name not in now), *now]
    return [(name, now.get(name, _MISSING)) for name in names if before.get(name, _MISSING) != now.get(name, _MISSING)]


_MISSING = object()


def _shown(value: Any) -> str:
    return "not set" if value is _MISSING else shown(value)


def _leaves(value: Any, key: str) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, f"{key}.{name}")]
    return [(key, value)]


def _get(config: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(config, Mapping) or part not in config:
            return _MISSING
        config = config[part]
    return config


def _set(config: dict[str, Any], key: str, value: Any) -> None:
    """Set a key, or take it out with `_MISSING`, and groups with it that hold nothing any more."""
    first, _, rest = key.partition(".")
    if rest:
        inner = config.get(first)
        config[first] = inner if isinstance(inner, dict) else {}
        _set(config[first], rest, value)
        if value is _MISSING and not config[first]:
            del config[first]
    elif value is _MISSING:
        config.pop(first, None)
    else:
        config[first] = value
