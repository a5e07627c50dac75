"""conf/sweep/wandb.yml: its command as wandb's agent runs it, and its parameters as our configuration takes them."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from omegaconf import OmegaConf

from locnet.config.check import check
from locnet.config.compose import compose
from locnet.config.location import config_dir
from locnet.config.schema import TrainSettings

SWEEP: dict[str, Any] = yaml.safe_load((config_dir() / "sweep" / "wandb.yml").read_text(encoding="utf-8"))


def test_every_parameter_is_one_of_ours_over_its_whole_range() -> None:
    for end in (0, -1):
        chosen = []
        for key, space in SWEEP["parameters"].items():
            values = space.get("values") or [space["min"], space["max"]]
            chosen.append(f"{key}={values[end]}")
        config = compose("train", chosen)
        check(config, TrainSettings)
        for text in chosen:
            key, _, value = text.partition("=")
            assert str(OmegaConf.select(OmegaConf.create(config), key)) == value


def test_what_it_optimises_is_what_a_run_tells_the_server() -> None:
    assert SWEEP["metric"] == {"name": "score", "goal": "maximize"}
    assert compose("train")["monitor_mode"] == "max"


@pytest.mark.slow
def test_the_agents_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's own code makes the command from the file and starts it."""
    agent_module: Any = importlib.import_module("wandb.wandb_agent")
    sys.path.insert(0, str(Path(__file__).parents[1] / "loggers"))
    try:
        read_wandb = importlib.import_module("wandb_file").read_wandb
    finally:
        sys.path.pop(0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("LOCNET_CACHE", str(tmp_path / "cache"))
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_DIR"):  # the agent sets them in this process
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    agent = agent_module.Agent.__new__(agent_module.Agent)
    attributes: dict[str, Any] = {
        "_function": None,
        "_in_jupyter": False,
        "_forward_signals": False,
        "_run_processes": {},
    }
    for name, value in (attributes | {"_sweep_command": list(SWEEP["command"]), "_last_report_time": None}).items():
        setattr(agent, name, value)
    tiny = {
        "data.size": 32,
        "data.train": 16,
        "data.val": 8,
        "data.test": 8,
        "data.batch_size": 8,
        "data.num_workers": 0,
        "backbone.name": "lcnet_035",
        "backbone.image_size": 32,
        "trainer.max_epochs": 1,
        "trainer.accelerator": "cpu",
        "trainer.enable_progress_bar": False,
    }
    drawn = {"optimizer.lr": 0.00123456789, "loss.box": 1.5, "head.width": 64, "loss.box_term": "ciou"}
    arguments = {key: {"value": value} for key, value in (drawn | tiny).items()}
    agent._command_run({"run_id": "abcd1234", "program": SWEEP["program"], "args": arguments})
    [process] = agent._run_processes.values()
    assert process.wait() == 0

    [run] = (tmp_path / "runs" / "train").iterdir()
    config = OmegaConf.load(run / "config.yaml")
    assert {key: OmegaConf.select(config, key) for key in drawn} == drawn
    assert (run / "wandb_id.txt").read_text() == "abcd1234"  # the id that the server knows
    [folder] = (run / "wandb").glob("offline-run-*")
    told = read_wandb(folder)
    assert told.id == "abcd1234"
    assert told.summary["score"] == pytest.approx(json.loads((run / "metrics.json").read_text())["val/iou"])
