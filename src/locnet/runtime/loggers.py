"""The loggers that a configuration can name; history.jsonl is written whatever is chosen."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Literal, cast

from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from locnet.config.messages import one_line
from locnet.errors import ConfigError
from locnet.runtime.rundir import is_main_process

log = logging.getLogger(__name__)

WANDB_ID = "wandb_id.txt"
_HIGH_IS_BEST = (
    *("accuracy", "class_accuracy", "objectness_ap"),
    *("iou", "gt_known_loc", "top1_loc", "max_box_acc_v2"),
)


def wandb_logger(
    *,
    run_dir: Path,
    name: str | None,
    tags: list[str],
    config: dict[str, Any],
    monitor: str,
    project: str = "locnet",
    mode: Literal["auto", "online", "offline", "disabled"] = "auto",
    entity: str | None = None,
    group: str | None = None,
    job_type: str | None = None,
    notes: str | None = None,
    sweep: str | None = None,
) -> Logger:
    """A wandb run in the run directory, under one id from the first step on, so that a resumed run goes on with it.

    Args:
        run_dir: of this run; holds the folder `wandb/`.
        name: shown in the dashboard.
        tags: shown in the dashboard.
        config: the resolved configuration, kept nested.
        monitor: summarised by its best value, like all validation metrics.
        project: of the dashboard.
        mode: `auto` is online where the user is logged in, otherwise offline.
        entity: user or team; None is the user's default.
        group: groups runs in the dashboard; None is the multirun that the run belongs to.
        job_type: likewise.
        notes: free text.
        sweep: name of the multirun that the run is a job of.
    """
    # the import takes seconds; other loggers must not pay for it
    import wandb

    if not is_main_process():
        return WandbLogger(offline=True)  # Lightning makes it a dummy on other ranks: no run is started
    chosen = os.environ.get("WANDB_MODE") or (mode if mode != "auto" else _auto_mode())
    id_file = run_dir / WANDB_ID
    run_id = id_file.read_text().strip() if id_file.is_file() else None
    run = wandb.init(
        project=project,
        entity=entity,
        group=group or sweep,
        job_type=job_type,
        notes=notes,
        name=name,
        tags=tags,
        config=config,
        dir=run_dir,
        id=run_id,
        resume="allow" if run_id else None,
        mode=cast(Any, chosen),  # wandb says which modes it takes
        reinit="create_new",  # jobs of a multirun share a process: each gets its own run
        settings=wandb.Settings(silent=True, console="off"),
    )
    id_file.write_text(run.id)
    run.define_metric("trainer/global_step")
    for metric in ("train/*", "val/*", "test/*"):
        run.define_metric(metric, step_metric="trainer/global_step")
    # one by one: a summary of val/* would also replace the file names and captions of val/panel by "maxima"
    for best in _HIGH_IS_BEST:
        run.define_metric(f"val/{best}", step_metric="trainer/global_step", summary="max")
    run.define_metric("val/loss", step_metric="trainer/global_step", summary="min")
    return WandbLogger(experiment=run)


def csv_logger(*, run_dir: Path, **_: Any) -> Logger:
    """Lightning's CSV file in the run directory (a resumed run rewrites it; history.jsonl keeps everything)."""
    return CSVLogger(save_dir=run_dir, name="csv", version="")


def tensorboard_logger(*, run_dir: Path, **_: Any) -> Logger:
    """TensorBoard event files in the run directory.

    Raises:
        ConfigError: the package is not installed.
    """
    try:
        return TensorBoardLogger(save_dir=run_dir, name="tensorboard", version="")
    except ModuleNotFoundError as error:
        raise ConfigError(f"logger=tensorboard needs a package: pip install 'locnet[tensorboard]' ({error})") from error


def finish(loggers: list[Logger], *, failed: bool, score: float | None = None) -> list[str]:
    """Close all loggers, also after an error, so that no run leaks into the next job of a multirun.

    Args:
        loggers: of the run.
        failed: how the run ended.
        score: the best value of the monitored metric, under the name `score`: what a wandb sweep optimises. Its
            agents know no maxima of metrics (wandb #3468).

    Returns:
        What to tell the user: how to look at an offline wandb run.
    """
    lines: list[str] = []
    for logger in loggers:
        logger.finalize("failed" if failed else "success")
        if isinstance(logger, WandbLogger) and is_main_process():
            run = logger.experiment
            folder = Path(run.dir).parent if run.dir else None
            offline = bool(run.offline)
            if score is not None:
                run.log({"score": score})
            run.finish(exit_code=int(failed))
            if offline and folder is not None:
                lines.append(
                    f"wandb was offline: `wandb sync {folder}` uploads the run, "
                    f"`wandb leet {folder}` (beta) shows it here"
                )
            elif run.url:
                lines.append(f"wandb: {run.url}")
    return lines


def _auto_mode() -> Literal["online", "offline"]:
    """Online where the user is logged in and the server agrees; asks nobody."""
    import wandb

    try:
        # looks for a key in the environment, in netrc and in wandb's settings, and tries it out
        return "online" if wandb.login(prompt=False, verify=True) else "offline"
    except wandb.Error as error:
        log.warning("wandb: offline, because the login cannot be verified: %s", one_line(str(error)))
        return "offline"
