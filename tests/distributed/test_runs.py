"""Runs of two processes as users type them: one directory, one end, one set of numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from locnet.callbacks.history import read_history

pytestmark = pytest.mark.distributed

HERE = Path(__file__).parent
TINY = [
    *("data.num_workers=0", "data.batch_size=4", "backbone.name=test_resnet", "backbone.image_size=32"),
    *("head.width=16", "trainer.max_epochs=2", "trainer.enable_progress_bar=false", "logger=none"),
]
BOMB = ["+callbacks.bomb._target_=bombs.Bomb", "allow_targets=[bombs]"]


@pytest.fixture(scope="module")
def root(manifest: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifest(tmp_path_factory.mktemp("data") / "scenes", train=25, val=5, test=7)


def start(*arguments: str, cwd: Path, torchrun: int = 0) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "WORLD_SIZE")}
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={torchrun}"] if torchrun else []
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "locnet.train", *TINY, *arguments],
        cwd=cwd,
        env=environment | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str], seconds: float = 240) -> tuple[int, str]:
    """Exit code and stderr; a hang is an error."""
    stderr = process.communicate(timeout=seconds)[1]
    return process.returncode, stderr


def result(run: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    clock = ("train/seconds", "train/images_per_second")
    return content["state_dict"], [
        {k: v for k, v in row.items() if k not in clock} for row in read_history(run / "history.jsonl")
    ]


def test_torchrun_gives_one_run_directory(root: Path, tmp_path: Path) -> None:
    """Each process makes up a name with its own clock; the first one's is taken."""
    code, stderr = end(start("data=csv", f"data.root={root}", "trainer=ddp_sim", cwd=tmp_path, torchrun=2))
    assert code == 0, stderr
    [run] = (tmp_path / "runs" / "train").iterdir()
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["samples/test"] == 7
    assert len(read_history(run / "history.jsonl")) == 2
    assert "optimizer      effective batch 8 (4 a process x 2 processes x 1 accumulated)" in stderr
    assert "BatchNorm sees the images of each process alone" in stderr


def test_a_double_launch_is_explained_before_anything_is_made(root: Path, tmp_path: Path) -> None:
    code, stderr = end(start("data=csv", f"data.root={root}", cwd=tmp_path, torchrun=2))
    assert code != 0
    assert "has started 2 processes, but trainer.devices=1 and trainer.num_nodes=1 make 1" in stderr
    assert not list(tmp_path.rglob("config.yaml"))


@pytest.mark.parametrize(
    ("process", "how", "code", "said"),
    [
        (1, "refuse", 2, "error: process 1: images/007.png: cannot be read"),
        (1, "kill", 137, "error: process 1 of this run was ended by signal 9"),
        (0, "refuse", 2, "error: images/007.png: cannot be read"),
    ],
)
def test_a_process_that_dies_takes_the_run_down_with_its_message(
    process: int, how: str, code: int, said: str, root: Path, tmp_path: Path
) -> None:
    bomb = [*BOMB, f"+callbacks.bomb.process={process}", f"+callbacks.bomb.how={how}"]
    ended = end(start("data=csv", f"data.root={root}", "trainer=ddp_sim", *bomb, cwd=tmp_path))
    assert ended[0] == code, ended[1]
    assert said in ended[1]


@pytest.mark.parametrize(
    "trainer", [["ddp_sim"], ["fsdp_sim", "trainer.strategy.min_parameters=20000"]], ids=["ddp_sim", "fsdp_sim"]
)
def test_sigterm_to_one_process_stops_both_and_the_run_goes_on_bit_by_bit(
    trainer: list[str], root: Path, tmp_path: Path
) -> None:
    name, *more = trainer
    data = ["data=csv", f"data.root={root}", f"trainer={name}", "head.dropout=0.2", *more]
    code, stderr = end(start(*data, "hydra.run.dir=whole", cwd=tmp_path))
    assert code == 0, stderr
    bomb = ["+callbacks.bomb._target_=bombs.Bomb", "+callbacks.bomb.process=1", "+callbacks.bomb.how=stop"]
    code, stderr = end(start(*data, "hydra.run.dir=stopped", *bomb, "allow_targets=[bombs]", cwd=tmp_path))
    assert code == 143, stderr
    assert "goes on" in stderr
    assert (tmp_path / "stopped" / "checkpoints" / "last.ckpt").is_file()
    code, stderr = end(start("resume=stopped", cwd=tmp_path))
    assert code == 143, stderr  # the bomb belongs to the run: it goes off in the next epoch too
    code, stderr = end(start("resume=stopped", cwd=tmp_path))
    assert code == 0, stderr
    (weights, rows), (others, other_rows) = result(tmp_path / "whole"), result(tmp_path / "stopped")
    assert rows == other_rows
    assert all(torch.equal(value, others[name]) for name, value in weights.items())
