"""What a dashboard gets, read back from the files that the loggers write."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger
from wandb.errors import AuthenticationError
from wandb_file import WandbRun, read_wandb

from locnet.callbacks.panel import Panel
from locnet.callbacks.throughput import Throughput
from locnet.config.defaults import data_settings
from locnet.data.datamodule import LabelledImagesModule
from locnet.errors import ConfigError
from locnet.loggers import tensorboard, wandb
from locnet.loggers.base import RunContext
from locnet.loggers.csv import csv_logger
from locnet.loggers.mlflow import mlflow_logger
from locnet.loggers.tensorboard import tensorboard_logger
from locnet.loggers.wandb import wandb_logger
from locnet.module import LocalizerModule
from locnet.runtime.loggers import finish

CONFIG = {"seed": 3, "data": {"name": "csv", "split": {"val": 0.1}}, "backbone": {"mean": None, "size": [64, 64]}}
VALUES = ("accuracy", "class_accuracy", "objectness_ap", "iou", "gt_known_loc", "top1_loc", "max_box_acc_v2")

Train = Callable[..., dict[str, list[float]]]


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not logged in, no settings of a user, no network."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_DIR", "WANDB_RUN_ID", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NETRC", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture(scope="module")
def root(manifest: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifest(tmp_path_factory.mktemp("data") / "tiny", train=8, val=5, test=4)


@pytest.fixture
def train(root: Path, tiny_model: Callable[..., dict[str, Any]]) -> Train:
    """Fit two epochs and test with a logger; gives val/iou of the epochs."""

    def train(logger: Logger, *, epochs: int = 2, images: int = 3) -> dict[str, list[float]]:
        settings = data_settings("csv", root=str(root), batch_size=4, num_workers=0)
        pl.seed_everything(0, verbose=False)
        module = LocalizerModule(classes=("car", "dog", "person"), model=tiny_model())
        history = _Values()
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=epochs,
            logger=[logger],
            callbacks=[Throughput(), Panel(images=images, every_n_epochs=2), history],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            default_root_dir=root,
        )
        data = LabelledImagesModule(settings, image_size=(64, 64))
        trainer.fit(module, datamodule=data)
        [tested] = trainer.test(module, datamodule=data, verbose=False)
        return history.values | {name: [value] for name, value in tested.items()}

    return train


class _Values(pl.Callback):
    """All values of val/*, epoch by epoch."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name, value in trainer.callback_metrics.items():
            if name.startswith("val/"):
                self.values.setdefault(name, []).append(float(value))


# --- wandb ---------------------------------------------------------------------------------------------------------


def wandb_of(run_dir: Path, **changes: Any) -> Logger:
    run_dir.mkdir(exist_ok=True)
    of_run = {key: changes.pop(key) for key in ("name", "config", "sweep", "monitor") if key in changes}
    return wandb_logger(run=context(run_dir, **of_run), **changes)


def context(run_dir: Path, **changes: Any) -> RunContext:
    settings: dict[str, Any] = {"name": "a run", "tags": ["x", "y"], "config": CONFIG}
    return RunContext(run_dir, **settings | changes)


def folders(run_dir: Path) -> list[Path]:
    return sorted((run_dir / "wandb").glob("offline-run-*"))


def test_wandb_gets_config_curves_summary_and_panel(train: Train, tmp_path: Path) -> None:
    logger = wandb_of(tmp_path / "run", project="mine")
    seen = train(logger, epochs=3)
    [line] = finish([logger], failed=False)
    [folder] = folders(tmp_path / "run")
    assert (
        line == f"wandb was offline: `wandb sync {folder}` uploads the run, `wandb leet {folder}` (beta) shows it here"
    )

    run = read_wandb(folder)
    assert (run.name, run.project, run.tags, run.exit_code) == ("a run", "mine", ["x", "y"], 0)
    assert {key: run.config[key] for key in CONFIG} == CONFIG  # nested, not flattened to text
    assert run.id == (tmp_path / "run" / "wandb_id.txt").read_text()

    for name in VALUES:
        assert run.column(f"val/{name}") == pytest.approx(seen[f"val/{name}"])
        assert run.summary[f"val/{name}"] == {
            "max": pytest.approx(max(seen[f"val/{name}"])),
            "last": pytest.approx(seen[f"val/{name}"][-1]),
        }
        assert run.summary[f"test/{name}"] == pytest.approx(seen[f"test/{name}"][0])
    losses = seen["val/loss"]
    assert run.summary["val/loss"] == {"min": pytest.approx(min(losses)), "last": pytest.approx(losses[-1])}
    assert len(run.column("train/loss")) == 6
    rows = [row for row in run.history if "val/iou" in row]
    assert [row["trainer/global_step"] for row in rows] == [1, 3, 5]
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert [row["trainer/samples"] for row in rows] == [8, 16, 24]  # what to draw runs of other batch sizes over
    for name in ("train/gradient_norm", "train/lr", "system/images_per_second"):
        assert len(run.column(name)) == 6
        assert min(run.column(name)) > 0
    assert all(0 <= share <= 1 for share in run.column("system/data_wait"))
    assert {run.axes[section] for section in ("train/*", "val/*", "test/*", "system/*")} == {"trainer/global_step"}

    # epochs 0 and 1, and the last
    assert [row["trainer/global_step"] for row in run.history if "val/panel.count" in row] == [1, 3, 5]
    assert run.summary["val/panel._type"] == "images/separated"
    panels = run.column("val/panel.captions")
    assert [text.split(" -> ")[0] for text in panels[0]] == ["car", "person", "car"]  # rows 0, 2 and 4 of val
    assert [text.split(" -> ")[0] for text in panels[-1]] == ["car", "person", "car"]  # always the same
    for boxes, picture in zip(
        run.column("val/panel.all_boxes")[-1], run.column("val/panel.filenames")[-1], strict=True
    ):
        assert (folder / "files" / picture).is_file()
        assert boxes.keys() == {"truth", "prediction"}
    name, box = truth_of(run)[0]
    assert name == "car"
    assert box == pytest.approx((9 / 48, 3 / 40, 25 / 48, 23 / 40))


def truth_of(run: WandbRun) -> list[tuple[str, tuple[float, ...]]]:
    """Class name and box of the panel's images."""
    rows = []
    for boxes in run.column("val/panel.all_boxes")[-1]:
        content = json.loads((run.folder / "files" / boxes["truth"]["path"]).read_text())
        [box] = content["box_data"]
        position = tuple(box["position"][edge] for edge in ("minX", "minY", "maxX", "maxY"))
        rows.append((content["class_labels"][str(box["class_id"])], position))
    return rows


def test_wandb_panel_of_background_has_no_true_box(train: Train, tmp_path: Path) -> None:
    logger = wandb_of(tmp_path / "run")
    train(logger, epochs=1, images=100)  # more than there are: all of them
    finish([logger], failed=False)
    run = read_wandb(folders(tmp_path / "run")[0])
    [boxes], [captions] = run.column("val/panel.all_boxes"), run.column("val/panel.captions")
    assert [text.split(" -> ")[0] for text in captions] == ["car", "dog", "person", "background", "car"]
    assert [sorted(of) for of in boxes] == [["prediction", "truth"]] * 3 + [["prediction"], ["prediction", "truth"]]
    assert "IoU" in captions[0]
    assert "IoU" not in captions[3]


def test_two_jobs_of_one_process_are_two_runs(tmp_path: Path) -> None:
    import wandb

    for number, failed in ((1, False), (2, True)):
        logger: Any = wandb_of(tmp_path / str(number), name=f"job {number}", config={"lr": number})
        logger.log_metrics({"train/loss": float(number)}, step=number)
        finish([logger], failed=failed)
        assert wandb.run is None
    first, second = (read_wandb(folders(tmp_path / str(number))[0]) for number in (1, 2))
    assert first.id != second.id
    assert (first.name, second.name) == ("job 1", "job 2")
    assert (first.config["lr"], second.config["lr"]) == (1, 2)
    assert (first.column("train/loss"), second.column("train/loss")) == ([1], [2])
    assert (first.exit_code, second.exit_code) == (0, 1)


def test_a_job_of_a_sweep_is_grouped_and_tells_its_score(tmp_path: Path) -> None:
    finish([wandb_of(tmp_path / "0", sweep="2026-sweep")], failed=False, score=0.75)
    finish([wandb_of(tmp_path / "1", sweep="2026-sweep", group="mine")], failed=True)
    first, second = (read_wandb(folders(tmp_path / number)[0]) for number in "01")
    assert (first.group, second.group) == ("2026-sweep", "mine")
    assert (first.summary["score"], second.summary.get("score")) == (0.75, None)


def test_a_resumed_run_keeps_its_id(tmp_path: Path) -> None:
    for _ in range(2):
        finish([wandb_of(tmp_path / "run")], failed=False)
    ids = {read_wandb(folder).id for folder in folders(tmp_path / "run")}
    assert ids == {(tmp_path / "run" / "wandb_id.txt").read_text()}


def test_a_resumed_run_sends_no_step_twice(tmp_path: Path) -> None:
    """Killed after step 3, resumed after step 1: steps 2 and 3 are done again, with the same values."""
    for steps in (range(4), range(1, 6)):
        logger: Any = wandb_of(tmp_path / "run")
        for step in steps:
            logger.log_metrics({"train/loss": float(step), "epoch": 0}, step)
        lines = finish([logger], failed=False)
    assert lines[0].count("offline-run-") == 3  # `wandb sync` of both parts, and where to look
    first, second = (read_wandb(folder) for folder in folders(tmp_path / "run"))
    assert first.column("train/loss") + second.column("train/loss") == [0, 1, 2, 3, 4, 5]
    assert [*first.column("_step"), *second.column("_step")] == list(range(6))  # wandb's own count goes on too


def test_an_alert(tmp_path: Path) -> None:
    logger: Any = wandb_of(tmp_path / "run")
    logger.alert("loss is no number", "after step 3")
    finish([logger], failed=True)
    assert read_wandb(folders(tmp_path / "run")[0]).alerts == [("loss is no number", "after step 3")]


def test_wandb_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger: Any = wandb_of(tmp_path / "run", mode="disabled")
    logger.log_metrics({"train/loss": 1.0}, step=0)
    assert finish([logger], failed=False) == []
    assert not folders(tmp_path / "run")
    monkeypatch.setenv("WANDB_MODE", "offline")  # the user's word counts more than the configuration's
    finish([wandb_of(tmp_path / "other", mode="online")], failed=False)
    assert len(folders(tmp_path / "other")) == 1


@pytest.mark.parametrize(
    ("answer", "mode"), [(True, "online"), (False, "offline"), (AuthenticationError("no\nnetwork"), "offline")]
)
def test_auto_mode_is_online_only_where_that_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, answer: bool | Exception, mode: str
) -> None:
    def login(**_: Any) -> bool:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("wandb.login", login)
    assert wandb._auto_mode() == mode
    said = "wandb: offline, because the login cannot be verified: no network"
    assert (said in caplog.text) == isinstance(answer, Exception)


def test_auto_mode_of_somebody_who_is_not_logged_in() -> None:
    assert wandb._auto_mode() == "offline"


def test_other_processes_start_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    logger = wandb_of(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
    assert finish([logger], failed=False) == []


# --- the others ----------------------------------------------------------------------------------------------------


def test_csv(train: Train, tmp_path: Path) -> None:
    logger = csv_logger(run=context(tmp_path))
    seen = train(logger)
    assert finish([logger], failed=False) == [f"csv: {tmp_path / 'csv' / 'metrics.csv'}"]
    with (tmp_path / "csv" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val/iou"]) for row in rows if row["val/iou"]] == pytest.approx(seen["val/iou"])
    assert [float(row["test/iou"]) for row in rows if row["test/iou"]] == pytest.approx(seen["test/iou"])


def test_csv_goes_on_where_the_run_does(tmp_path: Path) -> None:
    """Killed after step 3, resumed after step 1: the rows of steps 2 and 3 are written once."""
    for resumed, steps in ((None, range(4)), (2, range(2, 6))):
        logger: Any = csv_logger(run=context(tmp_path, resumed=resumed))
        for step in steps:
            logger.log_metrics({"train/loss": float(step)}, step)
            if step == 4:
                logger.log_metrics({"val/iou": 0.5}, step)  # a column that is new
        finish([logger], failed=False)
    with (tmp_path / "csv" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["train/loss"]) for row in rows if row["train/loss"]] == [
        (str(step), f"{step}.0") for step in range(6)
    ]
    assert [row["step"] for row in rows if row["val/iou"]] == ["4"]


def test_tensorboard_hides_steps_that_are_done_again(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    for resumed, steps in ((None, range(4)), (2, range(2, 6))):
        logger: Any = tensorboard_logger(run=context(tmp_path, resumed=resumed))
        for step in steps:
            logger.log_metrics({"train/loss": float(step)}, step)
        finish([logger], failed=False)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("train/loss")
    assert [(event.step, event.value) for event in events] == [(step, step) for step in range(6)]


@pytest.mark.slow  # its database is made by two dozen migrations
def test_mlflow(train: Train, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    store = f"sqlite:///{tmp_path}/store/mlflow.db"
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    logger: Any = mlflow_logger(run=context(run_dir, sweep="s1"), tracking_uri=store, experiment="mine")
    seen = train(logger)
    logger.alert("loss is no number", "after step 3")
    [line] = finish([logger], failed=False, score=0.5)
    again: Any = mlflow_logger(run=context(run_dir), tracking_uri=store, experiment="mine")
    again.log_metrics({"val/iou": 0.0}, 1)  # a step that is done again
    again.log_metrics({"val/iou": 0.125}, 100)
    finish([again], failed=True)

    client = MlflowClient(store)
    [experiment] = [one for one in client.search_experiments() if one.name == "mine"]
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.run_id in line
    assert (run.info.run_name, run.info.status) == ("a run", "FAILED")
    assert run.data.params["data.split.val"] == "0.1"
    assert run.data.tags["tag.x"] == "true"
    assert (run.data.tags["sweep"], run.data.tags["alert.loss is no number"]) == ("s1", "after step 3")
    told = client.get_metric_history(run.info.run_id, "val/iou")
    assert [(one.step, one.value) for one in told] == [
        (step, pytest.approx(value)) for step, value in zip((1, 3, 100), [*seen["val/iou"], 0.125], strict=True)
    ]
    assert run.data.metrics["score"] == 0.5
    assert run.data.metrics["test/iou"] == pytest.approx(seen["test/iou"][0])
    assert [item.path for item in client.list_artifacts(run.info.run_id, "val/panel")] == [
        "val/panel/step_1.png",
        "val/panel/step_3.png",
    ]


@pytest.mark.slow
def test_mlflow_without_its_server(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    with pytest.raises(ConfigError, match=r"logger\.mlflow\.tracking_uri \(=nonsense://x\): "):
        mlflow_logger(run=context(tmp_path), tracking_uri="nonsense://x")


def test_tensorboard(train: Train, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import (
        EventAccumulator,
    )

    logger = tensorboard_logger(run=context(tmp_path))
    seen = train(logger)
    assert len(finish([logger], failed=False)) == 1
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.value for event in events.Scalars("val/iou")] == pytest.approx(seen["val/iou"])
    panels = events.Images("val/panel")
    assert [event.step for event in panels] == [event.step for event in events.Scalars("val/iou")] == [1, 3]
    pixels = _decoded(panels[0].encoded_image_string)
    assert pixels.shape[1] > pixels.shape[0]  # three images side by side
    blue = (0x00, 0x72, 0xB2)
    assert (np.abs(pixels.astype(int) - blue).max(-1) == 0).sum() > 100  # lines around the true boxes


def _decoded(content: bytes) -> Any:
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_tensorboard_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> None:
        raise ModuleNotFoundError("No module named 'tensorboard'")

    monkeypatch.setattr(tensorboard, "TensorBoardRun", missing)
    with pytest.raises(ConfigError, match=r"logger=tensorboard needs a package: pip install 'locnet\[tensorboard\]'"):
        tensorboard_logger(run=context(tmp_path))
