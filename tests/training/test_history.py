"""history.jsonl: what a row says, and that a file survives being killed and resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from scenes import batches, module, trainer

from locnet.callbacks.history import History, read_history, total_seconds

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*LeafSpec.*")

Settings = Callable[..., dict[str, Any]]


class Losses(pl.Callback):
    """The loss of each batch, as the module logs it."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.seen.append(float(trainer.callback_metrics["train/loss"]))


class SlowValidation(pl.Callback):
    def on_validation_batch_end(self, *_: Any) -> None:
        time.sleep(0.5)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_training_loss_is_the_mean_over_batches(tiny_model: Settings, tmp_path: Path, accumulate: int) -> None:
    losses = Losses()
    path = tmp_path / "history.jsonl"
    fit = trainer(losses, History(path), max_epochs=1, accumulate_grad_batches=accumulate)
    fit.fit(module(tiny_model(image_size=32)), batches(12), batches(6))
    [row] = read_history(path)
    assert len(losses.seen) == 3
    assert row["train/loss"] == pytest.approx(sum(losses.seen) / 3, rel=1e-5)
    assert (row["epoch"], row["step"]) == (0, 3 // accumulate)
    assert row["lr"] == 1e-3
    assert row["train/images_per_second"] == pytest.approx(12 / row["train/seconds"], rel=0.05)
    assert {"val/iou", "val/accuracy", "val/loss", "val/objectness_ap", "train/loss_box"} <= row.keys()


def test_an_epoch_without_validation_shows_no_old_values(tiny_model: Settings, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    fit = trainer(History(path), max_epochs=4, check_val_every_n_epoch=2)
    fit.fit(module(tiny_model(image_size=32)), batches(4), batches(6))
    rows = read_history(path)
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    assert ["val/iou" in row for row in rows] == [False, True, False, True]


def test_validation_is_not_training_time(tiny_model: Settings, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    fit = trainer(History(path), SlowValidation(), max_epochs=1, val_check_interval=1, num_sanity_val_steps=1)
    started = time.perf_counter()
    fit.fit(module(tiny_model(image_size=32)), batches(8), batches(6))  # validates after each of two batches
    assert time.perf_counter() - started > 2
    [row] = read_history(path)
    assert 0 < row["train/seconds"] < 1
    assert total_seconds([row, row]) == pytest.approx(2 * row["train/seconds"])


def test_rows_after_those_that_the_checkpoint_knows_are_dropped(tiny_model: Settings, tmp_path: Path) -> None:
    """A later row, and a line that was never finished: the process was killed after it had saved."""
    path = tmp_path / "history.jsonl"
    fit = trainer(History(path), max_epochs=2)
    fit.fit(module(tiny_model(image_size=32)), batches(4), batches(6))
    fit.save_checkpoint(tmp_path / "a.ckpt")
    first = path.read_text()
    path.write_text(first + '{"epoch": 2, "train/loss": 1.0}\n{"epoch": 3, "train/lo')
    fit = trainer(History(path), max_epochs=3)
    network = module(tiny_model(image_size=32))
    fit.fit(network, batches(4), batches(6), ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    assert path.read_text().startswith(first)
    assert [row["epoch"] for row in read_history(path)] == [0, 1, 2]
    assert len(path.read_text().splitlines()) == 3


def test_a_run_that_starts_from_the_beginning_drops_all_rows(tiny_model: Settings, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"epoch": 0, "train/loss": 1.0}\n{"epoch": 1, "train/lo')
    trainer(History(path), max_epochs=1).fit(module(tiny_model(image_size=32)), batches(4), batches(6))
    [row] = [json.loads(line) for line in path.read_text().splitlines()]
    assert row["train/loss"] != 1.0


def test_rows_that_a_resumed_run_repeats_are_read_once(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text("".join(json.dumps({"epoch": e, "x": x}) + "\n" for e, x in [(0, 1), (1, 2), (2, 3), (1, 4)]))
    assert read_history(path) == [{"epoch": 0, "x": 1}, {"epoch": 1, "x": 4}]
    assert read_history(tmp_path / "nothing.jsonl") == []


def test_a_trial_writes_nothing(tiny_model: Settings, tmp_path: Path) -> None:
    fit = trainer(History(tmp_path / "history.jsonl"), fast_dev_run=True)
    fit.fit(module(tiny_model(image_size=32)), batches(4), batches(6))
    assert not (tmp_path / "history.jsonl").exists()
