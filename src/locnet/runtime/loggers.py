"""The loggers of a run: opened together, shown what came of it, and closed whatever happens."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger

from locnet.callbacks.panel import Panel, dashboards_of
from locnet.config.app import Job
from locnet.config.messages import one_line
from locnet.data.datamodule import LabelledImagesModule
from locnet.data.records import SPLITS, Records
from locnet.loggers.base import Dashboard, RunContext
from locnet.loggers.content import DataSet
from locnet.loggers.results import show_results
from locnet.predictions import Predictions

log = logging.getLogger(__name__)

_BORING = (
    *("data.root=", "paths.", "hydra.", "sweep=", "logger", "backbone.checkpoint=", "tags=", "name="),
    *("trainer.accelerator=", "trainer.enable_progress_bar=", "data.num_workers="),
)
"""Beginnings of settings that do not tell one run from another."""


def run_name(job: Job) -> str:
    """What differs from the defaults, or from the other jobs of a multirun, as the dashboard shows it."""
    parts = [text.lstrip("+") for text in job.swept or job.overrides if not text.lstrip("+").startswith(_BORING)]
    return " ".join(parts)[:120] or "default"


def open_logger(maker: Callable[..., Logger], run: RunContext) -> Logger:
    """Start a logger: ours are told about the run, others take what their node says."""
    wanted = inspect.signature(maker).parameters
    return maker(run=run) if "run" in wanted else maker()


def data_set(records: Records, name: str) -> DataSet:
    """What a dashboard is told about the data; `name` is the format."""
    counts, fingerprint = records.counts(), records.fingerprint()
    about = {
        "fingerprint": fingerprint,
        "format": name,
        "root": str(records.root),
        "classes": list(records.classes),
        "images": {split: sum(counts[split].values()) for split in SPLITS},
        "objects": counts,
    }
    return DataSet(fingerprint, about)


def show_test(
    trainer: pl.Trainer, run_dir: Path, predictions: Predictions, data: LabelledImagesModule, best: Path | None
) -> None:
    """Show the test split and keep the best checkpoint. A dashboard that fails costs a warning, not the run.

    Args:
        trainer: whose loggers are open.
        run_dir: holds metrics.json.
        predictions: of the test split.
        data: that they are of.
        best: the checkpoint that gave them.
    """
    metrics: dict[str, Any] = json.loads((run_dir / "metrics.json").read_text(encoding="utf-8"))
    step = max(trainer.global_step, 1)
    panel = next((c for c in trainer.callbacks if isinstance(c, Panel)), None)  # type: ignore[attr-defined]
    try:
        dashboards = dashboards_of(trainer)
        for dashboard in dashboards:
            dashboard.summarise(_last_numbers(metrics, known=trainer.logged_metrics))
        if best is not None:
            about = _about_checkpoint(metrics, predictions)
            for dashboard in dashboards:
                dashboard.keep_checkpoint(best, about)
        shown = [one for one in dashboards if _shows_anything(one)]
        if panel is not None:
            show_results(shown, predictions, data.records, data.picture, split="test", step=step, limits=panel.limits)
    except Exception as error:  # of other people's servers, formats and disks
        log.warning("the results are not in the dashboard: %s: %s", type(error).__name__, one_line(str(error)))


def finish(loggers: Iterable[Logger], *, failed: bool, score: float | None = None) -> list[str]:
    """Close all loggers, also after an error, so that no run leaks into the next job of a multirun.

    Args:
        loggers: of the run.
        failed: how the run ended.
        score: the best value of the monitored metric: what a search optimises.

    Returns:
        What to tell the user: where to look.
    """
    return [line for logger in loggers for line in _close(logger, failed, score)]


def _close(logger: Logger, failed: bool, score: float | None) -> list[str]:
    try:
        logger.finalize("failed" if failed else "success")
        return logger.close(failed=failed, score=score) if isinstance(logger, Dashboard) else []
    except Exception as error:  # the others must be closed too
        log.warning("%s: %s: %s", type(logger).__name__, type(error).__name__, one_line(str(error)))
        return []


def _last_numbers(metrics: Mapping[str, Any], known: Container[str]) -> dict[str, float]:
    """What only metrics.json knows: the baselines, how far scores can be trusted, the best epoch."""
    wanted = ("baseline/", "best/", "threshold", "test/")
    numbers = {name: value for name, value in metrics.items() if name.startswith(wanted) and name not in known}
    return {name: float(value) for name, value in numbers.items() if isinstance(value, (int, float))}


def _about_checkpoint(metrics: Mapping[str, Any], p: Predictions) -> dict[str, Any]:
    wanted = ("val/", "test/", "best/", "data/", "config/", "git/", "version/locnet", "threshold")
    return {"classes": list(p.classes)} | {name: v for name, v in metrics.items() if name.startswith(wanted)}


def _shows_anything(dashboard: Dashboard) -> bool:
    return type(dashboard).show_chart is not Dashboard.show_chart
