"""Under bf16 autocast a box is still read off in float32, and every head says float32."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from locnet import target
from locnet.models.heads import HEADS, Output, build_head
from locnet.models.heads.grid import GridHead

PROBABILITY: list[tuple[str, dict[str, Any]]] = [("linear", {"activation": "probability"})]


def maps() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(32, 8, side, side, generator=generator) for side in (12, 6)]


@pytest.mark.parametrize(("name", "settings"), [*[(name, {}) for name in HEADS], *PROBABILITY])
def test_every_part_is_float32(name: str, settings: dict[str, Any]) -> None:
    head = build_head(name, [8, 8], 3, **settings)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output: Output = head(maps())
    cells = () if output.cells is None else (output.cells.heat, output.cells.boxes, output.cells.centres)
    parts = (output.y, output.objectness_logits, output.class_logits, output.softmax_logits, *cells)
    assert {part.dtype for part in parts if part is not None} == {torch.float32}


def test_the_grids_box_is_the_mean_of_its_cells_to_the_last_bits() -> None:
    torch.manual_seed(0)
    head = GridHead([8, 8], 3, width=16, read_off="global", edge_attention=False).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = head(maps())
    assert output.cells is not None
    attention = (output.cells.heat * head.sharpness.exp()).softmax(-1)
    mean = (attention[..., None] * output.cells.boxes).sum(1)
    torch.testing.assert_close(target.split(output.y).box, mean, atol=1e-6, rtol=0)  # bf16 would be off by 1e-3
    low, high = output.cells.boxes.amin(1), output.cells.boxes.amax(1)
    box = target.split(output.y).box
    assert bool(((box >= low - 1e-6) & (box <= high + 1e-6)).all())


@pytest.mark.parametrize("name", ["linear", "softmax_box"])
def test_the_plain_heads_round_a_box_once(name: str) -> None:
    """The units come in bf16; the sigmoid and the way to edges and back add nothing to that."""
    torch.manual_seed(0)
    head = build_head(name, [8, 8], 3, **dict(PROBABILITY[0][1] if name == "linear" else {}))
    seen: list[Tensor] = []
    units = head.units if name == "linear" else head.box
    assert isinstance(units, torch.nn.Linear)
    units.register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = head(maps())
    said = (seen[0][:, 1:5] if name == "linear" else seen[0]).float().sigmoid()
    torch.testing.assert_close(output.y[:, 1:5], said, atol=1e-6, rtol=0)
