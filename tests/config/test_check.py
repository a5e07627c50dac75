"""The lines that a wrong configuration gets, and the values that a right one becomes."""

# ruff: noqa: E501 - one case, one line

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

from locnet.config.check import check, keys_of
from locnet.config.messages import choices, nearest, one_line, shown, suggest
from locnet.errors import ConfigError


class Base(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Giou(Base):
    name: Literal["giou", "diou"]
    weight: float = 1.0


class Focal(Base):
    name: Literal["focal"]
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.25


class Mode(str, Enum):
    MIN = "min"
    MAX = "max"


class Trainer(Base):
    max_epochs: int = Field(3, ge=1)
    devices: int | str | list[int] = 1
    precision: Literal[16, 32, "bf16"] = 32
    lr: float = Field(0.1, gt=0, lt=1)
    betas: tuple[float, float] = (0.9, 0.99)
    size: tuple[int, int] | None = None
    names: list[str] = []
    ratios: tuple[Annotated[float, Field(gt=0)], ...] = ()
    few: list[int] = Field([1], min_length=1, max_length=3)
    by_name: dict[str, int] = {}
    mode: Mode = Mode.MIN
    file: Path | None = None
    flag: bool = False


class Config(Base):
    root: str
    trainer: Trainer = Trainer()
    loss: Annotated[Giou | Focal, Field(discriminator="name")] = Giou(name="giou")
    either: Giou | Focal | str | None = None
    many: list[Giou] = []
    title: str = "x"

    @model_validator(mode="after")
    def _title(self) -> Config:
        if self.title == "bad":
            raise ValueError("title=bad does not go\nwith anything; choose another title")
        return self


def complaint(config: dict[str, Any], prefix: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        check({"root": "data", **config}, Config, prefix=prefix)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("trainer", "line"),
    [
        ({"max_epoch": 3}, "unknown key trainer.max_epoch (=3); did you mean trainer.max_epochs?"),
        ({"lr": {"x": 3}}, 'trainer.lr must be a number above 0 and below 1, got {"x": 3}'),
        ({"max_epochs": 3.5}, "trainer.max_epochs must be a whole number of at least 1, got 3.5"),
        ({"max_epochs": 3.0}, "trainer.max_epochs must be a whole number of at least 1, got 3.0"),
        ({"max_epochs": "three"}, "trainer.max_epochs must be a whole number of at least 1, got three"),
        ({"max_epochs": "3"}, 'trainer.max_epochs must be a whole number of at least 1, got "3"; write it without quotes'),
        ({"max_epochs": True}, "trainer.max_epochs must be a whole number of at least 1, got true"),
        ({"max_epochs": None}, "trainer.max_epochs must be a whole number of at least 1, got null"),
        ({"max_epochs": 0}, "trainer.max_epochs must be a whole number of at least 1, got 0"),
        ({"lr": 1}, "trainer.lr must be a number above 0 and below 1, got 1"),
        ({"lr": False}, "trainer.lr must be a number above 0 and below 1, got false"),
        ({"devices": 2.5}, "trainer.devices must be a whole number, text or a list of whole numbers, got 2.5"),
        ({"devices": [0, "a"]}, 'trainer.devices must be a whole number, text or a list of whole numbers, got [0, "a"]'),
        ({"precision": 31}, "trainer.precision must be one of 16, 32, bf16, got 31"),
        ({"mode": "maxx"}, "trainer.mode must be one of max, min, got maxx; did you mean max?"),
        ({"betas": [0.9]}, "trainer.betas must be a list of 2 numbers, got [0.9]"),
        ({"betas": [0.9, "a"]}, "trainer.betas.1 must be a number, got a"),
        ({"size": 224}, "trainer.size must be a list of 2 whole numbers or null, got 224"),
        ({"size": [1, 2, 3]}, "trainer.size must be a list of 2 whole numbers or null, got [1, 2, 3]"),
        ({"names": "a"}, "trainer.names must be a list of texts, got a"),
        ({"names": ["a", 3]}, """trainer.names.1 must be text, got 3; to mean text, quote it: 'trainer.names.1="3"'"""),
        ({"ratios": [1, 0]}, "trainer.ratios.1 must be a number above 0, got 0"),
        ({"few": []}, "trainer.few must be a list of 1 to 3 whole numbers, got []"),
        ({"by_name": {"a": "b"}}, "trainer.by_name.a must be a whole number, got b"),
        ({"file": 3}, "trainer.file must be a path or null, got 3"),
        ({"flag": 1}, "trainer.flag must be true or false, got 1"),
        ({"flag": "yes"}, 'trainer.flag must be true or false, got "yes"'),
    ],
)  # fmt: skip
def test_wrong_value(trainer: dict[str, Any], line: str) -> None:
    assert complaint({"trainer": trainer}) == line


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"trainer": 3}, "trainer must be a group of keys, got 3"),
        ({"max_epochs": 3}, "unknown key max_epochs (=3); did you mean trainer.max_epochs?"),
        ({"title": 3}, """title must be text, got 3; to mean text, quote it: 'title="3"'"""),
        ({"title": "bad"}, "title=bad does not go with anything; choose another title"),
        ({"loss": {"name": "guio"}}, "loss.name must be one of giou, diou, focal, got guio; did you mean giou?"),
        ({"loss": {}}, "loss.name has no value; give it: loss.name=..., one of diou, focal, giou"),
        ({"loss": {"name": "giou", "weight": "a"}}, "loss.weight must be a number, got a"),
        ({"loss": {"name": "giou", "wieght": 1}}, "unknown key loss.wieght (=1); did you mean loss.weight?"),
        ({"loss": {"name": "giou", "alpha": 1}}, "unknown key loss.alpha (=1): it goes with loss.name=focal only"),
        ({"loss": {"name": "focal", "alpha": 2}}, "loss.alpha must be a number from 0 to 1, got 2"),
        ({"loss": "giou"}, "loss must be a group of keys, got giou"),
        ({"either": 3}, "either must be a group of keys, text or null, got 3"),
        ({"either": {"name": "focal", "alpha": "x"}}, "either.alpha must be a number from 0 to 1, got x"),
        ({"either": {"name": "giou", "wieght": 1}}, "unknown key either.wieght (=1); did you mean either.weight?"),
        ({"many": [{"name": "giou"}, {}]}, "many.1.name has no value; give it: many.1.name=..., one of diou, giou"),
    ],
)  # fmt: skip
def test_wrong_place(config: dict[str, Any], line: str) -> None:
    assert complaint(config) == line


def test_missing_key_and_prefix() -> None:
    with pytest.raises(ConfigError, match=r"^root has no value; give it: root=\.\.\.$"):
        check({}, Config)
    assert complaint({"trainer": {"max_epoch": 3}}, prefix="a.b") == (
        "unknown key a.b.trainer.max_epoch (=3); did you mean a.b.trainer.max_epochs?"
    )


def test_more_errors_are_counted_and_the_unknown_key_goes_first() -> None:
    with pytest.raises(ConfigError) as caught:
        check({"rooot": "data", "trainer": {"devices": 2.5, "lr": 3, "flag": 3}}, Config)
    assert str(caught.value) == (
        "unknown key rooot (=data); did you mean root? (and 4 more: root, trainer.devices, trainer.lr, ...)"
    )


def test_right_values_become_the_models_types() -> None:
    trainer = {"lr": 1e-3, "betas": [1, 0.5], "size": [2, 3], "mode": "max", "file": "a/b", "devices": [0, 1]}
    config = check({"root": "x", "trainer": trainer, "loss": {"name": "focal", "alpha": 1}}, Config)
    assert config.trainer.betas == (1.0, 0.5)
    assert isinstance(config.trainer.betas[0], float)
    assert config.trainer.size == (2, 3)
    assert config.trainer.mode is Mode.MAX
    assert config.trainer.file == Path("a/b")
    assert isinstance(config.loss, Focal)


def test_every_key_is_known() -> None:
    assert {"root", "trainer", "trainer.max_epochs", "loss.alpha", "loss.weight", "either.name"} <= set(keys_of(Config))


words = st.text('ab3.\n"', max_size=4)
values = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | words
trees = values | st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(["name", "lr", "x"]), values)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["root", "trainer", "loss", "either", "many", "a\nb"]), trees))
def test_any_value_is_accepted_or_answered_in_one_line(config: dict[str, Any]) -> None:
    try:
        check(config, Config)
    except ConfigError as error:
        assert str(error).isprintable()


def test_suggestions() -> None:
    names = [f"resnet{depth}" for depth in (18, 26, 34, 50, 101)] + [f"vit_{size}" for size in range(1300)]
    assert nearest("resnet81", names, count=1) == ["resnet18"]
    assert suggest("ResNet-18", ["resnet_18", "vit"]) == "did you mean resnet_18?"
    assert suggest("zzz", ["b", "a"]) == "valid: a, b"
    assert suggest("zzz", []) == ""
    many = choices("resnet5", names)
    assert many.startswith("resnet50, ")
    assert many.endswith(" (the nearest of 1,305)")
    assert many.count(",") == 5  # four between five names, one in the number
    assert nearest("max_epochs", ["lr", "trainer.max_epochs"], keys=True) == ["trainer.max_epochs"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (1e-3, "0.001"), ("grid", "grid"), ("3", '"3"'), ("", '""'), ("no", '"no"'),
     ("a\nb", '"a\\nb"'), ([1, "a"], '[1, "a"]'), ({"a": None}, '{"a": null}'), ("x" * 99, "x" * 57 + "...")],
)  # fmt: skip
def test_values_are_shown_as_in_a_file(value: Any, text: str) -> None:
    assert shown(value) == text


def test_one_line() -> None:
    assert one_line(" a\n\tb  c ") == "a b c"
    assert len(one_line("x" * 1000)) == 300
