"""`python -m locnet.train` as users type it: what a run leaves behind, and what mistakes say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from PIL import Image
from pydantic import TypeAdapter

from locnet.callbacks.history import read_history
from locnet.config.schema import CalibrationSettings, DataSettings
from locnet.data.datamodule import LabelledImagesModule
from locnet.runtime.calibrate import calibrate
from locnet.runtime.checkpoints import load_module
from locnet.runtime.collect import Collector

sys.path.insert(0, str(Path(__file__).parents[1] / "loggers"))
from wandb_file import read_table, read_wandb

# a whole run in a few seconds
TINY = [
    "data.size=64",
    "data.train=24",
    "data.val=12",
    "data.test=13",
    "data.batch_size=8",
    "data.num_workers=0",
    "backbone.name=lcnet_035",
    "backbone.image_size=64",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.enable_progress_bar=false",
]


def command(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LOCNET_CACHE": str(cwd / "cache"), "WANDB_MODE": "offline", **environment}
    env.setdefault("WANDB_DATA_DIR", str(cwd / "wandb_data"))
    return subprocess.run(
        [sys.executable, "-m", "locnet.train", *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One run with everything at its default but the size."""
    cwd = tmp_path_factory.mktemp("elsewhere")
    done = command(*TINY, "trainer.enable_progress_bar=true", "hydra.run.dir=first", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd, done


def test_a_run_directory_holds_what_it_should(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    run = finished[0] / "first"
    names = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file() and "wandb" not in path.parts}
    plots = {
        f"plots/{name}.png"
        for name in (
            *("curves", "predictions", "predictions_random", "confusion", "iou", "objectness"),
            *("reliability", "crops"),
        )
    }
    assert names == plots | {
        "config.yaml",
        "overrides.yaml",
        "metrics.json",
        "history.jsonl",
        "predictions.parquet",
        "report.html",
        "train.log",
        "wandb_id.txt",
        "wandb_sent.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
    }
    for plot in plots:
        with Image.open(run / plot) as picture:
            assert min(picture.size) > 300
    assert OmegaConf.load(run / "config.yaml").data.train == 24
    assert "data.train=24" in list(OmegaConf.load(run / "overrides.yaml"))
    assert [row["epoch"] for row in read_history(run / "history.jsonl")] == [0, 1]
    assert list((run / "wandb").glob("offline-run-*/run-*.wandb"))


def test_the_dashboard_has_everything(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The offline run of a real training, read back."""
    run_dir = finished[0] / "first"
    told = read_wandb(next((run_dir / "wandb").glob("offline-run-*")))
    metrics = json.loads((run_dir / "metrics.json").read_text())
    assert (told.job_type, told.exit_code, told.alerts) == ("train", 0, [])
    assert told.name.startswith("data.size=64")
    assert told.config["data"]["train"] == 24
    assert told.config["dataset"]["fingerprint"] == metrics["data/fingerprint"]
    assert told.config["provenance"]["config/hash"] == metrics["config/hash"]
    for name in ("test/iou", "test/accuracy", "baseline/mean_box/iou", "test/objectness_ece", "best/epoch"):
        assert told.summary[name] == pytest.approx(metrics[name], abs=1e-6)
    pictures = {"val/panel": 12, "test/worst": 13, "test/random": 13}
    for name, count in pictures.items():
        assert len(told.column(f"{name}.captions")[-1]) == count
        assert all((told.folder / "files" / path).is_file() for path in told.column(f"{name}.filenames")[-1])

    data, model, *tables = told.artifacts
    files = {file.path: Path(file.local_path) for one in tables for file in one.manifest.contents}
    table = read_table(files["test/predictions.table.json"])
    written = pq.read_table(run_dir / "predictions.parquet").to_pydict()
    assert sorted(table["file"]) == sorted(written["file"])
    place = table["file"].index(written["file"][0])
    for column in ("class", "verdict", "p_c", "iou", "xmin", "predicted_ymax"):
        assert table[column][place] == pytest.approx(written[column][0])
    assert all(cell["_type"] == "image-file" and cell["path"] in files for cell in table["image"])
    assert {layer for cell in table["image"] for layer in cell["boxes"]} == {"truth", "prediction"}
    confusion = told.table("test/confusion_table")
    assert sum(confusion["nPredictions"]) == 13
    assert "background" in confusion["Actual"]
    for name in ("precision_recall", "reliability", "success", "iou_histogram"):
        assert len(told.table(f"test/{name}_table")) >= 2

    assert (data.type, data.use_after_commit) == ("dataset", True)
    assert data.name == f"data-{metrics['data/fingerprint']}"
    assert (model.type, model.name) == ("model", f"model-{told.id}")
    assert set(model.aliases) == {"best", "latest"}
    assert json.loads(model.metadata)["test/iou"] == metrics["test/iou"]
    [file] = model.manifest.contents
    assert file.path == "best.ckpt"
    kept, whole = load_module(Path(file.local_path)), load_module(run_dir / "checkpoints" / "best.ckpt")
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in kept.state_dict().items())
    assert file.size < 0.5 * (run_dir / "checkpoints" / "best.ckpt").stat().st_size


def test_metrics_and_predictions_agree(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    run = finished[0] / "first"
    metrics = json.loads((run / "metrics.json").read_text())
    table = pq.read_table(run / "predictions.parquet").to_pydict()
    assert len(table["file"]) == metrics["samples/test"] == 13
    ious = [value for value in table["iou"] if value is not None]
    assert metrics["test/iou"] == pytest.approx(sum(ious) / len(ious), abs=1e-6)
    right = [a == b for a, b in zip(table["class"], table["verdict"], strict=True)]
    assert metrics["test/accuracy"] == pytest.approx(sum(right) / 13)
    for name in ("class_accuracy", "gt_known_loc", "top1_loc", "max_box_acc_v2", "objectness_ap"):
        assert 0 <= metrics[f"test/{name}"] <= 1
        assert 0 <= metrics[f"val/{name}"] <= 1
    assert {"baseline/mean_box/iou", "baseline/centre_box/iou", "baseline/majority/accuracy"} <= metrics.keys()
    assert metrics["version/torch"] == torch.__version__.split("+")[0]
    assert (metrics["seed"], len(metrics["config/hash"])) == (0, 12)
    assert {"git/working_directory", "git/locnet"} <= metrics.keys()
    best = max(read_history(run / "history.jsonl"), key=lambda row: row["val/iou"])
    assert metrics["best/epoch"] == best["epoch"]
    assert metrics["val/iou"] == best["val/iou"]


def test_what_a_user_reads(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = finished
    for wanted in ("model", "mean box", "centre box", "majority", "pedestrian", "motorcycle"):
        assert wanted in done.stdout
    lines = done.stderr.strip().splitlines()
    assert "wandb sync" in lines[-1]
    assert "wandb leet" in lines[-1]
    assert "24 images" in done.stderr
    assert re.search(r"epoch 1/2 +loss [\d.]+, IoU [\d.]+, \d+ images/s, data wait \d+ %, ETA \d+:\d\d\n", done.stderr)
    assert re.search(r"epoch 2/2 .*, ETA 0:00\n", done.stderr)
    assert "\x1b" not in done.stderr + done.stdout  # not a terminal: no bar, no colour
    assert "Warning" not in done.stderr


def test_checkpoints_are_plain_and_self_contained(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    path = finished[0] / "first" / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    assert content["hyper_parameters"]["classes"] == ["car", "motorcycle", "pedestrian"]
    assert load_module(path).model.image_size == (64, 64)


def test_what_val_taught_is_kept_and_reported(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    cwd, done = finished
    metrics = json.loads((cwd / "first" / "metrics.json").read_text())
    module = load_module(cwd / "first" / "checkpoints" / "best.ckpt")
    learned = module.model.calibration
    assert learned is not None
    assert learned.residuals is not None
    assert metrics["threshold"] == module.threshold
    assert metrics["calibration/objectness_temperature"] == learned.objectness_temperature
    assert metrics["calibration/class_temperature"] == learned.class_temperature
    assert metrics["calibration/objects"] == learned.residuals.count < 12
    assert "calibration    on 12 val images" in done.stderr
    assert "trust          calibration error of p_c" in done.stderr
    for name in ("objectness_ece", "class_ece"):
        assert 0 <= metrics[f"test/{name}"] <= 1
        assert 0 <= metrics[f"test/{name}_uncalibrated"] <= 1
    assert metrics["test/coverage_80_low"] <= metrics["test/coverage_80"] <= metrics["test/coverage_80_high"]
    assert (metrics["test/coverage_95"], metrics["test/crop_area_95"]) == (1.0, 1.0)  # 19 val objects would be needed
    assert 0 < metrics["test/object_area"] < 1


def test_a_second_run_does_not_overwrite_the_first(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    cwd, _ = finished
    before = (cwd / "first" / "metrics.json").read_bytes()
    done = command(*TINY, "trainer.enable_progress_bar=true", "hydra.run.dir=first", cwd=cwd)
    assert done.returncode == 2
    assert re.fullmatch(r"error: .*first holds another run; choose another directory, .* resume=.*first\n", done.stderr)
    assert (cwd / "first" / "metrics.json").read_bytes() == before


def test_resume_goes_on_in_the_same_directory(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    cwd, _ = finished
    first = command(*TINY, "hydra.run.dir=short", "trainer.max_epochs=1", "logger=none", cwd=cwd)
    assert first.returncode == 0, first.stderr
    rows = (cwd / "short" / "history.jsonl").read_text().splitlines()
    done = command(*TINY, "resume=short", "trainer.max_epochs=2", "logger=none", cwd=cwd)
    assert done.returncode == 0, done.stderr
    after = (cwd / "short" / "history.jsonl").read_text().splitlines()
    assert after[:1] == rows
    assert [json.loads(row)["epoch"] for row in after] == [0, 1]


def test_two_runs_of_the_same_second_and_a_new_start_from_weights(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    cwd, _ = finished
    arguments = [*TINY, "logger=none", "debug=one_batch", f"init_from={cwd / 'first'}", "head.width=64"]
    env = {**os.environ, "LOCNET_CACHE": str(cwd / "cache")}
    pair = [
        subprocess.Popen(
            [sys.executable, "-m", "locnet.train", *arguments], cwd=cwd, env=env, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said
    assert len(list((cwd / "runs" / "train").iterdir())) == 2
    assert re.search(r"init_from=.*: \d+ of \d+ tensors fit", said[0])


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process: exit code and stderr."""
    from locnet.train import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCNET_CACHE", str(tmp_path / "cache"))

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["train", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().err

    return call


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trainer.max_epoch=3"], r"unknown key trainer.max_epoch \(=3\); did you mean trainer.max_epochs\?"),
        (["optimizer.lr=fast"], r"optimizer.lr must be a number above 0, got fast"),
        (["optimizer.lr=-1"], r"optimizer.lr must be a number above 0, got -1"),
        (["ema.decay=1.5"], r"ema.decay must be a number above 0 and below 1, got 1.5"),
        (["head=gird"], r"head.*gird.*grid"),
        (["data.batch_size=0"], r"data.batch_size must be a whole number of at least 1, got 0"),
        (["data.resize=stretch"], r"data.resize must be one of squash, letterbox, got stretch"),
        (["loss.box_term=gious"], r"loss.box_term must be one of giou, .*, got gious; did you mean giou\?"),
        (["backbone.name=resnet18x"], r"backbone.name=resnet18x is not a timm model; did you mean .*resnet18"),
        (["optimizer.name=adamv"], r"optimizer.name=adamv is not one of timm's optimizers; did you mean .*adam"),
        (["augment.flip=2"], r"augment.flip=2"),
        (["loss=squared_error", "head=classifier"], r"head=classifier does not go with loss=squared_error"),
        (["head=linear"], r"loss=multipart needs probabilities: set head.activation=probability"),
        (["head=softmax_box", "loss=cross_entropy"], r"loss.box=0 never trains"),
        (["data=csv"], r"data.root has no value"),
        (["data=csv", "data.root=nowhere"], r"data.root=nowhere: there is no such folder"),
        (["resume=nowhere"], r"nowhere: no such file or directory"),
        (["init_from=a.ckpt", "resume=b"], r"resume goes on with a run, init_from starts a new one"),
        (["+trainer.nonsense=1"], r"unknown key trainer.nonsense \(=1\)"),
        (["+callbacks.x._target_=os.system"], r"callbacks.x._target_ .*os.system"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_nothing_is_opened(arguments: list[str], said: str, run: Run, tmp_path: Path) -> None:
    code, stderr = run(*arguments, "logger=none")
    assert code == 2
    lines = stderr.strip().splitlines()
    assert len(lines) == 1, stderr
    assert re.search(said, lines[0]), lines[0]
    assert lines[0].startswith("error: ")
    assert not (tmp_path / "cache").exists()
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == []
    assert not (tmp_path / "nowhere").exists()


def test_help_and_cfg_do_not_import_torch(tmp_path: Path) -> None:
    script = (
        "import sys; sys.argv = ['train', *sys.argv[1:]]\n"
        "from locnet.train import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules and 'pytorch_lightning' not in sys.modules"
    )
    for flags in (["--help"], ["--cfg", "job"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *flags], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "optimizer" in done.stdout


@pytest.mark.slow
def test_classification_has_no_box_metrics(tmp_path: Path) -> None:
    done = command(*TINY, "experiment=classification", "hydra.run.dir=run", "logger=csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert "test/accuracy" in metrics
    assert "test/iou" not in metrics
    assert (tmp_path / "run" / "csv" / "metrics.csv").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("debug", ["one_batch", "overfit", "profiler"])
def test_debug_options_run(debug: str, tmp_path: Path) -> None:
    more = ["trainer.max_epochs=2", "trainer.check_val_every_n_epoch=1"] if debug == "overfit" else []
    done = command(*TINY, f"debug={debug}", *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.distributed
def test_two_processes_give_one_run_directory(tmp_path: Path) -> None:
    done = command(*TINY, "trainer=ddp_sim", "logger=none", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [run] = (tmp_path / "runs" / "train").iterdir()
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["samples/test"] == 13
    assert len(pq.read_table(run / "predictions.parquet")) == 13
    # the calibration is that of all val images, whichever process saw them
    module = load_module(run / "checkpoints" / "best.ckpt")
    learned, threshold = module.model.calibration, module.threshold
    settings = TypeAdapter(DataSettings).validate_python(module.hparams["data"])
    where = str(tmp_path / "cache")
    size, classes = module.model.image_size, module.classes
    data = LabelledImagesModule(settings, image_size=size, classes=classes, cache_dir=where)
    alone = pl.Trainer(accelerator="cpu", callbacks=[Collector()], logger=False, enable_checkpointing=False)
    calibrate(alone, module, data, CalibrationSettings(enabled=True, temperature=True, threshold=True), None)
    again = module.model.calibration
    assert learned is not None
    assert learned.residuals is not None
    assert again is not None
    assert again.residuals is not None
    assert module.threshold == pytest.approx(threshold, abs=1e-4)
    assert again.objectness_temperature == pytest.approx(learned.objectness_temperature, rel=1e-3)
    assert again.class_temperature == pytest.approx(learned.class_temperature, rel=1e-3)
    assert again.residuals.scores == pytest.approx(learned.residuals.scores, abs=1e-4)
