"""logger=mlflow: a run in an MLflow store, by default one file beside the run directories."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock
from pytorch_lightning.loggers import Logger, MLFlowLogger

from locnet.config.messages import one_line
from locnet.config.tree import dotted
from locnet.errors import ConfigError
from locnet.loggers.base import Dashboard, RunContext
from locnet.loggers.content import Chart, DataSet, Picture
from locnet.loggers.sent import Sent
from locnet.runtime.rundir import is_main_process

MLFLOW_ID = "mlflow_id.txt"
_FILE = "sqlite:///"
_CHATTY = ("alembic", "mlflow.store.db.utils", "pytorch_lightning.loggers.mlflow")


def mlflow_logger(*, run: RunContext, tracking_uri: str, experiment: str = "locnet") -> Logger:
    """An MLflow run.

    Args:
        run: what is logged.
        tracking_uri: `sqlite:///FILE`, or the address of a server.
        experiment: that the run belongs to.

    Raises:
        ConfigError: the package is not installed, or the store cannot be used.
    """
    try:
        return MlflowRun(run, tracking_uri, experiment)
    except ModuleNotFoundError as error:
        raise ConfigError(f"logger=mlflow needs a package: pip install 'locnet[mlflow]' ({error})") from error


class MlflowRun(Dashboard, MLFlowLogger):
    """Lightning's logger, which goes on with its run, and shows pictures and charts among the run's artifacts."""

    def __init__(self, run: RunContext, tracking_uri: str, experiment: str) -> None:
        """Open the store and start the run, or go on with the one that the run directory knows."""
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.ERROR)
        local = Path(tracking_uri.removeprefix(_FILE)).absolute() if tracking_uri.startswith(_FILE) else None
        if local is not None:
            local.parent.mkdir(parents=True, exist_ok=True)
            tracking_uri = f"{_FILE}{local}"
        id_file = run.run_dir / MLFLOW_ID
        with FileLock(f"{local}.lock") if local else nullcontext():  # two jobs may not both make its tables
            try:
                super().__init__(
                    experiment_name=experiment,
                    run_name=run.name,
                    tracking_uri=tracking_uri,
                    tags={f"tag.{tag}": "true" for tag in run.tags} | ({"sweep": run.sweep} if run.sweep else {}),
                    artifact_location=(local.parent / "mlartifacts").as_uri() if local else None,
                    run_id=id_file.read_text().strip() if id_file.is_file() else None,
                )
                self._start(run, id_file)
            except ModuleNotFoundError:
                raise
            except Exception as error:  # of MLflow, of its database, of the network
                raise ConfigError(f"logger.mlflow.tracking_uri (={tracking_uri}): {one_line(str(error))}") from error
        self.sent = Sent(run.run_dir / "mlflow_sent.json")

    def _start(self, run: RunContext, id_file: Path) -> None:
        if not is_main_process():
            return
        new = not id_file.is_file()
        id_file.write_text(str(self.run_id))
        if new:
            self.log_hyperparams(_flat(run.config))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers that were not logged before the run was resumed."""
        step = step if step is not None else 0
        new = self.sent.new(metrics, step)
        if new:
            super().log_metrics(new, step)
            self.sent.add(new, step)

    def show_pictures(self, name: str, pictures: Sequence[Picture], step: int) -> None:
        """One image of all of them, by step."""
        if pictures:
            from locnet.loggers.drawing import sheet

            self.experiment.log_image(self.run_id, sheet(pictures), f"{name}/step_{step}.png")

    def show_chart(self, name: str, chart: Chart, step: int) -> None:
        """The chart as an image."""
        from locnet.loggers.drawing import chart_figure

        self.experiment.log_figure(self.run_id, chart_figure(chart), f"{name}.png")

    def summarise(self, values: Mapping[str, float]) -> None:
        """Metrics of one step."""
        MLFlowLogger.log_metrics(self, values, 0)

    def use_data(self, data: DataSet) -> None:
        """Its fingerprint as a tag, the rest as a file."""
        self.experiment.set_tag(self.run_id, "data.fingerprint", data.fingerprint)
        self.experiment.log_dict(self.run_id, dict(data.about), "data.json")

    def keep_checkpoint(self, checkpoint: Path, about: Mapping[str, Any]) -> None:
        """Where it is: a store on the same disk gains nothing from a second copy."""
        self.experiment.set_tag(self.run_id, "checkpoint", str(checkpoint))

    def alert(self, title: str, text: str) -> None:
        """A tag of the run."""
        self.experiment.set_tag(self.run_id, f"alert.{title}", text)

    def close(self, *, failed: bool, score: float | None) -> list[str]:
        """Note the score and say where it is."""
        if not is_main_process():
            return []
        if score is not None:
            self.experiment.log_metric(self.run_id, "score", score)
        return [
            f"mlflow: run {self.run_id}, `mlflow ui --backend-store-uri {self._tracking_uri}` (needs all of mlflow)"
        ]


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """MLflow's parameters have no levels; dots stand for them."""
    return {key: value for key, value in dotted(config) if not (isinstance(value, Mapping) and value)}
