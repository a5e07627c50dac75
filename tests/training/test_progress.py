"""What a terminal shows while a run goes on, and what a pipe or a SLURM log gets instead."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from locnet.callbacks.progress import Progress
from locnet.callbacks.throughput import Throughput

SCRIPT = """
import logging, sys, time
logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stderr)
from locnet.runtime.screen import open_screen
bar = open_screen()
bar.begin("epoch 1/2", 10)
bar.move(4, "loss 0.500")
time.sleep(0.3)  # the bar is drawn ten times a second
logging.getLogger("locnet").info("a warning in between")
bar.say("epoch 1/2      loss 0.400")
bar.close()
logging.getLogger("locnet").info("afterwards")
"""
SGR_COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|38;|9[0-7])")


def in_terminal(**environment: str) -> str:
    """What the script writes where stderr is a terminal."""
    pty = pytest.importorskip("pty")
    main, child = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "SLURM_JOB_ID", "COLUMNS")}
    env = {**kept, "TERM": "xterm-256color", "COLUMNS": "100", **environment}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=child, stdout=subprocess.DEVNULL, env=env)
    os.close(child)
    written = b""
    while True:
        try:
            block = os.read(main, 4096)
        except OSError:  # the other side is closed
            break
        if not block:
            break
        written += block
    os.close(main)
    assert process.wait() == 0, written
    return written.decode()


def test_a_terminal_has_a_bar_with_lines_above_it() -> None:
    written = in_terminal()
    assert "\x1b[2K" in written  # lines are cleared and drawn again
    assert re.search(r"epoch 1/2.*4/10.*loss 0\.500", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", written))
    assert SGR_COLOUR.search(written)
    for line in ("a warning in between", "epoch 1/2      loss 0.400", "afterwards"):
        assert written.count(line) == 1
    assert "\x1b[?25h" in written  # the cursor is back


def test_no_color() -> None:
    written = in_terminal(NO_COLOR="1")
    assert "loss 0.500" in written
    assert not SGR_COLOUR.search(written)


@pytest.mark.parametrize("where", [{"SLURM_JOB_ID": "7"}, {"TERM": "dumb"}])
def test_plain_lines_in_a_terminal_that_nobody_looks_at(where: dict[str, str]) -> None:
    assert in_terminal(**where).splitlines() == ["a warning in between", "epoch 1/2      loss 0.400", "afterwards"]


def trainer(batches: int = 50, epoch: int = 2) -> Any:
    measured = Throughput()
    measured.images_per_second, measured.data_wait = 123.4, 0.056
    metrics = {"train/loss": torch.tensor(0.5), "val/iou": torch.tensor(0.61)}
    return SimpleNamespace(
        callback_metrics=metrics,
        callbacks=[measured],
        current_epoch=epoch,
        max_epochs=4,
        max_steps=-1,
        accumulate_grad_batches=1,
        num_training_batches=25,
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(total_batch_idx=batches - 1)),
    )


def test_what_a_line_says(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Progress()
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    shown.on_train_start(trainer(batches=0), None)  # type: ignore[arg-type]
    monkeypatch.setattr(time, "monotonic", lambda: 4000.0)
    assert shown._text(trainer(), wide=True) == (
        "loss 0.500, IoU 0.610, 123 images/s, data wait 6 %, ETA 1:06:40"  # half of the batches are done
    )
    assert shown._text(trainer(), wide=False) == "loss 0.500  IoU 0.610  123/s  wait 6 %  ETA 1:06:40"


def test_a_resumed_run_counts_from_where_it_went_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Progress()
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    shown.on_train_start(trainer(batches=50), None)  # type: ignore[arg-type]
    monkeypatch.setattr(time, "monotonic", lambda: 10.0)
    assert shown._seconds_left(trainer(batches=75)) == pytest.approx(10)
    assert shown._seconds_left(trainer(batches=50)) is None


def test_classification_shows_its_accuracy() -> None:
    without_boxes = trainer()
    without_boxes.callback_metrics = {"train/loss": torch.tensor(0.5), "val/accuracy": torch.tensor(0.7)}
    assert "accuracy 0.700" in Progress()._text(without_boxes, wide=True)
