"""`resume=RUN_DIR`: whose configuration counts, what may change, and which checkpoint is taken."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from locnet.config.app import Job
from locnet.config.compose import compose
from locnet.errors import CheckpointError, ConfigError
from locnet.runtime.resume import checked, continued, newest_checkpoint
from locnet.runtime.rundir import claim, record
from locnet.runtime.storage import write_checkpoint

CONFIG: dict[str, Any] = {
    "resume": None,
    "seed": 3,
    "optimizer": {"name": "adamw", "lr": 0.1},
    "trainer": {"max_epochs": 5, "devices": 1},
    "data": {"name": "csv", "root": "/here", "classes": None},
    "logger": {"wandb": {"project": "p"}},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    claim(tmp_path / "run", CONFIG, ["optimizer.lr=0.1", "experiment=mine", "data=csv", "data.root=/here"])
    return tmp_path / "run"


def job(run: Path, *overrides: str, **changed: Any) -> Job:
    """As Hydra composes it: everything that is not typed has its default."""
    defaults = CONFIG | {"optimizer": {"name": "adamw", "lr": 0.5}, "seed": 0, "resume": str(run)} | changed
    return Job(config=defaults, run_dir=run, overrides=[*overrides, f"resume={run}"])


def test_the_directory_alone_brings_its_configuration(run: Path) -> None:
    found, lines = continued(job(run))
    assert found.config == CONFIG | {"resume": str(run)}
    assert lines == []


def test_the_same_command_line_may_be_typed_again(run: Path) -> None:
    typed = ["optimizer.lr=0.1", "experiment=mine", "data=csv", "hydra.run.dir=x"]
    found, lines = continued(job(run, *typed, optimizer={"name": "adamw", "lr": 0.1}))
    assert (found.config, lines) == (CONFIG | {"resume": str(run)}, [])


def test_what_was_typed_twice_counts_as_it_ended(tmp_path: Path) -> None:
    claim(tmp_path, CONFIG, ["trainer.max_epochs=9", "trainer.max_epochs=5"])
    found, lines = continued(job(tmp_path, "trainer.max_epochs=9", trainer={"max_epochs": 9, "devices": 1}))
    assert found.config["trainer"]["max_epochs"] == 9
    assert lines == ["trainer.max_epochs was 5 and is now 9"]


def test_what_may_change_does_and_stays_so(run: Path) -> None:
    trainer = {"max_epochs": 9, "devices": 1}
    found, lines = continued(job(run, "trainer.max_epochs=9", "logger=none", trainer=trainer, logger={}))
    assert found.config["trainer"]["max_epochs"] == 9
    assert found.config["optimizer"]["lr"] == 0.1
    assert lines[0] == "trainer.max_epochs was 5 and is now 9"
    record(run, found.config, found.overrides)
    again, lines = continued(job(run))
    assert again.config["trainer"]["max_epochs"] == 9
    assert again.config["resume"] == str(run)
    assert lines == []
    assert OmegaConf.load(run / "config.yaml").resume is None
    assert "trainer.max_epochs=9" in list(OmegaConf.load(run / "overrides.yaml"))


def test_another_logger_takes_the_place_of_the_old_one(run: Path) -> None:
    found, lines = continued(job(run, "logger=csv", logger={"csv": {"_target_": "locnet.x"}}))
    assert found.config["logger"] == {"csv": {"_target_": "locnet.x"}}
    assert "logger.csv._target_ was not set and is now locnet.x" in lines
    found, _ = continued(job(run, "logger=none", logger={}))
    assert found.config["logger"] == {}


@pytest.mark.parametrize(
    ("typed", "changed", "said"),
    [
        ("optimizer.lr=0.2", {"optimizer": {"name": "adamw", "lr": 0.2}}, "optimizer.lr was 0.1 and is now 0.2"),
        ("optimizer=sgd", {"optimizer": {"name": "sgd", "lr": 0.1}}, "optimizer.name was adamw and is now sgd"),
        ("seed=4", {"seed": 4}, "seed was 3 and is now 4"),
        ("trainer.devices=2", {"trainer": {"max_epochs": 5, "devices": 2}}, "trainer.devices was 1 and is now 2"),
        (
            "data.classes=[a]",
            {"data": CONFIG["data"] | {"classes": ["a"]}},
            r"data.classes was null and is now \[.a.\]",
        ),
        ("experiment=other", {}, "experiment=other was not among the settings that the run began with"),
        ("~callbacks.panel", {}, "~callbacks.panel was not among the settings"),
    ],
)
def test_what_makes_it_another_run_is_refused(run: Path, typed: str, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        continued(job(run, typed, **changed))
    assert "\n" not in str(error.value)


def test_a_run_of_another_version_names_the_key_and_both_ways_out(run: Path) -> None:
    """It can neither go on without the key nor with it: what was not set cannot be set now."""
    config = compose("train", [f"resume={run}"])
    assert checked(Job(config=config, run_dir=run)).resume == str(run)
    del config["scale_lr"]
    with pytest.raises(ConfigError, match=r"scale_lr has no value.*go on with that version, or init_from=") as error:
        checked(Job(config=config, run_dir=run))
    assert str(error.value).startswith(f"resume={run}: another version of locnet began this run")
    assert "\n" not in str(error.value)


def test_what_is_no_run_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere: no such file or directory"):
        continued(job(tmp_path / "nowhere"))
    with pytest.raises(CheckpointError, match=r"is a file; resume takes the directory of a run"):
        continued(job(checkpoint))
    with pytest.raises(ConfigError, match=r"there is no run in it \(config.yaml is missing\)"):
        continued(job(tmp_path))


def test_the_newest_whole_checkpoint(tmp_path: Path, checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    folder = tmp_path / "checkpoints"
    assert newest_checkpoint(tmp_path) is None
    assert "from the beginning" in caplog.text
    content = torch.load(checkpoint, weights_only=True)
    write_checkpoint(content | {"global_step": 1}, folder / "previous.ckpt")
    assert newest_checkpoint(tmp_path) == folder / "previous.ckpt"  # killed between two renames
    write_checkpoint(content | {"global_step": 2}, folder / "last.ckpt")
    assert newest_checkpoint(tmp_path) == folder / "last.ckpt"
    assert "after step 2" in caplog.text


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_torn_one_gives_way_and_says_so(
    tmp_path: Path, checkpoint: Path, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "checkpoints"
    content = torch.load(checkpoint, weights_only=True)
    write_checkpoint(content, folder / "previous.ckpt")
    write_checkpoint(content, folder / "last.ckpt")
    whole = (folder / "last.ckpt").read_bytes()
    (folder / "last.ckpt").write_bytes(whole[: int(len(whole) * share)])
    assert newest_checkpoint(tmp_path) == folder / "previous.ckpt"
    assert "going on from the one before it, previous.ckpt" in caplog.text
    assert {path.name for path in folder.iterdir()} == {"previous.ckpt", "damaged.ckpt"}
    (folder / "previous.ckpt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"no checkpoint is whole .*init_from="):
        newest_checkpoint(tmp_path)
