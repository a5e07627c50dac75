"""Exponential moving average of the weights: what is validated, tested and saved."""

from __future__ import annotations

from typing import Any, cast

import pytorch_lightning as pl
import torch
from timm.utils import ModelEmaV3
from torch import nn

from locnet.models.network import Network
from locnet.module import LocalizerModule
from locnet.runtime.fsdp import FullySharded
from locnet.runtime.sharding import whole_state

_RAW = "raw_state_dict"


class Ema(pl.Callback):
    """Keeps timm's `ModelEmaV3` of the network, from the first step on.

    Lightning's own EMAWeightAveraging validates the initial weights until its first update when it starts late
    (Lightning #21724); this one starts at step 0 and warms its decay up. In a checkpoint `state_dict` holds the
    average, so that whoever reads the file gets the better weights; the weights that training goes on with lie beside
    it and come back on resume.
    """

    def __init__(self, decay: float = 0.998) -> None:
        """Set the greatest decay, which the warm-up approaches."""
        super().__init__()
        self.decay = decay
        self.ema: ModelEmaV3 | None = None
        self.raw: Network | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Copy the weights while they are whole."""
        if stage == "fit":
            self._copy(pl_module)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Follow the network to its device, and to its shards."""
        assert self.ema is not None
        self.ema.to(pl_module.device)
        if isinstance(trainer.strategy, FullySharded):
            trainer.strategy.shard(cast(Network, self.ema.module))
            self.ema.foreach = False  # which takes no shares beside the whole buffers

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Update after each optimizer step (not after each accumulated batch)."""
        if trainer.fit_loop._should_accumulate():
            return
        assert self.ema is not None
        self.ema.update(_network(pl_module), step=trainer.global_step)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the average in."""
        if self.ema is not None and trainer.state.fn == "fit":
            module = cast(LocalizerModule, pl_module)
            self.raw, module.model = module.model, self.ema.module.eval()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the weights in training back."""
        if self.raw is not None:
            module = cast(LocalizerModule, pl_module)
            module.model, self.raw = self.raw, None

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save the average as the weights, the weights in training beside it."""
        if self.ema is not None:
            average = {f"model.{name}": value for name, value in whole_state(self.ema.module).items()}
            checkpoint[_RAW] = checkpoint["state_dict"]
            checkpoint["state_dict"] = checkpoint["state_dict"] | average

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on where the checkpoint was: Lightning has just loaded the average into the network."""
        if trainer.state.fn == "fit" and _RAW in checkpoint:
            self._copy(pl_module)
            pl_module.load_state_dict(checkpoint[_RAW])

    def _copy(self, module: pl.LightningModule) -> None:
        # in float32, also of weights in half precision: those would round its small steps away
        self.ema = ModelEmaV3(_network(module), decay=self.decay, use_warmup=True, dtype=torch.float32)


def _network(module: pl.LightningModule) -> nn.Module:
    return cast(LocalizerModule, module).model
