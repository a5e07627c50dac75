"""Labels that a trained model contradicts with confidence: more often the label's fault than one would think."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path

    from locnet.data.records import Records

CONFIDENT = 0.8
"""p_c, and class score where the model gives probabilities, from which the model's word counts."""
_APART = 0.2  # IoU
_BATCH = 32


@dataclass(frozen=True)
class Suspect:
    """One label to look at.

    Attributes:
        row: of the records.
        label: what the label says.
        verdict: what the model says.
        confidence: of the model, in [0, 1]; the list is ordered by it.
        words: in what they differ.
        box: `(4,)` float64, the model's box, xyxy in fractions of the image; NaN for none.
    """

    row: int
    label: str
    verdict: str
    confidence: float
    words: str
    box: NDArray[np.float64]


def find_suspects(records: Records, checkpoint: Path, progress: Callable[[range], object] = iter) -> list[Suspect]:
    """Ask a model about every image.

    A model knows its own training images by heart: best ask one that was trained on other folds.

    Args:
        records: labels in the classes of the model.
        checkpoint: of the model.
        progress: wraps the batches as they are worked on.
    """
    import torch

    from locnet.answer import read_off
    from locnet.data.images import load_image
    from locnet.data.resize import fit
    from locnet.runtime.checkpoints import load_module

    module = load_module(checkpoint)
    height, width = module.model.image_size
    suspects: list[Suspect] = []
    for start in progress(range(0, len(records), _BATCH)):  # type: ignore[attr-defined]
        rows = range(start, min(start + _BATCH, len(records)))
        loaded = [load_image(records.path(row), at_least=max(height, width)).image for row in rows]
        fitted = [fit(image, height, width, module.resize) for image in loaded]  # type: ignore[arg-type]
        with torch.inference_mode():
            y = module.model(torch.stack([image for image, _ in fitted])).y.float()
        answer = read_off(y, torch.stack([where.as_tensor().float() for _, where in fitted]))
        boxes = answer.boxes.double().numpy()
        if not module.model.has_box:
            boxes = np.full_like(boxes, np.nan)
        p_c, scores = answer.p_c.double().numpy(), answer.scores.double().numpy()
        for index, row in enumerate(rows):
            suspect = judge(records, row, float(p_c[index]), scores[index], boxes[index])
            suspects += [suspect] if suspect else []
    return sorted(suspects, key=lambda suspect: -suspect.confidence)


def judge(
    records: Records, row: int, p_c: float, scores: NDArray[np.float64], box: NDArray[np.float64]
) -> Suspect | None:
    """Whether the model contradicts one label with confidence.

    Args:
        records: the labels.
        row: of the image.
        p_c: objectness that the model gives.
        scores: `(C,)` float64, class scores.
        box: `(4,)` float64, the model's box; NaN for none.
    """
    truth, best = int(records.labels[row]), int(scores.argmax())
    name = records.classes[truth] if truth >= 0 else "background"
    guess = records.classes[best]
    sure_of_class = p_c * float(np.clip(scores[best], 0, 1))
    nothing = np.full(4, np.nan)
    if truth < 0:
        found = p_c >= CONFIDENT
        return Suspect(row, name, guess, p_c, "the model sees an object", box) if found else None
    if 1 - p_c >= CONFIDENT:
        return Suspect(row, name, "background", 1 - p_c, "the model sees no object", nothing)
    if best != truth and sure_of_class >= CONFIDENT:
        return Suspect(row, name, guess, sure_of_class, "another class", box)
    overlap = _iou(records.boxes[row], box) if records.has_boxes else 1.0
    if p_c >= CONFIDENT and overlap < _APART:
        return Suspect(row, name, guess, p_c, f"box elsewhere (IoU {overlap:.2f})", box)
    return None


def _iou(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """IoU of two boxes; 1 where the model has none."""
    if not np.isfinite(other).all():
        return 1.0
    sides = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None)
    common = float(sides.prod())
    union = float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod()) - common
    return common / union if union > 0 else 0.0
