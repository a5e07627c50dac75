"""The same validation images each time, with true and predicted box, in every logger that shows images."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from torch.utils.data import default_collate

from locnet import target
from locnet.answer import Answer, read_off
from locnet.data.dataset import LabelledImages, Sample
from locnet.data.samplers import Draw
from locnet.loggers.base import Dashboard
from locnet.loggers.content import Picture
from locnet.loggers.results import Limits, picture
from locnet.module import LocalizerModule
from locnet.predictions import Predictions


class Panel(pl.Callback):
    """Logs `val/panel` after validation, every few epochs and at the end; knows how much of the test split is shown."""

    def __init__(
        self,
        images: int = 16,
        every_n_epochs: int = 5,
        table_rows: int = 10_000,
        thumbnails: int = 100,
        thumbnail_side: int = 160,
    ) -> None:
        """Set how much is shown.

        Args:
            images: of the panel, spread evenly over the validation split, and of each sheet of test images.
            every_n_epochs: how often the panel is.
            table_rows: of `test/predictions` at most.
            thumbnails: rows of it that have a picture.
            thumbnail_side: the longer side of those in pixels.
        """
        super().__init__()
        self.images, self.every_n_epochs = images, every_n_epochs
        self.limits = Limits(images, table_rows, thumbnails, thumbnail_side)
        self.batch: Sample | None = None

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Answer for the fixed images and log them. All processes answer, as a sharded network needs; one logs."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        last = trainer.max_epochs is not None and trainer.current_epoch + 1 == trainer.max_epochs
        due = (trainer.current_epoch + 1) % self.every_n_epochs == 0 or trainer.current_epoch == 0 or last
        dashboards = [one for one in dashboards_of(trainer) if type(one).show_pictures is not Dashboard.show_pictures]
        if not due or not trainer.strategy.broadcast(bool(dashboards)):  # the others need not have any
            return
        module = cast(LocalizerModule, pl_module)
        batch = self._fixed(cast(LabelledImages, cast(Any, trainer.val_dataloaders).dataset))
        with torch.no_grad():
            y = module.model(batch["image"].to(module.device)).y.cpu()
        if not trainer.is_global_zero:
            return
        # boxes are drawn on what the network sees, so they stay in fractions of its input
        answer = read_off(y, torch.tensor((0.0, 0.0, 1.0, 1.0)).expand(len(y), 4))
        pictures = _pictures(module, batch, answer)
        step = max(trainer.global_step - 1, 0)  # as Lightning numbers the metrics of the same validation
        for dashboard in dashboards:
            dashboard.show_pictures("val/panel", pictures, step)

    def _fixed(self, dataset: LabelledImages) -> Sample:
        if self.batch is None:
            rows = np.unique(np.linspace(0, len(dataset) - 1, self.images).round().astype(int))
            self.batch = cast(Sample, default_collate([dataset[Draw(int(row), None)] for row in rows]))
        return self.batch


def dashboards_of(trainer: pl.Trainer) -> list[Dashboard]:
    """The loggers of a trainer that are dashboards."""
    return [logger for logger in cast(list[object], trainer.loggers) if isinstance(logger, Dashboard)]


def _pictures(module: LocalizerModule, batch: Sample, answer: Answer) -> list[Picture]:
    count, (height, width) = len(batch["label"]), batch["image"].shape[-2:]
    labels = batch["label"].numpy()
    boxes = target.split(batch["target"]).box.double().numpy()
    predicted = answer.boxes.double().numpy()
    p = Predictions(
        classes=module.classes,
        files=[""] * count,
        sizes=np.full((count, 2), (height, width)),
        labels=labels,
        boxes=np.where(labels[:, None] < 0, np.nan, boxes),
        p_c=answer.p_c.double().numpy(),
        class_scores=answer.scores.double().numpy(),
        predicted_boxes=predicted if module.model.has_box else np.full_like(predicted, np.nan),
        threshold=module.threshold,
    )
    images = batch["image"].permute(0, 2, 3, 1).numpy()
    return [picture(p, row, Image.fromarray(images[row])) for row in range(count)]
