"""The moving average: its numbers, who evaluates with it, and what a resumed run goes on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from scenes import batches, module, trainer
from torch import Tensor

from locnet.callbacks.ema import Ema
from locnet.runtime.checkpoints import load_module

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers.*", "ignore:.*LeafSpec.*", "ignore:.*eval mode at the start.*"
)

Settings = Callable[..., dict[str, Any]]


class Spy(pl.Callback):
    """Notes the weights after every optimizer step, and who was asked in validation."""

    def __init__(self, ema: Ema) -> None:
        self.ema = ema
        self.weights: list[dict[str, Tensor]] = []
        self.evaluated_average: list[bool] = []
        self.modes: list[bool] = []
        self.steps = 0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self.modes.append(pl_module.training and pl_module.model.head.training)  # type: ignore[union-attr]
        if trainer.global_step > self.steps:
            self.steps = trainer.global_step
            self.weights.append(copy(pl_module.model.state_dict()))  # type: ignore[union-attr]

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert self.ema.ema is not None
        self.evaluated_average.append(pl_module.model is self.ema.ema.module)
        assert not pl_module.model.training  # type: ignore[union-attr]


def copy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in state.items()}


def average_of(weights: list[dict[str, Tensor]], decay: float) -> dict[str, Tensor]:
    """By hand: the first weights, then the decay 1 - (1 + t)^(-2/3) up to the greatest."""
    average = copy(weights[0])
    for step, now in enumerate(weights[1:], start=1):
        kept = min(1 - (1 + step) ** (-2 / 3), decay)
        for name, value in now.items():
            new = kept * average[name] + (1 - kept) * value if value.is_floating_point() else value
            average[name] = new
    return average


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_average_by_hand(tiny_model: Settings, accumulate: int) -> None:
    ema = Ema(0.6)
    spy = Spy(ema)
    trained = module(tiny_model(image_size=32))
    fit = trainer(ema, spy, max_epochs=2, accumulate_grad_batches=accumulate)
    fit.fit(trained, batches(12), batches(6))
    assert len(spy.weights) == fit.global_step == (6 if accumulate == 1 else 4)
    assert ema.ema is not None
    for name, value in average_of(spy.weights, 0.6).items():
        torch.testing.assert_close(ema.ema.module.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    assert spy.evaluated_average == [True] * 4  # two batches in each of two epochs
    assert spy.modes == [True] * 6  # training mode, also after a validation
    assert trained.model is not ema.ema.module


def test_a_frozen_backbone_stays_frozen_through_validation(tiny_model: Settings) -> None:
    settings = tiny_model(image_size=32)
    settings["backbone"]["freeze"] = True
    trained = module(settings)
    before = copy(trained.model.backbone.state_dict())
    trainer(Ema(0.6), max_epochs=2).fit(trained, batches(8), batches(6))
    assert trained.model.head.training
    for name, value in trained.model.backbone.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tiny_model: Settings, tmp_path: Path) -> None:
    def fit(epochs: int, path: Path | None) -> tuple[list[dict[str, Tensor]], pl.Trainer]:
        ema = Ema(0.6)
        network = module(tiny_model(image_size=32), seed=0 if path is None else 99)
        run = trainer(ema, max_epochs=epochs)
        run.fit(network, batches(8), batches(6), ckpt_path=path, weights_only=True)
        assert ema.ema is not None
        return [copy(network.model.state_dict()), copy(ema.ema.module.state_dict())], run

    whole, _ = fit(3, None)
    _, half = fit(2, None)
    half.save_checkpoint(tmp_path / "half.ckpt")
    resumed, _ = fit(3, tmp_path / "half.ckpt")
    for found, wanted in zip(resumed, whole, strict=True):
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)


def test_the_checkpoint_is_read_as_the_average(tiny_model: Settings, tmp_path: Path) -> None:
    ema = Ema(0.9)
    trained = module(tiny_model(image_size=32))
    fit = trainer(ema, max_epochs=1)
    fit.fit(trained, batches(8), batches(6))
    fit.save_checkpoint(tmp_path / "a.ckpt")
    assert ema.ema is not None
    loaded = load_module(tmp_path / "a.ckpt").model.state_dict()
    average, raw = ema.ema.module.state_dict(), trained.model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in average.items())
    assert not all(torch.equal(loaded[name], value) for name, value in raw.items())


def test_testing_leaves_the_network_alone(tiny_model: Settings) -> None:
    """`trainer.test` is given the network that it shall test: no average takes its place."""
    ema = Ema(0.6)
    spy = Spy(ema)
    trained = module(tiny_model(image_size=32))
    fit = trainer(ema, spy, max_epochs=1)
    fit.fit(trained, batches(8), batches(6))
    spy.evaluated_average.clear()
    fit.validate(trained, batches(6), verbose=False)
    assert spy.evaluated_average == [False, False]
