"""The box terms by hand, and for boxes as bad as an untrained head can give them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from locnet.losses.box import BOX_TERMS, BoxTerm, box_term

edge = st.floats(-1, 2, width=32)
side = st.floats(0.015625, 1, width=32)
inside = st.floats(0, 1, width=32)

TRUTH = torch.tensor([[0.0, 0.0, 0.5, 0.5]])
SAID = torch.tensor([[0.25, 0.0, 0.75, 0.5]])  # IoU 1/3, hull 0.75 x 0.5 without a gap


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("l1", 0.25 + 0 + 0.25 + 0),
        ("smooth_l1", 2 * (0.25 - 0.05 / 2)),  # beyond 0.05 it is the distance less half of that
        ("iou", 1 - 1 / 3),
        ("giou", 1 - 1 / 3 + 0),
        ("diou", 1 - 1 / 3 + 0.25**2 / (0.75**2 + 0.5**2)),  # squared midpoint distance over squared diagonal
        ("ciou", 1 - 1 / 3 + 0.25**2 / (0.75**2 + 0.5**2)),  # the same shape: no third part
    ],
)
def test_by_hand(name: BoxTerm, wanted: float) -> None:
    assert box_term(name, SAID, TRUTH).tolist() == pytest.approx([wanted], abs=1e-6)


def test_boxes_that_do_not_touch() -> None:
    """Two squares of side 0.2 at distance 0.4: the hull is 0.8 x 0.2, a half of it gap; IoU does not see where."""
    truth, said = torch.tensor([[0.0, 0.0, 0.2, 0.2]]), torch.tensor([[0.6, 0.0, 0.8, 0.2]])
    assert float(box_term("iou", said, truth)) == 1
    assert float(box_term("giou", said, truth)) == pytest.approx(1 + (0.8 - 0.4) / 0.8, abs=1e-5)
    assert float(box_term("diou", said, truth)) == pytest.approx(1 + 0.36 / (0.64 + 0.04), abs=1e-5)


def test_small_errors_count_by_their_square() -> None:
    said = TRUTH + torch.tensor([[0.01, 0.0, 0.0, 0.0]])
    assert float(box_term("smooth_l1", said, TRUTH)) == pytest.approx(0.01**2 / (2 * 0.05), rel=1e-4)


def test_ciou_sees_the_shape() -> None:
    """Same midpoint, sides 0.4 x 0.2 against 0.2 x 0.4: v = 4 / pi^2 (atan 2 - atan 0.5)^2."""
    truth, said = torch.tensor([[0.3, 0.4, 0.7, 0.6]]), torch.tensor([[0.4, 0.3, 0.6, 0.7]])
    iou = 0.04 / (0.08 + 0.08 - 0.04)
    v = 4 / math.pi**2 * (math.atan(2) - math.atan(0.5)) ** 2
    assert float(box_term("ciou", said, truth)) == pytest.approx(1 - iou + v * v / (1 - iou + v), abs=1e-5)


@pytest.mark.parametrize("name", BOX_TERMS)
@pytest.mark.parametrize(
    "said",
    [
        (0.5, 0.5, 0.5, 0.5),  # a point
        (0.2, 0.5, 0.8, 0.5),  # a line
        (0.5, 0.2, 0.5, 0.8),
        (0.8, 0.8, 0.2, 0.2),  # edges in the wrong order
        (0.8, 0.2, 0.2, 0.8),
        (0.1, 0.2, 0.4, 0.6),  # the truth itself
        (-1.0, -1.0, 2.0, 2.0),
        (1.5, 1.5, 2.0, 2.0),  # outside the image
    ],
)
def test_no_box_gives_a_gradient_that_is_not_a_number(name: BoxTerm, said: tuple[float, ...]) -> None:
    predicted = torch.tensor([said], requires_grad=True)
    value = box_term(name, predicted, torch.tensor([[0.1, 0.2, 0.4, 0.6]]))
    assert bool(torch.isfinite(value).all())
    assert float(value.detach()) >= -1e-6
    torch.autograd.backward(value.sum())
    assert predicted.grad is not None
    assert bool(torch.isfinite(predicted.grad).all())


def test_wrong_order_is_pulled_back() -> None:
    """Where GIoU alone knows nothing of an edge, L1 beside it does: a step along the gradients opens the box."""
    said = torch.tensor([[0.8, 0.8, 0.2, 0.2]], requires_grad=True)
    truth = torch.tensor([[0.1, 0.2, 0.4, 0.6]])
    torch.autograd.backward((box_term("giou", said, truth) + box_term("l1", said, truth)).sum())
    assert said.grad is not None
    left, top, right, bottom = said.grad[0].tolist()
    assert left > 0
    assert top > 0
    assert right < 0
    assert bottom < 0


@given(st.sampled_from(BOX_TERMS), inside, inside, side, side, edge, edge, edge, edge)
def test_any_box_against_any_truth(
    name: BoxTerm, x: float, y: float, w: float, h: float, a: float, b: float, c: float, d: float
) -> None:
    predicted = torch.tensor([[a, b, c, d]], requires_grad=True)
    truth = torch.tensor([[x, y, x + w, y + h]])
    value: Tensor = box_term(name, predicted, truth).sum()
    torch.autograd.backward(value)
    assert predicted.grad is not None
    assert bool(torch.isfinite(predicted.grad).all())
    assert float(value.detach()) >= -1e-5
    itself = float(box_term(name, truth, truth))
    assert itself == pytest.approx(0, abs=1e-3)  # torchvision adds 1e-7 to the union, which is 2e-4 at least here
