"""What wandb's own programs make of an offline run: its reader of run files, and its dashboard in a terminal."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from locnet.loggers.base import RunContext
from locnet.loggers.wandb import wandb_logger
from locnet.runtime.loggers import finish

pytestmark = pytest.mark.slow
WANDB = Path(sys.executable).parent / "wandb"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("run")
    logger: Any = wandb_logger(run=RunContext(run_dir, name="a run", config={"seed": 3}), mode="offline")
    for step in range(5):
        logger.log_metrics({"val/iou": step / 10, "epoch": step}, step)
    logger.alert("p_c has collapsed", "0.7 everywhere")
    finish([logger], failed=False)
    [found] = (run_dir / "wandb").glob("offline-run-*")
    return Path(found)


def inspect(folder: Path, *options: str) -> str:
    command = [str(WANDB), "leet", "inspect", "--json", *options, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip(f"this wandb has no `leet inspect`: {done.stderr[-200:]}")
    return done.stdout


def test_its_reader_finds_every_row(folder: Path) -> None:
    records = [json.loads(line) for line in inspect(folder).splitlines() if line.startswith("{")]
    rows = [record["history"] for record in records if record["type"] == "history"]
    assert len(rows) == 5
    text = json.dumps(rows)
    assert all(name in text for name in ("val/iou", "epoch", "trainer/global_step"))
    assert [one["alert"]["title"] for one in records if one["type"] == "alert"] == ["p_c has collapsed"]


def test_its_summary_has_best_and_last(folder: Path) -> None:
    told = inspect(folder, "--summary")
    assert '"max": 0.4' in told or '"max":0.4' in told or "val/iou.max" in told


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_its_dashboard_in_a_terminal(folder: Path) -> None:
    tmux = ["tmux", "-L", f"locnet{time.time_ns()}"]
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", "160", "-y", "48", f"{WANDB} leet {folder}; sleep 60"], check=True
    )
    try:
        shown, end = "", time.monotonic() + 60
        while "val/iou" not in shown and time.monotonic() < end:
            time.sleep(1)
            shown = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout
        assert "State: Finished" in shown
        assert "Name: a run" in shown
        assert "val/iou" in shown
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
