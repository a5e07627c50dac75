"""Checkpoints: the best by a metric, and the last ones to resume from, inside epochs too."""

from __future__ import annotations

import logging
import math
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import pytorch_lightning as pl
import torch
import torch.distributed as dist

from locnet.errors import ConfigError, StoppedError
from locnet.runtime.signals import on_end
from locnet.runtime.storage import BEST, LAST

log = logging.getLogger(__name__)

_STATE = "checkpoints"


class Checkpoints(pl.callbacks.Checkpoint):
    """Writes `best.ckpt` after a better validation, and `last.ckpt` after epochs and every few minutes or steps.

    `last.ckpt` is only ever written between two optimizer steps, where everything that a run is made of is in it: a
    run that is resumed there ends in the same bits as the run that was never stopped. On SIGTERM (and Slurm's SIGUSR1)
    all processes stop at the next such place, write it, and the command ends with exit code 143.

    Attributes:
        best_model_path: of the best checkpoint; empty where there is none.
        best_model_score: its value of the monitored metric.
    """

    def __init__(
        self,
        monitor: str,
        mode: Literal["max", "min"] = "max",
        *,
        minutes: float | None = 10.0,
        steps: int | None = None,
    ) -> None:
        """Set what is best and how often to write.

        Args:
            monitor: name of a logged metric.
            mode: whether more of it (`max`) or less (`min`) is better.
            minutes: write `last.ckpt` inside an epoch after so many minutes; None: not by the clock.
            steps: write it after so many optimizer steps; None: not by steps.
        """
        super().__init__()
        if (minutes is not None and minutes <= 0) or (steps is not None and steps < 1):
            raise ValueError(f"minutes={minutes} and steps={steps} must be above 0, or null")
        self.monitor, self.mode = monitor, mode
        self.seconds, self.steps = minutes * 60 if minutes else math.inf, steps or math.inf
        self.directory: Path | None = None
        self.best_model_score: float | None = None
        self.best_model_path = ""
        self.signal: str | None = None
        self._ended = False
        self._saved_at, self._saved_step = time.monotonic(), 0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Settle where to write."""
        self.directory = self.directory or Path(trainer.default_root_dir) / "checkpoints"

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that was over stays over: Lightning forgets that early stopping had decided so."""
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step
        if self._ended:
            trainer.should_stop = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the signals over."""
        on_end(self._ask)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Write `last.ckpt` where it is due, and stop where that is asked for."""
        loop = trainer.fit_loop.epoch_loop
        fetcher = trainer.fit_loop._data_fetcher
        assert fetcher is not None
        # Accumulated gradients are in no checkpoint, and Lightning (2.6) resumes the last batch before a validation
        # after it: those moments wait for the next step or the end of the epoch.
        if loop._should_accumulate() or loop._num_ready_batches_reached() or loop._should_check_val_fx(fetcher):
            return
        self._save_if_due(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write `best.ckpt` where this validation is the best."""
        if trainer.state.fn != "fit" or trainer.sanity_checking or _is_trial(trainer):
            return
        metrics = trainer.callback_metrics
        if self.monitor not in metrics:
            logged = ", ".join(sorted(name for name in metrics if name.startswith("val/")))
            raise ConfigError(f"monitor={self.monitor} is not among what validation logs: {logged}")
        value = float(metrics[self.monitor])
        if self._is_better(value):
            self.best_model_score, self.best_model_path = value, str(self._path(BEST))
            trainer.save_checkpoint(self._path(BEST), weights_only=False)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write `last.ckpt`; Lightning calls callbacks of this kind after all others."""
        self._save_if_due(trainer, due=True)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the best score, and whether the run is over."""
        checkpoint[_STATE] = {"best": self.best_model_score, "ended": trainer.should_stop}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on with the best score; the best file lies beside the one that is loaded, wherever the run is now."""
        if trainer.state.fn == "fit" and _STATE in checkpoint:
            self.best_model_score, self._ended = checkpoint[_STATE]["best"], checkpoint[_STATE]["ended"]
            self.best_model_path = str(self._path(BEST)) if self.best_model_score is not None else ""

    def _save_if_due(self, trainer: pl.Trainer, *, due: bool = False) -> None:
        if _is_trial(trainer):
            return
        due = due or trainer.global_step - self._saved_step >= self.steps
        due = due or time.monotonic() - self._saved_at >= self.seconds
        due, asked = _any_process(trainer, due, self.signal is not None)
        if due or asked:
            trainer.save_checkpoint(self._path(LAST), weights_only=False)
            self._saved_at, self._saved_step = time.monotonic(), trainer.global_step
        if asked:
            name = self.signal or "a signal to another process"
            raise StoppedError(
                f"stopped by {name} after step {trainer.global_step}; resume={self._path(LAST).parent.parent} goes on"
            )

    def _path(self, name: str) -> Path:
        assert self.directory is not None
        return self.directory / name

    def _is_better(self, value: float) -> bool:
        best = self.best_model_score
        if math.isnan(value) or best is None:
            return not math.isnan(value)
        return value > best if self.mode == "max" else value < best

    def _ask(self, number: int, _: FrameType | None) -> None:
        self.signal = signal.Signals(number).name


def _any_process(trainer: pl.Trainer, *flags: bool) -> list[bool]:
    """Whether any process says so: clocks differ, and a signal may reach only one of them."""
    if trainer.world_size == 1:
        return list(flags)
    said = torch.tensor(flags, dtype=torch.int32, device=trainer.strategy.root_device)
    dist.all_reduce(said, op=dist.ReduceOp.MAX)
    return [bool(flag) for flag in said.tolist()]


def _is_trial(trainer: pl.Trainer) -> bool:
    return bool(getattr(trainer, "fast_dev_run", False))
