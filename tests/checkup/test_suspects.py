"""Which labels a model contradicts with confidence."""

from __future__ import annotations

import numpy as np
import pytest

from locnet.checkup.suspects import contradicted
from locnet.predictions import Predictions

BOX = [0.1, 0.1, 0.5, 0.5]
NOTHING = [np.nan] * 4


@pytest.mark.parametrize(
    ("row", "p_c", "scores", "box", "words"),
    [
        (0, 0.95, (0.9, 0.1), BOX, None),
        (0, 0.95, (0.1, 0.9), BOX, "another class"),
        (0, 0.95, (0.4, 0.6), BOX, None),  # not sure
        (0, 0.95, (0.9, 0.1), [0.6, 0.6, 0.9, 0.9], "box elsewhere (IoU 0.00)"),
        (0, 0.5, (0.9, 0.1), [0.6, 0.6, 0.9, 0.9], None),  # not sure that there is anything
        (0, 0.05, (0.9, 0.1), BOX, "the model sees no object"),
        (0, 0.95, (0.9, 0.1), NOTHING, None),  # a classifier has no box
        (1, 0.1, (0.9, 0.1), BOX, None),
        (1, 0.9, (0.9, 0.1), BOX, "the model sees an object"),
    ],
)
def test_confident_disagreement(
    row: int, p_c: float, scores: tuple[float, float], box: list[float], words: str | None
) -> None:
    p = Predictions(
        classes=("car", "dog"),
        files=["a.png"],
        sizes=np.array([[10, 10]]),
        labels=np.array([(0, -1)[row]]),
        boxes=np.array([(BOX, NOTHING)[row]]),
        p_c=np.array([p_c]),
        class_scores=np.array([scores]),
        predicted_boxes=np.array([box]),
        threshold=0.5,
    )
    suspects = contradicted(p)
    assert [suspect.words for suspect in suspects] == ([words] if words else [])
    for suspect in suspects:
        assert suspect.confidence >= 0.8
        assert suspect.label == ("car", "background")[row]
