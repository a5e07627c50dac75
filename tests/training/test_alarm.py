"""Alarms: raised once, for what is wrong for good, and for nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from locnet.answer import Answer
from locnet.callbacks.alarm import Alarm
from locnet.loggers.base import Dashboard


class Told(Dashboard):
    def __init__(self) -> None:
        self.alerts: list[tuple[str, str]] = []

    def alert(self, title: str, text: str) -> None:
        self.alerts.append((title, text))


def trainer(step: int = 1000) -> Any:
    state = SimpleNamespace(fn="fit")
    told: dict[str, Any] = {"loggers": [Told()], "sanity_checking": False, "is_global_zero": True, "state": state}
    return SimpleNamespace(global_step=step, log_every_n_steps=10, **told)


def validate(alarm: Alarm, of: Any, p_c: list[float], labels: list[int]) -> None:
    alarm.on_validation_epoch_start(of, None)  # type: ignore[arg-type]
    for half in (slice(0, None, 2), slice(1, None, 2)):
        values = torch.tensor(p_c[half])
        answer = Answer(values, torch.zeros(len(values), 4), torch.zeros(len(values), 2))
        batch: Any = {"label": torch.tensor(labels[half])}
        alarm.on_validation_batch_end(of, None, answer, batch, 0)  # type: ignore[arg-type]
    alarm.on_validation_epoch_end(of, None)  # type: ignore[arg-type]


def test_a_loss_that_is_no_number_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    alarm, of = Alarm(), trainer()
    for loss in (0.5, float("nan"), float("nan")):
        alarm.on_train_batch_end(of, None, {"loss": torch.tensor(loss)}, None, 0)  # type: ignore[arg-type]
    [(title, text)] = of.loggers[0].alerts
    assert title == "loss is no number"
    assert "after step 1000" in text
    assert caplog.text.count("loss is no number") == 1


def test_p_c_that_is_the_same_everywhere_is_told_after_two_validations() -> None:
    alarm, of = Alarm(), trainer()
    validate(alarm, of, [0.7, 0.7001, 0.7], [0, -1, 1])
    assert of.loggers[0].alerts == []
    validate(alarm, of, [0.7, 0.7001, 0.7], [0, -1, 1])
    [(title, text)] = of.loggers[0].alerts
    assert title == "p_c has collapsed"
    assert "p_c is 0.700 for all val images" in text


@pytest.mark.parametrize(
    ("p_c", "labels", "step"),
    [
        ([0.2, 0.9, 0.5], [0, -1, 1], 1000),  # it tells images apart
        ([0.9, 0.9, 0.9], [0, 0, 1], 1000),  # there is no background to be told apart
        ([0.5, 0.5, 0.5], [0, -1, 1], 20),  # it has only begun to learn
    ],
)
def test_no_alarm(p_c: list[float], labels: list[int], step: int) -> None:
    alarm, of = Alarm(), trainer(step)
    for _ in range(4):
        validate(alarm, of, p_c, labels)
    assert of.loggers[0].alerts == []


def test_p_c_that_is_no_number() -> None:
    alarm, of = Alarm(), trainer()
    validate(alarm, of, [0.2, float("nan"), 0.5], [0, -1, 1])
    assert [title for title, _ in of.loggers[0].alerts] == ["loss is no number"]
