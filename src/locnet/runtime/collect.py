"""All answers of a split, from all processes, as one table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch.distributed as dist
from numpy.typing import NDArray

from locnet.answer import Answer
from locnet.data.dataset import Sample
from locnet.data.records import Records
from locnet.module import LocalizerModule
from locnet.predictions import Predictions
from locnet.runtime.signals import on_end

_Columns = dict[str, NDArray[Any]]


class Collector(pl.Callback):
    """Keeps every answer of `trainer.test` and `trainer.validate` and gathers them in the order of the data set.

    Attributes:
        columns: index, p_c, boxes, scores, size of all images, after the epoch, and raw_p_c and raw_scores where they
            were calibrated; the same on every process.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[_Columns] = []
        self.columns: _Columns | None = None

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """There is nothing to save in a test: SIGTERM ends it at once."""
        on_end(None)

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Sample, *_: Any
    ) -> None:
        """Move a batch of answers to the CPU."""
        self._keep(outputs, batch)

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Sample, *_: Any
    ) -> None:
        """The same, but not for the validations within a fit."""
        if trainer.state.fn == "validate":
            self._keep(outputs, batch)

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put all processes' answers together."""
        self._gather(trainer)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same, but not for the validations within a fit."""
        if trainer.state.fn == "validate":
            self._gather(trainer)

    def _keep(self, answer: Answer | None, batch: Sample) -> None:
        if answer is None:  # a batch of no images
            return
        tensors = {
            "index": batch["index"],
            "size": batch["size"],
            "p_c": answer.p_c,
            "boxes": answer.boxes,
            "scores": answer.scores,
        }
        if answer.raw is not None:
            tensors |= dict(zip(("raw_p_c", "raw_scores"), answer.raw, strict=True))
        self.batches.append({name: value.cpu().numpy() for name, value in tensors.items()})

    def _gather(self, trainer: pl.Trainer) -> None:
        parts: list[list[_Columns]] = [self.batches]
        if trainer.world_size > 1:
            parts = [[] for _ in range(trainer.world_size)]
            dist.all_gather_object(parts, self.batches)
        batches = [batch for part in parts for batch in part]
        order = np.concatenate([batch["index"] for batch in batches]).argsort(kind="stable")
        self.columns = {name: np.concatenate([b[name] for b in batches])[order] for name in batches[0]}
        self.batches = []

    def predictions(self, records: Records, *, threshold: float, has_box: bool, calibrated: bool = True) -> Predictions:
        """The table of the split that `records` are; with `calibrated=False`, of what the head itself said."""
        columns = self.columns
        assert columns is not None, "neither trainer.test nor trainer.validate has run"
        if not calibrated:
            columns = columns | {name: columns.get(f"raw_{name}", columns[name]) for name in ("p_c", "scores")}
        rows = columns["index"]
        boxes = columns["boxes"].astype(np.float64)
        return Predictions(
            classes=records.classes,
            files=[str(file) for file in records.files[rows]],
            sizes=columns["size"].astype(np.int64),
            labels=records.labels[rows],
            boxes=records.boxes[rows],
            p_c=columns["p_c"].astype(np.float64),
            class_scores=columns["scores"].astype(np.float64),
            predicted_boxes=boxes if has_box else np.full_like(boxes, np.nan),
            threshold=threshold,
            extra={name: column[rows].tolist() for name, column in records.extra.items()},
        )

    def calibrated_and_raw(self, records: Records, module: LocalizerModule) -> tuple[Predictions, Predictions]:
        """The table of the split that `records` are, with the module's threshold: calibrated, and as the head said."""
        settings: dict[str, Any] = {"threshold": module.threshold, "has_box": module.model.has_box}
        return self.predictions(records, **settings), self.predictions(records, **settings, calibrated=False)
