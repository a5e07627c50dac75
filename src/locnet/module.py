"""The LightningModule: model, loss, metrics, optimizer and steps, in this order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pydantic import TypeAdapter
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

import locnet
from locnet.answer import Answer, read_off
from locnet.calibration import Calibration
from locnet.config.schema import LinearHeadSettings, ModelSettings
from locnet.data.dataset import Sample
from locnet.losses import build_loss
from locnet.metrics import LocalizationMetrics, MeanLoss
from locnet.models.network import Network
from locnet.optim import build_optimizer, build_scheduler


class LocalizerModule(pl.LightningModule):
    """Trains and evaluates a `Network`. Its hyperparameters are plain Python and say all that is needed to build it.

    Attributes:
        model: the network; swapped for its moving average while that is evaluated.
        threshold: the verdict is background where p_c < threshold.
    """

    def __init__(
        self,
        *,
        classes: Sequence[str],
        model: Mapping[str, Any],
        resize: str = "squash",
        threshold: float = 0.5,
        calibration: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        version: str = locnet.__version__,
    ) -> None:
        """Build everything from plain settings.

        Args:
            classes: the C class names.
            model: the keys of `ModelSettings` (backbone, head, loss, optimizer, scheduler).
            resize: how images meet the input, `squash` or `letterbox`.
            threshold: the verdict is background where p_c < threshold.
            calibration: what `Calibration.plain` gave; None until it is learned on `val`, after training.
            data: settings of the data that it was trained on, for `evaluate` without any.
            version: of locnet, that wrote the checkpoint.
        """
        super().__init__()
        self.settings = TypeAdapter(ModelSettings).validate_python(model)
        self.classes, self.resize, self.threshold = tuple(classes), resize, threshold
        self.configure_network()
        if calibration is not None:
            self.model.calibration = TypeAdapter(Calibration).validate_python(calibration)
        self.configure_loss()
        self.configure_metrics()
        self.save_hyperparameters(
            {**self._plain_hparams(), "data": dict(data) if data else None, "version": version}, logger=False
        )

    @property
    def gives_probabilities(self) -> bool:
        """Whether p_c and class scores are probabilities, and not plain linear units (the source text's head)."""
        head = self.settings.head
        return not (isinstance(head, LinearHeadSettings) and head.activation == "none")

    def trust(self, calibration: Calibration | None, threshold: float) -> None:
        """Answer with this calibration and threshold from now on; checkpoints will hold them."""
        self.model.calibration, self.threshold = calibration, threshold
        self.hparams.update(self._plain_hparams())

    def configure_network(self) -> None:
        """Backbone and head."""
        backbone = self.settings.backbone.model_dump()
        self.model = Network(self.classes, backbone=backbone, head=self.settings.head.model_dump())

    def configure_loss(self) -> None:
        """The loss that the settings name."""
        self.loss = build_loss(**self.settings.loss.model_dump())

    def configure_metrics(self) -> None:
        """One collection of sums and one loss a split."""
        has_box = self.model.has_box
        self.metrics = nn.ModuleDict({split: LocalizationMetrics(has_box=has_box) for split in ("val", "test")})
        self.mean_loss = nn.ModuleDict({split: MeanLoss() for split in ("val", "test")})

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Timm's optimizer, and a schedule that moves every step."""
        optimizer = build_optimizer(self.model, self.settings.optimizer)
        steps, epochs = self.trainer.estimated_stepping_batches, self.trainer.max_epochs
        scheduler = build_scheduler(
            optimizer, self.settings.scheduler, steps=steps, epochs=epochs if epochs and epochs > 0 else None
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def training_step(self, batch: Sample, batch_idx: int) -> dict[str, Any]:
        """The loss of a batch, and beside it what `History` averages over the epoch."""
        parts: dict[str, Tensor] = self.loss(self.model(batch["image"]), batch["target"])
        loss = parts["loss"]
        # what the processes' common step minimises: the mean of their losses, not the first one's
        self.log("train/loss", loss.detach(), prog_bar=True, on_step=True, on_epoch=False, sync_dist=True)
        return {"loss": loss, "parts": {name: value.detach() for name, value in parts.items()}}

    def validation_step(self, batch: Sample, batch_idx: int) -> Answer | None:  # type: ignore[override]  # for callbacks
        """Add a batch to the sums of `val`."""
        return self._evaluate("val", batch)

    def test_step(self, batch: Sample, batch_idx: int) -> Answer | None:  # type: ignore[override]  # for callbacks
        """Add a batch to the sums of `test`."""
        return self._evaluate("test", batch)

    def on_validation_epoch_start(self) -> None:
        """Start from zero, all processes with the statistics that the first one saves."""
        self._reset("val")
        if self.trainer.world_size > 1:
            # without sync_batchnorm each process has means and variances of its own images in its BatchNorm layers
            for buffer in self.model.buffers():
                dist.broadcast(buffer, src=0)

    def on_test_epoch_start(self) -> None:
        """Start from zero."""
        self._reset("test")

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of all processes."""
        self._log_epoch("val")

    def on_test_epoch_end(self) -> None:
        """Log the metrics of all processes."""
        self._log_epoch("test")

    def _reset(self, split: str) -> None:
        """Fresh sums: those that `trainer.validate` leaves cannot be changed outside its inference mode, in a fit."""
        cast(LocalizationMetrics, self.metrics[split]).reset()
        cast(MeanLoss, self.mean_loss[split]).reset()

    def _evaluate(self, split: str, batch: Sample) -> Answer | None:
        if not len(batch["image"]):  # of a process that the split has no image for
            return None
        # in float32 also where training is in mixed precision: the numbers are then those that predict would give
        with torch.autocast(self.device.type, enabled=False):
            output = self.model(batch["image"])
        mean_loss = cast(MeanLoss, self.mean_loss[split])
        mean_loss.update(self.loss.terms(output.uncalibrated, batch["target"]), batch["label"] >= 0)
        answer = read_off(output.y, batch["placement"], output.raw_y)
        metrics = cast(LocalizationMetrics, self.metrics[split])
        metrics.update(answer.p_c, answer.boxes, answer.scores, batch["label"], batch["box_xyxy"], self.threshold)
        return answer

    def _log_epoch(self, split: str) -> None:
        metrics, mean_loss = cast(LocalizationMetrics, self.metrics[split]), cast(MeanLoss, self.mean_loss[split])
        values = metrics.compute()  # one all-reduce of sums: every process holds the same values from here on
        values["loss"] = mean_loss.compute()
        self._check_all_seen(split, int(values.pop("images", 0)))
        with torch.inference_mode(False):  # sums that are born in the inference mode of test cannot be added to in fit
            metrics.reset()
            mean_loss.reset()
        self.log_dict({f"{split}/{name}": value for name, value in values.items()}, prog_bar=False)

    def _check_all_seen(self, split: str, seen: int) -> None:
        """Every image exactly once, whatever the number of processes: anything else is a bug, not a rounding."""
        trainer = self.trainer
        limit = trainer.limit_val_batches if split == "val" else trainer.limit_test_batches
        whole = isinstance(limit, float) and limit == 1.0  # the number 1 is one batch, the share 1.0 all of them
        if trainer.sanity_checking or not whole or getattr(trainer, "fast_dev_run", False):
            return
        loaders = trainer.val_dataloaders if split == "val" else trainer.test_dataloaders
        expected = len(cast(Any, loaders).dataset)
        if seen != expected:
            raise AssertionError(f"{split}: {seen} samples were counted, the split has {expected}")

    def _plain_hparams(self) -> dict[str, Any]:
        """What the checkpoint holds: the settings with what timm decided filled in, and no other file needed."""
        backbone = self.model.backbone
        settings = self.settings.model_dump()
        settings["backbone"] |= {
            "image_size": list(self.model.image_size),
            "mean": list(backbone.mean),
            "std": list(backbone.std),
        }
        return {
            "classes": list(self.classes),
            "model": settings,
            "resize": self.resize,
            "threshold": self.threshold,
            "calibration": self.model.calibration.plain() if self.model.calibration else None,
        }
