"""`python -m locnet.evaluate`: any checkpoint on any labels, in the model's own words."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from locnet import evaluate as command

CLASSES = ("car", "dog", "person")
QUIET = ("trainer.accelerator=cpu", "trainer.enable_progress_bar=false", "data.num_workers=0")
PLOTS = {"predictions.png", "predictions_random.png", "confusion.png", "iou.png", "objectness.png"}

Typed = Callable[..., tuple[int, str, str]]
Make = Callable[..., Path]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command line; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def typed(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evaluate", *arguments])
        handlers, level = list(logging.root.handlers), logging.root.level
        with pytest.raises(SystemExit) as end:
            command.main()
        logging.root.handlers, logging.root.level = handlers, level  # Hydra's own outlive the test
        out, err = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, out, err

    return typed


@pytest.fixture(scope="module")
def root(manifest: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifest(tmp_path_factory.mktemp("data") / "tiny", train=8, val=5, test=9)


def metrics_of(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return content


def error_of(err: str) -> str:
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0].removeprefix("error: ")


def test_what_a_run_leaves_behind(typed: Typed, checkpoint: Path, root: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    code, out, err = typed(f"checkpoint={checkpoint}", "data=csv", f"data.root={root}", *QUIET, f"hydra.run.dir={run}")
    assert code == 0, err
    files = {str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()}
    own = {"config.yaml", "overrides.yaml", "metrics.json", "predictions.parquet", "report.html", "evaluate.log"}
    assert files == own | {f"plots/{name}" for name in PLOTS}
    config: Any = OmegaConf.load(run / "config.yaml")
    assert config.data.root == str(root)
    assert f"data.root={root}" in list(OmegaConf.load(run / "overrides.yaml"))
    assert str(checkpoint) in (run / "evaluate.log").read_text()
    for word in ("iou", "mean_box", "majority", *CLASSES):
        assert word in out.lower().replace(" ", "_"), out

    metrics = metrics_of(run)
    table = pq.read_table(run / "predictions.parquet").to_pylist()
    assert len(table) == 9
    ious = [row["iou"] for row in table if row["iou"] is not None]
    right = [row["class"] == row["verdict"] for row in table]
    assert metrics["test/iou"] == pytest.approx(sum(ious) / len(ious), abs=1e-6)
    assert metrics["test/accuracy"] == pytest.approx(sum(right) / 9)
    assert metrics["test/gt_known_loc"] == pytest.approx(sum(iou >= 0.5 for iou in ious) / len(ious))
    assert (metrics["samples/train"], metrics["samples/val"], metrics["samples/test"]) == (8, 5, 9)
    assert 0 < metrics["baseline/mean_box/iou"] < 1
    assert {"baseline/centre_box/iou", "baseline/majority/accuracy", "version/torch", "version/locnet"} <= set(metrics)
    assert metrics["checkpoint"] == str(checkpoint)
    assert metrics["threshold"] == 0.5
    assert len(metrics["data/fingerprint"]) == 12


def test_split_and_threshold(typed: Typed, checkpoint: Path, root: Path, tmp_path: Path) -> None:
    typed_in = (f"checkpoint={checkpoint}", "data=csv", f"data.root={root}", *QUIET)
    code, _, err = typed(*typed_in, "split=val", "threshold=1.0", f"hydra.run.dir={tmp_path}/val")
    assert code == 0, err
    metrics = metrics_of(tmp_path / "val")
    assert "val/iou" in metrics
    assert not [name for name in metrics if name.startswith("test/")]
    table = pq.read_table(tmp_path / "val" / "predictions.parquet").to_pylist()
    assert [row["file"] for row in table] == [f"images/{number:03}.png" for number in range(8, 13)]
    assert {row["verdict"] for row in table} == {"background"}  # p_c < 1 everywhere
    assert (metrics["threshold"], metrics["val/top1_loc"]) == (1.0, 0.0)
    assert metrics["val/iou"] > 0  # the box is scored as predicted, whatever the verdict


def rows_by_file(run: Path) -> dict[str, dict[str, Any]]:
    return {row["file"]: row for row in pq.read_table(run / "predictions.parquet").to_pylist()}


@pytest.mark.parametrize(
    "classes",
    [("person", "dog", "car"), ("dog",), ("car", "person")],
    ids=["another order", "one of three", "two of three"],
)
def test_the_checkpoint_decides_what_a_class_index_means(
    typed: Typed, checkpoint_of: Make, manifest: Make, tmp_path: Path, classes: tuple[str, ...]
) -> None:
    """Not the labels: their sorted names would be other indices."""
    model = checkpoint_of(tmp_path / "zebra.ckpt", classes=("person", "zebra", "dog", "car"))
    root = manifest(tmp_path / "data", classes=classes, train=4, test=8)
    typed_in = (f"checkpoint={model}", "data=csv", f"data.root={root}", *QUIET, "threshold=0.0")
    code, _, err = typed(*typed_in, f"hydra.run.dir={tmp_path}/run")
    assert code == 0, err
    truth: dict[str, str] = {}
    for line in (root / "annotations.csv").read_text().splitlines()[1:]:
        name, split, label, *_ = line.split(",")
        truth |= {f"images/{name}": label} if split == "test" else {}
    rows = rows_by_file(tmp_path / "run")
    assert {file: row["class"] for file, row in rows.items()} == truth
    scores = [name for name in next(iter(rows.values())) if name.startswith("score_")]
    assert scores == ["score_person", "score_zebra", "score_dog", "score_car"]
    for row in rows.values():
        assert row["verdict"] == max(scores, key=row.__getitem__).removeprefix("score_")
    right = [row["verdict"] == row["class"] for row in rows.values() if row["class"] != "background"]
    assert metrics_of(tmp_path / "run")["test/class_accuracy"] == pytest.approx(sum(right) / len(right))


def test_a_class_that_the_model_does_not_know(typed: Typed, checkpoint: Path, manifest: Make, tmp_path: Path) -> None:
    root = manifest(tmp_path / "data", classes=("car", "persn"))
    arguments = (f"checkpoint={checkpoint}", "data=csv", f"data.root={root}", f"hydra.run.dir={tmp_path}/run")
    code, _, err = typed(*arguments, *QUIET)
    assert code == 2
    assert error_of(err).startswith(
        f"{root}/annotations.csv:3: class=persn is none of the 3 of data.classes or of the checkpoint; "
        "did you mean person? ("
    )
    assert not (tmp_path / "run" / "config.yaml").exists()
    # once that is put right the same command works: a mistake does not occupy the directory
    path = root / "annotations.csv"
    path.write_text(path.read_text().replace("persn", "person"))
    code, _, err = typed(*arguments, *QUIET)
    assert code == 0, err
    code, _, err = typed(*arguments, *QUIET)
    assert (code, error_of(err)) == (2, f"{tmp_path}/run holds another run; choose another directory")


def test_the_data_that_it_was_trained_on(typed: Typed, checkpoint_of: Make, root: Path, tmp_path: Path) -> None:
    """Without `data=` the checkpoint remembers, from any directory."""
    data = {
        "name": "csv",
        "root": str(root),
        "annotations": "annotations.csv",
        "classes": None,
        "split": {"val": 0.15, "test": 0.15, "seed": 0},
        "batch_size": 4,
        "num_workers": 0,
        "resize": "squash",
    }
    model = checkpoint_of(tmp_path / "remembers.ckpt", data=data, resize="letterbox")
    code, _, err = typed(f"checkpoint={model}", *QUIET[:2], f"hydra.run.dir={tmp_path}/run")
    assert code == 0, err
    assert metrics_of(tmp_path / "run")["samples/test"] == 9

    old = checkpoint_of(tmp_path / "old.ckpt", data={"name": "csv", "folder": "x"})
    code, _, err = typed(f"checkpoint={old}", *QUIET[:2])
    assert (code, error_of(err)) == (
        2,
        "the data settings in this checkpoint are of another version; give data=csv data.root=DIR",
    )


def test_calibrate_a_checkpoint_that_is_not(typed: Typed, checkpoint: Path, manifest: Make, tmp_path: Path) -> None:
    root = manifest(tmp_path / "data", train=4, val=16, test=9)
    data = ("data=csv", f"data.root={root}", *QUIET)
    code, _, err = typed(f"checkpoint={checkpoint}", *data, "calibrate=true", f"hydra.run.dir={tmp_path}/first")
    assert code == 0, err
    assert "calibration    on 16 val images" in err
    metrics = metrics_of(tmp_path / "first")
    assert metrics["calibration/objects"] == 12
    assert metrics["test/coverage_80_low"] < metrics["test/coverage_80"] <= 1
    assert metrics["test/objectness_ece_uncalibrated"] != metrics["test/objectness_ece"]
    assert {path.name for path in (tmp_path / "first" / "plots").iterdir()} == PLOTS | {"reliability.png", "crops.png"}
    # its copy gives the same from now on, as a run directory
    code, _, err = typed(f"checkpoint={tmp_path}/first", *data, f"hydra.run.dir={tmp_path}/second")
    assert code == 0, err
    other = {"checkpoint": "", "config/hash": ""}  # what was asked for differs, what comes out does not
    assert metrics_of(tmp_path / "second") | other == metrics | other
    code, _, err = typed(f"checkpoint={tmp_path}/first", *data, "threshold=0.9", f"hydra.run.dir={tmp_path}/third")
    assert metrics_of(tmp_path / "third")["threshold"] == 0.9
    code, _, err = typed(f"checkpoint={checkpoint}", *data, f"hydra.run.dir={tmp_path}/fourth")
    assert "test/coverage_80" not in metrics_of(tmp_path / "fourth")  # the one that was given stays as it was


def test_a_checkpoint_that_does_not_remember(typed: Typed, checkpoint: Path) -> None:
    code, _, err = typed(f"checkpoint={checkpoint}", *QUIET[:2])
    assert code == 2
    assert error_of(err) == "this checkpoint does not say what it was trained on; give data=csv data.root=DIR"


def test_test_images_alone(typed: Typed, checkpoint: Path, manifest: Make, tmp_path: Path) -> None:
    """No training images: the baselines that need them are left out, the rest is there."""
    root = manifest(tmp_path / "data", train=0, val=0, test=6)
    run = tmp_path / "run"
    code, _, err = typed(f"checkpoint={checkpoint}", "data=csv", f"data.root={root}", *QUIET, f"hydra.run.dir={run}")
    assert code == 0, err
    metrics = metrics_of(run)
    assert "test/iou" in metrics
    assert "baseline/centre_box/iou" in metrics
    assert "baseline/mean_box/iou" not in metrics
    code, _, err = typed(f"checkpoint={checkpoint}", "data=csv", f"data.root={root}", *QUIET, "split=val")
    assert (code, error_of(err)) == (2, f"data: the split val of {root} has no images (train has 0, test has 6)")


def test_background_alone(typed: Typed, checkpoint: Path, manifest: Make, tmp_path: Path) -> None:
    root = manifest(tmp_path / "data", classes=(), train=0, val=0, test=3)
    run = tmp_path / "run"
    code, _, err = typed(f"checkpoint={checkpoint}", "data=csv", f"data.root={root}", *QUIET, f"hydra.run.dir={run}")
    assert code == 0, err
    metrics = metrics_of(run)
    assert "test/accuracy" in metrics
    assert "test/iou" not in metrics


def test_classification_has_no_box_metrics(typed: Typed, checkpoint_of: Make, root: Path, tmp_path: Path) -> None:
    plain = checkpoint_of(tmp_path / "plain.ckpt", boxes=False)
    run = tmp_path / "run"
    code, _, err = typed(f"checkpoint={plain}", "data=csv", f"data.root={root}", *QUIET, f"hydra.run.dir={run}")
    assert code == 0, err
    metrics = metrics_of(run)
    assert "test/accuracy" in metrics
    assert "test/iou" not in metrics
    row = pq.read_table(run / "predictions.parquet").to_pylist()[0]
    assert row["predicted_xmin"] is None
    assert row["iou"] is None


def test_an_image_that_cannot_be_read(typed: Typed, checkpoint: Path, manifest: Make, tmp_path: Path) -> None:
    root = manifest(tmp_path / "data", train=1, val=1, test=3)
    (root / "images" / "003.png").write_bytes(b"")
    code, _, err = typed(f"checkpoint={checkpoint}", "data=csv", f"data.root={root}", *QUIET[:2], "data.num_workers=1")
    assert code == 2
    said = f"{root}/annotations.csv:5: {root}/images/003.png: is empty (0 bytes); fetch the file again"
    assert error_of(err).startswith(said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "checkpoint has no value; give it: checkpoint=..."),
        (["checkpoint=nowhere.ckpt"], "nowhere.ckpt: no such file or directory"),
        (["checkpoint=x", "split=testing"], "split must be one of test, train, val, got testing; did you mean test?"),
        (["checkpoint=x", "threshold=2"], "threshold must be"),
        (["checkpoint=x", "data=csv"], "data.root has no value; give it: data.root=..."),
    ],
)
def test_mistakes(typed: Typed, arguments: list[str], said: str) -> None:
    code, _, err = typed(*arguments)
    assert code == 2
    assert error_of(err).startswith(said)


def test_as_a_command(checkpoint: Path, root: Path, tmp_path: Path) -> None:
    """From another directory, with the progress bar and everything else at its default."""
    done = subprocess.run(
        [sys.executable, "-m", "locnet.evaluate", f"checkpoint={checkpoint}", "data=csv", f"data.root={root}"],
        cwd=tmp_path,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [run] = (tmp_path / "runs" / "evaluate").iterdir()
    assert "test/iou" in metrics_of(run)
    assert "Warning" not in done.stderr
    assert done.stderr.count("\n") < 12, done.stderr
