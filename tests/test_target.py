"""The target vector against the source text."""

from __future__ import annotations

import pytest
import torch

from locnet import target

CLASSES = ("pedestrian", "car", "motorcycle")
NAN = float("nan")


def test_the_worked_targets() -> None:
    """A car whose midpoint is (0.5, 0.7), 0.3 high and 0.4 wide; and a background image."""
    labels = torch.tensor([1, -1])
    boxes = torch.tensor([[0.3, 0.55, 0.7, 0.85], [NAN] * 4])
    y = target.encode(labels, boxes, 3)
    torch.testing.assert_close(y[0], torch.tensor([1, 0.5, 0.7, 0.3, 0.4, 0, 1, 0]))
    assert float(y[1, 0]) == 0  # the others are don't-care: what they hold is not a promise, but they are no NaN
    assert torch.isfinite(y).all()


@pytest.mark.parametrize("label", [-1, 0, 2])
def test_one_image_is_encoded_like_many(label: int) -> None:
    box = [0.3, 0.55, 0.7, 0.85]
    expected = target.encode(torch.tensor(label), torch.tensor(box), 3)
    torch.testing.assert_close(target.encode_one(label, box if label >= 0 else None, 3), expected)


@pytest.mark.parametrize(("label", "box"), [(3, [0, 0, 1, 1]), (-2, None), (0, None), (0, [0.1, NAN, 1, 1])])
def test_one_impossible_image_is_refused(label: int, box: list[float] | None) -> None:
    with pytest.raises(ValueError, match=r"-1\.\.2|has no box"):
        target.encode_one(label, box, 3)


def test_names_and_length() -> None:
    assert target.names(CLASSES) == ("p_c", "b_x", "b_y", "b_h", "b_w", "pedestrian", "car", "motorcycle")
    assert target.length(3) == 8


def test_split_and_join_are_inverses() -> None:
    y = torch.rand(5, 9)
    torch.testing.assert_close(target.join(*target.split(y)), y)
    parts = target.split(target.encode(torch.tensor([2]), torch.tensor([[0.1, 0.2, 0.3, 0.6]]), 3))
    assert parts.classes.tolist() == [[0, 0, 1]]
    torch.testing.assert_close(parts.box, torch.tensor([[0.1, 0.2, 0.3, 0.6]]))


def test_impossible_labels_are_refused() -> None:
    box = torch.tensor([[0.1, 0.2, 0.3, 0.6]])
    for label in (3, -2):
        with pytest.raises(ValueError, match=r"-1\.\.2"):
            target.encode(torch.tensor([label]), box, 3)
    with pytest.raises(ValueError, match="NaN"):
        target.encode(torch.tensor([0]), box * NAN, 3)
