"""After training: learn temperatures, threshold and residuals on `val`, and put them into the checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from locnet.calibration.estimate import estimate
from locnet.calibration.threshold import DEFAULT
from locnet.config.schema import CalibrationSettings
from locnet.data.datamodule import LabelledImagesModule
from locnet.module import LocalizerModule
from locnet.runtime.checkpoints import read_checkpoint
from locnet.runtime.collect import Collector
from locnet.runtime.rundir import is_main_process
from locnet.runtime.storage import write_checkpoint

log = logging.getLogger(__name__)

EVERYTHING = CalibrationSettings(enabled=True, temperature=True, threshold=True)


def calibrate(
    trainer: pl.Trainer,
    module: LocalizerModule,
    data: LabelledImagesModule,
    settings: CalibrationSettings,
    checkpoint: Path | None,
) -> None:
    """Calibrate the module, and the checkpoint that it was loaded from, on `val` alone.

    Every process validates its share and gathers the answers of all, so that all come to the same numbers; the first
    one rewrites the file.

    Args:
        trainer: has a `Collector` among its callbacks.
        module: the best one of the run; an older calibration in it is forgotten.
        data: of the run.
        settings: what to learn.
        checkpoint: of the module, rewritten; None where none was kept.
    """
    module.trust(None, DEFAULT)
    if trainer.limit_val_batches == 0:
        log.info("calibration    none: there was no validation (trainer.limit_val_batches=0)")
        return
    collector = next(c for c in trainer.callbacks if isinstance(c, Collector))  # type: ignore[attr-defined]
    # the loggers have these values already, of the epoch in which the weights were saved
    loggers, trainer.loggers = trainer.loggers, []
    try:
        trainer.validate(module, dataloaders=data.exact_dataloader("val"), verbose=False)
    finally:
        trainer.loggers = loggers
    answers = collector.predictions(data.records.select("val"), threshold=DEFAULT, has_box=module.model.has_box)
    learned = estimate(
        answers,
        probabilities=module.gives_probabilities,
        temperatures=settings.temperature,
        threshold=settings.threshold,
    )
    module.trust(learned.calibration, learned.threshold)
    if checkpoint is not None and is_main_process():
        rewrite(checkpoint, module)
    log.info(
        "calibration    on %d val images: temperature of p_c %s, of the class %s; background where p_c < %.3g "
        "(val accuracy %.3f, before %.3f)",
        len(answers),
        _number(learned.calibration.objectness_temperature),
        _number(learned.calibration.class_temperature),
        learned.threshold,
        learned.after,
        learned.before,
    )


def rewrite(checkpoint: Path, module: LocalizerModule) -> None:
    """Put the module's calibration and threshold into its file; a reader sees the old file or the new one."""
    content = read_checkpoint(checkpoint)
    hparams: dict[str, Any] = dict(module.hparams)
    content["hyper_parameters"] |= {name: hparams[name] for name in ("calibration", "threshold")}
    write_checkpoint(content, checkpoint)


def _number(value: float | None) -> str:
    return "not changed" if value is None else f"{value:.3g}"
