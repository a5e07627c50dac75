"""Checkpoints from wandb's server: what is asked of its client, and what mistakes say."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from locnet.config.compose import compose
from locnet.errors import CheckpointError
from locnet.runtime.checkpoints import find_checkpoint

NAME = "me/locnet/model-abc:best"


class Server:
    """wandb's `Api`, with one artifact."""

    def __init__(self, checkpoint: Path, *names: str) -> None:
        self.checkpoint, self.names, self.asked = checkpoint, names, list[str]()

    def artifact(self, name: str) -> Any:
        self.asked.append(name)
        if not name.endswith(":best"):
            raise ValueError(f"artifact membership '{name}' not found")
        return SimpleNamespace(qualified_name="me/locnet/model-abc:v3", download=self.download)

    def download(self, *, root: str) -> str:
        Path(root).mkdir(parents=True, exist_ok=True)
        for name in self.names:
            shutil.copy(self.checkpoint, Path(root) / name)
        return root


@pytest.fixture
def logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr("wandb.login", lambda **_: True)


def serve(monkeypatch: pytest.MonkeyPatch, checkpoint: Path, *names: str) -> Server:
    server = Server(checkpoint, *names)
    monkeypatch.setattr("wandb.Api", lambda: server)
    return server


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("start", ["artifact:", "wandb-artifact://", "artifact:///"])
def test_an_artifact_is_downloaded_and_its_checkpoint_found(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Path, tmp_path: Path, start: str
) -> None:
    server = serve(monkeypatch, checkpoint, "best.ckpt")
    found = find_checkpoint(start + NAME, cache=tmp_path)
    assert server.asked == [NAME]
    assert found.read_bytes() == checkpoint.read_bytes()
    assert found == tmp_path / "artifacts" / "me_locnet_model-abc_v3" / "best.ckpt"  # by version: aliases move


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("variable", ["LOCNET_CACHE", "XDG_CACHE_HOME", "HOME"])
def test_without_a_configuration_it_is_kept_where_the_default_one_says(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Path, tmp_path: Path, variable: str
) -> None:
    serve(monkeypatch, checkpoint, "best.ckpt")
    for name in ("LOCNET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    cache = Path(compose("evaluate", ["checkpoint=c"])["paths"]["cache"]).expanduser()
    assert find_checkpoint("artifact:" + NAME).is_relative_to(cache / "artifacts")


@pytest.mark.usefixtures("logged_in")
def test_the_only_checkpoint_of_somebody_elses_artifact_is_taken(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Path, tmp_path: Path
) -> None:
    serve(monkeypatch, checkpoint, "epoch=3.ckpt")
    assert find_checkpoint("artifact:" + NAME, cache=tmp_path).name == "epoch=3.ckpt"
    serve(monkeypatch, checkpoint, "a.ckpt", "b.ckpt")
    with pytest.raises(CheckpointError, match=r"one checkpoint is wanted .*a.ckpt, b.ckpt"):
        find_checkpoint("artifact:" + NAME, cache=tmp_path / "other")


@pytest.mark.usefixtures("logged_in")
def test_mistakes(monkeypatch: pytest.MonkeyPatch, checkpoint: Path, tmp_path: Path) -> None:
    serve(monkeypatch, checkpoint, "best.ckpt")
    with pytest.raises(CheckpointError, match=r"written artifact:ENTITY/PROJECT/NAME:ALIAS"):
        find_checkpoint("artifact:me/locnet/model-abc", cache=tmp_path)
    with pytest.raises(CheckpointError, match=r"artifact:me/locnet/model-abc:worst: there is no such artifact: "):
        find_checkpoint("artifact:me/locnet/model-abc:worst", cache=tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    with pytest.raises(CheckpointError, match=r"WANDB_MODE=offline, but artifacts are on wandb's server; unset it"):
        find_checkpoint("artifact:" + NAME, cache=tmp_path)


def test_nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NETRC", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    with pytest.raises(CheckpointError, match=r"nobody is logged in to wandb; run `wandb login`"):
        find_checkpoint("artifact:" + NAME, cache=tmp_path)
