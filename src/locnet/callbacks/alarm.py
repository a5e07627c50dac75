"""Tells the user when a run has gone wrong for good: a loss that is no number, a p_c that is the same everywhere."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from locnet.answer import Answer
from locnet.callbacks.panel import dashboards_of
from locnet.data.dataset import Sample

log = logging.getLogger(__name__)

_NAN, _COLLAPSE = "loss is no number", "p_c has collapsed"


class Alarm(pl.Callback):
    """Warns in the log and in every dashboard that can, once for each kind of trouble."""

    def __init__(self, spread: float = 1e-3, validations: int = 2, after_steps: int = 200) -> None:
        """Set when p_c counts as collapsed.

        Args:
            spread: it does not differ by more than this between the images of `val`, objects and background,
            validations: in so many validations one after the other,
            after_steps: none of them before so many optimizer steps, where it differs little yet.
        """
        super().__init__()
        self.spread, self.validations, self.after_steps = spread, validations, after_steps
        self.raised: set[str] = set()
        self.flat = 0
        self._p_c: list[Tensor] = []
        self._kinds: list[Tensor] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the loss where it is logged: reading it waits for the device."""
        if trainer.global_step % max(int(trainer.log_every_n_steps), 1) == 0:  # type: ignore[attr-defined]
            self._check_loss(trainer, float(outputs["loss"]))

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start from zero."""
        self._p_c, self._kinds = [], []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Sample, *_: Any
    ) -> None:
        """Keep the extremes of p_c, on the device."""
        if isinstance(outputs, Answer) and trainer.state.fn == "fit":
            self._p_c.append(torch.stack(outputs.p_c.aminmax()))
            self._kinds.append(torch.stack(((batch["label"] < 0).any(), (batch["label"] >= 0).any())))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at what the first process has seen."""
        if not self._p_c or trainer.sanity_checking:
            return
        extremes, kinds = torch.stack(self._p_c), torch.stack(self._kinds).any(0)
        spread = float(extremes[:, 1].max() - extremes[:, 0].min())
        if not math.isfinite(spread):
            self._check_loss(trainer, spread)
            return
        flat = bool(kinds.all()) and spread < self.spread and trainer.global_step >= self.after_steps
        self.flat = self.flat + 1 if flat else 0
        if self.flat >= self.validations:
            text = (
                f"p_c is {float(extremes[0, 0]):.3f} for all val images, objects and background alike, after "
                f"{self.flat} validations; a lower optimizer.lr or a longer scheduler.warmup_epochs may help"
            )
            self._raise(trainer, _COLLAPSE, text)

    def _check_loss(self, trainer: pl.Trainer, loss: float) -> None:
        if not math.isfinite(loss):
            text = (
                f"the loss is {loss} after step {trainer.global_step}; begin again with a lower optimizer.lr, "
                "or with trainer.precision=32-true"
            )
            self._raise(trainer, _NAN, text)

    def _raise(self, trainer: pl.Trainer, title: str, text: str) -> None:
        if title in self.raised or not trainer.is_global_zero:
            return
        self.raised.add(title)
        log.warning("%s: %s", title, text)
        for dashboard in dashboards_of(trainer):
            dashboard.alert(title, text)
