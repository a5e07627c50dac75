"""Labels as columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from locnet.data.records import Records
from locnet.data.strings import Strings


@pytest.fixture
def records() -> Records:
    nothing = [np.nan] * 4
    return Records(
        root=Path("root"),
        classes=("car", "dog"),
        files=Strings(["a.png", "sub/long name.png", "c.png", "d.png"]),
        splits=np.array(["train", "test", "train", "test"]),
        labels=np.array([1, -1, 0, 1]),
        boxes=np.array([[0, 0, 0.5, 1], nothing, [0.25, 0.25, 1, 1], [0, 0, 1, 1]]),
        sizes=np.array([[10, 20], [30, 40], [50, 60], [70, 80]]),
    )


def test_select_keeps_order_and_all_columns(records: Records) -> None:
    test = records.select("test")
    assert len(test) == 2
    assert test.files.tolist() == ["sub/long name.png", "d.png"]
    assert test.labels.tolist() == [-1, 1]
    assert test.sizes.tolist() == [[30, 40], [70, 80]]
    assert np.isnan(test.boxes[0]).all()
    assert test.boxes[1].tolist() == [0, 0, 1, 1]
    assert test.path(0) == Path("root/sub/long name.png")
    assert len(records.select("val")) == 0
    assert records.select("val").boxes.shape == (0, 4)


def test_counts_name_background(records: Records) -> None:
    assert records.counts() == {
        "train": {"car": 1, "dog": 1, "background": 0},
        "val": {"car": 0, "dog": 0, "background": 0},
        "test": {"car": 0, "dog": 1, "background": 1},
    }


def test_fingerprint_is_stable_and_sees_every_label(records: Records) -> None:
    assert records.fingerprint() == replace(records, root=Path("elsewhere")).fingerprint()
    seen = {records.fingerprint()}
    seen.add(replace(records, files=Strings(["x.png", *records.files[1:]])).fingerprint())
    for column, value in (("splits", "val"), ("labels", 0), ("boxes", 0.125)):
        changed = getattr(records, column).copy()
        changed[0] = value
        seen.add(replace(records, **{column: changed}).fingerprint())
    seen.add(replace(records, classes=("dog", "car")).fingerprint())
    assert len(seen) == 6
    assert all(len(text) == 12 and int(text, 16) >= 0 for text in seen)
