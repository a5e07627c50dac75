"""Dense supervision: where heat is wanted, who answers for the box, and what a background image teaches."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from locnet.losses.cells import cells_loss, distribution_loss, focal_loss, heat_target, inside
from locnet.models.heads import Cells
from locnet.models.heads.grid import cell_centres

corner = st.floats(0, 0.75, width=32)
side = st.floats(0.0009765625, 0.25, width=32)
sides = st.integers(1, 12)


@given(corner, corner, side, side, sides, sides)
def test_every_object_has_a_cell_however_small(x: float, y: float, w: float, h: float, rows: int, columns: int) -> None:
    box, centres = torch.tensor([[x, y, x + w, y + h]]), cell_centres(rows, columns)
    heat = heat_target(box, centres)
    assert heat.shape == (1, rows * columns)
    assert bool(((heat >= 0) & (heat <= 1)).all())
    column = min(int((x + w / 2) * columns), columns - 1)
    row = min(int((y + h / 2) * rows), rows - 1)
    here = float(heat[0, row * columns + column])
    assert here == pytest.approx(1, abs=2e-2)  # the cell that holds the midpoint is (within rounding) the nearest
    assert float(heat.max()) == 1
    weights = inside(box, centres, heat)
    assert float(weights.sum()) == pytest.approx(1)
    chosen = centres[weights[0] > 0]
    hot = centres[heat[0] >= 1 - 1e-4]
    within = centres[((centres > box[0, :2]) & (centres < box[0, 2:])).all(-1)]
    assert {tuple(c) for c in chosen.tolist()} == {tuple(c) for c in (*hot.tolist(), *within.tolist())}


def test_the_gaussian_by_hand() -> None:
    """Midpoint on a cell's centre; its neighbour is 0.25 away, and the deviation is 0.6 / 6 by 0.9 / 6."""
    centres = cell_centres(4, 4)
    box = torch.tensor([[0.375 - 0.3, 0.375 - 0.45, 0.375 + 0.3, 0.375 + 0.45]])
    heat = heat_target(box, centres).view(4, 4)
    assert float(heat[1, 1]) == 1
    assert float(heat[1, 2]) == pytest.approx(math.exp(-0.5 * (0.25 / 0.1) ** 2), rel=1e-4)
    assert float(heat[2, 1]) == pytest.approx(math.exp(-0.5 * (0.25 / 0.15) ** 2), rel=1e-4)


def test_the_focal_loss_by_hand() -> None:
    """Positive: -(1 - p)^2 ln p. Negative: -p^2 (1 - heat)^4 ln(1 - p)."""
    logits, heat = torch.tensor([[0.0, 1.0, -2.0]]), torch.tensor([[1.0, 0.5, 0.0]])
    p = [1 / (1 + math.exp(-x)) for x in (0.0, 1.0, -2.0)]
    wanted = -(0.5**2) * math.log(0.5) - p[1] ** 2 * 0.5**4 * math.log(1 - p[1]) - p[2] ** 2 * math.log(1 - p[2])
    assert focal_loss(logits, heat).tolist() == pytest.approx([wanted])


@pytest.mark.parametrize("value", [-200.0, 0.0, 200.0])
def test_the_focal_loss_of_sure_cells_is_finite(value: float) -> None:
    logits = torch.full((1, 4), value, requires_grad=True)
    torch.autograd.backward(focal_loss(logits, torch.tensor([[1.0, 0.3, 0.0, 0.0]])).sum())
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


def cells(batch: int, *, heat: float = 0.0) -> tuple[Cells, Tensor, Tensor]:
    raw = torch.full((batch, 16), heat, requires_grad=True)
    boxes = torch.rand(batch, 16, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    return Cells(heat=raw, boxes=boxes, centres=cell_centres(4, 4)), raw, boxes


def test_a_background_image_wants_no_heat_and_no_box() -> None:
    said, heat, boxes = cells(2)
    truth = torch.tensor([[0.1, 0.1, 0.6, 0.6], [0.25, 0.25, 0.75, 0.75]])
    parts = cells_loss(said, truth, torch.tensor([True, False]), "giou")
    torch.autograd.backward(parts["cells_heat"].mean() + parts["cells_box"].mean())
    assert heat.grad is not None
    assert boxes.grad is not None
    assert bool((heat.grad[1] > 0).all())  # every cell is pushed down
    assert int((heat.grad[0] < 0).sum()) == 1  # but where the object's midpoint is
    assert bool((boxes.grad[1] == 0).all())
    within = ((said.centres > truth[0, :2]) & (said.centres < truth[0, 2:])).all(-1)
    assert bool((boxes.grad[0][within] != 0).any(-1).all())
    assert bool((boxes.grad[0][~within] == 0).all())


def test_only_background_has_no_box_loss() -> None:
    said, _, boxes = cells(3)
    parts = cells_loss(
        said, torch.tensor([[0.25, 0.25, 0.75, 0.75]]).repeat(3, 1), torch.zeros(3, dtype=torch.bool), "ciou"
    )
    mean = parts["cells_box"].mean()
    assert float(mean.detach()) == 0
    torch.autograd.backward(mean)
    assert boxes.grad is not None
    assert bool((boxes.grad == 0).all())


def test_the_box_loss_is_a_mean_over_objects_not_images() -> None:
    said, _, _ = cells(1)
    one = cells_loss(said, torch.tensor([[0.1, 0.1, 0.6, 0.6]]), torch.tensor([True]), "giou")["cells_box"]
    twice = Cells(heat=said.heat.repeat(3, 1), boxes=said.boxes.repeat(3, 1, 1), centres=said.centres)
    truth = torch.tensor([[0.1, 0.1, 0.6, 0.6]]).repeat(3, 1)
    mixed = cells_loss(twice, truth, torch.tensor([True, False, True]), "giou")["cells_box"]
    assert float(mixed.mean().detach()) == pytest.approx(float(one.mean().detach()))


@given(st.floats(0, 1, width=32), st.integers(1, 20))
def test_the_distribution_loss_is_least_for_the_two_places_beside_the_distance(distance: float, bins: int) -> None:
    place = distance * bins
    below = min(int(place), bins - 1)
    share = place - below
    wanted = torch.zeros(bins + 1)
    wanted[below], wanted[below + 1] = 1 - share, share
    best = wanted.clamp(min=1e-6).log()
    least = distribution_loss(best, torch.tensor(distance))
    entropy = -(wanted * best).sum()
    assert float(least) == pytest.approx(float(entropy), abs=1e-3)
    other = torch.randn(bins + 1, generator=torch.Generator().manual_seed(bins))
    assert float(distribution_loss(other, torch.tensor(distance))) >= float(least) - 1e-3


def test_distributions_of_background_get_no_gradient() -> None:
    logits = torch.randn(2, 4, 4, 9, requires_grad=True)
    centres = cell_centres(2, 2)
    boxes = centres.expand(2, 4, 2).repeat(1, 1, 2)
    cells = Cells(heat=torch.zeros(2, 4), boxes=boxes, centres=centres, distances=logits)
    box = torch.tensor([[0.1, 0.2, 0.6, 0.7]]).expand(2, 4)
    losses = cells_loss(cells, box, torch.tensor([True, False]), "giou")
    torch.autograd.backward(losses["cells_edges"].mean())
    assert logits.grad is not None
    assert float(logits.grad[0].abs().sum()) > 0
    assert float(logits.grad[1].abs().sum()) == 0
