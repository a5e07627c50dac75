"""A signal during a fit is answered after the step, with a checkpoint; during a test it ends the process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from scenes import batches, module, trainer

from locnet.callbacks.checkpoint import Checkpoints
from locnet.errors import ConfigError, StoppedError
from locnet.runtime.collect import Collector

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers.*", "ignore:.*LeafSpec.*", "ignore:.*srun.*"
)

Settings = Callable[..., dict[str, Any]]


class Send(pl.Callback):
    """Sends a signal to this process before a batch, or in the first validation."""

    def __init__(self, number: signal.Signals, batch: int | None) -> None:
        self.number, self.batch = number, batch

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.batch:
            os.kill(os.getpid(), self.number)

    def on_validation_start(self, *_: Any) -> None:
        if self.batch is None:
            os.kill(os.getpid(), self.number)


class Handlers(pl.Callback):
    """Notes who answers the signal in a test."""

    seen: Any = None

    def on_test_batch_start(self, *_: Any) -> None:
        self.seen = signal.getsignal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("number", "batch", "step", "accumulate"),
    [(signal.SIGTERM, 0, 1, 1), (signal.SIGUSR1, 1, 2, 1), (signal.SIGTERM, 0, 1, 2), (signal.SIGTERM, None, 4, 1)],
)
def test_a_signal_stops_after_the_step_and_leaves_a_checkpoint(
    tiny_model: Settings, tmp_path: Path, number: signal.Signals, batch: int | None, step: int, accumulate: int
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    fit = trainer(
        Checkpoints("val/loss", "min"),
        Send(number, batch),
        max_epochs=3,
        accumulate_grad_batches=accumulate,
        default_root_dir=tmp_path,
        enable_checkpointing=True,
    )
    with pytest.raises(
        StoppedError, match=rf"stopped by {number.name} after step {step}; resume={tmp_path} goes on"
    ) as e:
        fit.fit(module(tiny_model(image_size=32)), batches(16), batches(6))
    assert e.value.exit_code == 143
    content = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["global_step"] == step
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_test_is_ended_at_once(tiny_model: Settings) -> None:
    handlers = Handlers()
    trainer(Collector(), handlers).test(module(tiny_model(image_size=32)), batches(6), verbose=False)
    assert handlers.seen == signal.SIG_DFL


def test_a_metric_that_nobody_logs_is_one_line(tiny_model: Settings, tmp_path: Path) -> None:
    fit = trainer(Checkpoints("val/iuo"), max_epochs=1, default_root_dir=tmp_path, enable_checkpointing=True)
    with pytest.raises(
        ConfigError, match=r"monitor=val/iuo is not among what validation logs: val/accuracy, .*val/iou"
    ):
        fit.fit(module(tiny_model(image_size=32)), batches(4), batches(6))


@pytest.mark.parametrize("settings", [{"minutes": 0.0}, {"steps": 0}])
def test_times_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be above 0, or null"):
        Checkpoints("val/iou", **settings)
