"""Objects from `_target_` nodes, and the lines that wrong nodes get."""

# ruff: noqa: E501 - one case, one line

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from locnet.config.instantiate import build
from locnet.errors import ConfigError

MINE = """
from dataclasses import dataclass, field

@dataclass
class Point:
    x: float
    y: float = 0.0
    more: list = field(default_factory=list)
    friend: object = None

class Picky:
    def __init__(self, mode="min", **rest):
        if mode == "bug":
            raise ZeroDivisionError("inside")
        if mode != "min":
            raise ValueError(f"mode={mode} is not known\\nsecond line")
        self.rest = rest

def origin():
    return Point(0.0)
"""


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "needy.py").write_text("import not_installed_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)


def mine_node(name: str, **arguments: Any) -> dict[str, Any]:
    return {"_target_": f"mine.{name}", **arguments}


def test_builds_nodes_inside_nodes_from_plain_python() -> None:
    node = mine_node("Point", x=1, more=[{"a": [1, 2]}, mine_node("Point", x=2)], friend=mine_node("origin"))
    point = build(node, key="callbacks.point", allow_targets=["mine"])
    assert (point.x, point.more[1].x, point.friend.x) == (1, 2, 0.0)
    assert type(point.more) is list
    assert type(point.more[0]) is dict
    assert type(point.more[0]["a"]) is list


def test_live_arguments_are_passed_as_they_are() -> None:
    live = object()
    point = build(mine_node("Point", x=1), key="trainer", allow_targets=["mine"], friend=live)
    assert point.friend is live
    dataclass = build(mine_node("Point", x=1), key="trainer", allow_targets=["mine"], friend=point).friend
    assert dataclass is point  # Hydra would take it for a config


def test_partial_waits_for_the_rest() -> None:
    optimizer = build({"_target_": "torch.optim.Adam", "_partial_": True, "betas": [0.8, 0.9]}, key="optimizer")
    assert isinstance(optimizer, partial)
    built = optimizer([torch.zeros(1, requires_grad=True)], lr=0.5)
    assert (built.defaults["lr"], built.defaults["betas"]) == (0.5, (0.8, 0.9))


ONLY = (
    "only classes of pytorch_lightning, lightning_fabric, locnet, torch, torchmetrics, wandb, mine, needy may be built"
)


@pytest.mark.parametrize(
    ("node", "line"),
    [
        # the target
        ({}, "t._target_ has no value; give it the class to build: t._target_=..."),
        ({"_target_": 3}, "t._target_ must be the dotted name of a class, got 3"),
        ({"_target_": "torch..nn"}, "t._target_ must be the dotted name of a class, got torch..nn"),
        ({"_target_": "os.system", "command": "ls"}, f"t._target_ (=os.system): {ONLY}; if you trust it, set allow_targets=[os]"),
        ({"_target_": "torchx.nn.Linear"}, f"t._target_ (=torchx.nn.Linear): {ONLY}; if you trust it, set allow_targets=[torchx]"),
        ({"_target_": "torch.nn.Linaer"}, "t._target_ (=torch.nn.Linaer): there is no Linaer in torch.nn; did you mean Linear?"),
        ({"_target_": "torch.nnn.Linear"}, "t._target_ (=torch.nnn.Linear): there is no nnn in torch; did you mean nn?"),
        ({"_target_": "torch.load", "f": "x"}, "t._target_ (=torch.load) is not a class"),
        ({"_target_": "locnet.qqq.X"}, "t._target_ (=locnet.qqq.X): there is no qqq in locnet"),
        ({"_target_": "needy.X"}, "t._target_ (=needy.X): cannot import needy: No module named 'not_installed_anywhere'"),
        # the arguments
        ({"_target_": "torch.nn.Linear", "in_features": 1, "out_feature": 2}, "unknown key t.out_feature (=2): Linear has no such parameter; did you mean t.out_features?"),
        ({"_target_": "torch.nn.Linear", "in_features": 1}, "t.out_features has no value, and Linear needs it; give it: t.out_features=..."),
        ({"_target_": "torch.nn.Linear", "_args_": [1, 2]}, "t._args_: arguments must be named; write t.NAME=..."),
        (mine_node("Point", x=1, more=[mine_node("Point", z=1)]), "unknown key t.more.0.z (=1): Point has no such parameter; valid: friend, more, x, y"),
        (mine_node("Point", x=1, live=2), "t.live cannot be set here: the program sets it"),
        (mine_node("Picky", mode="max"), "t: Picky refuses these settings: mode=max is not known"),
    ],
)  # fmt: skip
def test_wrong_node(node: dict[str, Any], line: str) -> None:
    extra = {"live": 1} if "live" in node else {}
    with pytest.raises(ConfigError) as caught:
        build(node, key="t", allow_targets=["mine", "needy."], **extra)
    assert str(caught.value) == line


def test_a_disguised_target_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"^t\._target_ \(=torch\.os\.system\), which is \w+\.system: only classes of"
    ):
        build({"_target_": "torch.os.system", "command": "exit 3"}, key="t")


def test_keyword_catch_all_takes_any_key() -> None:
    assert build(mine_node("Picky", anything=1), key="t", allow_targets=["mine"]).rest == {"anything": 1}


def test_the_constructors_error_is_chained_and_a_bug_is_not_hidden() -> None:
    with pytest.raises(ConfigError) as caught:
        build(mine_node("Picky", mode="max"), key="t", allow_targets=["mine"])
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ZeroDivisionError):
        build(mine_node("Picky", mode="bug"), key="t", allow_targets=["mine"])


def test_lightning() -> None:
    node = {"_target_": "pytorch_lightning.Trainer", "accelerator": "cpu", "logger": False}
    stop = {"_target_": "pytorch_lightning.callbacks.EarlyStopping", "monitor": "val/iou", "mode": "max"}
    with pytest.raises(
        ConfigError, match=r"^unknown key trainer\.max_epoch \(=3\): .* did you mean trainer\.max_epochs\?$"
    ):
        build({**node, "max_epoch": 3}, key="trainer")
    with pytest.raises(ConfigError, match=r"^callbacks\.stop: EarlyStopping refuses these settings: `mode` can be"):
        build({**stop, "mode": "mx"}, key="callbacks.stop")  # a MisconfigurationException
    trainer = build({**node, "max_epochs": 3}, key="trainer", callbacks=[build(stop, key="callbacks.stop")])
    assert trainer.max_epochs == 3
    assert any(callback.__class__.__name__ == "EarlyStopping" for callback in trainer.callbacks)
