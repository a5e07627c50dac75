"""The four systems and the default learn on images in memory; what is logged and kept is plain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from scenes import batches, module, trainer

from locnet.callbacks.ema import Ema
from locnet.module import LocalizerModule
from locnet.runtime.checkpoints import load_module

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*Checkpoint directory.*")

Settings = Callable[..., dict[str, Any]]

LINEAR = {"name": "linear", "strides": [32], "activation": "none", "dropout": 0.0}
SOFTMAX = {"name": "softmax_box", "strides": [32], "dropout": 0.0}
GRID = {"name": "grid", "strides": [4, 8, 16, 32], "grid_stride": 8, "width": 16, "depth": 1, "dropout": 0.0, "bins": 0}
GRID |= {"read_off": "local", "edge_attention": True, "refine": True}
SQUARED = {"name": "squared_error"}
ENTROPY = {"name": "cross_entropy", "box_term": "smooth_l1", "label_smoothing": 0.0}
PARTS = {"objectness": 1.0, "classes": 1.0, "box": 2.0, "l1": 1.0, "cells": 1.0, "edges": 1.0}
MULTIPART = {"name": "multipart", **PARTS, "box_term": "giou", "label_smoothing": 0.0}
SYSTEMS = {
    "classification": (SOFTMAX | {"name": "classifier"}, ENTROPY | {"box": 0.0}),
    "softmax_box": (SOFTMAX, ENTROPY | {"box": 5.0}),
    "classic": (LINEAR, SQUARED),
    "default": (GRID, MULTIPART),
    "grid-global": (GRID | {"read_off": "global", "edge_attention": False, "bins": 8}, MULTIPART),
    "grid-squared": (GRID | {"refine": False}, SQUARED),
}
BOX = {"iou", "gt_known_loc", "top1_loc", "max_box_acc_v2"}
ALWAYS = {"accuracy", "class_accuracy", "objectness_ap", "loss"}


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_learns_and_comes_back_from_its_checkpoint(
    tiny_model: Settings, system: str, precision: Any, tmp_path: Path
) -> None:
    head, loss = SYSTEMS[system]
    settings = tiny_model(head=head, loss=loss, image_size=32)
    settings["optimizer"]["lr"] = 3e-3
    network = module(settings)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fit = trainer(max_epochs=3, precision=precision)
    fit.fit(network, batches(24), batches(7))
    logged = {name.removeprefix("val/") for name in fit.callback_metrics if name.startswith("val/")}
    assert logged == ALWAYS | (set() if system == "classification" else BOX)
    moved = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    assert len(moved) > 0.9 * len(before)
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    fit.save_checkpoint(tmp_path / "a.ckpt")
    loaded = load_module(tmp_path / "a.ckpt")
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(loaded.model(images).y, network.eval().model(images).y)


def test_the_loss_falls(tiny_model: Settings) -> None:
    settings = tiny_model(head=GRID, loss=MULTIPART, image_size=32)
    settings["optimizer"]["lr"] = 3e-3
    network = module(settings)
    fit = trainer(max_epochs=12)
    data = batches(24, size=8)
    [first] = fit.validate(network, data, verbose=False)
    fit.fit(network, data, data)
    [last] = fit.validate(network, data, verbose=False)
    assert last["val/loss"] < 0.8 * first["val/loss"]


@pytest.mark.parametrize(("limit", "seen"), [(1, 4), (0.5, 4), (2, 8), (1.0, 10)])
def test_part_of_a_split_may_be_asked_for(
    tiny_model: Settings, limit: float, seen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch is the number 1, the whole split the share 1.0; only the whole is counted."""
    counted: list[int] = []
    check = LocalizerModule._check_all_seen

    def count(self: LocalizerModule, split: str, number: int) -> None:
        counted.append(number)
        check(self, split, number)

    monkeypatch.setattr(LocalizerModule, "_check_all_seen", count)
    network = module(tiny_model(image_size=32))
    run = trainer(limit_val_batches=limit, limit_test_batches=limit)
    run.validate(network, batches(10), verbose=False)
    run.test(network, batches(10), verbose=False)
    assert counted == [seen, seen]


def test_a_split_that_is_not_seen_whole_is_a_bug(tiny_model: Settings) -> None:
    data = batches(10)
    short = torch.utils.data.DataLoader(data.dataset, batch_size=4, drop_last=True)
    with pytest.raises(AssertionError, match="test: 8 samples were counted, the split has 10"):
        trainer().test(module(tiny_model(image_size=32)), short, verbose=False)


def test_settings_and_checkpoints_hold_plain_python(tiny_model: Settings, tmp_path: Path) -> None:
    network = module(tiny_model(image_size=32))
    assert plain(dict(network.hparams))
    assert network.hparams["model"]["backbone"]["image_size"] == [32, 32]
    keep = ModelCheckpoint(tmp_path, monitor="val/iou", mode="max", save_last=True, filename="best")
    fit = trainer(Ema(0.9), keep, max_epochs=2, enable_checkpointing=True)
    fit.fit(network, batches(8), batches(6))
    for name in ("best.ckpt", "last.ckpt"):
        content = torch.load(tmp_path / name, weights_only=True)
        assert content["hyper_parameters"]["classes"] == ["a", "b"]
        assert plain(content["hyper_parameters"])
        assert not load_module(tmp_path / name).training


def test_the_threshold_decides_between_background_and_a_class(tiny_model: Settings) -> None:
    settings = tiny_model(image_size=32)
    shares = []
    for threshold in (0.0, 1.1):
        network = LocalizerModule(classes=("a", "b"), model=settings, threshold=threshold)
        [values] = trainer().test(network, batches(9), verbose=False)
        shares.append(values["test/accuracy"])
    assert shares[1] == pytest.approx(1 / 3)  # background everywhere: right for every third image
    assert shares[0] <= 2 / 3 + 1e-6  # background nowhere; the metric is float32


def plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and plain(item) for key, item in value.items())
    if type(value) is list:
        return all(plain(item) for item in value)
    return type(value) in (str, int, float, bool, type(None))
