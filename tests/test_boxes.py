"""Box formats are inverses of each other; IoU has the properties that its definition gives it."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import box_iou

from locnet.boxes import area, clip_to_image, paired_iou, xyhw_to_xyxy, xyxy_to_xyhw

coordinate = st.floats(-2, 3, width=32)


@st.composite
def boxes(draw: st.DrawFn, least: float = 0.015625) -> Tensor:
    left, top = draw(coordinate), draw(coordinate)
    width, height = (draw(st.floats(least, 2, width=32)) for _ in range(2))
    return torch.tensor([left, top, left + width, top + height], dtype=torch.float64)


@given(boxes())
def test_formats_are_inverses(box: Tensor) -> None:
    torch.testing.assert_close(xyhw_to_xyxy(xyxy_to_xyhw(box)), box)


def test_height_stands_before_width() -> None:
    box = torch.tensor([0.1, 0.2, 0.5, 0.4])
    torch.testing.assert_close(xyxy_to_xyhw(box), torch.tensor([0.3, 0.3, 0.2, 0.4]))


@given(boxes(), boxes())
def test_iou_is_torchvisions_and_symmetric(first: Tensor, second: Tensor) -> None:
    iou = paired_iou(first, second)
    torch.testing.assert_close(iou, box_iou(first[None], second[None])[0, 0])
    assert 0 <= float(iou) <= 1 + 1e-12
    assert float(iou) == float(paired_iou(second, first))


@given(boxes())
def test_iou_with_itself_is_one(box: Tensor) -> None:
    assert abs(float(paired_iou(box, box)) - 1) < 1e-12


@given(boxes(), boxes(), st.floats(0.25, 4), st.floats(0.25, 4), coordinate)
def test_iou_does_not_depend_on_the_unit(a: Tensor, b: Tensor, sx: float, sy: float, shift: float) -> None:
    scale = torch.tensor([sx, sy, sx, sy], dtype=torch.float64)
    torch.testing.assert_close(paired_iou(a * scale + shift, b * scale + shift), paired_iou(a, b), atol=1e-9, rtol=1e-9)


def test_degenerate_boxes() -> None:
    empty, swapped, unit = (
        torch.tensor([0.5, 0.5, 0.5, 0.5]),
        torch.tensor([0.9, 0.9, 0.1, 0.1]),
        torch.tensor([0.0, 0, 1, 1]),
    )
    assert float(paired_iou(empty, empty)) == 0
    assert float(paired_iou(swapped, unit)) == 0
    assert float(area(swapped)) == 0
    both = torch.stack((empty, swapped)).requires_grad_()
    torch.autograd.backward(paired_iou(both, unit.expand(2, 4)).sum())
    assert both.grad is not None
    assert torch.isfinite(both.grad).all()


def test_clipping() -> None:
    assert clip_to_image(torch.tensor([-0.5, 0.2, 1.5, 0.7])).tolist() == torch.tensor([0, 0.2, 1, 0.7]).tolist()
