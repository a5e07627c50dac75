from __future__ import annotations

from typing import Any

import pytest
import torch

from locnet.errors import ConfigError
from locnet.runtime.precision import best_precision
from locnet.runtime.trainer import build_trainer


@pytest.mark.parametrize(("has", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_follows_the_cpu(monkeypatch: pytest.MonkeyPatch, has: bool, precision: str) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: has, raising=False)
    assert best_precision("cpu") == precision


@pytest.mark.parametrize("accelerator", ["gpu", "auto"])
def test_auto_follows_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch, accelerator: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def supported(including_emulation: bool = True) -> bool:
        return including_emulation  # emulated bfloat16 is slow

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert best_precision(accelerator) == "32-true"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert best_precision(accelerator) == "bf16-mixed"


@pytest.mark.parametrize("accelerator", ["mps", "tpu", {"_target_": "x"}])
def test_others_stay_in_float32(accelerator: Any) -> None:
    assert best_precision(accelerator) == "32-true"


def test_a_precision_that_is_none_is_told_all_that_are() -> None:
    with pytest.raises(ConfigError, match=r"trainer.precision must be auto, .*bf16-mixed.*, got fp16"):
        build_trainer({"_target_": "pytorch_lightning.Trainer", "precision": "fp16"}, allow_targets=())
