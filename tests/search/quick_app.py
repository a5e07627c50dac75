"""A command that is trained in no time, for tests of what surrounds a search; written to a folder with its conf/."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from locnet.config.location import config_dir

APP = """
import math, os, time
from pathlib import Path
from locnet.config.app import JobResult, run_app
from locnet.errors import DataError

def fit(job):
    lr = job.config["optimizer"]["lr"]
    time.sleep(float(os.environ.get("SECONDS_OF_A_JOB", "0")))
    if job.config["loss"]["box_term"] == "bad":
        raise DataError("a bad box term")
    return JobResult(value=-abs(math.log10(lr) + 3), pruned=lr > 1)

if __name__ == "__main__":
    run_app("train", "app:fit", conf=Path("conf"), module="app", summary="locnet.runtime.sweep:summarise")
"""

TRAIN = """
defaults:
  - hydra: default
  - sweep: null
  - _self_
optimizer: {lr: 1e-3, weight_decay: 0.1}
loss: {box: 1, box_term: giou}
head: {width: 64}
paths: {runs: runs}
seed: 0
"""


def write_app(folder: Path) -> Path:
    """The command, with our own hydra and sweep files."""
    for group in ("hydra", "sweep"):
        shutil.copytree(config_dir() / group, folder / "conf" / group)
    (folder / "conf" / "train.yaml").write_text(TRAIN)
    (folder / "app.py").write_text(APP)
    return folder


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start the command in its folder."""
    command = [sys.executable, "-m", "app", *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    if sys.platform != "win32":  # a test run in the background has inherited that Ctrl-C is ignored
        pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, cwd=folder, env=os.environ | environment, text=True, **pipes)


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    with start(folder, *arguments, **environment) as process:
        out, err = process.communicate(timeout=300)
    return process.returncode, out, err
