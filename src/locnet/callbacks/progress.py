"""How far a run is: a live bar in a terminal, a plain line now and then everywhere else."""

from __future__ import annotations

import math
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks.progress.progress_bar import ProgressBar

from locnet.callbacks.throughput import Throughput
from locnet.runtime.screen import Bar, open_screen

_REFRESH = 0.25  # seconds between two looks at the loss, which waits for the device
_SHOWN = {"val/iou": "IoU", "val/accuracy": "accuracy"}  # the second for systems without boxes


class Progress(ProgressBar):
    """Epoch, loss, IoU, images a second, share of waiting for data and time left."""

    def __init__(self, seconds: float = 300.0) -> None:
        """Set how often there is a line inside an epoch (after each epoch there is one) where no bar is."""
        super().__init__()
        self.seconds = seconds
        self._bar: Bar | None = None
        self._enabled = True
        self._refreshed = self._said = self._began = 0.0
        self._done_before = 0

    def disable(self) -> None:
        """Say nothing: of several processes only the first one speaks."""
        self._enabled = False

    def enable(self) -> None:
        """Speak."""
        self._enabled = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to count."""
        self._began = self._said = time.monotonic()
        self._done_before = self._batches_done(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A bar an epoch."""
        super().on_train_epoch_start(trainer, pl_module)
        self._open(_epoch(trainer), _count(trainer.num_training_batches))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar, and say so where there is none and the epoch is long."""
        now = time.monotonic()
        if not self._enabled or now - self._refreshed < _REFRESH:
            return
        self._refreshed = now
        if self._bar is None:  # a run that was resumed inside an epoch
            self._open(_epoch(trainer), _count(trainer.num_training_batches))
        assert self._bar is not None
        if self._bar.live:
            wide = self._bar.wide
            self._bar.move(batch_idx + 1, self._text(trainer, wide=wide))
        elif now - self._said >= self.seconds:
            self._say(trainer, f"{_epoch(trainer)}, batch {batch_idx + 1}/{_count(trainer.num_training_batches)}")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """One line that stays."""
        if self._enabled:
            self._say(trainer, _epoch(trainer))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Clear the terminal for what comes next."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Likewise."""
        self._close()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A bar for the test."""
        self._open("test", _count(sum(_list(trainer.num_test_batches))))

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        """Move it."""
        if self._bar is not None and self._bar.live:
            self._bar.move(batch_idx + 1, "")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Clear the terminal."""
        self._close()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Clear the terminal, whatever has happened."""
        self._close()

    def _open(self, title: str, total: int | None) -> None:
        if not self._enabled:
            return
        if self._bar is None:
            self._bar = open_screen()
        self._bar.begin(title, total)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _say(self, trainer: pl.Trainer, title: str) -> None:
        self._said = time.monotonic()
        if self._bar is None:  # the last batches of an epoch that a run was resumed in
            self._open(_epoch(trainer), _count(trainer.num_training_batches))
        assert self._bar is not None
        self._bar.say(f"{title:<14} {self._text(trainer, wide=True)}")

    def _text(self, trainer: pl.Trainer, *, wide: bool) -> str:
        metrics = trainer.callback_metrics
        measured = next((c for c in trainer.callbacks if isinstance(c, Throughput)), None)  # type: ignore[attr-defined]
        speed, wait = measured.now(trainer) if measured else (None, None)
        parts = [f"loss {float(metrics['train/loss']):.3f}"] if "train/loss" in metrics else []
        shown = next((name for name in _SHOWN if name in metrics), None)
        parts += [f"{_SHOWN[shown]} {float(metrics[shown]):.3f}"] if shown else []
        parts += [f"{speed:.0f} images/s" if wide else f"{speed:.0f}/s"] if speed is not None else []
        parts += [f"data wait {100 * wait:.0f} %" if wide else f"wait {100 * wait:.0f} %"] if wait is not None else []
        left = self._seconds_left(trainer)
        parts += [f"ETA {_clock(left)}"] if left is not None else []
        return (", " if wide else "  ").join(parts)

    def _seconds_left(self, trainer: pl.Trainer) -> float | None:
        """By the mean time of a batch so far, validation and all else counted in."""
        total, done = _batches_in_all(trainer), self._batches_done(trainer)
        here = done - self._done_before
        if total is None or here <= 0:
            return None
        return (time.monotonic() - self._began) / here * max(total - done, 0)

    @staticmethod
    def _batches_done(trainer: pl.Trainer) -> int:
        return trainer.fit_loop.epoch_loop.total_batch_idx + 1


def _batches_in_all(trainer: pl.Trainer) -> int | None:
    by_epochs = by_steps = math.inf
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        by_epochs = trainer.max_epochs * trainer.num_training_batches
    if trainer.max_steps > 0:
        by_steps = trainer.max_steps * trainer.accumulate_grad_batches
    least = min(by_epochs, by_steps)
    return None if math.isinf(least) else int(least)


def _epoch(trainer: pl.Trainer) -> str:
    of = f"/{trainer.max_epochs}" if trainer.max_epochs is not None and trainer.max_epochs > 0 else ""
    return f"epoch {trainer.current_epoch + 1}{of}"


def _count(batches: float) -> int | None:
    return None if math.isinf(batches) else int(batches)


def _list(value: Any) -> list[float]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
