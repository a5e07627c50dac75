"""Temperature scaling finds the temperature that spoiled the scores, and never runs away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locnet.calibration.temperature import (
    GREATEST,
    LEAST,
    class_logits,
    fit_binary,
    fit_classes,
    objectness_logits,
    sigmoid,
    softmax,
)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.2, 6.0), st.integers(0, 1000))
def test_a_known_temperature_of_p_c_is_found(temperature: float, seed: int) -> None:
    """Labels are drawn with the true probabilities; what the network says is too sure by the temperature."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, 2, 6_000)
    positive = draw.random(6_000) < sigmoid(logits)
    assert fit_binary(temperature * logits, positive) == pytest.approx(temperature, rel=0.15)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.2, 6.0), st.integers(2, 6), st.integers(0, 1000))
def test_a_known_temperature_of_the_classes_is_found(temperature: float, classes: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, 2, (6_000, classes))
    shares = softmax(logits)
    labels = (draw.random((6_000, 1)) > shares.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    assert fit_classes(temperature * logits, labels) == pytest.approx(temperature, rel=0.15)


def log_likelihood(logits: np.ndarray, targets: np.ndarray, temperature: float) -> float:
    """As the text has it, for two classes, one of them written as logit 0."""
    p = sigmoid(logits / temperature)
    return float((targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean())


@given(st.lists(st.tuples(st.floats(-8, 8), st.booleans()), min_size=2, max_size=40))
def test_no_other_temperature_is_more_likely(rows: list[tuple[float, bool]]) -> None:
    logits, positive = (np.array(column) for column in zip(*rows, strict=True))
    found = fit_binary(logits, positive)
    if positive.all() or not positive.any():
        assert found is None
        return
    assert found is not None
    targets = np.where(positive, (positive.sum() + 1) / (positive.sum() + 2), 1 / ((~positive).sum() + 2))
    best = log_likelihood(logits, targets, found)
    for other in (0.5 * found, 0.9 * found, 1.1 * found, 2 * found):
        if LEAST <= other <= GREATEST and np.abs(logits / other).max() < 30:
            assert log_likelihood(logits, targets, other) <= best + 1e-9


def test_no_mistake_on_val_is_not_infinite_confidence() -> None:
    logits = np.array([-3.0] * 50 + [3.0] * 50)
    temperature = fit_binary(logits, logits > 0)
    assert temperature is not None
    assert sigmoid(np.array([3.0]) / temperature)[0] == pytest.approx(51 / 52, abs=1e-6)
    classes = np.eye(3)[np.arange(60) % 3] * 4
    temperature = fit_classes(classes, np.arange(60) % 3)
    assert temperature is not None
    assert softmax(classes / temperature).max() == pytest.approx(61 / 63, abs=1e-6)


def test_nothing_to_learn_from() -> None:
    assert fit_binary(np.array([1.0, 2.0]), np.array([True, True])) is None
    assert fit_classes(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)) is None
    assert fit_classes(np.ones((4, 1)), np.zeros(4, dtype=np.int64)) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.booleans())
def test_logits_keep_the_order_and_the_middle(p_c: list[float], probabilities: bool) -> None:
    values = np.sort(np.array(p_c))
    logits = objectness_logits(values, probabilities=probabilities)
    assert np.isfinite(logits).all()
    assert (np.diff(logits) >= 0).all()
    assert objectness_logits(np.array([0.5]), probabilities=probabilities)[0] == 0


def test_class_logits_give_the_scores_back() -> None:
    scores = softmax(np.random.default_rng(0).normal(0, 3, (50, 4)))
    assert softmax(class_logits(scores, probabilities=True)) == pytest.approx(scores)
    assert class_logits(scores, probabilities=False) is scores
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]
