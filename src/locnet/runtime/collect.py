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
from locnet.predictions import Predictions

_Columns = dict[str, NDArray[Any]]


class Collector(pl.Callback):
    """Keeps every answer of `trainer.test` and gathers them in the order of the data set.

    Attributes:
        columns: index, p_c, boxes, scores, size of all images, after the epoch; the same on every process.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[_Columns] = []
        self.columns: _Columns | None = None

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Move a batch of answers to the CPU."""
        answer: Answer | None = outputs
        if answer is None:  # a batch of no images
            return
        tensors = {
            "index": batch["index"],
            "size": batch["size"],
            "p_c": answer.p_c,
            "boxes": answer.boxes,
            "scores": answer.scores,
        }
        self.batches.append({name: value.cpu().numpy() for name, value in tensors.items()})

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put all processes' answers together."""
        parts: list[list[_Columns]] = [self.batches]
        if trainer.world_size > 1:
            parts = [[] for _ in range(trainer.world_size)]
            dist.all_gather_object(parts, self.batches)
        batches = [batch for part in parts for batch in part]
        order = np.concatenate([batch["index"] for batch in batches]).argsort(kind="stable")
        self.columns = {name: np.concatenate([b[name] for b in batches])[order] for name in batches[0]}
        self.batches = []

    def predictions(self, records: Records, *, threshold: float, has_box: bool) -> Predictions:
        """The table of the split that `records` are."""
        columns = self.columns
        assert columns is not None, "trainer.test has not run"
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
        )
