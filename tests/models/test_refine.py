"""The second look: where it samples, what its distributions mean, and that a box is found from the window alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from painted import painted
from torch import Tensor

from locnet.losses.edges import edges_loss
from locnet.models.heads import Refined
from locnet.models.heads.refine import JITTERED, EdgeRefiner
from locnet.models.heads.windows import REACH, places_in_window, sample

SAMPLES = 16
BOXES = torch.tensor([[0.2, 0.3, 0.6, 0.8], [0.1, 0.1, 0.2, 0.5]])


def test_samples_are_torchs_own() -> None:
    """`grid_sample`, which not every engine has."""
    torch.manual_seed(0)
    grid, at = torch.randn(2, 3, 7, 9), torch.rand(2, 4, 2, 5) * 1.4 - 0.2
    samples = sample(grid, at.unsqueeze(-1))
    assert samples.shape == (2, 4, 3, 5, 5)
    for window in range(4):
        x, y = at[:, window, 0], at[:, window, 1]
        places = torch.stack((x[:, None].expand(-1, 5, -1), y[:, :, None].expand(-1, -1, 5)), dim=-1) * 2 - 1
        expected = F.grid_sample(grid, places, padding_mode="border", align_corners=False)
        torch.testing.assert_close(samples[:, window], expected, atol=1e-5, rtol=1e-5)


def test_it_begins_with_boxes_as_they_are() -> None:
    refined = EdgeRefiner([8], samples=SAMPLES).eval()([torch.randn(2, 8, 7, 9)], BOXES)
    assert refined.boxes.shape == refined.proposals.shape == (2, 1, 4)
    assert refined.logits.shape == (2, 1, 4, SAMPLES)
    torch.testing.assert_close(refined.boxes[:, 0], BOXES, atol=1e-3, rtol=0)


def test_training_looks_at_further_windows_and_has_the_answer_first() -> None:
    refined = EdgeRefiner([8, 4]).train()([torch.randn(2, 8, 7, 9), torch.randn(2, 4, 14, 18)], BOXES)
    assert refined.boxes.shape == (2, 1 + JITTERED, 4)
    torch.testing.assert_close(refined.proposals[:, 0], BOXES)
    sides = (refined.proposals[..., 2:] - refined.proposals[..., :2])[:, 1:] / (BOXES[:, None, 2:] - BOXES[:, None, :2])
    assert bool((sides > 0.6).all() & (sides < 1.66).all())
    assert not torch.allclose(sides, torch.ones(()), atol=1e-2)


def test_a_box_without_an_extent_has_a_window() -> None:
    point = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.9, 0.9, 0.1, 0.1]])
    refined = EdgeRefiner([8]).train()([torch.randn(2, 8, 7, 9)], point)
    assert bool((refined.proposals[..., 2:] > refined.proposals[..., :2]).all())
    assert bool(torch.isfinite(refined.boxes).all())


edge = st.floats(0, 1, width=32)


@given(edge, edge)
def test_places_are_those_of_the_distributions(left: float, right: float) -> None:
    box = torch.tensor([0.25, 0.25, 0.75, 0.5])
    truth = torch.tensor([left, 0.25, right, 0.5])
    places = places_in_window(truth, box)
    back = box[:2].repeat(2) + (box[2:] - box[:2]).repeat(2) * (places * (1 + 2 * REACH) - REACH)
    torch.testing.assert_close(back, truth, atol=1e-5, rtol=0)
    own = torch.tensor((REACH, REACH, 1 + REACH, 1 + REACH)) / (1 + 2 * REACH)
    torch.testing.assert_close(places_in_window(box, box), own)


def refined_of(proposals: Tensor) -> Refined:
    logits = torch.zeros(*proposals.shape[:3], SAMPLES, requires_grad=True)
    boxes = proposals.clone().requires_grad_()
    return Refined(first=proposals[:, 0], proposals=proposals, boxes=boxes, logits=logits)


def test_only_windows_that_show_the_object_are_asked() -> None:
    truth = torch.tensor([[0.2, 0.2, 0.6, 0.6]])
    refined = refined_of(torch.tensor([[[0.25, 0.2, 0.65, 0.6], [0.7, 0.7, 0.9, 0.9]]]))
    term = edges_loss(refined, truth, torch.tensor([True]), "giou")
    torch.autograd.backward(term.mean())
    assert refined.boxes.grad is not None
    assert refined.logits.grad is not None
    assert bool((refined.boxes.grad[0, 0] != 0).any())
    assert bool((refined.boxes.grad[0, 1] == 0).all())
    assert bool((refined.logits.grad[0, 1] == 0).all())
    nowhere = edges_loss(refined_of(torch.tensor([[[0.7, 0.7, 0.9, 0.9]]])), truth, torch.tensor([True]), "giou")
    assert float(nowhere.mean().detach()) == 0


def test_the_loss_by_hand() -> None:
    """A window on the object itself: overlap 0; the distribution is uniform, its cross-entropy ln S."""
    truth = torch.tensor([[0.2, 0.2, 0.6, 0.6]])
    term = edges_loss(refined_of(truth[:, None]), truth, torch.tensor([True]), "giou")
    assert float(term.mean().detach()) == pytest.approx(0.25 * torch.tensor(float(SAMPLES)).log().item(), abs=1e-5)


def test_it_learns_to_find_edges() -> None:
    """Boxes painted into a map are found from windows that are off, at sizes and places that were not trained."""
    torch.manual_seed(0)

    def scenes(count: int) -> tuple[Tensor, Tensor]:
        maps, boxes = painted(count, 24)
        return maps.expand(-1, 4, -1, -1), boxes

    refiner = EdgeRefiner([4], hidden=8)
    optimizer = torch.optim.Adam(refiner.parameters(), lr=1e-2)
    for _ in range(40):
        grid, boxes = scenes(16)
        optimizer.zero_grad()
        torch.autograd.backward(
            edges_loss(refiner([grid], boxes), boxes, torch.ones(16, dtype=torch.bool), "giou").mean()
        )
        optimizer.step()
    grid, boxes = scenes(64)
    off = boxes + (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2) * torch.tensor((-0.2, 0.15, 0.1, 0.2))
    found = refiner.eval()([grid], off).boxes[:, 0].detach()
    assert float((found - boxes).abs().mean()) < 0.35 * float((off - boxes).abs().mean())
