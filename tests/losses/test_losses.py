"""The losses against hand-computed numbers; don't-care elements have a gradient of exactly zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.ops import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

from locnet import target
from locnet.errors import ConfigError
from locnet.losses import build_loss
from locnet.losses.box import BOX_TERMS, box_term
from locnet.losses.cells import focal_loss, heat_target, inside
from locnet.losses.squared_error import squared_error
from locnet.models.heads import Cells, Output, Refined
from locnet.models.heads.grid import cell_centres

CAR = torch.tensor([1, 0.5, 0.7, 0.3, 0.4, 0, 1, 0])
BACKGROUND = torch.tensor([0.0] * 8)


def test_squared_error_by_hand() -> None:
    """All eight elements where y_1 = 1: 0.2^2 + 0.1^2 + 0.2^2 + 0.1^2 + 0.2^2 + 0.5^2 + 0.25^2 + 0.25^2 = 0.515."""
    said = torch.tensor([0.8, 0.6, 0.5, 0.4, 0.6, 0.5, 0.75, 0.25])
    per_image = squared_error(torch.stack((said, said)), torch.stack((CAR, BACKGROUND)))
    assert per_image.tolist() == pytest.approx([0.515, 0.64])  # and 0.8^2 alone where y_1 = 0
    loss = build_loss("squared_error")(Output(y=torch.stack((said, said))), torch.stack((CAR, BACKGROUND)))
    assert float(loss["loss"]) == pytest.approx((0.515 + 0.64) / 2)


def test_multipart_by_hand() -> None:
    """BCE of logits (0, 0) is ln 2; CE of equal logits is ln 3; L1 of edges 0.1 off each is 0.4."""
    box = target.split(CAR).box + 0.1
    y = target.join(torch.tensor([0.5, 0.5]), torch.stack((box, box)), torch.full((2, 3), 1 / 3))
    output = Output(y=y, objectness_logits=torch.zeros(2), class_logits=torch.zeros(2, 3))
    parts = build_loss("multipart", objectness=1, classes=2, box=3, box_term="l1", l1=0)(
        output, torch.stack((CAR, BACKGROUND))
    )
    assert float(parts["objectness"]) == pytest.approx(0.6931472)
    assert float(parts["classes"]) == pytest.approx(2 * 1.0986123)
    assert float(parts["box"]) == pytest.approx(3 * 0.4, abs=1e-5)
    assert float(parts["loss"]) == pytest.approx(0.6931472 + 2 * 1.0986123 + 3 * 0.4, abs=1e-5)


def test_cross_entropy_by_hand() -> None:
    """Equal logits over C + 1 = 4: ln 4 each; background is the last output."""
    output = Output(y=torch.zeros(2, 8), softmax_logits=torch.zeros(2, 4))
    batch = torch.stack((CAR, BACKGROUND))
    assert float(build_loss("cross_entropy")(output, batch)["loss"]) == pytest.approx(1.3862944)
    sure = torch.tensor([[0.0, 50, 0, 0], [0, 0, 0, 50]])
    loss = build_loss("cross_entropy")(Output(y=torch.zeros(2, 8), softmax_logits=sure), batch)["loss"]
    assert float(loss) == pytest.approx(0, abs=1e-6)


def test_box_terms_are_torchvisions() -> None:
    torch.manual_seed(0)
    corner = torch.rand(50, 2)
    a, b = (torch.cat((corner + 0.3 * torch.rand(50, 2), corner + 0.4 + torch.rand(50, 2)), -1) for _ in range(2))
    torch.testing.assert_close(box_term("giou", a, b), generalized_box_iou_loss(a, b))
    torch.testing.assert_close(box_term("diou", a, b), distance_box_iou_loss(a, b))
    torch.testing.assert_close(box_term("ciou", a, b), complete_box_iou_loss(a, b))
    for name in BOX_TERMS:
        assert float(box_term(name, a, a).abs().max()) < 1e-5
        assert float(box_term(name, a, b).min()) >= 0


Build = Callable[[Tensor], Output]


def _logits(raw: Tensor) -> Output:
    """A head with everything: (B, 8 + K * 5 + 4 + 4 * S) raw numbers."""
    objectness, box, classes = raw[:, 0], raw[:, 1:5], raw[:, 5:8]
    cells = raw[:, 8:53].unflatten(1, (9, 5))
    edges = raw[:, 57:].unflatten(1, (1, 4, 6))
    refined = Refined(first=raw[:, 53:57], proposals=raw[:, None, 53:57].detach(), boxes=box[:, None], logits=edges)
    y = target.join(objectness.sigmoid(), box, classes.softmax(-1))
    return Output(
        y=y,
        objectness_logits=objectness,
        class_logits=classes,
        cells=Cells(heat=cells[..., 0], boxes=cells[..., 1:], centres=cell_centres(3, 3)),
        refined=refined,
    )


def _softmax(raw: Tensor) -> Output:
    y = target.join(raw[:, 0].sigmoid(), raw[:, 1:5], raw[:, 5:8].softmax(-1))
    return Output(y=y, softmax_logits=raw[:, 5:9])


LOSSES: list[tuple[str, dict[str, Any], Build]] = [
    ("squared_error", {}, lambda raw: Output(y=raw[:, :8])),
    ("squared_error", {}, _logits),
    *[("multipart", {"box_term": name, "label_smoothing": 0.1}, _logits) for name in BOX_TERMS],
    *[("cross_entropy", {"box": 5.0, "box_term": name}, _softmax) for name in BOX_TERMS],
]


@pytest.mark.parametrize("hostile", [False, True], ids=["plain", "inf-and-nan"])
@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bf16"])
@pytest.mark.parametrize("only_background", [False, True], ids=["mixed", "only-background"])
@pytest.mark.parametrize(("name", "settings", "build"), LOSSES)
def test_dont_care_elements_have_exactly_no_gradient(
    name: str, settings: dict[str, Any], build: Build, only_background: bool, bf16: bool, hostile: bool
) -> None:
    torch.manual_seed(1)
    y = torch.stack((BACKGROUND, BACKGROUND if only_background else CAR, BACKGROUND))
    raw = torch.randn(3, 8 + 9 * 5 + 4 + 4 * 6) * 3
    if hostile:  # what diverges in a don't-care box must not reach the weights
        raw[0, 1:5] = raw[0, 53:57] = torch.tensor([float("inf"), float("nan"), -float("inf"), 1e30])
    raw.requires_grad_()
    loss = build_loss(name, **settings)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        parts = loss(build(raw.bfloat16() if bf16 else raw), y)
    assert torch.isfinite(parts["loss"])
    assert parts["loss"].dtype == torch.float32
    parts["loss"].backward()
    assert raw.grad is not None
    background = y[:, 0] == 0
    dont_care = raw.grad[background][:, 1:5] if name == "cross_entropy" else raw.grad[background][:, 1:8]
    assert bool((dont_care == 0).all()), dont_care
    cell_boxes = raw.grad[background][:, 8:53].reshape(-1, 9, 5)[..., 1:]
    assert bool((cell_boxes == 0).all())
    assert bool((raw.grad[background][:, 53:] == 0).all())  # of the box before the second look, and of its edges
    assert torch.isfinite(raw.grad).all()
    assert bool((raw.grad[background][:, 0 if name != "cross_entropy" else 8] != 0).all())  # p_c still learns
    if not only_background and settings.get("box_term") != "iou":  # IoU has no gradient where boxes do not touch
        assert bool((raw.grad[1, 1:5] != 0).any())


def test_heat_is_one_at_the_nearest_cell() -> None:
    centres = cell_centres(4, 4)
    boxes = torch.tensor([[0.2, 0.2, 0.8, 0.9], [0.61, 0.11, 0.62, 0.12]])  # the second is smaller than a cell
    heat = heat_target(boxes, centres)
    nearest = ((centres[None] - (boxes[:, None, :2] + boxes[:, None, 2:]) / 2) ** 2).sum(-1).argmin(-1)
    assert heat[torch.arange(2), nearest].tolist() == [1, 1]
    assert float(heat.max()) == 1
    weights = inside(boxes, centres, heat)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2))
    assert weights[1].tolist().count(0) == 15  # only the nearest cell


def test_focal_loss_wants_no_heat_on_background() -> None:
    nothing = torch.zeros(1, 16)
    assert float(focal_loss(torch.full((1, 16), -9.0), nothing)) < 1e-6 < float(focal_loss(nothing, nothing))


def test_a_loss_says_what_it_needs() -> None:
    with pytest.raises(ConfigError, match=r"loss=multipart needs logits of p_c.*head=grid"):
        build_loss("multipart")(Output(y=CAR[None]), CAR[None])
