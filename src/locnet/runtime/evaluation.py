"""Evaluate a checkpoint on labelled data."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import cast

from locnet.callbacks.progress import Progress
from locnet.config.app import Job, JobResult
from locnet.config.check import check
from locnet.config.schema import EvaluateSettings
from locnet.data.datamodule import LabelledImagesModule
from locnet.data.resize import ResizeMode
from locnet.report.groups import check_groups
from locnet.runtime.calibrate import EVERYTHING, calibrate
from locnet.runtime.checkpoints import find_checkpoint, load_module
from locnet.runtime.collect import Collector
from locnet.runtime.labels import refuse_without_boxes, say_labels
from locnet.runtime.provenance import provenance
from locnet.runtime.quiet import quiet
from locnet.runtime.remembered import trained_on
from locnet.runtime.results import write_results
from locnet.runtime.rundir import claim, is_main_process, log_to
from locnet.runtime.storage import BEST
from locnet.runtime.summary import say_written
from locnet.runtime.trainer import build_trainer

log = logging.getLogger(__name__)


def evaluate(job: Job) -> JobResult:
    """Metrics, predictions, plots and table of one split.

    Raises:
        LocnetError: the checkpoint, the configuration or the data cannot be used.
    """
    settings = check(job.config, EvaluateSettings)
    path = find_checkpoint(settings.checkpoint, cache=settings.paths.cache)
    module = load_module(path)
    data = LabelledImagesModule(
        settings.data or trained_on(module.hparams),
        image_size=module.model.image_size,
        classes=module.classes,
        resize=cast(ResizeMode, module.resize),
        cache_dir=settings.paths.cache,
    )
    for split in {settings.split, "val"} if settings.calibrate else {settings.split}:
        data.dataset(split)  # labels that cannot be used leave no run directory behind
    refuse_without_boxes(data.records, has_box=module.model.has_box)
    check_groups(settings.report.groups, data.records.extra)
    claim(job.run_dir, job.config, job.overrides)
    with quiet(), log_to(job.run_dir / "evaluate.log"):
        collector = Collector()
        trainer = build_trainer(
            settings.trainer,
            allow_targets=settings.allow_targets,
            callbacks=[collector, *([Progress()] if settings.trainer.get("enable_progress_bar", True) else [])],
            logger=False,
            enable_checkpointing=False,
            default_root_dir=str(job.run_dir),
        )
        data.trainer = trainer
        log.info("checkpoint     %s", path)
        say_labels(data.reading, job.run_dir)
        if settings.calibrate:
            calibrate(trainer, module, data, EVERYTHING, _copy(path, job.run_dir))
        if settings.threshold is not None:
            module.threshold = settings.threshold
        [metrics] = trainer.test(module, dataloaders=data.exact_dataloader(settings.split), verbose=False)
        if not is_main_process():
            return JobResult()
        records = data.records
        predictions, raw = collector.calibrated_and_raw(records.select(settings.split), module)
        named = {f"{settings.split}/{name.partition('/')[2]}": value for name, value in metrics.items()}
        files = write_results(
            job.run_dir,
            split=settings.split,
            metrics=named,
            predictions=predictions,
            records=records,
            load_image=data.picture,
            report=settings.report,
            calibration=module.model.calibration,
            raw=raw,
            extra={"checkpoint": str(path), **provenance(job.config)},
        )
        say_written(job.run_dir, files)
    return JobResult(value=named.get(f"{settings.split}/iou"), exit_code=int(data.reading.bad > 0))


def _copy(checkpoint: Path, run_dir: Path) -> Path:
    """The checkpoint where a run directory has its own, so that this one can be given to the other commands."""
    copy = run_dir / "checkpoints" / BEST
    if is_main_process():
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(checkpoint, copy)
    return copy
