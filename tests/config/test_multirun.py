"""A multirun of a tiny command without torch: each job in a process and a directory of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

APP = """
import os, sys
from pathlib import Path
from locnet.config.app import Job, JobResult, run_app
from locnet.errors import DataError

def fit(job):
    lr = job.config["lr"]
    sweep = job.sweep_dir.name if job.sweep_dir else None
    print("lr", lr, os.getpid(), "extra" in job.config, job.number, job.swept, sweep)
    if lr == 2:
        raise DataError("labels.csv line 7: no class in the row")
    if lr == 3:
        raise ZeroDivisionError("a bug")
    if lr == 4:
        sys.stdout.flush()
        os.kill(os.getpid(), 9)
    return JobResult(value=lr / 10, exit_code=1 if lr == 5 else 0)

def summarise(place):
    print("summary of", sorted(path.name for path in place.iterdir() if path.is_dir()))

if __name__ == "__main__":
    run_app("train", "app:fit", conf=Path("conf"), module="app", summary="app:summarise")
"""

CONF = {
    "train": "defaults:\n  - hydra: default\n  - _self_\nlr: 0\n",
    "hydra/default": """
defaults:
  - override job_logging: none
  - override hydra_logging: none
callbacks:
  sweep_dir:
    _target_: locnet.config.multirun.SweepDir
run:
  dir: runs/${now:%H-%M-%S}-${locnet.token:}
sweep:
  dir: sweeps/${now:%H-%M-%S}-${locnet.token:}
  subdir: ${hydra.job.num}
output_subdir: null
""",
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for name, text in CONF.items():
        path = tmp_path / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "more.yaml").write_text("defaults:\n  - train\n  - _self_\nextra: 1\n")
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def run(app: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=app,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def records(app: Path) -> dict[int, dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in app.glob("sweeps/*/*/job.json")]
    return {record["number"]: record for record in found}


def test_whatever_happens_to_a_job_the_others_go_on(app: Path) -> None:
    done = run(app, "--config-dir", "mine", "--config-name", "more", "-m", "lr=range(1,6)")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert errors == [
        "error: job 1 (lr=2): labels.csv line 7: no class in the row",
        "error: job 2 (lr=3): crashed, see the traceback above",
        "error: job 3 (lr=4): died without a word (killed by SIGKILL)",
        "error: 3 of 5 jobs failed: job 1 (lr=2); job 2 (lr=3); job 3 (lr=4)",
    ]
    assert "ZeroDivisionError: a bug" in lines
    told = {number: (r["status"], r["exit_code"], r["value"], r["error"]) for number, r in sorted(records(app).items())}
    assert told == {
        0: ("done", 0, 0.1, None),
        1: ("failed", 2, None, "labels.csv line 7: no class in the row"),
        2: ("failed", 70, None, "ZeroDivisionError: a bug"),
        3: ("failed", 137, None, "died without a word (killed by SIGKILL)"),
        4: ("done", 1, 0.5, None),
    }
    [sweep] = (app / "sweeps").iterdir()
    said = [line.split() for line in done.stdout.splitlines() if line.startswith("lr")]
    assert len({words[2] for words in said}) == len(said) == 5  # a process each
    assert [words[3:] for words in said] == [["True", str(n), f"['lr={n + 1}']", sweep.name] for n in range(5)]
    assert "summary of ['0', '1', '2', '3', '4']" in done.stdout


@pytest.mark.parametrize("environment", [{"RANK": "0", "WORLD_SIZE": "2"}, {"SLURM_STEP_NUM_TASKS": "2"}])
def test_several_processes_do_not_each_run_the_sweep(app: Path, environment: dict[str, str]) -> None:
    done = run(app, "-m", "lr=1,6", **environment)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: a multirun starts the processes of its jobs itself: leave torchrun and srun out")


@pytest.mark.slow
def test_twenty_runs_of_the_same_second_have_twenty_directories(app: Path) -> None:
    command = [sys.executable, "-m", "app", "lr=1"]
    processes = [subprocess.Popen(command, cwd=app, stdout=subprocess.DEVNULL) for _ in range(20)]
    assert [process.wait(timeout=120) for process in processes] == [0] * 20
    names = [path.name for path in (app / "runs").iterdir()]
    assert len(names) == 20


@pytest.mark.slow
def test_twenty_jobs_have_twenty_directories(app: Path) -> None:
    done = run(app, "-m", "lr=range(6,26)")
    assert done.returncode == 0, done.stderr
    assert {n: record["swept"] for n, record in records(app).items()} == {n: [f"lr={n + 6}"] for n in range(20)}
