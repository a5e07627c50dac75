"""history.jsonl: one line an epoch, appended, so that a resumed run keeps its past."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch import Tensor


class History(pl.Callback):
    """Writes epoch, step, seconds, images a second, learning rate, mean training loss and all logged metrics.

    Lightning's CSVLogger rewrites its file when a run is resumed and loses the old rows; this file is only appended
    to. Rows of epochs that a resumed run repeats are dropped when the file is read (`read_history`).
    """

    def __init__(self, path: Path) -> None:
        """Append to `path`."""
        super().__init__()
        self.path = path
        self.loss: Tensor | None = None
        self.batches = self.images = 0
        self.started = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start counting."""
        self.loss, self.batches, self.images = None, 0, 0
        self.started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the loss up without waiting for the device."""
        loss = outputs["loss"].detach()
        self.loss = loss if self.loss is None else self.loss + loss
        self.batches += 1
        self.images += batch["image"].shape[0] * trainer.world_size

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Training of this epoch ends here; validation does not count as training time."""
        if self.batches and trainer.state.fn == "fit":
            self.seconds = time.perf_counter() - self.started

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the row of this epoch."""
        seconds = getattr(self, "seconds", None) or time.perf_counter() - self.started
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if self.loss is not None:
            values["train/loss"] = float(self.loss) / self.batches
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "train/seconds": round(seconds, 3),
            "train/images_per_second": round(self.images / max(seconds, 1e-9), 2),
            "lr": trainer.optimizers[0].param_groups[-1]["lr"],
            **dict(sorted(values.items())),
        }
        if trainer.is_global_zero and not trainer.fast_dev_run:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({k: v if math.isfinite(v) else None for k, v in row.items()}) + "\n")
        self.seconds = None


def read_history(path: Path) -> list[dict[str, Any]]:
    """Rows of a history file, one an epoch, the last writing of each epoch; empty where there is no file."""
    if not path.is_file():
        return []
    rows: dict[int, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:  # a run that was killed while it wrote
            continue
        rows = {epoch: kept for epoch, kept in rows.items() if epoch < row["epoch"]} | {row["epoch"]: row}
    return list(rows.values())


def total_seconds(rows: list[dict[str, Any]]) -> float:
    """Seconds spent in training epochs, validation not counted."""
    return float(sum(row["train/seconds"] for row in rows))


__all__ = ["History", "read_history", "total_seconds"]
