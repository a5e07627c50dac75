"""Labels that a trained model contradicts with confidence: more often the label's fault than one would think."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from locnet.predictions import BACKGROUND, Predictions

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
        row: of the table.
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
    from locnet.inference.inputs import stack
    from locnet.inference.localizer import Localizer

    localizer = Localizer.load(checkpoint, device="cpu")
    p_c, scores, boxes = np.empty(len(records)), np.empty((len(records), len(records.classes))), []
    for start in progress(range(0, len(records), _BATCH)):  # type: ignore[attr-defined]
        rows = range(start, min(start + _BATCH, len(records)))
        answer = localizer.answer(stack([localizer.prepare(records.path(row)) for row in rows]))
        p_c[start : rows.stop], scores[start : rows.stop] = answer.p_c.numpy(), answer.scores.numpy()
        boxes.append(answer.boxes.double().numpy())
    found = np.concatenate(boxes) if boxes and localizer.has_box else np.full((len(records), 4), np.nan)
    return contradicted(
        Predictions(
            classes=records.classes,
            files=records.files.tolist(),
            sizes=records.sizes,
            labels=records.labels,
            boxes=records.boxes if records.has_boxes else np.full_like(records.boxes, np.nan),
            p_c=p_c,
            class_scores=scores,
            predicted_boxes=found,
            threshold=localizer.threshold,
        )
    )


def contradicted(p: Predictions) -> list[Suspect]:
    """The labels that the answers contradict with confidence, the surest contradiction first.

    Args:
        p: truth and answer for N images.
    """
    if not len(p):
        return []
    best, objects = p.predicted_labels, p.has_object
    sure = p.p_c * np.clip(p.class_scores.max(axis=1), 0, 1)
    ious = np.nan_to_num(p.ious, nan=1.0)  # where one of the two has no box there is nothing to contradict
    rules = (
        ("the model sees an object", ~objects, p.p_c),
        ("the model sees no object", objects, 1 - p.p_c),
        ("another class", objects & (best != p.labels), sure),
        ("box elsewhere", objects & (ious < _APART), p.p_c),
    )
    left = np.ones(len(p), dtype=bool)
    suspects = []
    for words, applies, confidence in rules:
        hits = left & applies & (confidence >= CONFIDENT)
        left &= ~hits
        for row in np.flatnonzero(hits).tolist():
            none = words == "the model sees no object"
            suspects.append(
                Suspect(
                    row,
                    p.name(int(p.labels[row])),
                    p.name(BACKGROUND if none else int(best[row])),
                    float(confidence[row]),
                    f"{words} (IoU {ious[row]:.2f})" if words == "box elsewhere" else words,
                    np.full(4, np.nan) if none else p.predicted_boxes[row],
                )
            )
    return sorted(suspects, key=lambda suspect: -suspect.confidence)
