"""Every file under conf/ composes, passes the schema and builds what it names."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from locnet.config.check import check
from locnet.config.compose import compose
from locnet.config.location import config_dir
from locnet.config.schema import (
    CompareSettings,
    DoctorSettings,
    EvaluateSettings,
    ExportSettings,
    ModelSettings,
    PackSettings,
    PredictSettings,
    RewriteSettings,
    ServeSettings,
    TrainSettings,
)
from locnet.data.augment.pipeline import RANGES
from locnet.data.augment.settings import build_augment
from locnet.data.readers import READERS
from locnet.errors import ConfigError
from locnet.module import LocalizerModule

CONF = config_dir()
SKIPPED = {"hydra", "paths", "local"}  # composed by every other case
FRAGMENTS = {
    "callbacks/checkpoint",
    "callbacks/panel",
    "callbacks/progress",
    "callbacks/alarm",
}  # parts of callbacks/default
OPTIONS = sorted(
    f"{file.parent.name}/{file.stem}"
    for file in CONF.glob("*/*.yaml")
    if file.parent.name not in SKIPPED and f"{file.parent.name}/{file.stem}" not in FRAGMENTS
)
# an option that needs another one beside it
COMPANIONS = {
    "head/linear": ["loss=squared_error"],
    "head/classifier": ["loss=cross_entropy"],
    "head/softmax_box": ["loss=cross_entropy", "loss.box=5"],
    "loss/cross_entropy": ["head=classifier"],
    "loss/squared_error": ["head.refine=false"],
    **{f"data/{name}": ["data.root=somewhere"] for name in (*READERS, "auto", "shards")},
    "callbacks/early_stopping": [],
    "experiment/finetune": ["backbone.pretrained=true"],
}


def settings_of(*overrides: str) -> TrainSettings:
    return check(compose("train", overrides), TrainSettings)


def test_statistics_to_keep_need_weights() -> None:
    with pytest.raises(
        ConfigError, match=r"^backbone.norm_eval=true keeps .*; set backbone.pretrained=true or [^\n]*$"
    ):
        settings_of("experiment=finetune")
    assert settings_of("experiment=finetune", "backbone.checkpoint=weights.safetensors").backbone.norm_eval


def test_there_is_something_to_test() -> None:
    assert len(OPTIONS) > 30


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes_and_passes_the_schema(option: str) -> None:
    group, name = option.split("/")
    settings = settings_of(f"{group}={name}", *COMPANIONS.get(option, []))
    build_augment(settings.augment)


@pytest.mark.parametrize("experiment", [f.stem for f in sorted((CONF / "experiment").glob("*.yaml"))])
def test_every_experiment_builds_and_learns_a_step(experiment: str) -> None:
    companions = COMPANIONS.get(f"experiment/{experiment}", [])
    settings = settings_of(f"experiment={experiment}", "backbone.name=lcnet_035", "backbone.image_size=64", *companions)
    model = settings.model_dump(include=set(ModelSettings.model_fields))
    model["backbone"]["pretrained"] = False  # no hub here
    module = LocalizerModule(
        classes=("a", "b"),
        model=model,
        resize=settings.data.resize,
    )
    y = torch.tensor([[1, 0.5, 0.5, 0.2, 0.4, 0, 1], [0.0] * 7])
    loss = module.loss(module.model(torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)), y)["loss"]
    loss.backward()
    assert torch.isfinite(loss)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.model.backbone.parameters())


def test_every_experiment_says_what_it_is() -> None:
    for file in (CONF / "experiment").glob("*.yaml"):
        lines = file.read_text().splitlines()
        assert lines[0] == "# @package _global_", file
        assert lines[1].startswith("# "), file


@pytest.mark.parametrize("file", sorted((CONF / "experiment").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_experiment_says_what_it_costs_and_reaches(file: Path) -> None:
    """Scores were measured: each of them stands in docs/benchmarks.md."""
    named = [line[2:] for line in file.read_text().splitlines() if line.startswith(("# Costs: ", "# Reaches: "))]
    said = dict(line.split(": ", 1) for line in named)
    assert set(said) == {"Costs", "Reaches"}
    assert re.search(r"\d+ epochs", said["Costs"])
    measured = (CONF.parent / "docs" / "benchmarks.md").read_text()
    assert [score for score in re.findall(r"0\.\d{3}", said["Reaches"]) if score not in measured] == []


def test_the_other_commands_compose() -> None:
    check(compose("evaluate", ["checkpoint=a.ckpt"]), EvaluateSettings)
    check(compose("evaluate", ["checkpoint=a.ckpt", "data=csv", "data.root=b"]), EvaluateSettings)
    check(compose("predict", ["checkpoint=a.ckpt", "source=b"]), PredictSettings)
    check(compose("serve", ["checkpoint=a.ckpt"]), ServeSettings)
    check(compose("export", ["checkpoint=a.ckpt"]), ExportSettings)
    check(compose("export", ["checkpoint=a.ckpt", "format=[onnx,int8]", "data=csv", "data.root=b"]), ExportSettings)
    check(compose("doctor", ["data.root=b"]), DoctorSettings)
    check(compose("report", ["run=a", "report.groups=[day]"]), RewriteSettings)
    check(compose("compare", ["runs=[a,b]"]), CompareSettings)
    check(compose("pack", ["data.root=a", "output=b"]), PackSettings)


def test_a_loss_without_weights_is_refused() -> None:
    weights = [f"loss.{name}=0" for name in ("objectness", "classes", "box", "l1", "cells", "edges")]
    with pytest.raises(ConfigError, match="all weights of loss=multipart are 0"):
        settings_of(*weights)
    settings_of(*weights[1:])


def test_augment_options_name_every_setting() -> None:
    assert set(settings_of("augment=none").augment) == set(RANGES)


def test_options_of_a_search_pass_its_schema() -> None:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from omegaconf import OmegaConf

    from locnet.search.settings import read_settings

    with initialize_config_dir(str(CONF.absolute()), version_base="1.3"):
        for file in (CONF / "sweep").glob("*.yaml"):
            whole = hydra_compose("train", [f"sweep={file.stem}", "hydra.sweep.dir=x"], return_hydra_config=True)
            node: Any = OmegaConf.to_container(whole.hydra.sweeper, resolve=True)
            settings = read_settings(node)
            assert whole.hydra.mode.name == "MULTIRUN"
            for key in settings.space:
                assert OmegaConf.select(whole, key) is not None, key


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        ([], ["wandb"]),
        (["logger=csv"], ["csv"]),
        (["logger=[wandb,csv]"], ["csv", "wandb"]),
        (["+logger=tensorboard"], ["tensorboard", "wandb"]),
        (["logger=[csv,mlflow,tensorboard]", "logger.mlflow.experiment=mine"], ["csv", "mlflow", "tensorboard"]),
        (["logger=none"], []),
    ],
)
def test_any_combination_of_loggers(typed: list[str], chosen: list[str]) -> None:
    assert sorted(settings_of(*typed).logger) == chosen


def test_no_augmentation_changes_nothing() -> None:
    augment = build_augment(settings_of("augment=none").augment)
    from PIL import Image

    picture = Image.effect_noise((64, 64), 80).convert("RGB")
    box = torch.tensor((0.1, 0.2, 0.5, 0.9))
    image, kept = augment(picture, box, 64, 64, "squash", Random(3))
    assert kept is not None
    assert torch.equal(kept, box)
    assert image.permute(1, 2, 0).numpy().tobytes() == picture.tobytes()


@pytest.mark.parametrize("family", ["head", "loss"])
def test_settings_are_the_constructors_keywords(family: str) -> None:
    """A key that the schema has and the class has not would be found only when somebody uses it."""
    from locnet.losses import build_loss
    from locnet.models.network import Network

    for option in (CONF / family).glob("*.yaml"):
        node: dict[str, Any] = compose("train", [f"{family}={option.stem}"])[family]
        if family == "loss":
            assert isinstance(build_loss(**node), torch.nn.Module)
        else:
            built = Network(("a", "b", "c"), backbone={"name": "lcnet_035", "image_size": 64}, head=node)
            assert isinstance(built.head, torch.nn.Module)


def test_hparams_survive_the_schema() -> None:
    settings = settings_of()
    dumped = settings.model_dump(include=set(ModelSettings.model_fields))
    assert TypeAdapter(ModelSettings).validate_python(dumped).model_dump() == dumped


def test_conf_holds_only_yaml() -> None:
    others = {file for file in Path(CONF).rglob("*") if file.suffix != ".yaml" and "local" not in file.parts}
    assert {file for file in others if file.is_file()} == {CONF / "sweep" / "wandb.yml"}  # not Hydra's, see in there
