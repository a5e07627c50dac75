"""A run directory belongs to one run."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from locnet.errors import ConfigError
from locnet.runtime.quiet import quiet
from locnet.runtime.rundir import claim, is_main_process, log_to, write_json

CONFIG = {"seed": 3, "data": {"name": "csv", "root": "/somewhere: é"}, "tags": [], "note": None}
RANKS = ("RANK", "NODE_RANK", "GROUP_RANK", "LOCAL_RANK", "SLURM_PROCID")


@pytest.fixture(autouse=True)
def first_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RANKS:
        monkeypatch.delenv(name, raising=False)


def test_a_claimed_directory_says_what_runs_in_it(tmp_path: Path) -> None:
    run = tmp_path / "new" / "run"
    claim(run, CONFIG, ["seed=3", "data.root='/somewhere: é'"])
    assert OmegaConf.to_container(OmegaConf.load(run / "config.yaml")) == CONFIG
    assert list(OmegaConf.load(run / "overrides.yaml")) == ["seed=3", "data.root='/somewhere: é'"]
    assert {path.name for path in run.iterdir()} == {"config.yaml", "overrides.yaml"}


def test_another_run_is_never_overwritten(tmp_path: Path) -> None:
    claim(tmp_path, CONFIG, ["seed=3"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigError) as error:
        claim(tmp_path, {"seed": 4}, ["seed=4"])
    assert str(error.value) == f"{tmp_path} holds another run; choose another directory"
    with pytest.raises(ConfigError) as error:
        claim(tmp_path, {"seed": 4, "resume": None}, [])
    assert str(error.value).endswith(f"choose another directory, or go on with that one: resume={tmp_path}")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_resume_needs_a_run_and_keeps_its_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        claim(tmp_path / "typo", CONFIG, [], resume=True)
    assert str(error.value) == f"resume={tmp_path}/typo: there is no run in it (config.yaml is missing)"
    assert not (tmp_path / "typo").exists()
    claim(tmp_path, CONFIG, ["seed=3"])
    claim(tmp_path, {"seed": 4}, ["resume=."], resume=True)
    assert OmegaConf.load(tmp_path / "config.yaml").seed == 3


def test_a_path_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(ConfigError, match="cannot be made a run directory"):
            claim(place, CONFIG, [])
    assert (tmp_path / "file").read_text() == "mine"


RACE = """
import sys, time
from pathlib import Path
from locnet.errors import ConfigError
from locnet.runtime.rundir import claim
time.sleep(max(0, float(sys.argv[2]) - time.time()))
wins = 0
for number in range(300):
    try:
        claim(Path(sys.argv[1]) / str(number), {"who": sys.argv[3]}, [sys.argv[3]])
        wins += 1
    except ConfigError:
        pass
print(wins)
"""


def test_of_two_processes_one_gets_it(tmp_path: Path) -> None:
    import time

    start = str(time.time() + 3)
    racers = [
        subprocess.Popen([sys.executable, "-c", RACE, str(tmp_path), start, who], stdout=subprocess.PIPE, text=True)
        for who in ("a", "b")
    ]
    wins = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sum(wins) == 300
    for number in range(300):
        winner = OmegaConf.load(tmp_path / str(number) / "config.yaml").who
        assert list(OmegaConf.load(tmp_path / str(number) / "overrides.yaml")) == [winner]


@pytest.mark.parametrize("name", RANKS)
def test_other_processes_of_the_same_run_leave_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """On any node: torchrun's second node has a LOCAL_RANK of 0 too."""
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert is_main_process()
    monkeypatch.setenv(name, "1")
    assert not is_main_process()
    claim(tmp_path / "run", CONFIG, [])
    with log_to(tmp_path / "run.log"):
        logging.getLogger("locnet").warning("from elsewhere")
    assert list(tmp_path.iterdir()) == []
    log = logging.getLogger("locnet.runtime")
    with caplog.at_level(logging.INFO), quiet():
        log.info("said by the first process alone")
        log.warning("trouble")
    assert caplog.messages == ["from elsewhere", "trouble"]


def test_log_file_gets_everything_while_it_lasts(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    before = list(logging.root.handlers)
    for text in ("first é", "second"):
        with log_to(path):
            logging.getLogger("some.package").warning(text)
    with pytest.raises(RuntimeError), log_to(path):
        raise RuntimeError
    logging.getLogger("some.package").warning("too late")
    assert logging.root.handlers == before
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.split(" some.package: ")[1] for line in lines] == ["first é", "second"]


def test_json_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, {"test/iou": 0.5})
    write_json(path, {"test/iou": 0.75, "seed": 1})
    assert json.loads(path.read_text()) == {"test/iou": 0.75, "seed": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_json_holds_no_words_that_json_does_not_know(tmp_path: Path) -> None:
    write_json(tmp_path / "m.json", {"test/loss": float("nan"), "best": float("inf"), "none": None})

    def refuse(word: str) -> None:
        raise ValueError(word)

    content = json.loads((tmp_path / "m.json").read_text(), parse_constant=refuse)
    assert content == {"test/loss": None, "best": None, "none": None}
