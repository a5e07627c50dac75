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
        self.started, self.seconds = time.perf_counter(), 0.0
        self.validated = False

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start counting."""
        self.loss, self.batches, self.images = None, 0, 0
        self.started, self.seconds = time.perf_counter(), 0.0
        self.validated = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the loss up without waiting for the device."""
        loss = outputs["loss"].detach() * trainer.accumulate_grad_batches  # which Lightning has divided it by
        self.loss = loss if self.loss is None else self.loss + loss
        self.batches += 1
        self.images += batch["image"].shape[0] * trainer.world_size
        now = time.perf_counter()
        self.seconds, self.started = self.seconds + now - self.started, now

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validation does not count as training time."""
        self.started, self.validated = time.perf_counter(), True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the row of this epoch."""
        # Lightning goes on showing the values of the last validation in epochs without one
        shown = {name: v for name, v in trainer.callback_metrics.items() if self.validated or name[:4] != "val/"}
        values = {name: float(value) for name, value in shown.items()}
        if self.loss is not None:
            values["train/loss"] = float(self.loss) / self.batches
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "train/seconds": round(self.seconds, 3),
            "train/images_per_second": round(self.images / max(self.seconds, 1e-9), 2),
            "lr": trainer.optimizers[0].param_groups[-1]["lr"],
            **dict(sorted(values.items())),
        }
        if trainer.is_global_zero and not getattr(trainer, "fast_dev_run", False):
            torn = self.path.is_file() and self.path.read_bytes()[-1:] not in (b"", b"\n")  # killed while writing
            with self.path.open("a", encoding="utf-8") as file:
                line = json.dumps({k: v if math.isfinite(v) else None for k, v in row.items()})
                file.write(("\n" if torn else "") + line + "\n")


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
