"""logger=wandb: a run in Weights & Biases, online or in a folder that `wandb sync` uploads later."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from pytorch_lightning.loggers import Logger, WandbLogger

from locnet.config.messages import one_line
from locnet.loggers import wandb_media
from locnet.loggers.base import EPOCH, SAMPLES, Dashboard, RunContext
from locnet.loggers.content import Chart, DataSet, Picture, PredictionTable
from locnet.loggers.sent import Sent
from locnet.runtime.checkpoints import for_answers_only
from locnet.runtime.rundir import is_main_process

log = logging.getLogger(__name__)

WANDB_ID = "wandb_id.txt"
STEP = "trainer/global_step"
_HIGH_IS_BEST = (
    *("accuracy", "class_accuracy", "objectness_ap"),
    *("iou", "gt_known_loc", "top1_loc", "max_box_acc_v2"),
)


def wandb_logger(
    *,
    run: RunContext,
    project: str = "locnet",
    mode: Literal["auto", "online", "offline", "disabled"] = "auto",
    entity: str | None = None,
    group: str | None = None,
    job_type: str | None = None,
    notes: str | None = None,
    keep_checkpoint: bool = True,
) -> Logger:
    """A wandb run in the run directory, under one id from the first step on, so that a resumed run goes on with it.

    Args:
        run: what is logged; its directory holds the folder `wandb/`.
        project: of the dashboard.
        mode: `auto` is online where the user is logged in, otherwise offline.
        entity: user or team; None is the user's default.
        group: groups runs in the dashboard; None is the multirun that the run belongs to.
        job_type: likewise.
        notes: free text.
        keep_checkpoint: upload the best checkpoint as an artifact.
    """
    # the import takes seconds; other loggers must not pay for it
    import wandb

    if not is_main_process():
        return WandbLogger(offline=True)  # Lightning makes it a dummy on other ranks: no run is started
    chosen = os.environ.get("WANDB_MODE") or (mode if mode != "auto" else _auto_mode())
    id_file = run.run_dir / WANDB_ID
    run_id = id_file.read_text().strip() if id_file.is_file() else None
    started = wandb.init(
        project=project,
        entity=entity,
        group=group or run.sweep,
        job_type=job_type,
        notes=notes,
        name=run.name,
        tags=list(run.tags),
        config=dict(run.config),
        dir=run.run_dir,
        id=run_id,
        resume="allow" if run_id else None,
        mode=cast(Any, chosen),  # wandb says which modes it takes
        reinit="create_new",  # jobs of a multirun share a process: each gets its own run
        settings=wandb.Settings(silent=True, console="off"),
    )
    id_file.write_text(started.id)
    _define_metrics(started, run)
    return WandbRun(started, run, keep=keep_checkpoint)


def _define_metrics(started: Any, run: RunContext) -> None:
    """Axes and summaries: validation metrics by their best and their last value, everything else by the last one."""
    for axis in (STEP, EPOCH, SAMPLES):
        started.define_metric(axis, hidden=True)
    for section in ("train/*", "val/*", "test/*", "system/*"):
        started.define_metric(section, step_metric=STEP)
    # one by one: a summary of val/* would also replace the file names and captions of val/panel by "maxima"
    best = {f"val/{name}": "max" for name in _HIGH_IS_BEST} | {"val/loss": "min", run.monitor: run.mode}
    for name, extreme in best.items():
        started.define_metric(name, step_metric=STEP, summary=f"{extreme},last")


class WandbRun(Dashboard, WandbLogger):
    """Lightning's logger around a run, and all that a dashboard can show."""

    def __init__(self, started: Any, run: RunContext, *, keep: bool) -> None:
        """Log to a run that has been started.

        Args:
            started: what `wandb.init` gave.
            run: what is logged.
            keep: upload the best checkpoint.
        """
        super().__init__(experiment=started)
        self.run, self.keep = run, keep
        self.sent = Sent(run.run_dir / "wandb_sent.json")

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers with everything that they can be drawn over."""
        self._send(metrics, step if step is not None else 0)

    def show_pictures(self, name: str, pictures: Sequence[Picture], step: int) -> None:
        """Images whose boxes can be switched on and off."""
        if pictures:
            self._send({name: [wandb_media.picture(shown) for shown in pictures]}, step)

    def show_chart(self, name: str, chart: Chart, step: int) -> None:
        """A chart that shows its numbers under the pointer."""
        self._send({name: wandb_media.chart(chart)}, step)

    def show_table(self, name: str, table: PredictionTable, step: int) -> None:
        """A table that can be sorted, filtered and grouped."""
        self._send({name: wandb_media.table(table)}, step)

    def summarise(self, values: Mapping[str, float]) -> None:
        """Columns of the table of runs."""
        self.experiment.summary.update(dict(values))

    def use_data(self, data: DataSet) -> None:
        """The fingerprint and counts as an input artifact, the images stay where they are."""
        import wandb

        artifact = wandb.Artifact(f"data-{data.fingerprint}", type="dataset", metadata=dict(data.about))
        with artifact.new_file("data.json") as file:
            file.write(wandb_media.as_json(data.about))
        if self.experiment.offline:
            # The public use_artifact asks the server. This is what it does with a new one (wandb 0.31), and works later
            self.experiment._log_artifact(artifact, is_user_created=True, use_after_commit=True)
        else:
            self.experiment.use_artifact(artifact)

    def keep_checkpoint(self, checkpoint: Path, about: Mapping[str, Any]) -> None:
        """The checkpoint, without what only training needs, as the next version of the run's own artifact."""
        import wandb

        if not self.keep:
            return
        artifact = wandb.Artifact(f"model-{self.experiment.id}", type="model", metadata=dict(about))
        small = self.run.run_dir / "wandb" / checkpoint.name
        small.parent.mkdir(exist_ok=True)  # wandb leaves it out when it is disabled
        try:
            for_answers_only(checkpoint, small)
            artifact.add_file(str(small), name=checkpoint.name)  # wandb copies it
        finally:
            small.unlink(missing_ok=True)
        self.experiment.log_artifact(artifact, aliases=["best", "latest"])

    def alert(self, title: str, text: str) -> None:
        """Mail or Slack, as the user has set in wandb."""
        self.experiment.alert(title, text, level="WARN")

    def close(self, *, failed: bool, score: float | None) -> list[str]:
        """End the run; `score` is what a wandb sweep optimises: its agents know no maxima of metrics (wandb #3468)."""
        started = self.experiment
        if score is not None:
            started.log({"score": score})
        offline = bool(started.offline)
        started.finish(exit_code=int(failed))
        if offline and started.dir:
            folder = Path(started.dir).parent
            parts = " ".join(str(part) for part in sorted(folder.parent.glob(f"offline-run-*-{started.id}*")))
            return [
                f"wandb was offline: `wandb sync {parts}` uploads the run, `wandb leet {folder}` (beta) shows it here"
            ]
        return [f"wandb: {started.url}"] if started.url and not offline else []

    def _send(self, content: Mapping[str, Any], step: int) -> None:
        """One row, without what an earlier part of this run has sent."""
        new = self.sent.new({name: value for name, value in content.items() if name != EPOCH}, step)
        if not new:
            return
        clock = {**self.clock, **{name: value for name, value in content.items() if name == EPOCH}}
        self.experiment.log({**clock, **new, STEP: step}, step=self.sent.rows)
        self.sent.add(new, step)


def _auto_mode() -> Literal["online", "offline"]:
    """Online where the user is logged in and the server agrees; asks nobody."""
    import wandb

    try:
        # looks for a key in the environment, in netrc and in wandb's settings, and tries it out
        return "online" if wandb.login(prompt=False, verify=True) else "offline"
    except wandb.Error as error:
        log.warning("wandb: offline, because the login cannot be verified: %s", one_line(str(error)))
        return "offline"
