"""The same validation images each time, with true and predicted box, in every logger that shows images."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger
from torch import Tensor
from torch.utils.data import default_collate

from locnet import boxes as box_maths
from locnet import target
from locnet.answer import Answer, read_off
from locnet.data.dataset import LabelledImages, Sample
from locnet.data.samplers import Draw
from locnet.module import LocalizerModule

TRUTH, PREDICTION = "truth", "prediction"


class Panel(pl.Callback):
    """Logs `val/panel` after validation, every few epochs and at the end."""

    def __init__(self, images: int = 16, every_n_epochs: int = 5) -> None:
        """Set how many images (spread evenly over the validation split) and how often."""
        super().__init__()
        self.images, self.every_n_epochs = images, every_n_epochs
        self.batch: Sample | None = None

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Answer for the fixed images and log them. The first process does it, and it reduces nothing."""
        last = trainer.max_epochs is not None and trainer.current_epoch + 1 == trainer.max_epochs
        due = (trainer.current_epoch + 1) % self.every_n_epochs == 0 or trainer.current_epoch == 0 or last
        loggers = [lg for lg in trainer.loggers if isinstance(lg, (WandbLogger, TensorBoardLogger))]
        if not (due and loggers and trainer.is_global_zero) or trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        module = cast(LocalizerModule, pl_module)
        dataset = cast(LabelledImages, cast(Any, trainer.val_dataloaders).dataset)
        batch = self._fixed(dataset)
        with torch.no_grad():
            y = module.model(batch["image"].to(module.device)).y.cpu()
        # boxes are drawn on what the network sees, so they stay in fractions of its input
        answer = read_off(y, torch.tensor((0.0, 0.0, 1.0, 1.0)).expand(len(y), 4))
        step = max(trainer.global_step - 1, 0)  # as Lightning numbers the metrics of the same validation
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                _log_wandb(logger, module, batch, answer, step)
            else:
                _log_tensorboard(logger, module, batch, answer, step)

    def _fixed(self, dataset: LabelledImages) -> Sample:
        if self.batch is None:
            rows = np.unique(np.linspace(0, len(dataset) - 1, self.images).round().astype(int))
            self.batch = cast(Sample, default_collate([dataset[Draw(int(row), None)] for row in rows]))
        return self.batch


def _captions(module: LocalizerModule, batch: Sample, answer: Answer) -> list[str]:
    lines = []
    names = module.classes
    for row, label in enumerate(batch["label"].tolist()):
        p_c = float(answer.p_c[row])
        best = names[int(answer.scores[row].argmax())]
        truth = "background" if label < 0 else names[label]
        said = "background" if p_c < module.threshold else best
        line = f"{truth} -> {said}, p_c {p_c:.2f}"
        if label >= 0 and module.model.has_box:
            iou = box_maths.paired_iou(answer.boxes[row], _true_boxes(batch)[row])
            line += f", IoU {float(iou):.2f}"
        lines.append(line)
    return lines


def _true_boxes(batch: Sample) -> Tensor:
    return target.split(batch["target"]).box


def _log_wandb(logger: WandbLogger, module: LocalizerModule, batch: Sample, answer: Answer, step: int) -> None:
    import wandb

    names = dict(enumerate((*module.classes, "background")))
    pictures = []
    for row, caption in enumerate(_captions(module, batch, answer)):
        label, p_c = int(batch["label"][row]), float(answer.p_c[row])
        drawn: dict[str, Any] = {}
        if label >= 0:
            drawn[TRUTH] = _wandb_boxes(_true_boxes(batch)[row], label, names, None)
        if module.model.has_box:
            drawn[PREDICTION] = _wandb_boxes(answer.boxes[row], int(answer.scores[row].argmax()), names, p_c)
        pixels = batch["image"][row].permute(1, 2, 0).numpy()
        pictures.append(wandb.Image(pixels, boxes=drawn or None, caption=caption))
    logger.experiment.log({"val/panel": pictures, "trainer/global_step": step})


def _wandb_boxes(box: Tensor, label: int, names: dict[int, str], p_c: float | None) -> dict[str, Any]:
    left, top, right, bottom = (float(edge) for edge in box)
    entry: dict[str, Any] = {
        "position": {"minX": left, "minY": top, "maxX": right, "maxY": bottom},
        "class_id": label,
        "box_caption": names[label] if p_c is None else f"{names[label]} {p_c:.2f}",
    }
    if p_c is not None:
        entry["scores"] = {"p_c": p_c}
    return {"box_data": [entry], "class_labels": names}


def _log_tensorboard(
    logger: TensorBoardLogger, module: LocalizerModule, batch: Sample, answer: Answer, step: int
) -> None:
    from torchvision.utils import draw_bounding_boxes, make_grid

    height, width = batch["image"].shape[-2:]
    scale = torch.tensor((width, height, width, height))
    pictures = []
    for row, label in enumerate(batch["label"].tolist()):
        picture = batch["image"][row]
        if label >= 0:
            picture = draw_bounding_boxes(picture, (_true_boxes(batch)[row] * scale)[None], colors="#0072B2", width=2)
        box = answer.boxes[row]
        if module.model.has_box and bool((box[2:] > box[:2]).all()):
            picture = draw_bounding_boxes(picture, (box * scale)[None], colors="#E69F00", width=2)
        pictures.append(picture)
    logger.experiment.add_image("val/panel", make_grid(torch.stack(pictures), nrow=4), step)
