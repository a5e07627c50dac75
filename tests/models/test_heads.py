"""What the heads say, and that the parts of their answers belong together."""

from __future__ import annotations

import pytest
import torch
from torch import nn

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


@pytest.mark.parametrize(("name", "kind"), [("relu", nn.ReLU), ("silu", nn.SiLU)])
def test_one_activation_everywhere(name: str, kind: type[nn.Module]) -> None:
    head = GridHead([8, 8], 3, strides=(4, 8), width=16, activation=name)
    activations = [module for module in head.modules() if isinstance(module, nn.ReLU | nn.SiLU)]
    assert len(activations) == 1 + 2 * 2 + 2 + 2  # the sum; two blocks of two; two maps and two convolutions of windows
    assert all(isinstance(module, kind) for module in activations)


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


@pytest.mark.parametrize("edge_attention", [False, True])
def test_the_local_read_off_listens_to_nobody_outside_the_peaks_box(edge_attention: bool) -> None:
    head = GridHead([8], 3, width=16, edge_attention=edge_attention).eval()
    with torch.no_grad():
        head.cells.weight.normal_()
    output = head(maps(9))
    cells = output.cells
    assert cells is not None
    for row in range(2):
        peak = int(cells.heat[row].argmax())
        left, top, right, bottom = cells.boxes[row, peak].tolist()
        x, y = cells.centres.unbind(-1)
        asked = (x > left) & (x < right) & (y > top) & (y < bottom)
        asked[peak] = True
        assert 1 <= int(asked.sum()) < len(asked)
        box = target.split(output.y).box[row]
        low, high = cells.boxes[row, asked].amin(0), cells.boxes[row, asked].amax(0)
        assert bool(((box >= low - 1e-5) & (box <= high + 1e-5)).all())
        if not edge_attention:
            weights = (cells.heat[row, asked] * head.sharpness.exp()).softmax(-1)
            torch.testing.assert_close(box, (weights[:, None] * cells.boxes[row, asked]).sum(0))


def test_each_edge_is_read_off_with_an_attention_of_its_own() -> None:
    head = GridHead([8], 3, width=16, read_off="global").eval()
    with torch.no_grad():
        head.cells.weight.normal_()
        head.cells.weight[0] = 0  # the heat has no favourite
    grid: list[torch.Tensor] = []
    head.cells.register_forward_hook(lambda module, inputs, output: grid.append(output.flatten(2)))
    output = head(maps(6))
    assert output.cells is not None
    for edge in range(4):
        weights = grid[0][:, -4 + edge].softmax(-1)
        expected = (weights * output.cells.boxes[..., edge]).sum(-1)
        torch.testing.assert_close(target.split(output.y).box[:, edge], expected)


def test_objectness_knows_the_heat_of_the_peak_and_the_classes_do_not() -> None:
    head = GridHead([8], 3, width=16).eval()
    images = maps(6)
    before = head(images)
    with torch.no_grad():
        head.cells.get_parameter("bias")[0] += 1  # all cells: the attention stays as it is
        after = head(images)
    rise = head.objectness.weight[0, -1].expand(2)
    torch.testing.assert_close(after.objectness_logits - before.objectness_logits, rise)
    torch.testing.assert_close(after.class_logits, before.class_logits)


def test_distances_as_distributions_start_like_single_numbers() -> None:
    for bins in (0, 16):
        head = GridHead([8], 3, width=16, bins=bins).eval()
        with torch.no_grad():
            head.cells.weight.zero_()
        output = head(maps(5))
        assert output.cells is not None
        sides = output.cells.boxes[..., 2:] - output.cells.boxes[..., :2]
        assert bool(((sides > 0.3) & (sides < 0.5)).all())
        assert (output.cells.distances is None) == (bins == 0)


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
