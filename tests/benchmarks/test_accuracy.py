"""benchmarks/accuracy.py: what it types, what it counts, and that it goes on where it was."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "accuracy.py"

TINY = ("backbone.name=lcnet_035", "backbone.image_size=64", "head.width=16", "data.batch_size=4", "data.num_workers=0")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("accuracy", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["accuracy"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "name", "overrides"),
    [
        ("default", "default", ("c=1",)),
        ("classic", "classic", ("experiment=classic", "c=1")),
        ("finetune a.b=2 c=3", "finetune_a.b=2_c=3", ("experiment=finetune", "c=1", "a.b=2", "c=3")),
        ("wide: default head.width=192", "wide", ("c=1", "head.width=192")),
        ("default run=a:b", "default_run=a_b", ("c=1", "run=a:b")),
    ],
)
def test_an_experiment_is_a_name_and_what_is_typed(
    script: ModuleType, text: str, name: str, overrides: tuple[str, ...]
) -> None:
    read = script.Experiment.read(text, ["c=1"])
    assert (read.name, read.overrides) == (name, overrides)


def test_numbers_by_hand(script: ModuleType) -> None:
    rows: list[dict[str, Any]] = [
        {"class": "car", "verdict": "car", "iou": 0.8},
        {"class": "car", "verdict": "background", "iou": 0.6},
        {"class": "dog", "verdict": "dog", "iou": 0.1},
        {"class": "background", "verdict": "background", "iou": None},
    ]
    found = script.shares(rows)
    assert found == {
        "images": 4,
        "accuracy": 0.75,
        "iou": pytest.approx(0.5),
        "gt_known_loc": pytest.approx(2 / 3),
        "top1_loc": pytest.approx(1 / 3),
    }
    assert script.shares(rows[3:]) == {"images": 1, "accuracy": 1.0}
    assert script.shares([{"class": "car", "verdict": "car", "iou": None}]) == {"images": 1, "accuracy": 1.0}
    assert script.over_seeds([{"a": 1, "b": "x"}, {"a": 3, "b": "y"}]) == {"a": (2.0, pytest.approx(2**0.5))}
    assert script.over_seeds([{"a": 1.0, "b": None}]) == {"a": (1.0, 0.0)}
    assert [script.cell(v) for v in ((0.5, 0.01), (12.34, 0.0), (312.4, 2.0), None)] == [
        "0.500 ± 0.010",
        "12.3",
        "312 ± 2",
        "",
    ]


def test_unequal_budgets_are_named(script: ModuleType) -> None:
    row = dict.fromkeys(script.BUDGET, 1)
    assert script.unequal({"a": [row, row], "b": [row]}) == []
    assert script.unequal({"a": [row], "b": [row | {"epochs_asked": 3}]}) == ["epochs_asked: a 1, b 3"]


@pytest.mark.slow
def test_the_whole_way_and_again(script: ModuleType, manifest: Callable[..., Path], tmp_path: Path) -> None:
    root = manifest(tmp_path / "photos", train=8, val=8, test=9)
    lines = [f"{index:03}.png,{'web' if index % 2 else 'phone'}" for index in range(25)]
    (root / "meta.csv").write_text("filename,source\n" + "\n".join(lines) + "\n")
    command = [sys.executable, str(SCRIPT), "--data", "csv", "--root", str(root), "--seeds", "0,1", "--epochs", "1"]
    command += ["--experiment", "default", "--experiment", "one_box: default loss.cells=0.0", "--output", "out"]
    for override in (*TINY, "trainer.accelerator=cpu"):
        command += ["--override", override]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *more], cwd=tmp_path, env={**os.environ}, capture_output=True, text=True, check=False
        )

    done = run()
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    assert list(report["experiments"]) == ["default", "one_box"]
    row = report["experiments"]["default"]
    metrics = [json.loads((tmp_path / f"out/default/seed-{s}/metrics.json").read_text()) for s in (0, 1)]
    assert [m["seed"] for m in metrics] == [0, 1]
    for name in ("iou", "accuracy", "objectness_ece"):
        assert row["scores"][name][0] == pytest.approx(sum(m[f"test/{name}"] for m in metrics) / 2)
    by_class = row["breakdown"]["class"].values()
    assert sum(of["images"][0] for of in by_class) == 9
    assert sum(of["images"][0] * of["accuracy"][0] for of in by_class) / 9 == pytest.approx(
        row["scores"]["accuracy"][0]
    )
    assert row["breakdown"]["source"]["web"]["images"][0] == 4
    assert {"macs", "parameters", "images_per_second", "minutes"} <= row["costs"].keys()
    text = (tmp_path / "out" / "accuracy.md").read_text()
    assert text in done.stdout
    assert "## By source" in text
    assert "equal budget" not in text

    # what is finished stays; what was cut off goes on
    (tmp_path / "out" / "one_box" / "seed-1" / "metrics.json").unlink()
    times = {file: file.stat().st_mtime_ns for file in tmp_path.glob("out/*/*/metrics.json")}
    again = run()
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("finished before") == 3
    assert all(file.stat().st_mtime_ns == time for file, time in times.items())
    assert (tmp_path / "out" / "one_box" / "seed-1" / "metrics.json").is_file()
    other = run("--override", "optimizer.lr=0.1")
    assert other.returncode == 1
    assert "choose another --output" in other.stderr
