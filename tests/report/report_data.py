"""Predictions for the tests of the report: a table small enough to score by hand, and random ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import OmegaConf
from PIL import Image

from locnet.predictions import Predictions
from locnet.report.scores import scores

NO_BOX = (np.nan, np.nan, np.nan, np.nan)


def by_hand() -> Predictions:
    """Seven images, classes a and b. IoU: 1, 0.8, 1/3, 0, none, none, none. Verdicts: a, -, b, a, a, -, -."""
    labels = [0, 0, 1, 1, -1, -1, -1]
    boxes = [(0, 0, 0.5, 0.5), (0, 0, 1, 1), (0, 0, 0.5, 1), (0, 0, 0.2, 0.2), NO_BOX, NO_BOX, NO_BOX]
    found = [(0, 0, 0.5, 0.5), (0, 0, 0.8, 1), (0.25, 0, 0.75, 1), (0.5, 0.5, 1, 1), *[(0, 0, 1, 1)] * 3]
    p_c = [0.9, 0.4, 0.8, 0.6, 0.6, 0.1, 0.2]
    class_scores = [(0.8, 0.2), (0.6, 0.4), (0.3, 0.7), (0.9, 0.1), (0.5, 0.4), (0.2, 0.8), (0.7, 0.3)]
    return Predictions(
        classes=("a", "b"),
        files=[f"{index}.png" for index in range(7)],
        sizes=np.tile(np.array([[60, 80]], dtype=np.int64), (7, 1)),
        labels=np.array(labels, dtype=np.int64),
        boxes=np.array(boxes, dtype=np.float64),
        p_c=np.array(p_c, dtype=np.float64),
        class_scores=np.array(class_scores, dtype=np.float64),
        predicted_boxes=np.array(found, dtype=np.float64),
        threshold=0.5,
    )


def at_random(
    n: int,
    *,
    seed: int = 0,
    classes: tuple[str, ...] = ("pedestrian", "car", "motorcycle"),
    background: float = 0.3,
) -> Predictions:
    """`n` images, p_c in steps of 0.1 so that ties occur; `background` is the share of background images."""
    draw = np.random.default_rng(seed)
    labels = np.where(draw.random(n) < background, -1, draw.integers(0, len(classes), n))
    corners = np.sort(draw.random((n, 2, 2)), axis=1).reshape(n, 4)
    found = np.clip(corners + draw.normal(0, 0.05, (n, 4)), 0, 1)
    return Predictions(
        classes=classes,
        files=[f"{index}.png" for index in range(n)],
        sizes=np.tile(np.array([[60, 80]], dtype=np.int64), (n, 1)),
        labels=labels.astype(np.int64),
        boxes=np.where(labels[:, None] < 0, np.nan, corners),
        p_c=draw.integers(0, 11, n) / 10,
        class_scores=draw.random((n, len(classes))),
        predicted_boxes=found,
        threshold=0.5,
    )


def load_image(file: str) -> Image.Image:
    """A plain image for any file name."""
    return Image.new("RGB", (80, 60), "#808080")


def store(
    folder: Path,
    p: Predictions,
    *,
    config: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    history: Sequence[Mapping[str, Any]] = (),
    **metrics: Any,
) -> Path:
    """Write what a finished run leaves, without a run; returns the folder."""
    (folder / "plots").mkdir(parents=True)
    content = {f"test/{key}": value for key, value in scores(p).items()}
    content |= {"threshold": p.threshold, "baseline/mean_box/iou": 0.25, **metrics}
    (folder / "metrics.json").write_text(json.dumps(content))
    pq.write_table(pa.table(p.columns()), folder / "predictions.parquet")
    OmegaConf.save(OmegaConf.create(dict(config or {"seed": 0})), folder / "config.yaml")
    OmegaConf.save(OmegaConf.create(list(overrides)), folder / "overrides.yaml")
    if history:
        (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in history))
    return folder
