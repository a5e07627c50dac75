"""Which labels a model contradicts with confidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from locnet.checkup.suspects import judge
from locnet.data.records import Records
from locnet.data.strings import Strings

BOX = [0.1, 0.1, 0.5, 0.5]
NOTHING = [np.nan] * 4


@pytest.fixture
def records() -> Records:
    return Records(
        root=Path(),
        classes=("car", "dog"),
        files=Strings(["car.png", "background.png"]),
        splits=np.array(["train", "train"]),
        labels=np.array([0, -1]),
        boxes=np.array([BOX, NOTHING]),
        sizes=np.array([[10, 10], [10, 10]]),
    )


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
    records: Records, row: int, p_c: float, scores: tuple[float, float], box: list[float], words: str | None
) -> None:
    suspect = judge(records, row, p_c, np.array(scores), np.array(box))
    assert (suspect and suspect.words) == words
    if suspect:
        assert suspect.confidence >= 0.8
