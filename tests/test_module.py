"""Training end to end on a tiny set: checkpoints are plain, the average is what is kept, frozen history."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from locnet.callbacks.ema import Ema
from locnet.callbacks.history import History, read_history
from locnet.config.check import check
from locnet.config.compose import compose
from locnet.config.schema import ModelSettings, SchedulerSettings, TrainSettings
from locnet.data.datamodule import LabelledImagesModule
from locnet.errors import CheckpointError
from locnet.module import LocalizerModule
from locnet.optim import lr_curve
from locnet.runtime.checkpoints import find_checkpoint, init_from, load_module, read_checkpoint
from locnet.runtime.quiet import quiet

TINY = [
    "backbone.name=lcnet_035",
    "backbone.image_size=64",
    "data.size=64",
    "data.train=16",
    "data.val=8",
    "data.test=8",
]
TINY += ["data.batch_size=8", "data.num_workers=0", "trainer.accelerator=cpu"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LocalizerModule, Ema]:
    folder = tmp_path_factory.mktemp("trained")
    settings = check(compose("train", [*TINY, f"paths.cache={folder}"]), TrainSettings)
    data = LabelledImagesModule(settings.data, image_size=(64, 64), cache_dir=folder)
    torch.manual_seed(0)
    module = LocalizerModule(
        classes=data.records.classes, model=settings.model_dump(include=set(ModelSettings.model_fields))
    )
    ema = Ema(0.9)
    with quiet():
        trainer = pl.Trainer(
            max_epochs=2,
            accelerator="cpu",
            logger=False,
            callbacks=[ema, History(folder / "history.jsonl")],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(module, datamodule=data)
        trainer.save_checkpoint(folder / "a.ckpt")
    return folder, module, ema


Trained = tuple[Path, LocalizerModule, Ema]


def test_the_checkpoint_is_plain_and_holds_the_average(trained: Trained) -> None:
    folder, module, ema = trained
    content = torch.load(folder / "a.ckpt", weights_only=True)
    assert ema.ema is not None
    average = ema.ema.module.state_dict()
    assert all(torch.equal(content["state_dict"][f"model.{name}"], value) for name, value in average.items())
    raw = module.model.state_dict()
    assert all(torch.equal(content["raw_state_dict"][f"model.{name}"], value) for name, value in raw.items())
    differs = [name for name in raw if raw[name].is_floating_point() and not torch.equal(raw[name], average[name])]
    assert len(differs) > 50


def test_a_loaded_module_answers_as_the_average(trained: Trained) -> None:
    folder, _, ema = trained
    loaded = load_module(folder / "a.ckpt")
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    assert ema.ema is not None
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(images).y, ema.ema.module.eval()(images).y)
    assert not loaded.training
    plain: dict[str, Any] = dict(loaded.hparams)
    assert plain["model"]["backbone"]["mean"] == pytest.approx([0.485, 0.456, 0.406])


def test_history_has_a_row_an_epoch(trained: Trained) -> None:
    rows = read_history(trained[0] / "history.jsonl")
    assert [row["epoch"] for row in rows] == [0, 1]
    assert {"train/loss", "val/loss", "val/iou", "val/accuracy", "lr", "train/images_per_second"} <= rows[0].keys()


def test_history_of_a_resumed_run_drops_what_it_repeats(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"epoch": 0, "a": 1}\n{"epoch": 1, "a": 2}\n{"epoch": 1, "a": 3}\n{"epoch": 2, "a')
    assert read_history(path) == [{"epoch": 0, "a": 1}, {"epoch": 1, "a": 3}]
    assert read_history(tmp_path / "none") == []


def test_weights_that_fit_start_a_new_run(trained: Trained) -> None:
    settings = check(compose("train", [*TINY, "head.width=64"]), TrainSettings)
    other = LocalizerModule(classes=("x",), model=settings.model_dump(include=set(ModelSettings.model_fields)))
    used, total = init_from(other, trained[0] / "a.ckpt")
    assert 0 < used < total


def test_checkpoints_that_cannot_be_used_say_why(trained: Trained, tmp_path: Path) -> None:
    whole = (trained[0] / "a.ckpt").read_bytes()
    torn = tmp_path / "torn.ckpt"
    torn.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"torn.ckpt is not a readable checkpoint"):
        read_checkpoint(torn)
    torch.save({"state_dict": {}}, torn)
    with pytest.raises(CheckpointError, match="is not a locnet checkpoint"):
        read_checkpoint(torn)
    content = torch.load(trained[0] / "a.ckpt", weights_only=True)
    content["hyper_parameters"]["version"] = "99.0.0"
    torch.save(content, torn)
    with pytest.raises(CheckpointError, match=r"written by locnet 99.0.0, this is .*; upgrade locnet"):
        read_checkpoint(torn)
    with pytest.raises(CheckpointError, match=r"no checkpoints/best.ckpt in it"):
        find_checkpoint(str(tmp_path))


def test_the_schedule_warms_up_and_falls() -> None:
    curve = lr_curve(SchedulerSettings(name="cosine", warmup_epochs=1.0, final_lr_scale=0.1), steps=100, warmup=10)
    values = [curve(step) for step in range(101)]
    assert values[0] == pytest.approx(1 / 11)
    assert values[10] == pytest.approx(1)
    assert values[100] == pytest.approx(0.1)
    assert all(a < b for a, b in pairwise(values[:11]))
    assert all(a >= b for a, b in pairwise(values[10:]))
    endless = lr_curve(
        SchedulerSettings(name="cosine", warmup_epochs=0.0, final_lr_scale=0.1), steps=float("inf"), warmup=0
    )
    assert endless(10**6) == 1
