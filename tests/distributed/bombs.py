"""A callback that ends one process of a run, for tests of what becomes of the others."""

from __future__ import annotations

import os
import signal
from typing import Any, Literal

import pytorch_lightning as pl

from locnet.errors import DataError


class Bomb(pl.Callback):
    """Goes off in one process, before its second step."""

    def __init__(self, process: int, how: Literal["kill", "refuse", "stop"]) -> None:
        """Set which process, and how it ends."""
        self.process, self.how = process, how

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        """Go off."""
        if trainer.global_rank != self.process or index != 1:
            return
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "refuse":
            raise DataError("images/007.png: cannot be read")
        os.kill(os.getpid(), signal.SIGTERM)
