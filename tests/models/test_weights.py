"""Weight files: what is read, what is said about what does not fit, and what is never executed."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from locnet.errors import CheckpointError
from locnet.models.backbone import Backbone
from locnet.models.weights import read_state_dict

NAME = "test_resnet"


def donor(name: str = NAME, seed: int = 5) -> dict[str, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return {key: value.clone() for key, value in timm.create_model(name).state_dict().items()}


@pytest.mark.parametrize("nest", [None, "state_dict", "state_dict_ema", "model_ema", "model", "module"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod."])
def test_weights_are_found_where_trainers_put_them(nest: str | None, prefix: str, tmp_path: Path) -> None:
    state = {prefix + key: value for key, value in donor().items()}
    path = tmp_path / "weights.pth"
    torch.save(state if nest is None else {"epoch": 3, nest: state}, path)
    own = Backbone(NAME, checkpoint=str(path)).model.state_dict()
    assert all(torch.equal(value, state[prefix + key]) for key, value in own.items())


def test_the_averaged_weights_come_first(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": donor(seed=1), "state_dict_ema": donor(seed=2)}, path)
    assert torch.equal(read_state_dict(path)["conv1.0.weight"], donor(seed=2)["conv1.0.weight"])


def test_a_file_that_fits_is_one_line_and_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(donor(), path)
    with caplog.at_level(logging.INFO, logger="locnet"):
        backbone = Backbone(NAME, checkpoint=str(path))
    tensors = len(backbone.model.state_dict())
    assert caplog.messages == [f"weights.safetensors: {tensors} of {tensors} tensors of {NAME} loaded"]


@pytest.mark.parametrize("classifier", ["fc", None, "", ("fc", "aux")])
def test_only_the_classifier_is_left_over_in_silence(
    classifier: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model may name none, one or several classifiers; what only begins like its name is not one."""
    from locnet.models.weights import load_backbone_weights

    model = timm.create_model(NAME, num_classes=0)
    about = dict(model.pretrained_cfg) | {"classifier": classifier}
    monkeypatch.setattr(model, "pretrained_cfg", about)
    path = tmp_path / "weights.pth"
    torch.save(donor() | {"fc_norm.weight": torch.zeros(2), "aux.bias": torch.zeros(2)}, path)
    with caplog.at_level(logging.WARNING, logger="locnet"):
        load_backbone_weights(model, path, NAME)
    names = {"aux.bias", "fc.bias", "fc.weight", "fc_norm.weight"}
    quiet = {"fc": {"fc.bias", "fc.weight"}, ("fc", "aux"): names - {"fc_norm.weight"}}.get(classifier, set())
    left = sorted(names - quiet)
    assert caplog.messages == [f"weights.pth: {len(left)} tensors not used: {', '.join(left)}"]


def test_a_missing_and_a_misshapen_tensor_are_told_apart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = donor()
    del state["layer1.0.bn1.weight"]
    state["layer2.0.bn1.weight"] = torch.ones(3)
    del state["layer2.0.bn1.num_batches_tracked"]  # does not matter
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    with caplog.at_level(logging.WARNING, logger="locnet"):
        Backbone(NAME, checkpoint=str(path))
    assert caplog.messages == [
        "weights.pth: 1 tensors missing in the file: layer1.0.bn1.weight",
        "weights.pth: 1 tensors of another shape: layer2.0.bn1.weight",
    ]


def test_position_embeddings_are_resampled_to_another_size(tmp_path: Path) -> None:
    path = tmp_path / "vit.safetensors"
    safetensors.torch.save_file(donor("test_vit"), path)
    small = Backbone("test_vit", checkpoint=str(path), image_size=(64, 96)).model
    assert small.pos_embed.shape == (1, 1 + 4 * 6, 64)
    assert torch.equal(small.patch_embed.proj.weight, donor("test_vit")["patch_embed.proj.weight"])


@pytest.mark.parametrize(
    "name", ["test_vit", "test_convnext", "test_efficientnet", "levit_128s", "xcit_nano_12_p8_224"]
)
def test_weights_of_another_family_are_refused(name: str, tmp_path: Path) -> None:
    """Also by families that convert foreign names and trust what they find."""
    path = tmp_path / "weights.pth"
    torch.save(donor(), path)
    with pytest.raises(CheckpointError, match=rf"^backbone.checkpoint=\S+ does not fit backbone.name={name}: [^\n]+$"):
        Backbone(name, checkpoint=str(path))


@pytest.mark.parametrize(
    "content", [{}, {"state_dict": {}}, [1, 2], {"epoch": 3}, torch.zeros(3), "text", {"model": {"a": 1}}]
)
def test_a_file_without_weights(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"weights.pth holds no weights$"):
        read_state_dict(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=64) | st.binary(max_size=24).map(lambda tail: b"\x80\x02" + tail),
    st.sampled_from([".pth", ".safetensors"]),
)
def test_no_file_whatever_raises_anything_else(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        read_state_dict(path)


class Exploit:
    """A pickle that touches a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".ckpt"])
@pytest.mark.parametrize("bare", [True, False], ids=["pickle", "torch.save"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_hostile_file_is_not_executed(suffix: str, bare: bool, tmp_path: Path) -> None:
    touched, path = tmp_path / "touched", tmp_path / f"hostile{suffix}"
    content = {"state_dict": donor(), "extra": Exploit(touched)}
    if bare:
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)
    with pytest.raises(CheckpointError) as caught:
        Backbone(NAME, checkpoint=str(path))
    assert not touched.exists()
    assert "expected .safetensors, or .pth/.pt/.ckpt that holds tensors and plain values only" in str(caught.value)
    assert "weights_only" not in str(caught.value)  # torch's own advice is to load it in spite of that
    assert "\n" not in str(caught.value)
