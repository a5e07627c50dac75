"""Two and three processes, images that do not deal out evenly: every number is that of one process."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from locnet.callbacks.history import read_history

SCRIPT = Path(__file__).with_name("processes.py")

pytestmark = pytest.mark.distributed

Ranks = list[dict[str, Any]]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("processes", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def roots(manifest: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`odd` deals out unevenly; in `few`, of three processes one has no object in val, and one no image in test."""
    folder = tmp_path_factory.mktemp("data")
    roots = {
        "odd": manifest(folder / "odd", train=17, val=9, test=9),
        "few": manifest(folder / "few", train=4, val=7, test=2, seed=1),
    }
    table = roots["few"] / "annotations.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    number = 0
    for row in rows:
        if row["split"] == "val":
            if number % 3 == 1:  # all images of the second of three processes
                row |= {"class": "background", "xmin": "", "ymin": "", "xmax": "", "ymax": ""}
            number += 1
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return roots


@pytest.fixture(scope="module", params=[2, 3])
def ranks(
    request: pytest.FixtureRequest,
    run_script: Callable[..., None],
    roots: dict[str, Path],
    checkpoint: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Ranks, Path]:
    output = tmp_path_factory.mktemp("ranks")
    run_script(SCRIPT, request.param, checkpoint, output, *roots.values(), timeout=300)
    return [json.loads((output / f"{rank}.json").read_text()) for rank in range(request.param)], output


@pytest.fixture(scope="module")
def alone(script: ModuleType, roots: dict[str, Path], checkpoint: Path) -> dict[str, Any]:
    return {name: script.evaluated(root, checkpoint, devices=1) for name, root in roots.items()}


@pytest.mark.parametrize("data", ["odd", "few"])
@pytest.mark.parametrize("split", ["test", "val"])
def test_metrics_are_those_of_one_process(
    ranks: tuple[Ranks, Path], alone: dict[str, Any], data: str, split: str
) -> None:
    expected = alone[data][split]
    assert {f"{split}/iou", f"{split}/accuracy", f"{split}/objectness_ap", f"{split}/loss"} <= expected.keys()
    for rank in ranks[0]:
        assert rank[data][split].keys() == expected.keys()
        # in batches of another size a network's outputs round otherwise
        assert rank[data][split] == pytest.approx(expected, abs=1e-6)
        assert rank[data][split] == ranks[0][0][data][split]


@pytest.mark.parametrize("data", ["odd", "few"])
def test_the_table_is_complete_and_in_the_order_of_the_files(
    ranks: tuple[Ranks, Path], alone: dict[str, Any], roots: dict[str, Path], data: str
) -> None:
    rows = (roots[data] / "annotations.csv").read_text().splitlines()[1:]
    files = [f"images/{row.split(',')[0]}" for row in rows if row.split(",")[1] == "test"]
    for rank in ranks[0]:
        found = rank[data]["predictions"]
        assert found["file"] == files
        assert found.keys() == alone[data]["predictions"].keys()
        for name, column in alone[data]["predictions"].items():
            if column[0] is None or isinstance(column[0], str):
                assert found[name] == column
            else:
                assert found[name] == [v if v is None else pytest.approx(v, abs=1e-6) for v in column]


def test_padding_is_noticed(ranks: tuple[Ranks, Path]) -> None:
    for rank in ranks[0]:
        if len(ranks[0]) == 2:  # nine images are no problem for three
            assert rank["padded"] == "test: 10 samples were counted, the split has 9"
        assert "the split has 9" in rank["dealt twice"]


def test_training_samples_are_disjoint_and_equally_many(ranks: tuple[Ranks, Path]) -> None:
    drawn = [set(rank["train"]) for rank in ranks[0]]
    assert {len(part) for part in drawn} == {17 // len(drawn)}
    assert len(set.union(*drawn)) == sum(map(len, drawn))


def test_fit_validates_unequal_numbers_of_batches(ranks: tuple[Ranks, Path]) -> None:
    """One process has a batch more; nobody waits for the other, and all know the same result."""
    assert "val/iou" in ranks[0][0]["fit"]
    assert all(rank["fit"] == ranks[0][0]["fit"] for rank in ranks[0])


def test_the_training_loss_is_that_of_all_processes(ranks: tuple[Ranks, Path]) -> None:
    steps = list(zip(*(rank["losses"] for rank in ranks[0]), strict=True))
    means = []
    for step in steps:
        own, logged = [loss for loss, _ in step], [loss for _, loss in step]
        means.append(sum(own) / len(own))
        assert logged == pytest.approx([means[-1]] * len(own), rel=1e-5)
        assert len(set(own)) == len(own)
    rows = read_history(ranks[1] / "history.jsonl")
    assert len(rows) == 2
    half = len(means) // 2
    assert [row["train/loss"] for row in rows] == pytest.approx(
        [sum(means[:half]) / half, sum(means[half:]) / half], rel=1e-5
    )


def test_all_processes_validate_with_the_statistics_that_are_saved(ranks: tuple[Ranks, Path]) -> None:
    """Each process's BatchNorm layers have seen images of their own."""
    first = ranks[0][0]["statistics"]
    assert len(first) > 3
    assert all(rank["statistics"] == first for rank in ranks[0])
