"""What the heads say, and that the parts of their answers belong together."""

from __future__ import annotations

import pytest
import torch

from locnet import target
from locnet.models.heads import HEADS, build_head
from locnet.models.heads.grid import GridHead, cell_centres


def maps(*sides: int, channels: int = 8, batch: int = 2) -> list[torch.Tensor]:
    return [torch.randn(batch, channels, side, side + 1) for side in sides]


@pytest.mark.parametrize("name", sorted(HEADS))
@pytest.mark.parametrize("classes", [1, 3])
def test_every_head_gives_a_whole_y(name: str, classes: int) -> None:
    output = build_head(name, [8, 8], classes)(maps(7, 4))
    assert output.y.shape == (2, target.length(classes))
    assert torch.isfinite(output.y).all()
    if name != "linear":
        parts = target.split(output.y)
        assert bool(((parts.objectness >= 0) & (parts.objectness <= 1)).all())
        torch.testing.assert_close(parts.classes.sum(-1), torch.ones(2))


@pytest.mark.parametrize("sides", [(5,), (12, 6), (13, 7, 4)])
def test_the_grid_takes_any_number_of_maps_and_odd_sides(sides: tuple[int, ...]) -> None:
    head = GridHead([8] * len(sides), 3, width=16)
    output = head(maps(*sides))
    assert output.cells is not None
    assert output.cells.boxes.shape == (2, sides[0] * (sides[0] + 1), 4)
    assert output.objectness_logits is not None
    torch.testing.assert_close(output.y[:, 0], output.objectness_logits.sigmoid())


def test_the_grids_box_is_that_of_the_hottest_cell_when_it_is_sure() -> None:
    head = GridHead([8], 3, width=16).eval()
    with torch.no_grad():
        head.cells.weight.normal_()
        head.sharpness.fill_(12.0)  # the attention is one-hot then
    output = head(maps(6))
    assert output.cells is not None
    hottest = output.cells.heat.argmax(-1)
    torch.testing.assert_close(
        target.split(output.y).box, output.cells.boxes[torch.arange(2), hottest], atol=1e-3, rtol=0
    )


def test_cell_centres_lie_row_by_row() -> None:
    assert cell_centres(1, 2).tolist() == [[0.25, 0.5], [0.75, 0.5]]
    assert cell_centres(2, 1).tolist() == [[0.5, 0.25], [0.5, 0.75]]


def test_softmax_objectness_is_one_minus_background() -> None:
    output = build_head("softmax_box", [8], 3)(maps(4))
    assert output.softmax_logits is not None
    background = output.softmax_logits.softmax(-1)[:, -1]
    torch.testing.assert_close(output.y[:, 0], 1 - background)


def test_who_has_a_box() -> None:
    assert {name for name, head in HEADS.items() if not head.has_box} == {"classifier"}


def test_linear_units_are_the_answer_or_probabilities() -> None:
    raw = build_head("linear", [8], 3)(maps(4))
    assert raw.objectness_logits is None
    head = build_head("linear", [8], 3, activation="probability")
    output = head(maps(4))
    assert output.class_logits is not None
    torch.testing.assert_close(output.y[:, 5:], output.class_logits.softmax(-1))
