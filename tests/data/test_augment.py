"""Pixels and box move together, the object stays in view, and the same generator gives the same sample."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from torch import Tensor

from locnet.boxes import area, paired_iou
from locnet.data.augment import Augment
from locnet.data.augment.colors import blur, color_matrix, mean_color, recolour, retone
from locnet.data.augment.pipeline import RANGES
from locnet.data.augment.views import View, snap, turn, whole_pixels
from locnet.data.augment.windows import FULL, Rect, clip, draw_around, draw_beside, draw_within, rect_area
from locnet.data.pixels import resample, to_tensor
from locnet.data.resize import PADDING, ResizeMode, fit
from locnet.errors import ConfigError

OFF = Augment(**{name: (low if low in (0, 1) else high) for name, (low, high) in RANGES.items()})
GEOMETRY = replace(OFF, flip=0.5, zoom_in=0.5, zoom_in_area=0.2, zoom_in_aspect=1.5, min_visible=0.7, zoom_out=0.4)
GEOMETRY = replace(GEOMETRY, zoom_out_side=2.0, negative_area=0.1)

modes: st.SearchStrategy[ResizeMode] = st.sampled_from(["squash", "letterbox"])
seeds = st.integers(0, 2**32)
unit = st.floats(0, 1)


def generator(seed: int) -> Random:
    return Random(seed)


@st.composite
def rects(draw: st.DrawFn, least: float = 0.05, most: float = 0.9) -> Rect:
    width, height = draw(st.floats(least, most)), draw(st.floats(least, most))
    left, top = draw(st.floats(0, 1 - width)), draw(st.floats(0, 1 - height))
    return left, top, left + width, top + height


def scene(size: tuple[int, int], box: Rect, *, ellipse: bool = False) -> tuple[Image.Image, Tensor]:
    """A white shape on black whose edges fall between pixels, and its exact box."""
    edges = [round(edge * size[axis % 2]) for axis, edge in enumerate(box)]
    image = Image.new("RGB", size)
    if ellipse:
        big = Image.new("RGB", (size[0] * 4, size[1] * 4))
        ImageDraw.Draw(big).ellipse(
            (edges[0] * 4, edges[1] * 4, edges[2] * 4 - 1, edges[3] * 4 - 1), fill=(255, 255, 255)
        )
        image = big.reduce(4)
    else:
        image.paste((255, 255, 255), (edges[0], edges[1], edges[2], edges[3]))
    return image, torch.tensor([edge / size[axis % 2] for axis, edge in enumerate(edges)])


def extent(pixels: Tensor) -> Tensor:
    """`(4,)` xyxy in pixels: the edges of the white, where its brightest row and column are half bright."""
    grey = pixels[0].float()
    edges = []
    for profile in (grey.amax(0), grey.amax(1)):
        white = (profile > 127).nonzero().flatten()
        edges.append((float(white[0]), float(white[-1]) + 1))
    return torch.tensor([edges[0][0], edges[1][0], edges[0][1], edges[1][1]])


@settings(deadline=None, max_examples=300)
@given(
    st.tuples(st.integers(300, 600), st.integers(300, 600)),
    rects(0.08, 0.45),
    st.sampled_from([(96, 128), (160, 96)]),
    modes,
    seeds,
)
def test_the_pixels_are_where_the_box_says(
    size: tuple[int, int], box: Rect, input_size: tuple[int, int], mode: ResizeMode, seed: int
) -> None:
    image, truth = scene(size, box)
    height, width = input_size
    pixels, moved = GEOMETRY(image, truth, height, width, mode, generator(seed))
    assert moved is not None
    expected = moved * torch.tensor([width, height, width, height])
    assert (extent(pixels) - expected).abs().max() <= 1.0


@settings(deadline=None, max_examples=100)
@given(st.tuples(st.integers(200, 500), st.integers(200, 500)), rects(0.15, 0.35), modes, seeds)
def test_a_turned_ellipse_is_where_the_box_says(size: tuple[int, int], box: Rect, mode: ResizeMode, seed: int) -> None:
    image, truth = scene(size, box, ellipse=True)
    pixels, moved = replace(GEOMETRY, rotate=15, shear=10, min_visible=1)(image, truth, 160, 200, mode, generator(seed))
    assert moved is not None
    expected = moved * torch.tensor([200, 160, 200, 160])
    assert (extent(pixels) - expected).abs().max() <= 2.0


@settings(deadline=None, max_examples=200)
@given(st.tuples(st.integers(30, 200), st.integers(30, 200)), rects(0.02, 1.0), modes, seeds)
@example((40, 40), FULL, "letterbox", 0)
def test_labels_are_never_lost(size: tuple[int, int], box: Rect, mode: ResizeMode, seed: int) -> None:
    everything = Augment(rotate=10, shear=5, erase=1, grayscale=0.5, blur=0.5, negative=0)
    pixels, moved = everything(Image.new("RGB", size, (90, 60, 30)), torch.tensor(box), 48, 64, mode, generator(seed))
    assert pixels.shape == (3, 48, 64)
    assert pixels.dtype == torch.uint8
    assert moved is not None
    assert moved.dtype == torch.float32
    assert moved.shape == (4,)
    assert float(area(moved)) > 0
    assert ((moved >= 0) & (moved <= 1)).all()


@settings(deadline=None, max_examples=300)
@given(rects(0.02, 1.0), st.floats(0.01, 1), st.floats(1, 3), st.floats(0.1, 1), seeds)
def test_windows_around_an_object_show_enough_of_it(
    box: Rect, min_area: float, aspect: float, min_visible: float, seed: int
) -> None:
    window = draw_around(generator(seed), box, min_area=min_area, aspect=aspect, min_visible=min_visible)
    assert clip(window) == pytest.approx(window, abs=1e-9)
    assert rect_area(window) >= min_area - 1e-9
    assert rect_area(clip(window, box)) >= (min_visible - 1e-9) * rect_area(box)
    assert 1 / aspect - 1e-9 <= (window[2] - window[0]) / (window[3] - window[1]) <= aspect + 1e-9
    assert View(window).visible(box) == pytest.approx(rect_area(clip(window, box)) / rect_area(box))


@settings(deadline=None, max_examples=300)
@given(rects(0.02, 1.0), st.floats(0.01, 0.5), st.floats(1, 3), seeds)
def test_windows_beside_an_object_show_none_of_it(box: Rect, min_area: float, aspect: float, seed: int) -> None:
    window = draw_beside(generator(seed), box, min_area=min_area, aspect=aspect)
    assume(window is not None)
    assert window is not None
    assert rect_area(clip(window, box)) == 0
    assert clip(window) == pytest.approx(window, abs=1e-9)
    assert rect_area(window) >= min_area - 1e-9


def test_windows_differ_and_reach_the_smallest_area() -> None:
    box = (0.45, 0.45, 0.55, 0.55)
    source = generator(0)
    drawn = [draw_around(source, box, min_area=0.25, aspect=1.0, min_visible=1.0) for _ in range(400)]
    areas = np.array([rect_area(window) for window in drawn])
    assert areas.min() < 0.27
    assert areas.max() > 0.98
    assert abs(areas.mean() - 0.625) < 0.05
    assert np.std([window[0] for window in drawn]) > 0.09


@settings(deadline=None)
@given(rects(0.5, 1.0), st.floats(1, 3), unit, unit, st.tuples(st.integers(1, 300), st.integers(1, 300)))
def test_snapping_moves_less_than_a_pixel(_: Rect, side: float, x: float, y: float, size: tuple[int, int]) -> None:
    window = ((1 - side) * x, (1 - side) * y, (1 - side) * x + side, (1 - side) * y + side)
    snapped = snap(window, size)
    for axis in (0, 1):
        pixel = size[axis] / (snapped[axis + 2] - snapped[axis])
        for edge in (0.0, 1.0):
            at = (edge - snapped[axis]) * pixel
            assert abs(at - round(at)) < 1e-6
    assert snap((0.123, 0.2, 0.9, 1.0), size) == (0.123, 0.2, 0.9, 1.0)


@given(rects(0.001, 1.0), st.tuples(st.integers(1, 700), st.integers(1, 700)), st.booleans())
def test_windows_of_whole_pixels(window: Rect, size: tuple[int, int], outward: bool) -> None:
    """They move by less than a pixel, in the direction that keeps what must be kept."""
    whole = whole_pixels(window, size, outward=outward)
    for axis in (0, 1):
        low, high = whole[axis] * size[axis], whole[axis + 2] * size[axis]
        assert abs(low - round(low)) < 1e-6
        assert abs(high - round(high)) < 1e-6
        assert 0 <= round(low) < round(high) <= size[axis]
        if outward:
            assert low <= window[axis] * size[axis] + 1e-5
            assert high >= window[axis + 2] * size[axis] - 1e-5
        elif (window[axis + 2] - window[axis]) * size[axis] > 2:
            assert low >= window[axis] * size[axis] - 1e-5
            assert high <= window[axis + 2] * size[axis] + 1e-5
        assert abs(low - window[axis] * size[axis]) < 1 + 1e-6
        assert abs(high - window[axis + 2] * size[axis]) < 1 + 1e-6
    assert whole_pixels((-0.3, 0, 1.2, 1), size, outward=outward) == (-0.3, 0, 1.2, 1)


@pytest.mark.parametrize("window", [(0, 0, 300, 200), (17, 30, 260, 171), (100, 50, 130, 70)])
def test_resampling_is_pillows_but_for_rounding(window: tuple[int, int, int, int]) -> None:
    image = Image.effect_mandelbrot((300, 200), (-2, -1.2, 1, 1.2), 60).convert("RGB")
    # of the cut out part: with `box` Pillow's filter looks beyond the edge
    expected = to_tensor(image.crop(window).resize((64, 48), Image.Resampling.BILINEAR)).int()
    for picture in (image, np.asarray(image).copy()):
        pixels = resample(picture, window, (64, 48))
        assert pixels.is_contiguous()
        assert (pixels.int() - expected).abs().max() <= 2
    huge = image.resize((3000, 2000))
    window = (window[0] * 10, window[1] * 10, window[2] * 10, window[3] * 10)
    assert (resample(huge, window, (64, 48)).int() - expected).abs().float().mean() < 3


@pytest.mark.parametrize("mode", ["squash", "letterbox"])
def test_everything_off_is_fit(mode: ResizeMode) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 150, 3), dtype=np.uint8)
    image, box = Image.fromarray(noise), torch.tensor([0.1, 0.2, 0.5, 0.6])
    pixels, moved = OFF(image, box, 64, 64, mode, generator(0))
    expected, placement = fit(image, 64, 64, mode)
    assert (pixels.int() - expected.int()).abs().max() <= 2  # torch and Pillow round differently
    assert moved is not None
    torch.testing.assert_close(moved, placement.to_input(box))


def test_flip_mirrors_pixels_and_box() -> None:
    image, box = scene((100, 50), (0.1, 0.2, 0.3, 0.6))
    plain, _ = OFF(image, box, 50, 100, "squash", generator(0))
    pixels, moved = replace(OFF, flip=1)(image, box, 50, 100, "squash", generator(0))
    assert torch.equal(pixels, plain.flip(-1))
    assert moved is not None
    torch.testing.assert_close(moved, torch.tensor([0.7, 0.2, 0.9, 0.6]))


def test_the_generator_decides_everything() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 150, 3), dtype=np.uint8)
    image, box = Image.fromarray(noise), torch.tensor([0.2, 0.2, 0.6, 0.7])
    augment = Augment(rotate=5, blur=0.5, erase=0.5, negative=0.2)
    before = torch.random.get_rng_state()
    samples = [augment(image, box, 64, 64, "squash", generator(seed)) for seed in (1, 1, 2)]
    assert torch.equal(samples[0][0], samples[1][0])
    assert not torch.equal(samples[0][0], samples[2][0])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(np.asarray(image), noise)


def test_background_stays_background() -> None:
    augment = Augment(negative=1, erase=1, rotate=5)
    for seed in range(20):
        pixels, box = augment(Image.new("RGB", (90, 60)), None, 32, 32, "letterbox", generator(seed))
        assert box is None
        assert pixels.shape == (3, 32, 32)


@pytest.mark.parametrize("mode", ["squash", "letterbox"])
def test_negatives_show_nothing_of_the_object(mode: ResizeMode) -> None:
    augment = replace(OFF, negative=1, negative_area=0.1, flip=0.5, zoom_in_aspect=1.3)
    image, box = scene((300, 200), (0.3, 0.3, 0.55, 0.7))
    for seed in range(50):
        pixels, moved = augment(image, box, 96, 96, mode, generator(seed))
        assert moved is None
        assert int(pixels.max()) <= PADDING[0]
    filling = torch.tensor([0.1, 0.1, 0.9, 0.9])
    pixels, moved = augment(image, filling, 96, 96, mode, generator(0))
    assert moved is not None  # no room beside it: the sample keeps its label


def test_erasing_spares_most_of_the_object() -> None:
    augment = replace(OFF, erase=1, erase_area=0.5, erase_object=0.3)
    image = Image.new("RGB", (128, 128), (1, 2, 3))
    box = torch.tensor([0.25, 0.25, 0.75, 0.75])
    erased = 0
    for seed in range(100):
        pixels, moved = augment(image, box, 128, 128, "squash", generator(seed))
        changed = (pixels != torch.tensor([1, 2, 3], dtype=torch.uint8)[:, None, None]).any(0)
        assert float(changed[32:96, 32:96].float().mean()) <= 0.3
        assert float(changed.float().mean()) <= 0.52
        assert moved is not None
        torch.testing.assert_close(moved, box)
        erased += int(changed.any())
    assert erased > 80


def test_zooming_out_keeps_the_object_visible_size_and_uses_the_mean_colour() -> None:
    image, box = scene((200, 200), (0.4, 0.4, 0.6, 0.6))
    augment = replace(OFF, zoom_out=1, zoom_out_side=4.0)
    for seed in range(50):
        pixels, moved = augment(image, box, 64, 64, "squash", generator(seed))
        assert moved is not None
        assert float((moved[2:] - moved[:2]).min()) * 64 >= 7.0
        assert ((pixels == 10) | (pixels == 11)).any()


def test_letterbox_bars_are_never_recoloured() -> None:
    augment = replace(OFF, brightness=1, contrast=1, saturation=1, hue=0.5, blur=1, blur_sigma=5, erase=1, rotate=9)
    pixels, _ = augment(Image.new("RGB", (200, 100), (9, 99, 199)), None, 64, 64, "letterbox", generator(3))
    assert (pixels[:, :16] == PADDING[0]).all()
    assert (pixels[:, 48:] == PADDING[0]).all()


def test_the_hull_of_an_ellipse_turns_exactly() -> None:
    view = View(linear=turn(90, 0, (100, 100)))
    assert view.map((0.1, 0.4, 0.5, 0.6)) == pytest.approx((0.4, 0.1, 0.6, 0.5))
    circle = View(linear=turn(33, 0, (100, 100))).map((0.4, 0.4, 0.6, 0.6))
    assert circle == pytest.approx((0.4, 0.4, 0.6, 0.6))
    assert View(linear=turn(0, 0, (30, 70))).turns is False


def test_a_turn_that_would_push_the_object_out_is_not_made() -> None:
    image, box = scene((200, 200), (0.0, 0.0, 0.2, 0.1))
    augment = replace(OFF, rotate=20, min_visible=0.95)
    for seed in range(30):
        _, moved = augment(image, box, 100, 100, "squash", generator(seed))
        assert moved is not None
        assert float(area(moved)) > 0.9 * 0.02


def apply(matrix: tuple[float, ...], colour: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple(recolour(torch.tensor(colour).view(3, 1, 1).float(), matrix).round().flatten().int().tolist())


def test_colour_matrix() -> None:
    mean = (100.0, 100.0, 100.0)
    assert color_matrix(1, 1, 1, 0, mean) == pytest.approx((1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0), abs=1e-9)
    assert apply(color_matrix(0.5, 1, 1, 0, mean), (200, 100, 50)) == (100, 50, 25)
    assert apply(color_matrix(1, 0, 1, 0, mean), (200, 100, 50)) == (100, 100, 100)
    assert apply(color_matrix(1, 2, 1, 0, mean), (110, 90, 100)) == (120, 80, 100)
    grey = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    assert apply(color_matrix(1, 1, 0, 0, mean), (200, 100, 50)) == (grey, grey, grey)
    for hue in (-0.4, 0.1, 0.5):
        assert apply(color_matrix(1, 1, 1, hue, mean), (77, 77, 77)) == (77, 77, 77)
    red, green, blue = apply(color_matrix(1, 1, 1, 1 / 3, mean), (180, 90, 90))
    assert max(red, green, blue) != red  # a third of a turn: no longer a red
    assert mean_color(torch.tensor([[[0, 100]], [[10, 30]], [[20, 40]]], dtype=torch.uint8)) == (50, 20, 30)


def test_brightness_and_contrast_alone_are_the_same_change() -> None:
    pixels = torch.rand(3, 9, 11, generator=torch.Generator().manual_seed(0)) * 255
    mean = (100.0, 20.0, 150.0)
    changed = recolour(pixels, color_matrix(1.2, 0.7, 1, 0, mean))
    torch.testing.assert_close(retone(pixels.clone(), 1.2, 0.7, mean), changed, atol=1e-3, rtol=0)


@pytest.mark.parametrize("sigma", [0.0, 0.3, 1.0, 2.5])
def test_blur_is_gaussian(sigma: float) -> None:
    spot = torch.zeros(3, 31, 31)
    spot[:, 15, 15] = 1
    spread = blur(spot, sigma)[0].sum(0)
    assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
    variance = float((spread * (torch.arange(31) - 15) ** 2).sum())
    assert variance == pytest.approx(sigma**2, abs=0.05)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("flip", 1.5),
        ("flip", -0.1),
        ("hue", 0.6),
        ("zoom_in_aspect", 0.5),
        ("min_visible", 0),
        ("rotate", float("nan")),
    ],
)
def test_settings_out_of_range_are_named(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"augment\.{setting}={value!r} must be a number from"):
        Augment(**{setting: value})


def test_impossible_settings_and_boxes() -> None:
    with pytest.raises(ConfigError, match=r"augment\.zoom_in=0\.7 and augment\.zoom_out=0\.6"):
        Augment(zoom_in=0.7, zoom_out=0.6)
    with pytest.raises(ValueError, match="no area"):
        OFF(Image.new("RGB", (9, 9)), torch.tensor([0.5, 0.5, 0.5, 0.9]), 8, 8, "squash", generator(0))


def test_source_side_is_what_the_smallest_window_needs() -> None:
    assert OFF.source_side(224) == 224
    assert replace(OFF, zoom_in=1, zoom_in_area=0.25).source_side(224) == 448
    window = draw_within(generator(0), FULL, min_area=0.25, max_area=0.25, aspect=1.0)
    assert window is not None
    assert (window[2] - window[0]) * 448 == pytest.approx(224)


def test_boxes_spread_over_the_input() -> None:
    image, box = scene((200, 200), (0.4, 0.4, 0.6, 0.6))
    moved = [Augment()(image, box, 64, 64, "squash", generator(seed))[1] for seed in range(100)]
    boxes = torch.stack([b for b in moved if b is not None])
    assert len(boxes) == 100
    assert float(boxes[:, :2].std(0).min()) > 0.05
    assert float(paired_iou(boxes, box.expand_as(boxes)).mean()) < 0.8
