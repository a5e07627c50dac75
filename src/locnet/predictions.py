"""What a model said about a split, beside the truth: the one table that metrics, plots and files are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

BACKGROUND = -1
"""The label of an image without an object. Background is not a class index inside the target vector."""
EDGES = ("xmin", "ymin", "xmax", "ymax")
SCORE, EXTRA = "score_", "extra_"
"""What the names of columns of the written table begin with: the score of a class, a further column of the labels."""


@dataclass(frozen=True)
class Predictions:
    """Truth and answer for N images, as columns.

    Boxes are xyxy in fractions of the original image (see `locnet.boxes`); NaN rows mean that there is none.

    Attributes:
        classes: the C class names, in the order of the class scores.
        files: N paths relative to the data root.
        sizes: `(N, 2)` int64, height and width of the original image in pixels, upright (after EXIF).
        labels: `(N,)` int64, true class index, -1 for background.
        boxes: `(N, 4)` float64, true box; NaN for background.
        p_c: `(N,)` float64 in [0, 1], predicted objectness.
        class_scores: `(N, C)` float64, predicted class scores.
        predicted_boxes: `(N, 4)` float64, predicted box whatever p_c is; NaN from a system without boxes.
        threshold: the verdict is background where p_c < threshold.
        extra: further columns of the labels by name, N strings each, such as `source` or `day`.
    """

    classes: tuple[str, ...]
    files: list[str]
    sizes: NDArray[np.int64]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float64]
    p_c: NDArray[np.float64]
    class_scores: NDArray[np.float64]
    predicted_boxes: NDArray[np.float64]
    threshold: float
    extra: Mapping[str, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.files)

    @property
    def has_object(self) -> NDArray[np.bool_]:
        """`(N,)` bool: the image has an object."""
        present: NDArray[np.bool_] = self.labels != BACKGROUND
        return present

    @property
    def has_boxes(self) -> bool:
        """Whether the system gives boxes at all (plain classification does not)."""
        return bool(np.isfinite(self.predicted_boxes).all())

    @property
    def predicted_labels(self) -> NDArray[np.int64]:
        """`(N,)` int64: class index of the highest class score, from c_1..c_C alone."""
        best: NDArray[np.int64] = self.class_scores.argmax(axis=1).astype(np.int64)
        return best

    @property
    def verdicts(self) -> NDArray[np.int64]:
        """`(N,)` int64: the final answer, -1 for background, else the class index."""
        return np.where(self.p_c < self.threshold, BACKGROUND, self.predicted_labels)

    @property
    def ious(self) -> NDArray[np.float64]:
        """`(N,)` float64: IoU of the predicted with the true box, whatever p_c is; NaN for background."""
        low = np.maximum(self.boxes[:, :2], self.predicted_boxes[:, :2])
        high = np.minimum(self.boxes[:, 2:], self.predicted_boxes[:, 2:])
        intersection = np.prod(np.clip(high - low, 0, None), axis=1)
        areas = [np.prod(np.clip(b[:, 2:] - b[:, :2], 0, None), axis=1) for b in (self.boxes, self.predicted_boxes)]
        union = areas[0] + areas[1] - intersection
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(union == 0, 0.0, intersection / union)

    def name(self, label: int) -> str:
        """Class name of a label; `background` for -1."""
        return "background" if label == BACKGROUND else self.classes[label]

    def take(self, rows: NDArray[np.int64]) -> Predictions:
        """These rows, in this order."""
        return replace(
            self,
            files=[self.files[row] for row in rows],
            sizes=self.sizes[rows],
            labels=self.labels[rows],
            boxes=self.boxes[rows],
            p_c=self.p_c[rows],
            class_scores=self.class_scores[rows],
            predicted_boxes=self.predicted_boxes[rows],
            extra={name: [column[row] for row in rows] for name, column in self.extra.items()},
        )

    def columns(self) -> dict[str, list[Any]]:
        """The table that is written to `predictions.parquet`; boxes in pixels of the original image."""
        scale = self.sizes[:, [1, 0, 1, 0]].astype(np.float64)
        columns: dict[str, list[Any]] = {
            "file": list(self.files),
            "height": self.sizes[:, 0].tolist(),
            "width": self.sizes[:, 1].tolist(),
            "class": [self.name(int(label)) for label in self.labels],
            "verdict": [self.name(int(label)) for label in self.verdicts],
            "p_c": self.p_c.tolist(),
            "iou": _nullable(self.ious),
        }
        for prefix, boxes in (("", self.boxes * scale), ("predicted_", self.predicted_boxes * scale)):
            for index, edge in enumerate(EDGES):
                columns[prefix + edge] = _nullable(boxes[:, index])
        for index, name in enumerate(self.classes):
            columns[f"{SCORE}{name}"] = self.class_scores[:, index].tolist()
        columns |= {f"{EXTRA}{name}": list(column) for name, column in self.extra.items()}
        return columns


def _nullable(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
