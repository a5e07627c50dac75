"""How fast training goes and what it waits for: images a second, share of waiting for data, memory, gradient norm."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
import torch
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from locnet.callbacks.panel import dashboards_of
from locnet.loggers.base import EPOCH, SAMPLES

_STATE = "throughput"


class Throughput(pl.Callback):
    """Logs `system/*`, `train/lr` and `train/gradient_norm` every `trainer.log_every_n_steps` steps.

    Attributes:
        samples: images seen by all processes since the run began.
        images_per_second: of all processes since the last logged step.
        data_wait: share of that time that the first process waited for its loader; None where that is not known.
    """

    def __init__(self) -> None:
        super().__init__()
        self.samples = 0
        self.images_per_second: float | None = None
        self.data_wait: float | None = None
        self._gradient_norm: torch.Tensor | None = None
        self._images, self._seconds, self._waited, self._started = 0, 0.0, 0.0, 0.0
        self._last_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to measure."""
        self._last_step = trainer.global_step
        self._tell_loggers(trainer)
        self._restart(trainer)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """The norm of all gradients before they are clipped, at the steps that are logged."""
        if (trainer.global_step + 1) % self._every(trainer):
            return
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients) if gradients else None
        self._gradient_norm = norm.full_tensor() if isinstance(norm, DTensor) else norm  # of shares: all must ask

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count, and log where it is due."""
        images = batch["image"].shape[0] * trainer.world_size
        self.samples += images
        self._images += images
        now = time.perf_counter()
        self._seconds, self._started = self._seconds + now - self._started, now
        self._tell_loggers(trainer)
        stepped, self._last_step = trainer.global_step != self._last_step, trainer.global_step
        if not stepped or trainer.global_step % self._every(trainer):
            return
        self.images_per_second, self.data_wait = self._rates(trainer)
        if trainer.is_global_zero and trainer.loggers:
            self._log(trainer, pl_module.device)
        self._restart(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validation is no training time."""
        self._seconds += time.perf_counter() - self._started

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on measuring."""
        self._started = time.perf_counter()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the count."""
        checkpoint[_STATE] = {"samples": self.samples}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on counting."""
        if trainer.state.fn == "fit" and _STATE in checkpoint:
            self.samples = checkpoint[_STATE]["samples"]

    def now(self, trainer: pl.Trainer) -> tuple[float | None, float | None]:
        """Images a second and share of waiting: of the last logged step, or so far where there is none yet."""
        if self.images_per_second is not None or not self._images:
            return self.images_per_second, self.data_wait
        return self._rates(trainer)

    def _rates(self, trainer: pl.Trainer) -> tuple[float, float | None]:
        waited, seconds = _waited(trainer), max(self._seconds, 1e-9)
        return self._images / seconds, None if waited is None else min((waited - self._waited) / seconds, 1.0)

    def _log(self, trainer: pl.Trainer, device: torch.device) -> None:
        values = {
            "system/images_per_second": self.images_per_second,
            "system/data_wait": self.data_wait,
            "train/lr": float(trainer.optimizers[0].param_groups[-1]["lr"]),
            "train/gradient_norm": None if self._gradient_norm is None else float(self._gradient_norm),
            SAMPLES: float(self.samples),
            EPOCH: float(trainer.current_epoch),
        }
        if device.type == "cuda":
            values["system/gpu_memory_gb"] = torch.cuda.max_memory_allocated(device) / 2**30
        known = {name: value for name, value in values.items() if value is not None}
        for logger in trainer.loggers:
            logger.log_metrics(known, trainer.global_step - 1)  # as Lightning numbers the metrics of this step

    def _tell_loggers(self, trainer: pl.Trainer) -> None:
        clock = {EPOCH: float(trainer.current_epoch), SAMPLES: float(self.samples)}
        for dashboard in dashboards_of(trainer):
            dashboard.clock = clock

    def _restart(self, trainer: pl.Trainer) -> None:
        self._images, self._seconds, self._started = 0, 0.0, time.perf_counter()
        self._waited = _waited(trainer) or 0.0

    @staticmethod
    def _every(trainer: pl.Trainer) -> int:
        return max(int(trainer.log_every_n_steps), 1)  # type: ignore[attr-defined]  # set by its connector


def _waited(trainer: pl.Trainer) -> float | None:
    """Seconds that the training loader has been waited for, where it counts them."""
    waited: float | None = getattr(trainer.train_dataloader, "waited", None)
    return waited
