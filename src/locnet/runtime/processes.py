"""What several processes mean for the optimizer and for chance, and the lines that say so."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import pytorch_lightning as pl

from locnet.config.schema import TrainSettings
from locnet.errors import ConfigError
from locnet.runtime.fsdp import FullySharded

log = logging.getLogger(__name__)


def check_strategy(settings: TrainSettings, trainer: pl.Trainer) -> None:
    """Raise ConfigError where the strategy cannot do what the configuration asks for."""
    device = trainer.strategy.root_device.type
    if replaces_norms(trainer) and device == "cpu":
        raise ConfigError(
            "trainer.sync_batchnorm=true: torch synchronises BatchNorm on GPUs only; set it false with "
            "trainer.accelerator=cpu"
        )
    if isinstance(trainer.strategy, FullySharded):
        if settings.compile:
            raise ConfigError("compile=true is not supported for a sharded network (trainer=fsdp); set it false")
        if settings.channels_last is True:
            raise ConfigError(
                "channels_last=true: a sharded network (trainer=fsdp) keeps its channels first; set it auto or false"
            )


def replaces_norms(trainer: pl.Trainer) -> bool:
    """Whether other layers will take the place of BatchNorm, which synchronise (`trainer.sync_batchnorm`)."""
    return getattr(trainer.strategy, "_layer_sync", None) is not None


def scaled_lr(settings: TrainSettings, trainer: pl.Trainer) -> TrainSettings:
    """The settings with the learning rate that `scale_lr` makes of `optimizer.lr`.

    The reference is one process without accumulation: `data.batch_size` images a step. `linear` (Goyal et al., 2017)
    multiplies by how many times more images a step sees, `sqrt` by the root of it.
    """
    times = trainer.world_size * trainer.accumulate_grad_batches
    factor = {"none": 1.0, "linear": float(times), "sqrt": math.sqrt(times)}[settings.scale_lr]
    optimizer = settings.optimizer.model_copy(update={"lr": settings.optimizer.lr * factor})
    return settings.model_copy(update={"optimizer": optimizer})


def say_processes(settings: TrainSettings, trainer: pl.Trainer, unused: Sequence[str]) -> None:
    """Say how many processes train together, and how.

    Args:
        settings: with the scaled learning rate.
        trainer: that is going to train.
        unused: parameters that the loss does not depend on.
    """
    world, accumulated, batch = trainer.world_size, trainer.accumulate_grad_batches, settings.data.batch_size
    log.info(
        "optimizer      effective batch %d (%d a process x %d process%s x %d accumulated), learning rate %g "
        "(scale_lr=%s)",
        batch * world * accumulated,
        batch,
        world,
        "" if world == 1 else "es",
        accumulated,
        settings.optimizer.lr,
        settings.scale_lr,
    )
    if world > 1:
        statistics = "of all processes" if trainer.strategy._layer_sync is not None else "of each process alone"  # type: ignore[attr-defined]
        log.info(
            "processes      %d (%s); BatchNorm sees the images %s; weights, order and augmentation come from seed %d, "
            "dropout from (seed, process, step)",
            world,
            type(trainer.strategy).__name__,
            statistics,
            settings.seed,
        )
    if unused:
        log.info(
            "left out       %d parameters get no gradient: %s",
            len(unused),
            ", ".join(unused[:3]) + " ..." * (len(unused) > 3),
        )
