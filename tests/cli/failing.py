"""A callback that fails in one job of a sweep; test_multirun.py names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class Failing(pl.Callback):
    """Raises in the second batch of job 5, on every rank."""

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Raise if this is that job."""
        if Path(trainer.default_root_dir).name == "5":
            raise RuntimeError("made to fail")
