"""What several processes mean for the learning rate, and what strategies refuse."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl

from locnet.config.check import check
from locnet.config.compose import compose
from locnet.config.schema import TrainSettings
from locnet.errors import ConfigError
from locnet.runtime.processes import check_strategy, say_processes, scaled_lr
from locnet.runtime.trainer import build_trainer


def settings_of(*overrides: str) -> TrainSettings:
    return check(compose("train", ["optimizer.lr=0.1", *overrides]), TrainSettings)


def trainer_of(world: int, accumulated: int = 1, strategy: Any = None) -> pl.Trainer:
    plain = strategy or SimpleNamespace(_layer_sync=None)
    fake: Any = SimpleNamespace(world_size=world, accumulate_grad_batches=accumulated, strategy=plain)
    trainer: pl.Trainer = fake
    return trainer


@pytest.mark.parametrize(("rule", "lr"), [("none", 0.1), ("linear", 0.8), ("sqrt", 0.1 * 8**0.5)])
def test_the_rule_counts_processes_and_accumulated_batches(rule: str, lr: float) -> None:
    settings = scaled_lr(settings_of(f"scale_lr={rule}"), trainer_of(4, 2))
    assert settings.optimizer.lr == pytest.approx(lr)
    assert scaled_lr(settings_of(f"scale_lr={rule}"), trainer_of(1)).optimizer.lr == 0.1


def test_the_log_says_what_a_step_sees(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    settings, trainer = settings_of("data.batch_size=16", "scale_lr=linear"), trainer_of(4, 2)
    say_processes(scaled_lr(settings, trainer), trainer, ["backbone.a", "b", "c", "d"])
    assert "effective batch 128 (16 a process x 4 processes x 2 accumulated)" in caplog.text
    assert "learning rate 0.8 (scale_lr=linear)" in caplog.text
    assert "BatchNorm sees the images of each process alone" in caplog.text
    assert "4 parameters get no gradient: backbone.a, b, c ..." in caplog.text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["trainer=fsdp_sim", "compile=true"], "compile=true is not supported for a sharded network"),
        (["trainer=fsdp_sim", "channels_last=true"], "channels_last=true: a sharded network .* set it auto or false"),
        (["trainer=ddp_sim", "trainer.sync_batchnorm=true"], "synchronises BatchNorm on GPUs only; set it false"),
        (["trainer=fsdp_sim", "trainer.sync_batchnorm=true"], "synchronises BatchNorm on GPUs only; set it false"),
        (
            ["trainer=fsdp_sim", "trainer.precision=16-mixed"],
            "does not support .*16-mixed",
        ),
    ],
)
def test_what_a_strategy_cannot_do_is_refused_in_one_line(typed: list[str], said: str) -> None:
    settings = settings_of(*typed)
    with pytest.raises(ConfigError, match=said) as error:
        check_strategy(settings, build_trainer(settings.trainer, allow_targets=[]))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["cpu", "ddp_sim", "fsdp_sim"])
def test_what_a_strategy_can_do_is_not(name: str) -> None:
    settings = settings_of(f"trainer={name}", "compile=false")
    check_strategy(settings, build_trainer(settings.trainer, allow_targets=[]))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("min_parameters", "abc", "min_parameters must be a whole number of at least 1, got 'abc'"),
        ("min_parameters", -3, "min_parameters must be a whole number of at least 1, got -3"),
        ("reshard_after_forward", 2, "reshard_after_forward must be true or false, got 2"),
    ],
)
def test_a_wrong_setting_of_a_strategy_names_the_key_and_the_value(key: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"^trainer\.strategy.*{said}"):
        build_trainer(settings_of("trainer=fsdp_sim", f"trainer.strategy.{key}={value}").trainer, allow_targets=[])
