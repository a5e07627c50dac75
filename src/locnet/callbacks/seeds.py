"""Random numbers of the training steps, whatever happened before them."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch

from locnet.seeds import mix


class StepSeeds(pl.Callback):
    """Dropout and the like draw from (seed, process, epoch, batch) alone.

    So a resumed run draws what the run that was never stopped draws, and no generator's state has to be kept, neither
    the processes' nor the devices'. Augmentation has seeds of its own (see `TrainSampler`).
    """

    def __init__(self, seed: int) -> None:
        """Set the seed of the run."""
        super().__init__()
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed torch on all devices."""
        torch.manual_seed(mix(self.seed, trainer.global_rank, trainer.current_epoch, batch_idx))
