"""logger=csv: one file of numbers, a row a step, that a resumed run goes on with."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger, Logger

from locnet.loggers.base import Dashboard, RunContext
from locnet.runtime.rundir import is_main_process


def csv_logger(*, run: RunContext) -> Logger:
    """`csv/metrics.csv` in the run directory."""
    return CsvRun(run)


class CsvRun(Dashboard, CSVLogger):
    """Lightning's logger, which deletes the file that is there; here the rows that a resumed run does not redo stay."""

    def __init__(self, run: RunContext) -> None:
        """Take over the rows of `run` that it has done already."""
        super().__init__(save_dir=run.run_dir, name="csv", version="", flush_logs_every_n_steps=1)
        self.path = run.run_dir / "csv" / "metrics.csv"
        if is_main_process():
            kept = _rows_before(self.path, run.resumed)
            self.experiment.metrics = kept
            self.save()

    def close(self, *, failed: bool, score: float | None) -> list[str]:
        """Say where the file is."""
        return [f"csv: {self.path}"] if self.path.is_file() else []


def _rows_before(path: Path, step: int | None) -> list[dict[str, Any]]:
    """The rows of steps that are not done again; cells that hold nothing are left out."""
    if step is None or not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]
    return [row for row in rows if row.get("step", "").isdigit() and int(row["step"]) < step]
