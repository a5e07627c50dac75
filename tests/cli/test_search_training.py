"""A search of real trainings that is killed in the middle and goes on."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_multirun_ddp import TINY

optuna = pytest.importorskip("optuna")


@pytest.mark.slow
def test_twelve_trials_killed_in_the_middle(tmp_path: Path) -> None:
    search = ["sweep=optuna", "hydra.sweeper.trials=12", "hydra.sweeper.pruner_startup_trials=3", "hydra.sweep.dir=s"]
    command = [sys.executable, "-m", "locnet.train", *TINY, "trainer.max_epochs=3", "logger=none", *search]
    env = {**os.environ, "LOCNET_CACHE": str(tmp_path / "cache")}
    sweep = tmp_path / "s"
    with (tmp_path / "first.log").open("w") as file:
        killed = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=file, stderr=file)
        end = time.monotonic() + 2400
        while not (sweep / "5" / "train.log").exists():  # trial 5 is in the middle of its training
            assert time.monotonic() < end
            assert killed.poll() is None
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "trial 5 was interrupted; its settings are tried again" in done.stderr

    trials = optuna.load_study(study_name="locnet", storage=f"sqlite:///{sweep}/study.db").trials
    ended = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(ended) == 12
    assert [trial.number for trial in trials if trial.state.name == "FAIL"] == [5]
    assert trials[6].params == trials[5].params
    with (sweep / "sweep.csv").open(newline="") as file:
        rows = {int(row["job"]): row for row in csv.DictReader(file)}
    assert len(rows) == 13
    for trial in ended:
        row = rows[trial.number]
        assert row["status"] == {"COMPLETE": "done", "PRUNED": "pruned"}[trial.state.name]
        assert float(row["optimizer.lr"]) == trial.params["optimizer.lr"]
        if row["status"] == "done":
            assert float(row["score"]) == pytest.approx(trial.value)
            assert row["test/iou"]
        assert len(trial.intermediate_values) == (3 if row["status"] == "done" else trial.last_step + 1)
    assert (sweep / "sweep.png").stat().st_size > 10_000
