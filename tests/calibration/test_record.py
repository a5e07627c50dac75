"""The calibration inside the network, in the table and in the checkpoint is one and the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from locnet import target
from locnet.answer import read_off
from locnet.calibration import Calibration, Residuals
from locnet.module import LocalizerModule
from locnet.predictions import Predictions
from locnet.runtime.calibrate import rewrite
from locnet.runtime.checkpoints import load_module

Settings = Callable[..., dict[str, Any]]

WHOLE = torch.tensor((0.0, 0.0, 1.0, 1.0))
PLAIN = {"name": "linear", "strides": [32], "activation": "none", "dropout": 0.0}
SQUARED = {"name": "squared_error"}
HOT = Calibration(1.7, 0.6, True, Residuals(4, (-0.01, 0.0, 0.2, 0.5)))


def answers(probabilities: bool) -> torch.Tensor:
    """Many answers: probabilities with all their extremes, or plain units that leave [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(500, 8, generator=generator) * 6
    if not probabilities:
        return y * 0.1 + 0.5
    box = torch.rand(500, 4, generator=generator)
    return target.join(y[:, 0].sigmoid(), box, y[:, 5:].softmax(-1))


def table(y: torch.Tensor) -> Predictions:
    answer = read_off(y, WHOLE.expand(len(y), 4))
    return Predictions(
        classes=("a", "b", "c"),
        files=[str(index) for index in range(len(y))],
        sizes=np.ones((len(y), 2), dtype=np.int64),
        labels=np.zeros(len(y), dtype=np.int64),
        boxes=answer.boxes.double().numpy(),
        p_c=answer.p_c.double().numpy(),
        class_scores=answer.scores.double().numpy(),
        predicted_boxes=answer.boxes.double().numpy(),
        threshold=0.5,
    )


@pytest.mark.parametrize("probabilities", [True, False])
def test_torch_and_numpy_agree(probabilities: bool) -> None:
    y = answers(probabilities)
    calibration = Calibration(1.7, 0.6, probabilities)
    inside, outside = table(calibration.apply(y)), calibration.applied_to(table(y))
    assert inside.p_c == pytest.approx(outside.p_c, abs=5e-6)
    assert inside.class_scores == pytest.approx(outside.class_scores, abs=5e-6)
    assert ((inside.p_c >= 0) & (inside.p_c <= 1)).all()
    assert inside.class_scores.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("probabilities", [True, False])
def test_boxes_and_decisions_stay(probabilities: bool) -> None:
    y = answers(probabilities)
    changed = Calibration(1.7, 0.6, probabilities).apply(y)
    assert torch.equal(changed[:, 1:5], y[:, 1:5])
    assert torch.equal(changed[:, 5:].argmax(-1), y[:, 5:].argmax(-1))
    assert (changed[y[:, 0].argsort(), 0].diff() >= 0).all()
    assert torch.equal(changed[:, 0] >= 0.5, y[:, 0] >= 0.5)
    assert torch.equal(Calibration().apply(y), y)


def test_temperature_one_changes_nothing() -> None:
    y = answers(True)
    torch.testing.assert_close(Calibration(1.0, 1.0).apply(y), y, rtol=1e-4, atol=2e-6)


def test_plain_python_there_and_back() -> None:
    plain = HOT.plain()
    assert plain["residuals"] == {"count": 4, "scores": [-0.01, 0.0, 0.2, 0.5]}
    assert TypeAdapter(Calibration).validate_python(plain) == HOT
    assert TypeAdapter(Calibration).validate_python(Calibration().plain()) == Calibration()


@pytest.mark.parametrize("head", ["probability", "plain"])
def test_through_a_checkpoint(
    tiny_model: Settings, checkpoint_of: Callable[..., Path], tmp_path: Path, head: str
) -> None:
    path = checkpoint_of(tmp_path / "a.ckpt")
    if head == "plain":
        content = torch.load(path, weights_only=True)
        content["hyper_parameters"]["model"] |= {"head": PLAIN, "loss": SQUARED}
        torch.save(content, path)
    before = load_module(path)
    assert before.model.calibration is None
    assert before.gives_probabilities == (head == "probability")
    images = torch.randint(0, 256, (6, 3, 64, 64), dtype=torch.uint8)
    calibration = Calibration(1.7, 0.6, before.gives_probabilities, HOT.residuals)
    with torch.no_grad():
        raw = before.model(images)
        before.trust(calibration, 0.25)
        rewrite(path, before)
        assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt"]  # nothing half-written beside it
        after = load_module(path)
        output = after.model(images)
    assert (after.threshold, after.model.calibration) == (0.25, calibration)
    assert output.raw_y is not None
    assert torch.equal(output.raw_y, raw.y)
    assert torch.equal(output.y, calibration.apply(raw.y))
    assert torch.equal(output.uncalibrated.y, raw.y)
    assert raw.uncalibrated is raw
    state = torch.load(path, weights_only=True)
    assert {"hyper_parameters", "state_dict", "epoch", "global_step"} <= state.keys()
    assert not [name for name in state["state_dict"] if "calib" in name]  # init_from starts uncalibrated
    assert LocalizerModule(**dict(after.hparams)).model.calibration == calibration
    after.trust(None, 0.5)
    assert after.hparams["calibration"] is None


def test_a_checkpoint_from_before_there_was_any(checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    del content["hyper_parameters"]["calibration"]
    torch.save(content, tmp_path / "old.ckpt")
    assert load_module(tmp_path / "old.ckpt").model.calibration is None


def test_the_loss_is_that_of_the_head(tiny_model: Settings) -> None:
    """A squared error reads y, and would change with the calibration."""
    module = LocalizerModule(classes=("a", "b"), model=tiny_model(head=PLAIN, loss=SQUARED)).eval()
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    y = target.encode(torch.tensor([0, 1, -1, 0]), torch.tensor((0.2, 0.2, 0.6, 0.7)).expand(4, 4), 2)
    with torch.no_grad():
        before = module.loss(module.model(images), y)["loss"]
        module.trust(Calibration(0.1, 0.1, False), 0.5)
        output = module.model(images)
        assert torch.equal(module.loss(output.uncalibrated, y)["loss"], before)
        assert not torch.equal(module.loss(output, y)["loss"], before)
