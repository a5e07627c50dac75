"""Lightning's Trainer from the node `trainer`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import pytorch_lightning as pl

from locnet.config.instantiate import build
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
    if arguments.get("precision") == "auto":
        arguments["precision"] = best_precision(arguments.get("accelerator", "auto"))
    trainer = cast(pl.Trainer, build(arguments, key="trainer", allow_targets=allow_targets, **extra))
    trainer.strategy.checkpoint_io = CheckpointFiles()
    ranks.prepare(trainer)
    return trainer
