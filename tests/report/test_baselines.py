from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from report_data import NO_BOX, by_hand

from locnet.report.baselines import CENTRE_BOX, baselines, constant_ious, mean_box

LABELS = np.array([0, 0, 1, -1, -1, -1, -1], dtype=np.int64)
BOXES = np.array([(0, 0, 0.7, 0.8), (0, 0, 0.9, 1), (0, 0, 0.8, 0.9), NO_BOX, NO_BOX, NO_BOX, NO_BOX])


def test_mean_box_ignores_background() -> None:
    box = mean_box(BOXES)
    assert box is not None
    assert box.tolist() == pytest.approx([0, 0, 0.8, 0.9])
    assert mean_box(BOXES[3:]) is None


def test_all_baselines_by_hand() -> None:
    # IoU of (0, 0, 0.8, 0.9), area 0.72, with the four true boxes.
    ious = [0.25 / 0.72, 0.72, 0.45 / (0.5 + 0.72 - 0.45), 0.04 / 0.72]
    # IoU of the centre box, area 0.25: overlaps of 1/16, 1/4, 1/8 and none.
    centre = [0.0625 / 0.4375, 0.25, 0.125 / 0.625, 0]
    result = baselines(LABELS, BOXES, by_hand())
    assert list(result) == ["mean_box", "centre_box", "majority"]
    assert result["mean_box"] == pytest.approx(
        {"iou": sum(ious) / 4, "gt_known_loc": 2 / 4, "max_box_acc_v2": (3 / 4 + 2 / 4 + 1 / 4) / 3}
    )
    assert result["centre_box"] == pytest.approx({"iou": sum(centre) / 4, "gt_known_loc": 0, "max_box_acc_v2": 0})
    assert result["majority"] == pytest.approx(
        {
            "accuracy": 3 / 7,  # background, four of seven in training
            "class_accuracy": 2 / 4,  # class a, the most frequent of the objects
            "top1_loc": 1 / 4,  # class a with the mean box: image 1
            "objectness_ap": 4 / 7,  # all p_c equal
        }
    )


def test_only_the_truth_of_the_test_split_is_used() -> None:
    p = by_hand()
    other = dataclasses.replace(
        p, p_c=1 - p.p_c, class_scores=-p.class_scores, predicted_boxes=np.full((7, 4), np.nan), threshold=0.9
    )
    assert baselines(LABELS, BOXES, other) == baselines(LABELS, BOXES, p)


def test_a_draw_goes_to_the_lower_class_and_never_to_background() -> None:
    labels = np.array([1, 0, -1], dtype=np.int64)
    result = baselines(labels, np.tile(CENTRE_BOX, (3, 1)), by_hand())["majority"]
    assert (result["accuracy"], result["class_accuracy"]) == (2 / 7, 2 / 4)


def test_the_majority_is_that_of_training_not_of_test() -> None:
    p = dataclasses.replace(by_hand(), labels=np.array([1, 1, 1, 0, -1, -1, -1], dtype=np.int64))
    for train, share in (([1, 1, 0], 3 / 4), ([1, 0, 0], 1 / 4)):
        result = baselines(np.array(train, dtype=np.int64), np.tile(CENTRE_BOX, (3, 1)), p)["majority"]
        assert result["class_accuracy"] == share


def test_what_is_not_defined_is_left_out() -> None:
    empty = baselines(LABELS[:0], BOXES[:0], by_hand())
    assert empty["mean_box"] == {}
    assert empty["majority"] == {}
    assert set(empty["centre_box"]) == {"iou", "gt_known_loc", "max_box_acc_v2"}
    background = baselines(LABELS[3:], BOXES[3:], by_hand())
    assert set(background["majority"]) == {"accuracy", "objectness_ap"}


def test_constant_ious_have_no_value_on_background() -> None:
    ious = constant_ious(np.array([0.0, 0.0, 1.0, 1.0]), by_hand())
    assert ious[:4].tolist() == pytest.approx([0.25, 1, 0.5, 0.04])
    assert np.isnan(ious[4:]).all()
