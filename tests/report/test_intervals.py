"""Intervals: the vectorised bootstrap against a plain one, and how often intervals hold the truth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from report_data import at_random, by_hand

from locnet.report.intervals import differences, intervals, replicates, resample
from locnet.report.scores import scores


def test_resampled_scores_are_the_scores_of_the_resampled_images() -> None:
    p = at_random(40, seed=3)
    [drawn] = resample([p], seed=7)
    generator = np.random.default_rng(7)
    rows = generator.integers(0, 40, (replicates(40), 40))
    assert set(drawn) == set(scores(p))
    for index in (0, 1, 999):
        plain = scores(p.take(rows[index]))
        for key, values in drawn.items():
            assert len(values) == 1000
            assert values[index] == pytest.approx(plain[key], abs=1e-12), key


def test_intervals_hold_their_value_and_shrink_with_more_images() -> None:
    few, many = intervals(at_random(60)), intervals(at_random(3000))
    assert set(few) == set(scores(at_random(60)))
    for key, (value, low, high) in few.items():
        assert low <= value <= high
        assert many[key].high - many[key].low < 0.4 * (high - low), key


def test_a_mean_of_means_is_held_about_as_often_as_promised() -> None:
    held = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        p = at_random(80, seed=seed, background=0)
        p = dataclasses.replace(p, predicted_boxes=p.boxes * np.array([1, 1, 1, 1]), p_c=draw.random(80))
        p = dataclasses.replace(p, labels=draw.integers(0, 3, 80), class_scores=draw.random((80, 3)))
        value = intervals(p, seed=seed)["class_accuracy"]
        held += value.low <= 1 / 3 <= value.high
    assert 52 <= held <= 60


def test_differences_are_paired() -> None:
    """A system that is a little better on every image is better beyond doubt, however the images scatter."""
    p = at_random(300, background=0)
    middle = (p.boxes[:, :2] + p.boxes[:, 2:]) / 2
    size = p.boxes[:, 2:] - p.boxes[:, :2]
    scatter = np.random.default_rng(0).uniform(0.2, 0.8, (300, 1))

    def scaled(factor: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.concatenate((middle - size * scatter * factor / 2, middle + size * scatter * factor / 2), axis=1)

    one, other = (dataclasses.replace(p, predicted_boxes=scaled(factor)) for factor in (1.0, 1.05))
    found = differences(one, other)["iou"]
    assert 0 < found.low < found.value < found.high
    assert found.high - found.low < 0.2 * (intervals(one)["iou"].high - intervals(one)["iou"].low)
    same = differences(one, one)
    assert all(value == (0, 0, 0) for value in same.values())


def test_seeded_and_degenerate() -> None:
    assert intervals(by_hand(), seed=1) == intervals(by_hand(), seed=1)
    assert intervals(at_random(0)) == {}
    only_background = intervals(at_random(5, background=1.1))
    assert set(only_background) == {"accuracy"}
    one = intervals(at_random(1, background=0))
    assert set(one) == set(scores(at_random(1, background=0)))
    assert replicates(1_000_000) == 200
