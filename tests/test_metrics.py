"""The metrics against a NumPy reference and by hand, in one process and in several."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from locnet.metrics import LocalizationMetrics, average_precision
from locnet.predictions import Predictions
from locnet.report.scores import scores

Table = dict[str, torch.Tensor]


def table(size: int, *, seed: int = 0, objects: float = 0.7) -> Table:
    g = torch.Generator().manual_seed(seed)
    corner = torch.rand(2, size, 2, generator=g) * 0.4
    boxes = torch.cat((corner, corner + 0.2 + 0.4 * torch.rand(2, size, 2, generator=g)), -1)
    labels = torch.randint(0, 3, (size,), generator=g)
    labels[torch.rand(size, generator=g) > objects] = -1
    truth = boxes[1].clone()
    truth[labels < 0] = torch.nan
    p_c, scores_ = torch.rand(size, generator=g), torch.rand(size, 3, generator=g)
    return {"p_c": p_c, "boxes": boxes[0], "scores": scores_, "labels": labels, "true_boxes": truth}


def compute(rows: Table, *batches: slice, has_box: bool = True) -> dict[str, float]:
    metric = LocalizationMetrics(has_box=has_box)
    for batch in batches:
        metric.update(**{name: column[batch] for name, column in rows.items()}, threshold=0.4)
    values: dict[str, float] = metric.compute()
    return values


def reference(rows: Table, *, has_box: bool = True) -> dict[str, float]:
    size = len(rows["p_c"])
    boxes = rows["boxes"].double().numpy()
    return scores(
        Predictions(
            classes=("a", "b", "c"),
            files=[str(row) for row in range(size)],
            sizes=np.full((size, 2), 100, dtype=np.int64),
            labels=rows["labels"].numpy(),
            boxes=rows["true_boxes"].double().numpy(),
            p_c=rows["p_c"].double().numpy(),
            class_scores=rows["scores"].double().numpy(),
            predicted_boxes=boxes if has_box else np.full_like(boxes, np.nan),
            threshold=0.4,
        )
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("has_box", [True, False])
def test_against_numpy(seed: int, has_box: bool) -> None:
    rows = table(101, seed=seed)
    values = compute(rows, slice(0, 7), slice(7, 90), slice(90, None), has_box=has_box)
    assert values.pop("images") == 101
    wanted = reference(rows, has_box=has_box)
    assert values.keys() == wanted.keys()
    for name, value in wanted.items():
        assert values[name] == pytest.approx(value, abs=2e-7), name


def test_by_hand() -> None:
    """Right and exact; right but IoU 1/3; missed (background verdict); a false alarm; a quiet background."""
    box = [0.0, 0.0, 0.5, 1.0]
    rows: Table = {
        "p_c": torch.tensor([0.9, 0.8, 0.1, 0.7, 0.2]),
        "boxes": torch.tensor([box, [0.25, 0.0, 0.75, 1.0], box, box, box]),
        "scores": torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
        "labels": torch.tensor([0, 1, 0, -1, -1]),
        "true_boxes": torch.tensor([box, box, box, [torch.nan] * 4, [torch.nan] * 4]),
    }
    values = compute(rows, slice(None))
    wanted = {
        "images": 5,
        "accuracy": 3 / 5,
        "class_accuracy": 1,
        "iou": (1 + 1 / 3 + 1) / 3,
        "gt_known_loc": 2 / 3,
        "top1_loc": 1 / 3,
        "max_box_acc_v2": (3 / 3 + 2 / 3 + 2 / 3) / 3,
        "objectness_ap": (1 / 1 + 2 / 2 + 3 / 5) / 3,
    }
    assert values == pytest.approx(wanted, abs=1e-6)


def test_what_has_no_images_is_left_out() -> None:
    rows = table(9)
    rows["labels"][:] = -1
    assert compute(rows, slice(None)).keys() == {"images", "accuracy"}
    assert compute(rows) == {"images": 0.0}


def test_average_precision_counts_ties_together() -> None:
    histogram = torch.tensor([[1, 1, 0], [0, 1, 1]])
    assert average_precision(histogram) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def shards(world: int) -> list[list[int]]:
    """Uneven; with three processes one has background only and one has nothing at all."""
    labels = table(41)["labels"]
    if world == 1:
        return [list(range(41))]
    if world == 2:
        return [list(range(30)), list(range(30, 41))]
    background = [row for row in range(41) if labels[row] < 0]
    return [[row for row in range(41) if row not in background], background, []]


def work(rank: int, world: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
    rows: dict[str, Any] = table(41)
    mine = shards(world)[rank]
    metric = LocalizationMetrics()
    for start in range(0, len(mine), 4):
        batch = mine[start : start + 4]
        metric.update(**{name: column[batch] for name, column in rows.items()}, threshold=0.4)
    Path(folder, f"{rank}.json").write_text(json.dumps(metric.compute()))
    dist.destroy_process_group()


@pytest.mark.distributed
@pytest.mark.parametrize("world", [2, 3])
def test_every_number_of_processes_gives_the_same_bits(world: int, tmp_path: Path) -> None:
    mp.spawn(work, args=(world, str(tmp_path)), nprocs=world)  # type: ignore[attr-defined, no-untyped-call]
    alone = compute(table(41), slice(None))
    for rank in range(world):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == alone
