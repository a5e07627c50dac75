"""Labels on the command line: what a run says about them, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.slow

TINY = ["backbone.name=lcnet_035", "backbone.image_size=64", "data.batch_size=4", "data.num_workers=0", "logger=none"]
TINY += ["trainer.max_epochs=1", "trainer.accelerator=cpu", "trainer.enable_progress_bar=false"]


def run(command: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LOCNET_CACHE": str(cwd / "cache")}
    words = [sys.executable, "-m", f"locnet.{command}", *arguments]
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_a_few_bad_rows_are_told_and_listed(manifest: Callable[..., Path], tmp_path: Path) -> None:
    manifest(tmp_path / "photos", train=8, val=5, test=5)
    table = tmp_path / "photos" / "annotations.csv"
    table.write_text(table.read_text() + "gone.png,train,car,1,2,3,4,48,40\n000.png,train,cat,2,3,9,9,48,40\n")
    done = run("train", "data=auto", "data.root=photos", *TINY, "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: photos/annotations.csv:20: filename=images/gone.png: there is no such image")
    done = run(
        "train", "data=auto", "data.root=photos", "data.max_bad_fraction=0.1", *TINY, "hydra.run.dir=run", cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr  # done, but something was left out
    assert "19 images: 13 one object, 1 several objects, the largest taken, 4 background, 1 left out" in done.stderr
    assert "1 of 19 left out (1 image missing); listed in defects.jsonl" in done.stderr
    assert "recognised data=csv data.annotations=annotations.csv" in done.stderr
    [line] = (tmp_path / "run" / "defects.jsonl").read_text().splitlines()
    assert json.loads(line)["kind"] == "missing_image"
    # the checkpoint remembers where its data were, and which format they had
    done = run("evaluate", "checkpoint=run", "trainer.accelerator=cpu", "hydra.run.dir=again", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert json.loads((tmp_path / "again" / "metrics.json").read_text())["samples/test"] == 5
    # and the doctor asks it about every label
    done = run("doctor", "data.root=photos", "checkpoint=run", "num_workers=1", "hydra.run.dir=doctor", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "labels that the model contradicts with confidence" in done.stdout
    assert "Suspect labels" in (tmp_path / "doctor" / "report.html").read_text()


def test_folders_without_boxes_are_for_classification(tmp_path: Path) -> None:
    for number in range(24):
        folder = tmp_path / "photos" / ("train", "train", "val", "test")[number % 4] / ("cat", "dog")[number // 4 % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 24), (number * 10, 0, 99)).save(folder / f"{number}.png")
    arguments = ("data=folders", "data.root=photos", *TINY)
    done = run("train", *arguments, "hydra.run.dir=first", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: the labels of photos have no boxes: only experiment=classification can use them\n"
    done = run("train", *arguments, "experiment=classification", "hydra.run.dir=second", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "second" / "metrics.json").read_text())
    assert metrics["samples/train"] == 12
    assert "test/accuracy" in metrics
