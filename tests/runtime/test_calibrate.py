"""Calibration after a fit: learned on val, the same on every process, kept in the file; whatever the head."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger

from locnet.calibration import Calibration
from locnet.calibration.estimate import estimate
from locnet.config.check import check
from locnet.config.compose import compose
from locnet.config.schema import CalibrationSettings, TrainSettings
from locnet.data.datamodule import LabelledImagesModule
from locnet.module import LocalizerModule
from locnet.runtime.calibrate import calibrate
from locnet.runtime.checkpoints import load_module
from locnet.runtime.collect import Collector

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*srun.*")

Settings = Callable[..., dict[str, Any]]
CLASSES = ("car", "dog", "person")
ALL = CalibrationSettings(enabled=True, temperature=True, threshold=True)
HEADS: dict[str, dict[str, Any]] = {
    "default": {},
    "classic": {
        "head": {"name": "linear", "strides": [32], "activation": "none", "dropout": 0.0},
        "loss": {"name": "squared_error"},
    },
    "softmax_box": {
        "head": {"name": "softmax_box", "strides": [32], "dropout": 0.0},
        "loss": {"name": "cross_entropy", "box": 5.0, "box_term": "smooth_l1", "label_smoothing": 0.0},
    },
    "classification": {
        "head": {"name": "classifier", "strides": [32], "dropout": 0.0},
        "loss": {"name": "cross_entropy", "box": 0.0, "box_term": "smooth_l1", "label_smoothing": 0.0},
    },
}


@pytest.fixture(scope="module")
def root(manifest: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifest(tmp_path_factory.mktemp("data") / "tiny", train=4, val=30, test=8)


def data_of(root: Path) -> LabelledImagesModule:
    typed = ["data=csv", f"data.root={root}", "data.batch_size=8", "data.num_workers=0"]
    settings = check(compose("train", typed), TrainSettings).data
    return LabelledImagesModule(settings, image_size=(64, 64))


def trainer_of(folder: Path, **options: Any) -> pl.Trainer:
    quiet: dict[str, Any] = dict.fromkeys(
        ("enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    return pl.Trainer(
        accelerator="cpu",
        callbacks=[Collector()],
        logger=CSVLogger(folder),
        default_root_dir=folder,
        **quiet,
        **options,
    )


@pytest.mark.parametrize("system", HEADS)
def test_every_system_is_calibrated_on_val_and_kept(
    tiny_model: Settings, root: Path, tmp_path: Path, system: str, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    module = LocalizerModule(classes=CLASSES, model=tiny_model(**HEADS[system])).eval()
    trainer, data, path = trainer_of(tmp_path), data_of(root), tmp_path / "best.ckpt"
    trainer.strategy.connect(module)
    trainer.save_checkpoint(path)
    with caplog.at_level(logging.INFO):
        calibrate(trainer, module, data, ALL, path)
    learned = module.model.calibration
    assert learned is not None
    assert learned.objectness_temperature is not None
    assert learned.class_temperature is not None
    assert learned.probabilities == (system != "classic")
    assert (learned.residuals.count if learned.residuals else None) == (None if system == "classification" else 23)
    assert "calibration    on 30 val images: temperature of p_c" in caplog.text
    [logger] = trainer.loggers  # back again; it has val/* already, of the epoch of these weights
    assert isinstance(logger, CSVLogger)
    assert not logger.experiment.metrics
    assert not list(tmp_path.rglob("metrics.csv"))

    loaded = load_module(path)
    assert (loaded.model.calibration, loaded.threshold) == (learned, module.threshold)
    # what the next run of val says is what was learned from the last one; again gives the same
    [values] = trainer.validate(loaded, dataloaders=data.exact_dataloader("val"), verbose=False)
    collector: Any = trainer.callbacks[0]  # type: ignore[attr-defined]
    records, has_box = data.records.select("val"), module.model.has_box
    raw = collector.predictions(records, threshold=0.5, has_box=has_box, calibrated=False)
    again = estimate(raw, probabilities=loaded.gives_probabilities)
    assert again.calibration == learned
    assert again.threshold == loaded.threshold
    assert values["val/accuracy"] == pytest.approx(again.after)
    assert again.after >= again.before
    calibrated = collector.predictions(records, threshold=0.5, has_box=has_box)
    assert calibrated.p_c == pytest.approx(learned.applied_to(raw).p_c, abs=1e-5)
    assert not np.array_equal(calibrated.p_c, raw.p_c)

    # a resumed run that finds nothing better calibrates the same file once more
    calibrate(trainer, loaded, data, ALL, path)
    assert load_module(path).model.calibration == learned


def test_parts_can_be_left_out(tiny_model: Settings, root: Path, tmp_path: Path) -> None:
    module = LocalizerModule(classes=CLASSES, model=tiny_model())
    settings = CalibrationSettings(enabled=True, temperature=False, threshold=False)
    calibrate(trainer_of(tmp_path), module, data_of(root), settings, None)
    assert module.threshold == 0.5
    learned = module.model.calibration
    assert learned == Calibration(None, None, True, learned.residuals if learned else None)
    assert learned.residuals is not None


def test_without_validation_nothing_is_learned(
    tiny_model: Settings, root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = LocalizerModule(classes=CLASSES, model=tiny_model())
    with caplog.at_level(logging.INFO):
        calibrate(trainer_of(tmp_path, limit_val_batches=0), module, data_of(root), ALL, None)
    assert module.model.calibration is None
    assert "there was no validation" in caplog.text
