"""history.jsonl: one line an epoch, and a resumed run goes on with it as if nothing had happened."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor

from locnet.metrics import SUM_DTYPE
from locnet.runtime.files import replace_text

_STATE = "history"


class History(pl.Callback):
    """Writes epoch, step, seconds, images a second, learning rate, mean training losses and all logged metrics.

    Lightning's CSVLogger rewrites its file when a run is resumed and loses the old rows. Here a checkpoint knows how
    many rows there were, and the sums of an epoch that it was saved in: a resumed run drops the rows that it is going
    to write again, and its next row counts the whole epoch.
    """

    def __init__(self, path: Path) -> None:
        """Append to `path`."""
        super().__init__()
        self.path = path
        self.rows = 0
        self.names: list[str] = []
        self.sums: Tensor | None = None
        self.batches = self.images = 0
        self.started, self.seconds = time.perf_counter(), 0.0
        self.validated = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget rows that are going to be written again (all of them, where the run starts from the beginning)."""
        self.started = time.perf_counter()
        if trainer.is_global_zero and not _is_trial(trainer):
            keep_rows(self.path, self.rows)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start counting; Lightning does not call this in an epoch that a run is resumed in."""
        self.sums, self.batches, self.images = None, 0, 0
        self.started, self.seconds = time.perf_counter(), 0.0
        self.validated = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the losses up without waiting for the device."""
        parts: dict[str, Tensor] = outputs["parts"]
        self.names = list(parts)
        losses = torch.stack(list(parts.values())).to(SUM_DTYPE)
        self.sums = losses if self.sums is None else self.sums.to(losses.device) + losses
        self.batches += 1
        self.images += batch["image"].shape[0] * trainer.world_size
        now = time.perf_counter()
        self.seconds, self.started = self.seconds + now - self.started, now

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validation does not count as training time."""
        self.started, self.validated = time.perf_counter(), True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the row of this epoch."""
        means = self._means(pl_module)
        for name, value in means.items():
            if name != "train/loss":  # which has been logged step by step
                pl_module.log(name, value)
        # Lightning goes on showing the values of the last validation in epochs without one
        shown = {name: v for name, v in trainer.callback_metrics.items() if self.validated or name[:4] != "val/"}
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "train/seconds": round(self.seconds, 3),
            "train/images_per_second": round(self.images / max(self.seconds, 1e-9), 2),
            "lr": trainer.optimizers[0].param_groups[-1]["lr"],
            **dict(sorted(({name: float(value) for name, value in shown.items()} | means).items())),
        }
        if not _is_trial(trainer):
            self.rows += 1
            if trainer.is_global_zero:
                append_row(self.path, row)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep every process's sums: added up in another order they would round otherwise."""
        checkpoint[_STATE] = {
            "rows": self.rows,
            "names": self.names,
            "sums": self._of_all_processes(pl_module),
            "batches": self.batches,
            "images": self.images,
            "seconds": self.seconds,
            "validated": self.validated,
        }

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on counting."""
        state = checkpoint.get(_STATE)
        if state is None or trainer.state.fn != "fit":
            return
        self.rows, self.names = state["rows"], list(state["names"])
        sums: Sequence[Tensor] | None = state["sums"]
        self.sums = sums[trainer.global_rank].to(pl_module.device) if sums is not None else None
        self.batches, self.images, self.seconds = state["batches"], state["images"], state["seconds"]
        self.validated = state["validated"]

    def _means(self, pl_module: pl.LightningModule) -> dict[str, float]:
        """Mean of each part of the training loss over all processes' batches of the epoch."""
        sums = self._of_all_processes(pl_module)
        if sums is None:
            return {}
        means = (sums.sum(0) / (len(sums) * self.batches)).tolist()
        parts = zip(self.names, means, strict=True)
        named = {"train/loss" if name == "loss" else f"train/loss_{name}": mean for name, mean in parts}
        return {"train/loss": named["train/loss"]} if len(named) == 2 else named  # a single part is the loss

    def _of_all_processes(self, pl_module: pl.LightningModule) -> Tensor | None:
        """`(processes, parts)` sums on the CPU; None before the first batch of an epoch."""
        if self.sums is None:
            return None
        sums = self.sums.to(pl_module.device)
        parts = [sums]
        if pl_module.trainer.world_size > 1:
            parts = [torch.empty_like(sums) for _ in range(pl_module.trainer.world_size)]
            dist.all_gather(parts, sums)
        return torch.stack(parts).cpu()


def read_history(path: Path) -> list[dict[str, Any]]:
    """Rows of a history file, one an epoch, the last writing of each epoch; empty where there is no file."""
    if not path.is_file():
        return []
    rows: dict[int, dict[str, Any]] = {}
    for row in _rows(path):
        rows = {epoch: kept for epoch, kept in rows.items() if epoch < row["epoch"]} | {row["epoch"]: row}
    return list(rows.values())


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Write a row so that it is on the disk before a checkpoint says that it is."""
    line = json.dumps({k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()})
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def keep_rows(path: Path, count: int) -> None:
    """Leave the first rows of a file, and drop what follows: later rows, and a line that was never finished."""
    if not path.is_file():
        return
    kept = "".join(json.dumps(row) + "\n" for row in _rows(path)[:count])
    if kept != path.read_text(encoding="utf-8"):
        replace_text(path, kept)


def total_seconds(rows: list[dict[str, Any]]) -> float:
    """Seconds spent in training epochs, validation not counted."""
    return float(sum(row["train/seconds"] for row in rows))


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = (_row(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row is not None]


def _row(line: str) -> dict[str, Any] | None:
    try:
        row: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:  # a run that was killed while it wrote
        return None
    return row


def _is_trial(trainer: pl.Trainer) -> bool:
    return bool(getattr(trainer, "fast_dev_run", False))


__all__ = ["History", "append_row", "keep_rows", "read_history", "total_seconds"]
