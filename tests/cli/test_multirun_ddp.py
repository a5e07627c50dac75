"""A sweep of real trainings: two processes inside each job, and one job that fails."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "loggers"))
from wandb_file import read_wandb

TINY = [
    "data.size=32",
    "data.train=24",
    "data.val=9",
    "data.test=9",
    "data.batch_size=8",
    "data.num_workers=0",
    "backbone.name=lcnet_035",
    "backbone.image_size=32",
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
    "trainer.enable_progress_bar=false",
]


def train(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LOCNET_CACHE": str(cwd / "cache"), "WANDB_MODE": "offline", **environment}
    command = [sys.executable, "-m", "locnet.train", *TINY, *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=3600, check=False)


@pytest.mark.distributed
def test_twelve_jobs_of_two_processes_one_of_which_fails(tmp_path: Path) -> None:
    """The job that fails does so on both ranks in the middle of training, where Lightning kills what started them."""
    grid = ["seed=1,2", "optimizer.lr=1e-3,1e-4,1e-5", "loss.box_term=giou,ciou"]
    failing = ["+callbacks.failing._target_=failing.Failing", "allow_targets=[failing]"]
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    done = train(*grid, "-m", "trainer=ddp_sim", *failing, cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 1, done.stderr[-3000:]
    [sweep] = (tmp_path / "runs" / "multirun").iterdir()
    with (sweep / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["job"] for row in rows] == [str(number) for number in range(12)]
    failed = [row for row in rows if row["status"] == "failed"]
    assert [(row["job"], row["seed"], row["optimizer.lr"], row["loss.box_term"]) for row in failed] == [
        ("5", "1", "1e-05", "ciou")  # as Hydra writes it
    ]
    assert "1 of 12 jobs failed: job 5 (seed=1, optimizer.lr=1e-05, loss.box_term=ciou)" in done.stderr
    names = set()
    for row in rows:
        if row in failed:
            continue
        run = sweep / row["job"]
        metrics = json.loads((run / "metrics.json").read_text())
        config = OmegaConf.load(run / "config.yaml")
        assert (str(config.seed), config.loss.box_term) == (row["seed"], row["loss.box_term"])
        assert float(row["optimizer.lr"]) == config.optimizer.lr
        assert metrics["samples/test"] == 9
        assert float(row["test/iou"]) == metrics["test/iou"]
        assert row["score"]
        assert len((run / "history.jsonl").read_text().splitlines()) == 1  # one rank writes
        [folder] = (run / "wandb").glob("offline-run-*")
        told = read_wandb(folder)
        assert (told.id, told.exit_code, told.group) == ((run / "wandb_id.txt").read_text(), 0, sweep.name)
        names.add(told.name)
    assert names == {
        f"seed={row['seed']} optimizer.lr={row['optimizer.lr']} loss.box_term={row['loss.box_term']}"
        for row in rows
        if row not in failed
    }
    with Image.open(sweep / "sweep.png") as picture:
        assert min(picture.size) > 300
    assert not list((tmp_path / "runs").glob("train*"))  # no rank went its own way
