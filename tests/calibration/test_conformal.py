"""Conformal crops: what they promise holds, and the short form promises no less than the long one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locnet.calibration.conformal import Residuals, areas, grow, needed, nonconformity

Array = np.ndarray


def boxes_of(draw: np.random.Generator, count: int, noise: float) -> tuple[Array, Array]:
    """True boxes, and predicted ones that are off by more where the object is larger."""
    middle, half = draw.uniform(0.3, 0.7, (count, 2)), draw.uniform(0.02, 0.28, (count, 2))
    true = np.concatenate((middle - half, middle + half), axis=1)
    off = draw.standard_t(4, (count, 4)) * noise * np.tile(half, 2)
    predicted = np.clip(true + off, 0, 1)
    low, high = np.minimum(predicted[:, :2], predicted[:, 2:]), np.maximum(predicted[:, :2], predicted[:, 2:])
    return np.concatenate((low, high), axis=1), true


def holds(crop: Array, true: Array) -> Array:
    low, high = crop[:, :2] <= true[:, :2] + 1e-9, crop[:, 2:] >= true[:, 2:] - 1e-9
    inside: Array = np.logical_and.reduce(np.concatenate((low, high), axis=1), axis=1)
    return inside


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("noise", [0.05, 0.4])
def test_as_often_as_it_was_asked(coverage: float, noise: float) -> None:
    """Over many draws of val and test, the mean coverage is the one asked for, and at most 1 / (n + 1) more."""
    draw = np.random.default_rng(1)
    n, reached = 60, []
    for _ in range(600):
        residuals = Residuals.of(nonconformity(*boxes_of(draw, n, noise)))
        predicted, true = boxes_of(draw, 40, noise)
        reached.append(holds(grow(predicted, residuals.margin(coverage)), true).mean())
    error = 3 * np.std(reached) / math.sqrt(len(reached))
    assert coverage - error <= np.mean(reached) <= coverage + 1 / (n + 1) + error


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.5), st.floats(0.3, 0.99))
def test_a_grown_box_holds_the_object_just_where_its_score_says_so(seed: int, noise: float, coverage: float) -> None:
    predicted, true = boxes_of(np.random.default_rng(seed), 30, noise)
    scores = nonconformity(predicted, true)
    assert holds(grow(predicted, float(scores.max())), true).all()
    margin = Residuals.of(scores).margin(coverage)
    crop = grow(predicted, margin)
    assert ((crop >= 0) & (crop <= 1)).all()
    assert (crop[:, :2] <= crop[:, 2:]).all()
    clear = np.abs(scores - margin) > 1e-7  # in units of at least a tenth of the image; `holds` allows 1e-9 of it
    assert (holds(crop, true) == (scores <= margin))[clear | (margin == math.inf)].all()


@given(st.lists(st.floats(-1, 5), min_size=1, max_size=60), st.floats(0.01, 0.99), st.integers(1, 70))
def test_the_rank_of_the_text_and_never_less(values: list[float], coverage: float, kept: int) -> None:
    """All scores kept: the ceil((n + 1) * coverage)-th smallest. Fewer kept: that one or the next that was kept."""
    n = len(values)
    rank = math.ceil((n + 1) * coverage - 1e-9)
    whole, thin = Residuals.of(np.array(values)), Residuals.of(np.array(values), kept=kept)
    assert len(thin.scores) == min(kept, n)
    if rank > n:
        assert whole.margin(coverage) == thin.margin(coverage) == math.inf
        assert n < needed(coverage)
        return
    assert n >= needed(coverage)
    assert whole.margin(coverage) == sorted(values)[rank - 1]
    at_least = [score for score in thin.scores if score >= sorted(values)[rank - 1]]
    assert thin.margin(coverage) in at_least
    ranks = [-(-i * n // len(thin.scores)) for i in range(1, len(thin.scores) + 1)]
    assert thin.margin(coverage) == sorted(values)[min(r for r in ranks if r >= rank) - 1]


@pytest.mark.parametrize(("coverage", "objects"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999)])
def test_how_many_objects_a_coverage_needs(coverage: float, objects: int) -> None:
    assert needed(coverage) == objects
    assert Residuals.of(np.arange(float(objects))).margin(coverage) == objects - 1
    if objects > 1:
        assert Residuals.of(np.arange(float(objects - 1))).margin(coverage) == math.inf


def test_crops_by_hand() -> None:
    predicted = np.array([[0.4, 0.4, 0.6, 0.5]])
    true = np.array([[0.34, 0.4, 0.6, 0.56]])  # 0.06 beyond at the left of 0.2 wide, at the bottom of 0.1 high
    assert nonconformity(predicted, true, offset=0.1) == pytest.approx([0.06 / 0.2])
    assert grow(predicted, 0.3, offset=0.1) == pytest.approx(np.array([[0.31, 0.34, 0.69, 0.56]]))
    assert grow(predicted, math.inf).tolist() == [[0, 0, 1, 1]]
    assert grow(predicted, -9.0) == pytest.approx(np.array([[0.5, 0.45, 0.5, 0.45]]))
    assert areas(grow(predicted, 0.0)) == pytest.approx([0.02])
    empty = np.array([[0.5, 0.5, 0.5, 0.5]])
    assert holds(grow(empty, float(nonconformity(empty, true)[0])), true).all()


@pytest.mark.parametrize(("count", "scores"), [(1, ()), (1, (0.1, 0.2)), (3, (0.2, 0.1))])
def test_residuals_that_make_no_sense(count: int, scores: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="in increasing order"):
        Residuals(count, scores)
