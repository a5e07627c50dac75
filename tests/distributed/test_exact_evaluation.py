"""Two processes and an odd number of images: every number is that of one process."""

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

SCRIPT = Path(__file__).with_name("two_processes.py")
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": ""}

pytestmark = pytest.mark.distributed


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("two_processes", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def root(manifest: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifest(tmp_path_factory.mktemp("data") / "odd", train=17, val=9, test=9)


@pytest.fixture(scope="module")
def ranks(root: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    output = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, str(SCRIPT), str(root), str(checkpoint), str(output)]
    done = subprocess.run(
        command, env=os.environ | ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((output / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.fixture(scope="module")
def alone(script: ModuleType, root: Path, checkpoint: Path) -> dict[str, Any]:
    result: dict[str, Any] = script.evaluated(root, checkpoint, devices=1)
    return result


@pytest.mark.parametrize("split", ["test", "val"])
def test_metrics_are_those_of_one_process(ranks: list[dict[str, Any]], alone: dict[str, Any], split: str) -> None:
    expected = alone[split]
    assert f"{split}/iou" in expected
    assert f"{split}/accuracy" in expected
    for rank in ranks:
        assert rank[split].keys() == expected.keys()
        # the loss is a mean over batches (of the objects in each), so it depends on what shares a batch
        assert rank[split] | {f"{split}/loss": 0} == expected | {f"{split}/loss": 0}
    assert ranks[0][split] == ranks[1][split]


def test_the_table_is_complete_and_in_the_order_of_the_files(
    ranks: list[dict[str, Any]], alone: dict[str, Any], root: Path
) -> None:
    rows = (root / "annotations.csv").read_text().splitlines()[1:]
    files = [f"images/{row.split(',')[0]}" for row in rows if row.split(",")[1] == "test"]
    assert len(files) == 9
    for rank in ranks:
        assert rank["predictions"]["file"] == files
        assert rank["predictions"].keys() == alone["predictions"].keys()
        for name, column in alone["predictions"].items():
            if column[0] is None or isinstance(column[0], str):
                assert rank["predictions"][name] == column
            else:
                assert rank["predictions"][name] == [v if v is None else pytest.approx(v) for v in column]


def test_padding_is_noticed(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["padded"] == "test: 10 samples were counted, the split has 9"
        assert "the split has 9" in rank["dealt twice"]


def test_training_samples_are_disjoint_and_equally_many(ranks: list[dict[str, Any]]) -> None:
    first, second = (set(rank["train"]) for rank in ranks)
    assert len(first) == len(second) == 8
    assert not first & second


def test_fit_validates_unequal_numbers_of_batches(ranks: list[dict[str, Any]]) -> None:
    """One process has a batch more; nobody waits for the other, and both know the same result."""
    assert "val/iou" in ranks[0]["fit"]
    assert ranks[0]["fit"] == ranks[1]["fit"]
