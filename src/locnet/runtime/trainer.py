"""Lightning's Trainer from the node `trainer`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

import pytorch_lightning as pl
from lightning_fabric.plugins.precision.precision import (
    _PRECISION_INPUT_INT,
    _PRECISION_INPUT_STR,
    _PRECISION_INPUT_STR_ALIAS,
)

from locnet.config.instantiate import build
from locnet.config.messages import join_or, shown
from locnet.errors import ConfigError
from locnet.runtime import ranks
from locnet.runtime.checkpoint_io import CheckpointFiles
from locnet.runtime.precision import best_precision

_OURS = ("checkpoint_minutes", "checkpoint_steps")  # callbacks.checkpoint reads them


def build_trainer(node: Mapping[str, Any], *, allow_targets: Iterable[str], **extra: Any) -> pl.Trainer:
    """The Trainer, with our way of writing checkpoints and of ending processes.

    Raises:
        ConfigError: it cannot be built, or does not fit what a launcher has started.
    """
    ranks.check_launch(node)
    arguments = {key: value for key, value in node.items() if key not in _OURS}
    _check_precision(arguments.get("precision"))
    if arguments.get("precision") == "auto":
        arguments["precision"] = best_precision(arguments.get("accelerator", "auto"))
    trainer = cast(pl.Trainer, build(arguments, key="trainer", allow_targets=allow_targets, **extra))
    trainer.strategy.checkpoint_io = CheckpointFiles()
    ranks.prepare(trainer)
    return trainer


def _check_precision(value: Any) -> None:
    """Lightning's own message does not know our `auto`."""
    known = [str(name) for name in get_args(_PRECISION_INPUT_STR)]
    older = (*get_args(_PRECISION_INPUT_STR_ALIAS), *get_args(_PRECISION_INPUT_INT))
    if value is not None and value not in (*known, *older, "auto"):
        raise ConfigError(f"trainer.precision must be {join_or(['auto', *known])}, got {shown(value)}")
