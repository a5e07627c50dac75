"""How exported files are compared with PyTorch."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from locnet.errors import DataError
from locnet.formats.answering import Outputs
from locnet.formats.parity import Answers, ask, compare
from locnet.formats.pictures import spread

LIMITS: dict[str, Any] = {"threshold": 0.5, "input_size": (100, 200), "p_c": 0.02, "box": 2.0}


def answers() -> Answers:
    return Answers(
        p_c=np.array([0.9, 0.8, 0.1]),
        boxes=np.array([[0.1, 0.1, 0.5, 0.5], [0.2, 0.2, 0.6, 0.9], [0, 0, 1, 1]]),
        scores=np.eye(3),
        labels=np.array([0, 1, 2]),
        sizes=np.array([[1000, 1000]] * 3),
    )


def changed(**columns: Any) -> Answers:
    return dataclasses.replace(answers(), **columns)


def test_the_same_is_the_same() -> None:
    parity = compare(answers(), answers(), **LIMITS)
    assert (parity.agreement, parity.classes, parity.box, parity.p_c, parity.images) == (1.0, 1.0, 0.0, 0.0, 3)


def test_boxes_are_told_in_pixels_of_the_image_and_judged_in_those_of_the_input() -> None:
    boxes = answers().boxes
    boxes[0, 2] += 0.009  # 9 pixels of the image, 1.8 of 200
    parity = compare(answers(), changed(boxes=boxes), **LIMITS)
    assert parity.box == pytest.approx(9)
    assert parity.agreement == 1.0
    boxes[0, 2] += 0.002
    assert compare(answers(), changed(boxes=boxes), **LIMITS).agreement == pytest.approx(2 / 3)
    boxes = answers().boxes
    boxes[0, 3] += 0.011  # 1.1 of 100: an edge's own side counts
    assert compare(answers(), changed(boxes=boxes), **LIMITS).agreement == 1.0


def test_where_there_is_no_object_only_p_c_counts() -> None:
    boxes, labels = answers().boxes, answers().labels
    boxes[2], labels[2] = 0.3, 0
    parity = compare(answers(), changed(boxes=boxes, labels=labels), **LIMITS)
    assert (parity.agreement, parity.box, parity.classes) == (1.0, 0.0, 1.0)
    p_c = answers().p_c
    p_c[2] = 0.2
    assert compare(answers(), changed(p_c=p_c), **LIMITS).agreement == pytest.approx(2 / 3)
    nothing = changed(p_c=np.array([0.1, 0.2, 0.1]))
    other = dataclasses.replace(nothing, boxes=boxes)
    assert compare(nothing, other, **LIMITS).agreement == pytest.approx(2 / 3)  # an untrained network is compared too


def test_another_class_does_not_agree() -> None:
    parity = compare(answers(), changed(labels=np.array([1, 1, 2])), **LIMITS)
    assert parity.classes == 0.5
    assert parity.agreement == pytest.approx(2 / 3)


def test_a_classifier_has_no_box() -> None:
    without = changed(boxes=np.full((3, 4), np.nan))
    parity = compare(without, without, **LIMITS)
    assert (parity.box, parity.agreement) == (0.0, 1.0)


def test_images_of_any_size_are_asked_one_by_one() -> None:
    def engine(images: Any) -> Outputs:
        height, width = images.shape[1:3]
        box = np.array([[0, 0, width / 2, height / 4]], np.float32)
        return Outputs(np.array([0.5]), box, np.array([[0.2, 0.8]]), np.array([1]))

    said = ask(engine, [np.zeros((8, 6, 3), np.uint8), np.zeros((3, 9, 3), np.uint8)])
    assert said.boxes.tolist() == [[0, 0, 0.5, 0.25]] * 2
    assert said.sizes.tolist() == [[8, 6], [3, 9]]
    with pytest.raises(DataError, match="no image to compare"):
        ask(engine, [])


def test_images_are_spread_evenly() -> None:
    assert spread(5, 100) == [0, 1, 2, 3, 4]
    assert spread(101, 3) == [0, 50, 100]
    assert spread(9, 1) == [0]
