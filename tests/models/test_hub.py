"""Published weights out of reach: said in one line, at once."""

from __future__ import annotations

import logging
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch

from locnet.errors import CheckpointError
from locnet.models.backbone import Backbone

NAME = "test_resnet"
WAYS_OUT = (
    r"; ways out: backbone\.checkpoint=FILE \(a local \.safetensors or \.pth\), "
    r"HF_HOME=DIR with HF_HUB_OFFLINE=1 \(a filled cache\), or backbone\.pretrained=false \(from scratch\)$"
)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of the hub, and no network whatever this machine has."""

    def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "hub"


@pytest.fixture
def offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Like HF_HUB_OFFLINE=1 in the environment."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return cache


def published(name: str) -> tuple[str, str]:
    config = timm.models.get_pretrained_cfg(name)
    return config.hf_hub_id, config.architecture


def refused(name: str) -> str:
    started = time.perf_counter()
    with pytest.raises(CheckpointError) as caught:
        Backbone(name, pretrained=True)
    assert time.perf_counter() - started < 5
    return str(caught.value)


@pytest.mark.parametrize("name", [NAME, "vit_tiny_patch16_224", "resnet18.a1_in1k"])
@pytest.mark.usefixtures("cache")
def test_without_a_network(name: str, caplog: pytest.LogCaptureFixture) -> None:
    said = refused(name)
    assert said.startswith(f"backbone.pretrained=true: the weights of {name} cannot be fetched here (ConnectError)")
    assert "\n" not in said
    assert re.search(WAYS_OUT, said)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]  # no "Retrying in 8s"


@pytest.mark.usefixtures("offline")
def test_offline_with_an_empty_cache() -> None:
    assert re.search(r"the weights of test_resnet cannot be fetched here \(\w+\)" + WAYS_OUT, refused(NAME))


@pytest.mark.usefixtures("cache")
def test_weights_that_timm_does_not_have() -> None:
    name = "coatnet_0_224"
    assert not timm.is_model_pretrained(name)
    assert refused(name) == (
        "backbone.pretrained=true: timm publishes no weights of coatnet_0_224; ways out: "
        "backbone.checkpoint=FILE (a local .safetensors or .pth), or backbone.pretrained=false (from scratch)"
    )


@pytest.mark.parametrize("switched_off", [False, True], ids=["no network", "HF_HUB_OFFLINE=1"])
def test_a_filled_cache_is_enough(cache: Path, switched_off: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", switched_off)
    hub_id, _ = published(NAME)
    folder = cache / f"models--{hub_id.replace('/', '--')}"
    snapshot = folder / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0123")
    donor = timm.create_model(NAME)
    safetensors.torch.save_file(dict(donor.state_dict()), snapshot / "model.safetensors")
    started = time.perf_counter()
    backbone = Backbone(NAME, pretrained=True)
    assert time.perf_counter() - started < 5
    own, state = backbone.model.state_dict(), donor.state_dict()
    assert len(own) > 50
    assert all(torch.equal(own[name], state[name]) for name in own)
