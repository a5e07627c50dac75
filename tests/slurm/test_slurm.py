"""A real SLURM on this machine (cluster.sh): two tasks, jobs of a sweep, preemption."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from locnet.callbacks.history import read_history

TINY = [
    "data.size=32",
    "data.train=24",
    "data.val=9",
    "data.test=9",
    "data.batch_size=8",
    "data.num_workers=0",
    "backbone.name=lcnet_035",
    "backbone.image_size=32",
    "trainer.accelerator=cpu",
    "trainer.enable_progress_bar=false",
    "logger=none",
]
TRAIN = f"{sys.executable} -m locnet.train {' '.join(TINY)}"
SCRIPT = """#!/bin/bash
#SBATCH --nodes=1
#SBATCH --ntasks-per-node={tasks}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=job.log
{command}
"""


def answers() -> bool:
    """Whether there is a cluster."""
    if shutil.which("sinfo") is None:
        return False
    state = subprocess.run(
        ["timeout", "20", "sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, check=False
    )
    return state.stdout.split()[:1] in ([["idle"], ["mixed"], ["allocated"]])


pytestmark = pytest.mark.slurm


@pytest.fixture(autouse=True, scope="module")
def cluster() -> None:
    if not answers():
        pytest.skip("no SLURM answers; tests/slurm/cluster.sh start")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def call(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def submit(here: Path, command: str, tasks: int = 1) -> str:
    """Submit a batch script and return the job's number."""
    (here / "job.sh").write_text(SCRIPT.format(tasks=tasks, command=command))
    return call("sbatch", "--parsable", "job.sh").split(";")[0]


def state(job: str) -> str:
    shown = subprocess.run(["scontrol", "--oneliner", "show", "job", job], capture_output=True, text=True, check=False)
    fields = dict(field.partition("=")[::2] for field in shown.stdout.split())
    return fields.get("JobState", "GONE")


def wait(until: Callable[[], bool], here: Path, seconds: float = 400) -> None:
    end = time.monotonic() + seconds
    while not until():
        log = here / "job.log"
        assert time.monotonic() < end, log.read_text()[-3000:] if log.exists() else call("squeue")
        time.sleep(0.2)


def ended(job: str) -> bool:
    return state(job) not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED")


def test_two_tasks_are_the_two_processes_of_one_run(here: Path) -> None:
    job = submit(here, f"srun {TRAIN} trainer=ddp_sim trainer.max_epochs=1 hydra.run.dir=runs/$SLURM_JOB_ID", tasks=2)
    wait(lambda: ended(job), here)
    log = (here / "job.log").read_text()
    assert state(job) == "COMPLETED", log[-3000:]
    assert [path.name for path in (here / "runs").iterdir()] == [job]
    metrics = json.loads((here / "runs" / job / "metrics.json").read_text())
    assert metrics["samples/test"] == 9
    assert len(read_history(here / "runs" / job / "history.jsonl")) == 1
    assert "batch 16 (8 a process x 2 processes" in log
    assert log.count("test split: 9 images") == 1  # one of them speaks


def test_jobs_of_a_sweep_are_jobs_of_the_cluster(here: Path) -> None:
    pytest.importorskip("submitit")
    launcher = ["hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=10", "hydra.sweep.dir=s"]
    command = [*TRAIN.split(), "-m", "trainer.max_epochs=1", "seed=1,2", "loss.box_term=giou,gious", *launcher]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 1, done.stderr[-3000:]
    with (here / "s" / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["loss.box_term"], row["status"]) for row in rows] == [
        *(("1", "giou", "done"), ("1", "gious", "failed"), ("2", "giou", "done"), ("2", "gious", "failed"))
    ]
    assert all("loss.box_term must be one of" in row["error"] for row in (rows[1], rows[3]))
    assert "2 of 4 jobs failed: job 1 (seed=1, loss.box_term=gious)" in done.stderr
    assert all(json.loads((here / "s" / str(n) / "metrics.json").read_text())["samples/test"] == 9 for n in (0, 2))


def test_a_requeued_job_of_a_sweep_goes_on(here: Path) -> None:
    pytest.importorskip("submitit")
    launcher = ["hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=10", "hydra.sweep.dir=s"]
    command = [*TRAIN.split(), "-m", "trainer.max_epochs=60", "seed=1", *launcher]
    history = here / "s" / "0" / "history.jsonl"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        wait(lambda: len(read_history(history)) >= 3, here)
        [job] = call("squeue", "--noheader", "--format=%i").split()
        call("scontrol", "requeue", job)
        out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, out[-3000:]
    record = json.loads((here / "s" / "0" / "job.json").read_text())
    assert (record["status"], record["exit_code"]) == ("done", 0)
    epochs = [json.loads(line)["epoch"] for line in history.read_text().splitlines()]
    assert sorted(set(epochs)) == list(range(60))
    assert [path.name for path in (here / "s").iterdir() if path.name.isdigit()] == ["0"]


def test_a_requeued_job_goes_on_where_it_was_stopped(here: Path) -> None:
    run = here / "runs" / "x"
    again = '$([ -e runs/x/config.yaml ] && echo "resume=runs/x")'
    job = submit(here, f"srun {TRAIN} trainer.max_epochs=200 hydra.run.dir=runs/x {again}")
    wait(lambda: len(read_history(run / "history.jsonl")) >= 3, here)
    call("scontrol", "requeue", job)  # what a preemption does: SIGTERM, then the queue
    wait(lambda: state(job) == "PENDING", here)
    before = (run / "history.jsonl").read_text()
    log = (here / "job.log").read_text()
    assert "stopped by SIGTERM after step" in log
    wait(lambda: len(read_history(run / "history.jsonl")) > len(before.splitlines()) + 1, here)
    call("scancel", "--signal=TERM", job)  # and once more, by hand
    wait(lambda: ended(job), here)
    assert (run / "history.jsonl").read_text().startswith(before)
    epochs = [json.loads(line)["epoch"] for line in (run / "history.jsonl").read_text().splitlines()]
    assert epochs == list(range(len(epochs)))  # none twice, none left out
    assert (here / "job.log").read_text().count("stopped by SIGTERM after step") == 2


def test_tests_of_the_cluster_leave_no_job_behind() -> None:
    assert call("squeue", "--noheader", f"--user={os.environ.get('USER', 'root')}") == ""
