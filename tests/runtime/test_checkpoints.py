"""Checkpoints: found, read without executing anything, built with nothing beside them, refused in one line."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locnet.errors import CheckpointError
from locnet.module import LocalizerModule
from locnet.runtime.checkpoints import find_checkpoint, init_from, load_module, read_checkpoint
from locnet.runtime.storage import LAST

Settings = Callable[..., dict[str, Any]]


class Exploit:
    """A pickle that touches a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


def changed(checkpoint: Path, path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    content = torch.load(checkpoint, weights_only=True)
    change(content)
    torch.save(content, path)
    return path


def test_a_file_or_a_run_directory_is_found(tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_checkpoint(str(checkpoint)) == checkpoint
    inside = tmp_path / "run" / "checkpoints"
    inside.mkdir(parents=True)
    (inside / "last.ckpt").touch()
    assert find_checkpoint(str(tmp_path / "run"), LAST) == inside / "last.ckpt"
    with pytest.raises(CheckpointError, match=r"run: no checkpoints/best.ckpt in it; give a .ckpt file"):
        find_checkpoint(str(tmp_path / "run"))
    with pytest.raises(CheckpointError, match=r"nowhere: no such file or directory; give"):
        find_checkpoint(str(tmp_path / "nowhere"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_checkpoint("~/run", LAST) == inside / "last.ckpt"


def test_a_checkpoint_needs_nothing_beside_it(
    checkpoint: Path, tmp_path: Path, tiny_model: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the config, not the weights that training began with, not the hub."""

    def claim(content: dict[str, Any]) -> None:
        content["hyper_parameters"]["model"]["backbone"] |= {"checkpoint": "/gone/weights.pth"}

    monkeypatch.chdir(tmp_path)
    moved = changed(checkpoint, tmp_path / "moved.ckpt", claim)
    module = load_module(moved)
    assert not module.training
    assert module.classes == ("car", "dog", "person")
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert module.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())

    def published(content: dict[str, Any]) -> None:
        content["hyper_parameters"]["model"]["backbone"] |= {"pretrained": True, "checkpoint": None}

    assert load_module(changed(checkpoint, tmp_path / "published.ckpt", published)).model.image_size == (64, 64)


def test_mean_and_std_come_from_the_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    def other(content: dict[str, Any]) -> None:
        content["hyper_parameters"]["model"]["backbone"] |= {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}

    model = load_module(changed(checkpoint, tmp_path / "other.ckpt", other)).model
    torch.testing.assert_close(model.mean.flatten(), torch.tensor([0.1, 0.2, 0.3]) * 255)
    torch.testing.assert_close(model.std.flatten(), torch.tensor([0.5, 0.6, 0.7]) * 255)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("hyper_parameters"), "is not a locnet checkpoint"),
        (lambda c: c.pop("state_dict"), "is not a locnet checkpoint"),
        (lambda c: c["hyper_parameters"].pop("model"), "is not a locnet checkpoint"),
        (
            lambda c: c["hyper_parameters"].update(version="99.1.0"),
            r"written by locnet 99\.1\.0, this is .*upgrade locnet",
        ),
        (lambda c: c["hyper_parameters"].update(colour="blue"), r"with other settings \(.*colour.*init_from="),
        (
            lambda c: c["hyper_parameters"]["model"]["head"].update(name="pyramid"),
            r"with other settings \(head: .*pyramid.*\); use that version, or start .*: train init_from=",
        ),
        (
            lambda c: c["hyper_parameters"]["model"]["optimizer"].pop("momentum"),  # of before there was such a key
            r"with other settings \(optimizer.momentum: field required\)",
        ),
        (
            lambda c: c["hyper_parameters"].update(classes=["one"]),
            "its weights do not fit the network that it describes",
        ),
        (lambda c: c["state_dict"].popitem(), "its weights do not fit the network that it describes"),
    ],
)
def test_what_cannot_be_used_says_why(
    checkpoint: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    path = changed(checkpoint, tmp_path / "bad.ckpt", change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_module(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99, 0.9999])
def test_a_torn_file_is_refused(checkpoint: Path, tmp_path: Path, share: float) -> None:
    whole = checkpoint.read_bytes()
    path = tmp_path / "torn.ckpt"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match=r"torn.ckpt is not a readable checkpoint: torn, or"):
        read_checkpoint(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=64) | st.binary(max_size=24).map(lambda tail: b"\x80\x02" + tail))
def test_no_file_whatever_raises_anything_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("bare", [True, False], ids=["pickle", "torch.save"])
def test_a_hostile_checkpoint_is_not_executed(tmp_path: Path, bare: bool) -> None:
    touched, path = tmp_path / "touched", tmp_path / "hostile.ckpt"
    content = {"hyper_parameters": Exploit(touched), "state_dict": {}}
    if bare:
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match="more than tensors and plain values"):
        read_checkpoint(path)
    assert not touched.exists()
    if bare:
        pickle.loads(path.read_bytes())["hyper_parameters"].close()
        assert touched.exists()  # the exploit is a real one


def test_weights_that_fit_start_a_new_run(checkpoint: Path, tmp_path: Path, tiny_model: Settings) -> None:
    module = LocalizerModule(classes=("only", "these"), model=tiny_model())
    fitting, total = init_from(module, checkpoint)
    own = module.state_dict()
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    other = [name for name in own if own[name].shape != state[name].shape]
    assert (fitting, total) == (len(own) - len(other), len(own))
    assert other == ["model.head.units.weight", "model.head.units.bias"]
    assert all(torch.equal(own[name], state[name]) for name in own if name not in other)

    def rename(content: dict[str, Any]) -> None:
        content["state_dict"] = {f"x.{name}": value for name, value in content["state_dict"].items()}

    with pytest.raises(CheckpointError, match=r"init_from=.*foreign.ckpt: none of its weights fits this network"):
        init_from(module, changed(checkpoint, tmp_path / "foreign.ckpt", rename))
