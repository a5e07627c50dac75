"""Searches that go on after they were killed and that several processes share."""

from __future__ import annotations

import csv
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from quick_app import run, start, write_app

from locnet.config.jobs import JobRecord, read_records
from locnet.errors import ConfigError
from locnet.search import settings as search_settings
from locnet.search.settings import SearchSettings, open_storage
from locnet.search.space import ChoiceSpace, FloatSpace, IntSpace
from locnet.search.study import Study

optuna = pytest.importorskip("optuna")

SPACES: Any = {"lr": FloatSpace(type="float", low=1e-4, high=1e-1, log=True), "w": IntSpace(type="int", low=1, high=4)}
GRID: Any = {"a": ChoiceSpace(type="choice", values=["x", "y"]), "b": IntSpace(type="int", low=1, high=3)}


def study_of(sweep_dir: Path, spaces: Any = SPACES, mode: Any = "max", **changes: Any) -> Study:
    values: dict[str, Any] = {
        "sampler": "tpe",
        "trials": 4,
        "at_once": 1,
        "seed": 0,
        "pruner": "none",
        "pruner_startup_trials": 0,
        "pruner_warmup_epochs": 0,
        "storage": f"sqlite:///{sweep_dir}/study.db",
        "study": "locnet",
        "trial": None,
        "space": {},
    }
    return Study(SearchSettings(**values | changes), spaces, mode, sweep_dir)


def done(score: float) -> JobRecord:
    return JobRecord(0, [], "done", exit_code=0, value=score)


def states(sweep_dir: Path) -> list[str]:
    study = optuna.load_study(study_name="locnet", storage=f"sqlite:///{sweep_dir}/study.db")
    return [trial.state.name for trial in study.trials]


def test_outcomes_are_told(tmp_path: Path) -> None:
    study = study_of(tmp_path, mode="min")
    with study.at_work():
        proposals = study.propose(9)
        assert [proposal.number for proposal in proposals] == [0, 1, 2, 3]
        assert study.propose(1) == []
        records = [done(0.5), JobRecord(1, [], "failed"), done(float("nan")), None]
        for proposal, record in zip(proposals, records, strict=True):
            study.tell(proposal.number, record)
    assert states(tmp_path) == ["COMPLETE", "FAIL", "FAIL", "FAIL"]
    assert optuna.load_study(study_name="locnet", storage=f"sqlite:///{tmp_path}/study.db").best_value == 0.5
    with pytest.raises(ConfigError, match="holds a search of another space"):
        other: Any = {"w": ChoiceSpace(type="choice", values=["a"])}
        study_of(tmp_path, other, trials=9).propose(1)


def test_only_trials_of_workers_that_are_gone_are_given_up(tmp_path: Path) -> None:
    gone = study_of(tmp_path, sampler="grid", spaces=GRID, trials=None)
    alive = study_of(tmp_path, sampler="grid", spaces=GRID, trials=None)
    [first] = gone.propose(1)  # without a lock, as if it had been killed
    JobRecord(first.number, []).write(tmp_path / str(first.number))
    with alive.at_work():
        [second] = alive.propose(1)  # the first one's settings once more
        assert (first.number, second.number, second.params) == (0, 1, first.params)
        newcomer = study_of(tmp_path, sampler="grid", spaces=GRID, trials=None)
        with newcomer.at_work():
            rest = newcomer.propose(99)
        points = [(proposal.params["a"], proposal.params["b"]) for proposal in [second, *rest]]
        assert points == [(a, b) for a in "xy" for b in (1, 2, 3)]  # each point once
    assert states(tmp_path)[:2] == ["FAIL", "RUNNING"]
    assert [record.status for record in read_records(tmp_path).values()] == ["interrupted"]


def test_another_session_does_not_draw_the_same_numbers_again(tmp_path: Path) -> None:
    lrs = []
    for trials in (2, 4):
        study = study_of(tmp_path, sampler="random", trials=trials)
        with study.at_work():
            for proposal in study.propose(9):
                lrs.append(proposal.params["lr"])
                study.tell(proposal.number, done(0.1))
    assert len(lrs) == len(set(lrs)) == 4


def test_workers_that_began_together_do_not_draw_the_same_numbers(tmp_path: Path) -> None:
    pair = [study_of(tmp_path, sampler="random") for _ in range(2)]
    with pair[0].at_work(), pair[1].at_work():
        proposals = [study.propose(1)[0] for study in pair + pair]
    assert len({proposal.params["lr"] for proposal in proposals}) == 4


def test_a_number_of_trials_is_needed_where_there_is_no_end(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"hydra.sweeper.trials has no value, and sampler=tpe would never end"):
        study_of(tmp_path, trials=None)


def test_optuna_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"this sweep needs a package: pip install 'locnet\[sweep\]'"):
        search_settings.open_storage("sqlite:///x.db")


def test_a_storage_that_cannot_be_opened() -> None:
    with pytest.raises(ConfigError, match=r"hydra.sweeper.storage=nodb://x cannot be opened"):
        open_storage("nodb://x")


def rows(sweep_dir: Path) -> list[dict[str, str]]:
    with (sweep_dir / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write_app(tmp_path)


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on(app: Path) -> None:
    command = ["sweep=optuna", "hydra.sweep.dir=s", "hydra.sweeper.trials=12"]
    killed = start(app, *command, SECONDS_OF_A_JOB="0.5")
    end = time.monotonic() + 100
    while not (app / "s" / "4" / "job.json").exists():
        assert time.monotonic() < end
        assert killed.poll() is None
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    code, out, err = run(app, *command)
    assert code == 0, err
    assert "trial 4 was interrupted; its settings are tried again" in err
    table = rows(app / "s")
    assert Counter(row["status"] for row in table) == {"done": 12, "interrupted": 1}
    assert [row["job"] for row in table] == [str(number) for number in range(13)]
    again, lost = table[5], table[4]
    assert lost["status"] == "interrupted"
    assert again["optimizer.lr"] == lost["optimizer.lr"]
    assert len({row["optimizer.lr"] for row in table}) == 12
    assert "| 12 |" in out
    code, _, err = run(app, *command)
    assert (code, len(rows(app / "s"))) == (0, 13), err  # there is nothing left to do


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_is_done_is_told_when_a_search_is_ended(app: Path, number: signal.Signals, code: int) -> None:
    """Ctrl-C reaches the job by itself, `kill` and SLURM are passed on to it."""
    process = start(app, "sweep=grid", "optimizer.lr=1e-3,1e-2,1e-1", "hydra.sweep.dir=s", SECONDS_OF_A_JOB="1")
    end = time.monotonic() + 100
    while not (app / "s" / "1" / "job.json").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.5)  # the job has begun
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    out, err = process.communicate(timeout=100)
    assert process.returncode == code, err
    assert [(row["job"], row["status"]) for row in rows(app / "s")] == [("0", "done"), ("1", "interrupted")]
    assert "best: job 0" in out


@pytest.mark.slow
def test_two_processes_share_a_search(app: Path) -> None:
    command = ["sweep=random", "hydra.sweep.dir=s", "hydra.sweeper.trials=8"]
    pair = [start(app, *command, SECONDS_OF_A_JOB="0.3") for _ in range(2)]
    said = [process.communicate(timeout=200) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said
    table = rows(app / "s")
    assert [(row["job"], row["status"]) for row in table] == [(str(number), "done") for number in range(8)]
    assert len({row["optimizer.lr"] for row in table}) == 8
    assert all(err.count("job ") > 0 for _, err in said)  # each did some


def test_typed_spaces_and_failing_trials(app: Path) -> None:
    code, _, err = run(app, "sweep=grid", "loss.box_term=giou,bad", "optimizer.lr=1e-3,1e-2")
    [sweep] = (app / "runs" / "multirun").iterdir()
    assert code == 1
    assert "2 of 4 jobs failed" in err
    assert [(r["loss.box_term"], r["optimizer.lr"], r["status"]) for r in rows(sweep)] == [
        *(("giou", "0.001", "done"), ("giou", "0.01", "done"), ("bad", "0.001", "failed"), ("bad", "0.01", "failed"))
    ]


def test_a_search_whose_trials_all_fail_is_ended(app: Path) -> None:
    code, _, err = run(app, "sweep=random", "loss.box_term=bad", "hydra.sweep.dir=s")
    assert code == 2
    assert err.splitlines()[-1] == "error: the first 3 trials all failed: a bad box term"
    assert len(list((app / "s").glob("*/job.json"))) == 3


def test_mistakes_are_one_line(app: Path) -> None:
    code, _, err = run(app, "sweep=optuna", "hydra.sweeper.pruner=mediann")
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith("error: hydra.sweeper.pruner must be one of median, hyperband, none, got mediann")
    code, _, err = run(app, "sweep=grid", "optimizer.lr=1e-3", "loss.box_term=giou")
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith("error: nothing to search: ")
    code, _, err = run(app, "sweep=optunna")
    assert (code, err.splitlines()) == (
        *(
            2,
            ["error: unknown option sweep=optunna; did you mean sweep=optuna? options of sweep: optuna, random, grid"],
        ),
    )
