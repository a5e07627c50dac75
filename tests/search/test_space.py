"""Search spaces, typed in files and on the command line."""

from __future__ import annotations

from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from locnet.errors import ConfigError
from locnet.search.settings import read_settings
from locnet.search.space import ChoiceSpace, FloatSpace, IntSpace, from_override, grid, text
from locnet.search.sweeper import split_arguments

NODE: dict[str, Any] = {
    "_target_": "hydra_plugins.locnet_search.SearchSweeper",
    "sampler": "tpe",
    "trials": 3,
    "at_once": 1,
    "seed": 0,
    "pruner": "none",
    "pruner_startup_trials": 5,
    "pruner_warmup_epochs": 1,
    "storage": "sqlite:///study.db",
    "study": "locnet",
    "trial": None,
    "space": {},
}


def parse(*overrides: str) -> Any:
    return OverridesParser.create().parse_overrides(list(overrides))


@pytest.mark.parametrize(
    ("typed", "space"),
    [
        ("lr=interval(1e-4,1e-2)", FloatSpace(type="float", low=1e-4, high=1e-2)),
        ("lr=tag(log,interval(1e-4,1e-2))", FloatSpace(type="float", low=1e-4, high=1e-2, log=True)),
        ("w=int(interval(16,64))", IntSpace(type="int", low=16, high=64)),
        ("w=range(16,64,16)", IntSpace(type="int", low=16, high=48, step=16)),
        ("w=range(0,1,0.25)", FloatSpace(type="float", low=0, high=0.75, step=0.25)),
        ("head=grid,linear", ChoiceSpace(type="choice", values=["grid", "linear"])),
        ("head=choice(grid,linear)", ChoiceSpace(type="choice", values=["grid", "linear"])),
        ("x=[1,2],[3],null,true", ChoiceSpace(type="choice", values=["[1,2]", "[3]", "null", "True"])),
        ("x='a b','c=d'", ChoiceSpace(type="choice", values=["'a b'", "'c=d'"])),
    ],
)
def test_what_is_typed(typed: str, space: Any) -> None:
    assert from_override(parse(typed)[0]) == space


def test_choices_go_back_to_hydra_as_they_were_typed() -> None:
    space = from_override(parse("x='a b',null,[1,'c d']")[0])
    assert isinstance(space, ChoiceSpace)
    assert [parse(f"x={text(value)}")[0].value() for value in space.values] == ["a b", None, [1, "c d"]]


@given(st.one_of(st.booleans(), st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_values_of_files_survive_hydras_grammar(value: Any) -> None:
    assert parse(f"x={text(value)}")[0].value() == value


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters="$")))
def test_texts_of_files_survive_hydras_grammar(value: str) -> None:
    assert parse(f"x={text(value)}")[0].value() == value


def test_grid_is_complete_and_in_order() -> None:
    spaces: Any = {
        "a": ChoiceSpace(type="choice", values=[True, "x y"]),
        "b": IntSpace(type="int", low=1, high=6, step=2),
        "c": FloatSpace(type="float", low=0, high=0.3, step=0.1),
    }
    points = grid(spaces)
    assert len(points) == 2 * 3 * 4
    assert points[0] == {"a": "true", "b": 1, "c": 0.0}
    assert points[-1] == {"a": "'x y'", "b": 5, "c": pytest.approx(0.3)}
    with pytest.raises(ConfigError, match="give lr a step"):
        grid({"lr": FloatSpace(type="float", low=1, high=2)})
    with pytest.raises(ConfigError, match=r"the grid has 1,000,000 points"):
        grid({"a": IntSpace(type="int", low=1, high=1000), "b": IntSpace(type="int", low=1, high=1000)})


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"lr": {"type": "float", "low": 2, "high": 1}}, "hydra.sweeper.space.lr: low=2.0 must be below high=1.0"),
        ({"lr": {"type": "float", "low": 0, "high": 1, "log": True}}, "log needs a range above 0, low is 0.0"),
        ({"lr": {"type": "floot", "low": 0, "high": 1}}, "space.lr.type must be one of float, .*, got floot"),
        ({"lr": {"type": "float", "hihg": 1, "low": 0}}, "unknown key hydra.sweeper.space.lr.hihg .*did you mean"),
        ({"lr": {"type": "choice", "values": []}}, "hydra.sweeper.space.lr.values must be a list of at least 1"),
    ],
)  # fmt: skip
def test_mistakes_in_files(space: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_settings(NODE | {"space": space})


def test_mistakes_on_the_command_line() -> None:
    with pytest.raises(ConfigError, match=r"lr=interval\(2,1\): low=2.0 must be below high=1.0"):
        from_override(parse("lr=interval(2,1)")[0])


def test_what_is_typed_takes_the_place_of_the_file() -> None:
    of_file: Any = {"lr": FloatSpace(type="float", low=1, high=2), "w": IntSpace(type="int", low=1, high=2)}
    fixed, spaces = split_arguments(parse("seed=3", "~logger", "betas=[1, 2]"), of_file)
    assert (fixed, spaces) == (["seed=3", "~logger", "betas=[1,2]"], of_file)
    assert split_arguments(parse("lr=3"), of_file) == (["lr=3"], {"w": of_file["w"]})
    assert list(split_arguments(parse("head=a,b", "seed=3"), of_file)[1]) == ["head"]
