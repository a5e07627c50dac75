from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from report_data import at_random, by_hand

from locnet.predictions import Predictions
from locnet.report.scores import SCORE_TITLES, average_precision, confusion, scores, scores_per_class

# p_c from high to low, + for an object: 0.9 +, 0.8 +, 0.6 + and -, 0.4 +, 0.2 -, 0.1 -.
# Precision 1, 1, 3/4, 4/5, ... and recall 1/4, 2/4, 3/4, 1, ...
AP = 1 / 4 * 1 + 1 / 4 * 1 + 1 / 4 * 3 / 4 + 1 / 4 * 4 / 5


def test_every_score_by_hand() -> None:
    assert scores(by_hand()) == pytest.approx(
        {
            "iou": (1 + 0.8 + 1 / 3 + 0) / 4,
            "gt_known_loc": 2 / 4,
            "top1_loc": 1 / 4,  # image 1 has a good box but the verdict background
            "max_box_acc_v2": (3 / 4 + 2 / 4 + 2 / 4) / 3,
            "accuracy": 4 / 7,  # images 0, 2, 5, 6
            "class_accuracy": 3 / 4,  # image 1 counts here
            "objectness_ap": AP,
        }
    )


def test_scores_come_in_the_order_in_which_they_are_shown() -> None:
    assert list(scores(by_hand())) == list(SCORE_TITLES)


def test_per_class_by_hand() -> None:
    a, b, background = scores_per_class(by_hand()).values()
    assert a == pytest.approx(
        {
            "images": 2,
            "iou": 0.9,
            "gt_known_loc": 1,
            "top1_loc": 0.5,
            "max_box_acc_v2": 1,
            "accuracy": 0.5,
            "class_accuracy": 1,
        }
    )
    assert b == pytest.approx(
        {
            "images": 2,
            "iou": 1 / 6,
            "gt_known_loc": 0,
            "top1_loc": 0,
            "max_box_acc_v2": 1 / 6,
            "accuracy": 0.5,
            "class_accuracy": 0.5,
        }
    )
    assert background == pytest.approx({"images": 3, "accuracy": 2 / 3})
    assert list(scores_per_class(by_hand())) == ["a", "b", "background"]


def test_a_class_without_images_has_no_scores() -> None:
    assert scores_per_class(dataclasses.replace(by_hand(), classes=("a", "b", "c")))["c"] == {"images": 0}


def test_confusion_by_hand() -> None:
    assert confusion(by_hand()).tolist() == [[1, 0, 1], [1, 1, 0], [1, 0, 2]]


def test_an_iou_of_exactly_one_half_and_a_p_c_of_exactly_the_threshold_count() -> None:
    p = dataclasses.replace(
        rows(by_hand(), np.array([1])),
        predicted_boxes=np.array([[0.0, 0.0, 0.5, 1.0]]),
        p_c=np.array([0.5]),
    )
    assert p.ious.tolist() == [0.5]
    result = scores(p)
    assert (result["gt_known_loc"], result["top1_loc"], result["accuracy"]) == (1, 1, 1)


def test_box_scores_ignore_the_threshold() -> None:
    p = by_hand()
    strict, lax = scores(dataclasses.replace(p, threshold=1.1)), scores(dataclasses.replace(p, threshold=0.0))
    for key in ("iou", "gt_known_loc", "max_box_acc_v2", "class_accuracy", "objectness_ap"):
        assert strict[key] == lax[key]
    assert strict["top1_loc"] == 0


def test_what_is_not_defined_is_left_out() -> None:
    p = by_hand()
    no_boxes = dataclasses.replace(p, predicted_boxes=np.full((7, 4), np.nan))
    assert list(scores(no_boxes)) == ["accuracy", "class_accuracy", "objectness_ap"]
    assert scores(rows(p, p.labels == -1)) == {"accuracy": pytest.approx(2 / 3)}
    assert scores(rows(p, p.labels == 5)) == {}
    assert confusion(rows(p, p.labels == 5)).tolist() == [[0] * 3] * 3


def test_without_background_the_average_precision_is_one() -> None:
    p = by_hand()
    assert scores(rows(p, p.labels != -1))["objectness_ap"] == 1


def test_average_precision_without_a_positive_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one positive"):
        average_precision(np.zeros(3, dtype=bool), np.zeros(3))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30))
def test_average_precision_equals_brute_force(images: list[tuple[bool, int]]) -> None:
    positive = np.array([image[0] for image in images])
    score = np.array([image[1] / 5 for image in images])
    if positive.any():
        assert average_precision(positive, score) == pytest.approx(brute_force(positive, score))


def brute_force(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Every threshold tried on its own, from the definition."""
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(score.tolist()), reverse=True):
        said = score >= threshold
        hits = int((said & positive).sum())
        recall = hits / int(positive.sum())
        total += (recall - recall_before) * hits / int(said.sum())
        recall_before = recall
    return total


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10_000), st.floats(0, 1))
def test_bounds_order_and_identities(n: int, seed: int, background: float) -> None:
    p = at_random(n, seed=seed, background=background)
    result = scores(p)
    assert all(0 <= value <= 1 for value in result.values())
    mixed = rows(p, np.random.default_rng(seed).permutation(n))
    assert scores(mixed) == pytest.approx(result)
    assert (confusion(mixed) == confusion(p)).all()
    counts = confusion(p)
    assert counts.sum() == n
    assert np.trace(counts) / n == pytest.approx(result["accuracy"])
    if p.has_object.any():
        assert result["top1_loc"] <= min(result["gt_known_loc"], result["class_accuracy"])
        per_class = list(scores_per_class(p).values())[:-1]
        mean = sum(row["images"] * row.get("iou", 0) for row in per_class) / sum(row["images"] for row in per_class)
        assert mean == pytest.approx(result["iou"])


def test_a_perfect_answer_has_perfect_scores() -> None:
    p = at_random(50, seed=3)
    perfect = dataclasses.replace(
        p,
        p_c=p.has_object.astype(np.float64),
        class_scores=np.eye(3)[p.labels],
        predicted_boxes=np.where(p.has_object[:, None], p.boxes, 0.5),
    )
    assert set(scores(perfect).values()) == {1.0}


def rows(p: Predictions, which: NDArray[np.bool_] | NDArray[np.int64]) -> Predictions:
    names = ("sizes", "labels", "boxes", "p_c", "class_scores", "predicted_boxes")
    files = np.array(p.files)[which].tolist()
    return dataclasses.replace(p, files=files, **{name: getattr(p, name)[which] for name in names})
