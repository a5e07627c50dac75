"""The threshold against every threshold there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locnet.calibration.threshold import best_threshold

IMAGES = st.lists(
    st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.integers(-1, 1), st.integers(0, 1)), min_size=1, max_size=30
)


def accuracy(p_c: np.ndarray, labels: np.ndarray, predicted: np.ndarray, threshold: float) -> float:
    return float(np.mean(np.where(p_c < threshold, -1, predicted) == labels))


@given(IMAGES)
def test_none_is_clearly_better(images: list[tuple[float, int, int]]) -> None:
    p_c, labels, predicted = (np.array(column) for column in zip(*images, strict=True))
    found = best_threshold(p_c, labels, predicted)
    if not (labels < 0).any() or not ((labels >= 0) & (labels == predicted)).any():
        assert found is None
        return
    assert found is not None
    assert 0 <= found <= 1
    reached = {t: accuracy(p_c, labels, predicted, t) for t in np.linspace(0, 1, 201)}
    best = max(reached.values())
    least = best - np.sqrt(best * (1 - best) / len(p_c)) - 1e-9
    assert accuracy(p_c, labels, predicted, found) >= least
    if reached[0.5] >= least:
        assert found == 0.5


def test_the_middle_of_the_nearest_interval() -> None:
    labels = np.array([-1, -1, 0, 0, 1])
    predicted = np.array([0, 0, 0, 0, 1])
    assert best_threshold(np.array([0.1, 0.2, 0.7, 0.9, 0.8]), labels, predicted) == 0.5
    assert best_threshold(np.array([0.1, 0.2, 0.4, 0.9, 0.8]), labels, predicted) == pytest.approx(0.3)
    assert best_threshold(np.array([0.6, 0.7, 0.9, 0.9, 0.8]), labels, predicted) == pytest.approx(0.75)


@pytest.mark.parametrize(("low", "moved"), [(8, True), (5, False)])
def test_a_few_lucky_images_do_not_move_it(low: int, moved: bool) -> None:
    """Of 200 images, four are wrong at 0.82, whose standard error is two images; at 0.5 as many as `low` says."""
    backgrounds = np.concatenate((np.full(100 - low + 4, 0.1), np.full(low - 4, 0.8)))
    p_c = np.concatenate((backgrounds, np.full(96, 0.95), np.full(4, 0.05)))
    labels, predicted = np.repeat([-1, 0], 100), np.zeros(200, dtype=np.int64)
    assert accuracy(p_c, labels, predicted, 0.5) == pytest.approx(1 - low / 200)
    assert accuracy(p_c, labels, predicted, 0.82) == pytest.approx(1 - 4 / 200)
    assert best_threshold(p_c, labels, predicted) == pytest.approx(0.875 if moved else 0.5)


def test_an_object_of_the_wrong_class_has_no_say() -> None:
    labels, predicted = np.array([-1, 0, 0]), np.array([0, 0, 1])
    assert best_threshold(np.array([0.2, 0.8, 0.5]), labels, predicted) == pytest.approx(0.5)


def test_torch_and_numpy_compare_with_the_same_number() -> None:
    found = best_threshold(np.array([0.1, 0.3]), np.array([-1, 0]), np.array([0, 0]))
    assert found == float(np.float32(0.2))
