"""Whatever a label file holds: no traceback, no hang, and every image and object is used or accounted for."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import numpy as np
import pytest
from fuzzing import FILLERS, Case, fill, make_case, read, spoil
from hypothesis import given, settings
from hypothesis import strategies as st

from locnet.data.labels.assemble import Reading
from locnet.data.labels.tables import Labels

SECONDS = 5.0  # for files of a few hundred bytes
_ROW_FORMATS = ("csv", "parquet", "tiny_imagenet", "cub")
# formats that look for images themselves, or list the two in files that are not touched
_EVERY_IMAGE = ("voc", "yolo", "imagenet", "pets", "cub", "tiny_imagenet", "folders")


def check_read(case: Case) -> tuple[Labels, Reading] | None:
    """Read, and check what must be true of any labels."""
    started = time.perf_counter()
    result = read(case)
    if time.perf_counter() - started > SECONDS:  # the machine may be busy: the processor's time decides
        started = time.process_time()
        result = read(case)
        assert time.process_time() - started < SECONDS
    if isinstance(result, str):
        assert result
        assert "\n" not in result
        return None
    labels, reading = result
    records = reading.records
    for defect in reading.defects:
        assert "\n" not in defect.message
        assert len(defect.message) < 2000
    assert reading.total == reading.bad + sum(n for words, n in reading.paths.items() if words != "left out")
    has_object = records.labels >= 0
    boxes = records.boxes[has_object]
    assert np.isfinite(boxes).all()
    assert ((boxes >= 0) & (boxes <= 1)).all()
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert np.isnan(records.boxes[~has_object]).all()
    assert (records.sizes > 0).all()
    assert len(set(records.files)) == len(records)
    assert set(records.splits.tolist()) <= {"train", "val", "test"}
    return labels, reading


def accounted(labels: Labels, reading: Reading) -> set[str]:
    return set(labels.files) | {defect.file for defect in reading.defects}


def one_spoilt(case: Case, seed: int) -> None:
    """Damaged bytes."""
    spoil(case, random.Random(seed))
    check_read(case)


def one_filled(case: Case, name: str, seed: int) -> None:
    """Nasty values in well-formed files: now it is known how many objects there are."""
    count = fill(case, name, random.Random(seed))
    result = check_read(case)
    if result is None:
        return
    labels, reading = result
    if name in _EVERY_IMAGE:
        assert case.images <= accounted(labels, reading)
    if name == "folders":
        assert len(accounted(labels, reading)) == count
    objects = len(labels.image) + int(labels.background.sum())
    on_rows = sum(defect.line > 0 for defect in labels.defects if defect.action == "left out")
    if name in _ROW_FORMATS:
        background = sum(defect.kind == "background_with_object" for defect in reading.defects)
        assert objects + on_rows + background >= count - (len(labels.image) < count and labels.background.any()) * count
        if not labels.background.any():
            assert objects + on_rows >= count
    if name in ("voc", "imagenet", "pets", "yolo"):
        whole = {defect.source for defect in labels.defects if defect.line == 0 and defect.action == "left out"}
        if not whole:
            assert len(labels.image) + on_rows == count


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    folder = tmp_path_factory.mktemp("fuzz")
    return {name: make_case(name, folder / name) for name in FILLERS}


@pytest.mark.parametrize("name", FILLERS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**48))
def test_damaged_files(cases: dict[str, Case], name: str, seed: int) -> None:
    one_spoilt(cases[name], seed)


@pytest.mark.parametrize("name", FILLERS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**48))
def test_nasty_values(cases: dict[str, Case], name: str, seed: int) -> None:
    one_filled(cases[name], name, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILLERS)
def test_many_inputs(tmp_path: Path, name: str) -> None:
    """1,000 of each kind; LOCNET_FUZZ=50000 makes it the campaign of 100,000 inputs a reader."""
    case = make_case(name, tmp_path / name)
    rounds = int(os.environ.get("LOCNET_FUZZ", "1000"))
    for seed in range(rounds):
        one_spoilt(case, seed)
    for seed in range(rounds):
        one_filled(case, name, seed)
