"""One training run, from its settings to its results."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from torch import nn

from locnet.callbacks.checkpoint import Checkpoints
from locnet.callbacks.ema import Ema
from locnet.callbacks.history import History, read_history, total_seconds
from locnet.callbacks.panel import dashboards_of
from locnet.callbacks.seeds import StepSeeds
from locnet.callbacks.throughput import Throughput
from locnet.config.app import Job, JobResult
from locnet.config.check import check
from locnet.config.instantiate import build
from locnet.config.schema import ModelSettings, TrainSettings
from locnet.data.augment.settings import build_augment
from locnet.data.datamodule import LabelledImagesModule
from locnet.data.workers import worker_count
from locnet.heap import keep_all
from locnet.loggers.base import RunContext
from locnet.models.backbone import check_name, image_size
from locnet.models.memory import prefers_channels_last
from locnet.models.quick_layers import quicken
from locnet.module import LocalizerModule
from locnet.optim import check_optimizer
from locnet.report.groups import check_groups
from locnet.runtime import loggers as run_loggers
from locnet.runtime import ranks
from locnet.runtime.calibrate import calibrate
from locnet.runtime.checkpoints import find_checkpoint, init_from, load_module, step_of
from locnet.runtime.collect import Collector
from locnet.runtime.fsdp import FullySharded
from locnet.runtime.labels import refuse_without_boxes, say_labels
from locnet.runtime.processes import check_strategy, replaces_norms, say_processes, scaled_lr
from locnet.runtime.provenance import provenance
from locnet.runtime.quiet import quiet
from locnet.runtime.results import write_results
from locnet.runtime.resume import checked, continued, newest_checkpoint
from locnet.runtime.rundir import claim, is_main_process, log_to, record
from locnet.runtime.summary import say_written
from locnet.runtime.trainer import build_trainer
from locnet.runtime.unused import freeze_unused
from locnet.search.pruning import Pruning

log = logging.getLogger(__name__)


def fit(job: Job) -> JobResult:
    """Train, test the best checkpoint, write the run directory.

    Raises:
        LocnetError: the configuration or the input cannot be used; nothing is trained then.
    """
    keep_all()  # the memory of one step is the next one's
    settings = check(job.config, TrainSettings)
    changes: list[str] = []
    if settings.resume:
        job, changes = continued(job)
        settings = checked(job)
    with quiet():
        # all that a typing mistake can spoil is built or checked before any data is opened
        check_name(settings.backbone.name)
        check_optimizer(settings.optimizer.name)
        start = find_checkpoint(settings.init_from, cache=settings.paths.cache) if settings.init_from else None
        pl.seed_everything(settings.seed, workers=True, verbose=False)
        data = _data(settings)
        trainer = _trainer(settings, job)
        check_strategy(settings, trainer)
        settings = scaled_lr(settings, trainer)
        loggers = [
            build(node | {"_partial_": True}, key=f"logger.{name}", allow_targets=settings.allow_targets)
            for name, node in settings.logger.items()
        ]
        # labels that cannot be used leave no run directory behind
        refuse_without_boxes(data.records, has_box=settings.head.name != "classifier")
        check_groups(settings.report.groups, data.records.extra)
        job = replace(job, run_dir=ranks.agree(trainer, job.run_dir))
        claim(job.run_dir, job.config, job.overrides, resume=settings.resume is not None)
        with log_to(job.run_dir / "train.log"):
            for line in changes:
                log.info("changed        %s", line)
            resume = newest_checkpoint(job.run_dir) if settings.resume else None
            if changes:
                record(job.run_dir, job.config, job.overrides)
            module = _module(settings, data)
            say_labels(data.reading, job.run_dir)
            if start is not None:
                used, total = init_from(module, start)
                log.info("init_from=%s: %d of %d tensors fit", settings.init_from, used, total)
            unused = freeze_unused(module) if trainer.world_size > 1 else []
            if _channels_last(settings, module, trainer):
                module.model.to(memory_format=torch.channels_last)
            if _may_quicken(settings, trainer):
                quicken(module.model)
            if settings.compile:
                module.model.compile()  # in place: names in checkpoints stay as they are (Lightning #17415)
            _say_what(settings, module, data, job, trainer)
            say_processes(settings, trainer, unused)
            value = _fit_and_test(settings, job, trainer, module, data, loggers, resume)
    return JobResult(value=value, pruned=_is_pruned(trainer), exit_code=int(data.reading.bad > 0))


def _fit_and_test(
    settings: TrainSettings,
    job: Job,
    trainer: pl.Trainer,
    module: LocalizerModule,
    data: LabelledImagesModule,
    makers: Sequence[Callable[..., Logger]],
    resume: Path | None,
) -> float | None:
    """Fit with the loggers open, and close them whatever happens; returns the best monitored value."""
    made_from = provenance(job.config)  # the code may change while it runs
    data_set = run_loggers.data_set(data.records, settings.data.name)
    context = RunContext(
        run_dir=job.run_dir,
        name=settings.name or run_loggers.run_name(job),
        tags=settings.tags,
        config={**job.config, "dataset": dict(data_set.about), "provenance": made_from},
        monitor=settings.monitor,
        mode=settings.monitor_mode,
        sweep=job.sweep_dir.name if job.sweep_dir else None,
        resumed=None if resume is None else step_of(resume),
    )
    failed, value = True, None
    loggers: list[Logger] = []
    try:
        if not is_trial(trainer):
            loggers += [run_loggers.open_logger(make, context) for make in makers]
        trainer.loggers = loggers
        for dashboard in dashboards_of(trainer):
            dashboard.use_data(data_set)
        _enter(trainer, job.run_dir)
        started = time.perf_counter()
        trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
        if trainer.interrupted:
            raise KeyboardInterrupt
        if _is_pruned(trainer):
            value = best_value(trainer)
        else:
            made_from["seconds/fit"] = round(time.perf_counter() - started, 2)
            value = _test(settings, job, trainer, module, data, made_from)
        failed = False
    finally:
        lines = run_loggers.finish(loggers, failed=failed, score=value)
    for line in lines:
        log.info("%s", line)
    return value


def _enter(trainer: pl.Trainer, run_dir: Path) -> None:
    """Tell the callbacks where to write, now that all processes agree on it."""
    for callback in cast(list[pl.Callback], trainer.callbacks):  # type: ignore[attr-defined]
        if isinstance(callback, Checkpoints):
            callback.directory = run_dir / "checkpoints"
        if isinstance(callback, History):
            callback.path = run_dir / "history.jsonl"


def is_trial(trainer: pl.Trainer) -> bool:
    """Whether this is one batch to see that everything runs (`trainer.fast_dev_run`): nothing is kept then."""
    return bool(getattr(trainer, "fast_dev_run", False))


def _is_pruned(trainer: pl.Trainer) -> bool:
    """Whether a search has stopped this trial early."""
    return any(isinstance(callback, Pruning) and callback.pruned for callback in trainer.callbacks)  # type: ignore[attr-defined]


def best_value(trainer: pl.Trainer) -> float | None:
    """The best value of the monitored metric so far, if a checkpoint was made of it."""
    score = getattr(trainer.checkpoint_callback, "best_model_score", None)
    return None if score is None else float(score)


def _data(settings: TrainSettings) -> LabelledImagesModule:
    """The data module, at the size that the backbone takes."""
    size = image_size(settings.backbone.name, settings.backbone.image_size)
    return LabelledImagesModule(
        settings.data,
        image_size=size,
        augment=build_augment(settings.augment),
        seed=settings.seed,
        cache_dir=settings.paths.cache,
    )


def _module(settings: TrainSettings, data: LabelledImagesModule) -> LocalizerModule:
    """The network and all that it learns with."""
    root = getattr(settings.data, "root", None)
    found_from_anywhere = {} if root is None else {"root": _from_anywhere(root)}
    return LocalizerModule(
        classes=data.records.classes,
        model=settings.model_dump(include=set(ModelSettings.model_fields)),
        resize=settings.data.resize,
        data=settings.data.model_dump() | found_from_anywhere,
    )


def _channels_last(settings: TrainSettings, module: LocalizerModule, trainer: pl.Trainer) -> bool:
    if settings.channels_last == "auto":
        if isinstance(trainer.strategy, FullySharded):  # it takes contiguous weights only
            return False
        return prefers_channels_last(module.model, trainer.strategy.root_device.type)
    return settings.channels_last


def _may_quicken(settings: TrainSettings, trainer: pl.Trainer) -> bool:
    """Not where layers are sharded, replaced by synchronised ones, or merged by the compiler anyway."""
    return not (replaces_norms(trainer) or settings.compile or isinstance(trainer.strategy, FullySharded))


def _from_anywhere(root: str) -> str:
    """A folder that is still right in another working directory; a URL as it is."""
    return root if "://" in root else str(Path(root).expanduser().absolute())


def _trainer(settings: TrainSettings, job: Job) -> pl.Trainer:
    """The Trainer, its loggers still to come: they open files, and start a run in the dashboard."""
    callbacks = [
        build(node, key=f"callbacks.{name}", allow_targets=settings.allow_targets)
        for name, node in settings.callbacks.items()
        if settings.trainer.get("enable_progress_bar", True) or name != "progress"
    ]
    if settings.ema.enabled:
        callbacks.append(Ema(settings.ema.decay))
    if job.trial is not None:
        callbacks.append(Pruning(job.trial, settings.monitor))
    callbacks += [StepSeeds(settings.seed), History(job.run_dir / "history.jsonl"), Throughput(), Collector()]
    return build_trainer(
        settings.trainer,
        allow_targets=settings.allow_targets,
        callbacks=callbacks,
        logger=False,
        default_root_dir=str(job.run_dir),
    )


def _millions(module: nn.Module) -> float:
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def _say_what(
    settings: TrainSettings, module: LocalizerModule, data: LabelledImagesModule, job: Job, trainer: pl.Trainer
) -> None:
    """The lines before training: what learns from what, and where it is written."""
    counts = data.records.counts()
    model = module.model
    parts: dict[str, nn.Module | None] = {
        settings.backbone.name: model.backbone,
        f"head {settings.head.name}": model.head,
        "zoom": model.zoom,
    }
    sizes = [f"{name} {_millions(part):.2f} M" for name, part in parts.items() if part is not None]
    height, width = model.image_size
    workers = worker_count(settings.data.num_workers, trainer.num_devices)
    log.info("run directory  %s", job.run_dir)
    for split, of_split in counts.items():
        classes = ", ".join(f"{name} {count}" for name, count in of_split.items())
        log.info("%-14s %d images: %s", split, sum(of_split.values()), classes)
    log.info(
        "network        %s parameters, input %d x %d%s, strides %s",
        " + ".join(sizes),
        height,
        width,
        f" (seen {model.overview} times smaller)" if model.overview > 1 else "",
        "/".join(str(stride) for stride in model.backbone.strides),
    )
    log.info(
        "training       %s epochs, %d loader worker%s, %s, %s",
        trainer.max_epochs,
        workers,
        "" if workers == 1 else "s",
        trainer.strategy.root_device,
        trainer.precision,
    )


def _test(
    settings: TrainSettings,
    job: Job,
    trainer: pl.Trainer,
    module: LocalizerModule,
    data: LabelledImagesModule,
    made_from: dict[str, Any],
) -> float | None:
    """Test the best checkpoint and write the results; returns the best monitored value."""
    checkpoint = cast(Checkpoints | None, trainer.checkpoint_callback)
    best = checkpoint.best_model_path if checkpoint else ""
    validated = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("val/")}
    tested = load_module(Path(best)) if best else module
    if settings.calibration.enabled and not is_trial(trainer):
        calibrate(trainer, tested, data, settings.calibration, Path(best) if best else None)
    [metrics] = trainer.test(tested, datamodule=data, verbose=False)
    if not is_main_process() or is_trial(trainer):
        return None
    collector = next(c for c in trainer.callbacks if isinstance(c, Collector))  # type: ignore[attr-defined]
    records = data.records
    history = read_history(job.run_dir / "history.jsonl")
    value = best_value(trainer)
    row = next((r for r in history if value is not None and r.get(settings.monitor) == value), {})
    best_values = {k: v for k, v in row.items() if k.startswith("val/")} or validated
    predictions, raw = collector.calibrated_and_raw(records.select("test"), tested)
    files = write_results(
        job.run_dir,
        split="test",
        metrics={**metrics, **best_values},
        predictions=predictions,
        records=records,
        load_image=data.picture,
        report=settings.report,
        calibration=tested.model.calibration,
        raw=raw,
        monitor=settings.monitor,
        mode=settings.monitor_mode,
        extra={
            "best/epoch": row.get("epoch"),
            "seed": settings.seed,
            **made_from,
            "seconds/training_epochs": round(total_seconds(history), 2),
        },
    )
    run_loggers.show_test(trainer, job.run_dir, predictions, data, Path(best) if best else None)
    if row:
        log.info(
            "best epoch     %d of %d (%d in history.jsonl, which counts from 0)",
            *(row["epoch"] + 1, trainer.current_epoch, row["epoch"]),
        )
    say_written(job.run_dir, [*files, *(job.run_dir / "checkpoints").glob("*.ckpt")])
    if best:
        log.info(
            "next           python -m locnet.predict checkpoint=%s source=IMAGE_OR_FOLDER annotate=true", job.run_dir
        )
    return value
