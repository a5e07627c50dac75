"""The image goes into the input, boxes go there and exactly back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from locnet.data.resize import PADDING, Placement, ResizeMode, boxes_to_image, boxes_to_input, fit, place
from locnet.errors import ConfigError

sides = st.integers(1, 3000)
inputs = st.integers(8, 512)
modes: st.SearchStrategy[ResizeMode] = st.sampled_from(["squash", "letterbox"])
fractions = st.floats(0, 1)


@settings(deadline=None)
@given(st.tuples(sides, sides, inputs, inputs), modes, st.lists(fractions, min_size=4, max_size=4))
def test_to_image_undoes_to_input(sizes: tuple[int, int, int, int], mode: ResizeMode, box: list[float]) -> None:
    placement = place(*sizes, mode)
    boxes = torch.tensor([box, [0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(placement.to_image(placement.to_input(boxes)), boxes, rtol=0, atol=1e-9)
    torch.testing.assert_close(placement.to_input(placement.to_image(boxes)), boxes, rtol=0, atol=1e-9)


@settings(deadline=None)
@given(sides, sides, inputs, inputs)
def test_letterbox_lies_on_whole_pixels_touches_two_sides_and_is_centred(
    height: int, width: int, input_height: int, input_width: int
) -> None:
    placement = place(height, width, input_height, input_width, "letterbox")
    edges = placement.as_tensor() * torch.tensor([input_width, input_height] * 2)
    torch.testing.assert_close(edges, edges.round(), rtol=0, atol=1e-9)
    left, top, right, bottom = placement.pixels(input_height, input_width)
    assert 0 <= left < right <= input_width
    assert 0 <= top < bottom <= input_height
    assert (left, right) == (0, input_width) or (top, bottom) == (0, input_height)
    assert abs(left - (input_width - right)) <= 1
    assert abs(top - (input_height - bottom)) <= 1
    scale = min(input_height / height, input_width / width)
    assert abs((right - left) - width * scale) <= max(0.5, 1 - width * scale) + 1e-9
    assert abs((bottom - top) - height * scale) <= max(0.5, 1 - height * scale) + 1e-9


def test_known_letterbox() -> None:
    placement = place(100, 200, 64, 64, "letterbox")
    assert placement == Placement(0.0, 0.25, 1.0, 0.75)
    assert placement.pixels(64, 64) == (0, 16, 64, 48)
    box = placement.to_input(torch.tensor([0.0, 0.0, 0.5, 0.5]))
    torch.testing.assert_close(box, torch.tensor([0.0, 0.25, 0.5, 0.5]))


def test_batched_placements_equal_single_ones() -> None:
    placements = [
        place(30, 90, 64, 64, "letterbox"),
        place(90, 30, 64, 64, "letterbox"),
        Placement(0, 0, 1, 1),
    ]
    boxes = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    table = torch.stack([p.as_tensor(boxes) for p in placements])
    expected = torch.stack([p.to_input(b) for p, b in zip(placements, boxes, strict=True)])
    torch.testing.assert_close(boxes_to_input(boxes, table), expected)
    torch.testing.assert_close(boxes_to_image(expected, table), boxes)
    many = boxes_to_input(boxes[:, None].expand(3, 5, 4), table[:, None])
    torch.testing.assert_close(many[:, 4], expected)
    assert boxes_to_input(boxes.half(), placements[0].as_tensor(boxes.half())).dtype == torch.float16


def extent(mask: Tensor) -> tuple[int, int, int, int]:
    rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (517, 389), (33, 31), (64, 48), (900, 7)])
@pytest.mark.parametrize("mode", ["squash", "letterbox"])
def test_fit_puts_the_whole_image_exactly_where_the_placement_says(size: tuple[int, int], mode: ResizeMode) -> None:
    pixels, placement = fit(Image.new("RGB", size, (250, 0, 0)), 48, 64, mode)
    assert pixels.shape == (3, 48, 64)
    assert pixels.dtype == torch.uint8
    assert pixels.is_contiguous()
    full = placement.to_input(torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float64))
    red = pixels[0] == 250
    assert extent(red) == tuple((full * torch.tensor([64, 48, 64, 48])).round().int().tolist())
    assert (pixels[:, ~red] == PADDING[0]).all()
    assert mode == "letterbox" or red.all()


@pytest.mark.parametrize("mode", ["squash", "letterbox"])
@pytest.mark.parametrize("size", [(1600, 900), (640, 801), (50, 40)])
def test_fit_and_placement_agree_about_what_is_inside_the_image(size: tuple[int, int], mode: ResizeMode) -> None:
    box = np.array([0.25, 0.1, 0.75, 0.5])
    edges = (box * [*size, *size]).round().astype(int)
    image = Image.new("RGB", size, (0, 0, 0))
    image.paste((255, 255, 255), tuple(edges.tolist()))
    pixels, placement = fit(image, 224, 224, mode)
    truth = torch.tensor(edges / [*size, *size])
    white = pixels.clone().float()
    left, top, right, bottom = placement.pixels(224, 224)
    inner = torch.zeros(224, 224)
    inner[top:bottom, left:right] = white[0, top:bottom, left:right]
    found = torch.tensor(extent(inner > 127)) / 224
    torch.testing.assert_close(found.double(), placement.to_input(truth), rtol=0, atol=1 / 224)


def test_downscaling_is_antialiased() -> None:
    stripes = Image.fromarray(np.tile(np.array([[0, 255]], dtype=np.uint8), (512, 256))).convert("RGB")
    pixels, _ = fit(stripes, 32, 32, "squash")
    assert int(pixels.min()) > 110
    assert int(pixels.max()) < 145


def test_unknown_mode_is_named() -> None:
    with pytest.raises(ConfigError, match="resize='crop' is unknown; choose squash or letterbox"):
        place(1, 1, 1, 1, "crop")  # type: ignore[arg-type]
