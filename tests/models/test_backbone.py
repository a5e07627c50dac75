"""Any timm model: maps, sizes, weights, freezing."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from families import FAMILIES, QUICK
from torch import nn

from locnet import target
from locnet.config.schema import OptimizerSettings
from locnet.errors import CheckpointError, ConfigError
from locnet.losses import build_loss
from locnet.models.backbone import Backbone, image_size
from locnet.models.network import Network
from locnet.optim import build_optimizer


def learns_a_step(name: str) -> None:
    """Forward, loss and backward at timm's own size, with maps as they are stated."""
    model = Network(
        ("a", "b"),
        backbone={"name": name},
        head={"name": "grid", "strides": [8, 16, 32], "width": 16, "depth": 1},
    )
    height, width = model.image_size
    images = torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8)
    found = model.backbone((images - model.mean) / model.std)
    assert [m.shape[1] for m in found] == list(model.backbone.channels)
    assert [round(height / m.shape[2]) for m in found] == list(model.backbone.strides)
    assert all(a < b for a, b in zip(model.backbone.strides, model.backbone.strides[1:], strict=False))
    y = target.encode(torch.tensor([1, -1]), torch.tensor([[0.2, 0.3, 0.6, 0.5]] * 2), 2)
    build_loss("multipart")(model(images), y)["loss"].backward()
    grads = [p.grad for p in model.backbone.parameters() if p.grad is not None]
    assert grads
    assert all(torch.isfinite(grad).all() for grad in grads)
    config = timm.data.resolve_model_data_config(timm.create_model(name))
    assert model.image_size == config["input_size"][1:] == image_size(name, None)
    torch.testing.assert_close(model.mean.flatten() / 255, torch.tensor(config["mean"]))
    torch.testing.assert_close(model.std.flatten() / 255, torch.tensor(config["std"]))


@pytest.mark.parametrize("name", QUICK)
def test_family(name: str) -> None:
    learns_a_step(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_more_families(name: str) -> None:
    learns_a_step(name)


@pytest.mark.parametrize(("name", "strides"), [("lcnet_035", (8, 16, 32)), ("vit_tiny_patch16_224", (16,))])
def test_another_image_size(name: str, strides: tuple[int, ...]) -> None:
    backbone = Backbone(name, strides=(8, 16, 32), image_size=(96, 128), mean=(0.5, 0.5, 0.5), std=(0.1, 0.2, 0.3))
    assert backbone.image_size == (96, 128)
    assert backbone.strides == strides
    assert (backbone.mean, backbone.std) == ((0.5, 0.5, 0.5), (0.1, 0.2, 0.3))
    assert backbone(torch.zeros(1, 3, 96, 128))[-1].shape[2:] == (96 // strides[-1], 128 // strides[-1])


def test_further_arguments_of_the_model() -> None:
    same = Backbone("lcnet_035", image_size=64, kwargs={"pad_type": "same"})
    plain = Backbone("lcnet_035", image_size=64)
    same.load_state_dict(plain.state_dict())
    images = torch.rand(1, 3, 64, 64)
    ours, timms = same.eval()(images)[-1], plain.eval()(images)[-1]
    assert ours.shape == timms.shape
    assert not torch.allclose(ours, timms)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("pad_typ", "backbone.kwargs.pad_typ: backbone.name=lcnet_035 takes no such argument"),
        ("img_size", "backbone.kwargs.img_size is not for the model alone; set backbone.image_size"),
        ("in_chans", "backbone.kwargs.in_chans is not for the model alone, which locnet sets itself"),
    ],
)
def test_arguments_that_it_does_not_take_are_one_line(key: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        Backbone("lcnet_035", kwargs={key: 1})


@pytest.mark.parametrize(
    ("name", "kwargs", "reason"),
    [
        ("lcnet_035", {"act_layer": "nope"}, "KeyError: 'nope'"),
        ("mobilenetv2_035", {"pad_type": 3}, "RuntimeError: "),
        ("resnet10t", {"block_args": 3}, "TypeError: "),
    ],
)
def test_values_that_break_the_model_are_one_line(name: str, kwargs: dict[str, object], reason: str) -> None:
    start = rf"^backbone.kwargs=.* does not work with backbone.name={name}: {reason}"
    with pytest.raises(ConfigError, match=rf"{start}[^\n]*$"):
        Backbone(name, image_size=64, kwargs=kwargs)


def test_a_size_that_cannot_be_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^backbone.image_size=100x100 does not work with .*levit_128s: [^\n]*$"):
        Backbone("levit_128s", image_size=100)


def test_an_unknown_name_is_told_its_neighbours() -> None:
    with pytest.raises(ConfigError, match=r"backbone.name=resnet18x is not a timm model; did you mean .*resnet18"):
        Backbone("resnet18x")


def test_weights_that_cannot_be_fetched_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        CheckpointError, match=r"^backbone.pretrained=true: .* cannot be fetched here .*backbone.checkpoint="
    ):
        Backbone("resnet10t", pretrained=True)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_local_weights_are_loaded_and_mismatches_named(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    donor = timm.create_model("lcnet_035")
    state = {name: value.clone() for name, value in donor.state_dict().items()}
    first = next(iter(state))
    state["stray.weight"] = torch.zeros(3)
    dropped = next(name for name in state if name.endswith("bn1.weight"))
    del state[dropped]
    state["conv_stem.weight"] = torch.zeros(1, 1, 1, 1)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": state}, path)
    else:
        safetensors.torch.save_file(state, path)
    with caplog.at_level(logging.INFO):
        backbone = Backbone("lcnet_035", checkpoint=str(path))
    said = "\n".join(caplog.messages)
    assert "1 tensors missing in the file: " + dropped in said
    assert "1 tensors of another shape: conv_stem.weight" in said
    assert "1 tensors not used: stray.weight" in said
    own = backbone.model.state_dict()
    same = [name for name in own if name in state and own[name].shape == state[name].shape]
    assert len(same) > 50
    assert all(torch.equal(own[name], state[name]) for name in same)
    assert first


def test_the_wrong_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file(dict(timm.create_model("resnet10t").state_dict()), path)
    with pytest.raises(CheckpointError, match=r"does not fit backbone.name=lcnet_035: \d+ of \d+ tensors match"):
        Backbone("lcnet_035", checkpoint=str(path))
    with pytest.raises(CheckpointError, match="no such file"):
        Backbone("lcnet_035", checkpoint=str(tmp_path / "nowhere.pth"))
    path.write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match="not a readable weight file"):
        Backbone("lcnet_035", checkpoint=str(path))


class Exploit:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_hostile_pickle_is_not_executed(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    hostile = tmp_path / "hostile.pth"
    torch.save({"state_dict": {"weight": torch.zeros(1)}, "x": Exploit(touched)}, hostile)
    with pytest.raises(CheckpointError, match="tensors and plain values only"):
        Backbone("lcnet_035", checkpoint=str(hostile))
    assert not touched.exists()
    pickle.loads(pickle.dumps(Exploit(touched)))  # the exploit is a real one
    assert touched.exists()


def test_statistics_that_are_kept() -> None:
    """`norm_eval`: those of BatchNorm stay, everything learns; without it they follow the batches."""
    for kept in (True, False):
        model = Network(
            ("a",),
            backbone={"name": "lcnet_035", "image_size": 64, "norm_eval": kept},
            head={"name": "grid", "strides": [16, 32], "width": 16},
        ).train()
        before = {name: value.clone() for name, value in model.backbone.state_dict().items() if "running" in name}
        model(torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)).y.sum().backward()
        after = model.backbone.state_dict()
        assert all(torch.equal(value, after[name]) == kept for name, value in before.items())
        assert all(p.grad is not None for p in model.backbone.parameters())
        assert model.head.training


def test_frozen_means_frozen() -> None:
    model = Network(
        ("a",),
        backbone={"name": "lcnet_035", "image_size": 64, "freeze": True},
        head={"name": "grid", "strides": [16, 32], "width": 16},
    )
    model.train()
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    model(torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)).y.sum().backward()
    assert all(p.grad is None for p in model.backbone.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.backbone.state_dict().items())
    optimizer = build_optimizer(
        model, OptimizerSettings(name="sgd", lr=1.0, backbone_lr_scale=0.1, weight_decay=0.1, momentum=0.9)
    )
    assert {group["lr"] for group in optimizer.param_groups} == {1.0}


@pytest.mark.parametrize("name", ["lcnet_035", "resnet10t", "mobilenetv2_035"])
def test_a_stride_freezes_the_layers_up_to_it(name: str) -> None:
    backbone = Backbone(name, strides=(4, 16), image_size=64, freeze=4)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    fine, coarse = backbone(torch.rand(4, 3, 64, 64))
    assert not fine.requires_grad  # nothing before it learns, so no gradient is worked out there
    coarse.square().mean().backward()
    learning = {name for name, weight in backbone.named_parameters() if weight.grad is not None}
    assert learning == {name for name, weight in backbone.named_parameters() if weight.requires_grad}
    assert learning
    moved = {name for name, value in backbone.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {name for name in before if "running" in name or "num_batches" in name} - _statistics(backbone)


def _statistics(backbone: Backbone) -> set[str]:
    """Of the BatchNorm layers whose weights are frozen."""
    norms = {name: module for name, module in backbone.named_modules() if isinstance(module, nn.BatchNorm2d)}
    frozen = [name for name, module in norms.items() if not module.weight.requires_grad]
    assert frozen
    return {f"{name}.{key}" for name in frozen for key in ("running_mean", "running_var", "num_batches_tracked")}


def test_a_stride_below_all_maps_freezes_nothing_and_says_so() -> None:
    with pytest.raises(ConfigError, match=r"backbone.freeze=2: .*vit_tiny_patch16_224 has stride 16; set at least"):
        Backbone("vit_tiny_patch16_224", strides=(16,), freeze=2)


def test_the_backbone_learns_slower_and_norms_are_not_decayed() -> None:
    model = Network(
        ("a",), backbone={"name": "lcnet_035", "image_size": 64}, head={"name": "grid", "strides": [32], "width": 16}
    )
    settings = OptimizerSettings(name="adamw", lr=1e-2, backbone_lr_scale=0.1, weight_decay=0.05, momentum=0.9)
    groups = build_optimizer(model, settings).param_groups
    of = {id(p): group for group in groups for p in group["params"]}
    assert sum(len(group["params"]) for group in groups) == sum(1 for _ in model.parameters())
    for part, lr in ((model.backbone, 1e-3), (model.head, 1e-2)):
        for parameter in part.parameters():
            assert of[id(parameter)]["lr"] == pytest.approx(lr)
            assert of[id(parameter)]["weight_decay"] == (0.05 if parameter.ndim > 1 else 0)
