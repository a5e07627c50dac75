"""`format=safetensors`: weights without pickle that load like a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

from locnet import Localizer
from locnet.calibration import Calibration, Residuals
from locnet.errors import CheckpointError
from locnet.formats.description import describe
from locnet.formats.weights import write_weights
from locnet.runtime.checkpoints import find_checkpoint, load_module, load_trained

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def trained_file(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibrated checkpoint that knows the data it was trained on."""
    content = torch.load(checkpoint, weights_only=True)
    calibration = Calibration(1.3, 0.8, True, Residuals(19, tuple(np.linspace(0.0, 0.36, 19).tolist()))).plain()
    content["hyper_parameters"] |= {"calibration": calibration, "threshold": 0.3, "data": {"root": "/home/me"}}
    path = tmp_path_factory.mktemp("run") / "checkpoints" / "best.ckpt"
    path.parent.mkdir()
    torch.save(content, path)
    return path


@pytest.fixture(scope="module")
def weights(trained_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    trained = load_trained(trained_file)
    return write_weights(trained, tmp_path_factory.mktemp("out") / "model.safetensors", describe(trained, None))


def test_they_answer_as_the_checkpoint_does(trained_file: Path, weights: Path) -> None:
    before = Localizer.load(trained_file, device="cpu")
    for place in (weights, weights.parent):  # the file, or the folder that export has written it to
        after = Localizer.load(place, device="cpu")
        assert after(PIXELS, coverage=0.8) == before(PIXELS, coverage=0.8)
        assert (after.threshold, after.resize, after.classes) == (0.3, "squash", ("car", "dog", "person"))
    module = load_module(find_checkpoint(str(weights)))  # the other commands take it too
    assert module.threshold == 0.3
    assert module.model.calibration == before.network.calibration


def test_the_header_says_what_it_is_and_nothing_of_this_machine(weights: Path) -> None:
    with safetensors.safe_open(weights, framework="pt") as file:
        header = file.metadata()
    assert "/home/me" not in json.dumps(header)
    about = json.loads(header["about"])
    assert about["classes"] == ["car", "dog", "person"]
    assert about["threshold"] == 0.3
    assert about["conformal"]["count"] == 19
    assert about["version"]


def rewritten(weights: Path, path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    with safetensors.safe_open(weights, framework="pt") as file:
        header = file.metadata()
    hparams = json.loads(header["locnet"])
    change(hparams)
    state = safetensors.torch.load_file(weights)
    safetensors.torch.save_file(state, path, metadata=header | {"locnet": json.dumps(hparams)})
    return path


def test_what_cannot_be_used_says_why(weights: Path, tmp_path: Path) -> None:
    newer = rewritten(weights, tmp_path / "newer.safetensors", lambda h: h.update(version="99.0.0"))
    with pytest.raises(CheckpointError, match=r"newer.safetensors was written by locnet 99.0.0, this is .*; upgrade"):
        Localizer.load(newer)
    unknown = rewritten(weights, tmp_path / "unknown.safetensors", lambda h: h["model"]["head"].update(name="pyramid"))
    with pytest.raises(CheckpointError, match=r"with other settings \(head: .*use that version, or start a new run"):
        Localizer.load(unknown)
    bare = tmp_path / "bare.safetensors"
    safetensors.torch.save_file(safetensors.torch.load_file(weights), bare)
    with pytest.raises(CheckpointError, match="is not a locnet checkpoint"):
        Localizer.load(bare)
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="is not a readable safetensors file: torn, or something else"):
        Localizer.load(torn)
