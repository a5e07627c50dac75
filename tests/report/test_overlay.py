from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageColor

from locnet.report.caption import Prediction, Truth, caption, is_right
from locnet.report.overlay import Look, annotate, draw_boxes
from locnet.report.style import PREDICTION_COLOUR, TRUTH_COLOUR

BLUE, ORANGE = ImageColor.getrgb(TRUTH_COLOUR), ImageColor.getrgb(PREDICTION_COLOUR)
TRUTH = Truth((0.25, 0.25, 0.75, 0.75), "car")
FOUND = Prediction((0.1, 0.2, 0.6, 0.9), "car", 0.93, 0.51)


@pytest.mark.parametrize("paper", ["black", "white", "#808080", TRUTH_COLOUR, PREDICTION_COLOUR])
def test_boxes_are_where_they_should_be(paper: str) -> None:
    image = annotate(Image.new("RGB", (400, 300), paper), truth=TRUTH, prediction=FOUND)
    for box, colour in ((TRUTH.box, BLUE), (FOUND.box, ORANGE)):
        assert box is not None
        left, top, right, bottom = box[0] * 400, box[1] * 300, box[2] * 400, box[3] * 300
        for x, y in (
            (left, (top + bottom) / 2),
            (right, top + 6),
            ((left + right) / 2, top),
            ((left + right) / 2, bottom),
        ):
            assert image.getpixel((round(x), round(y))) == colour
    inside = image.getpixel((160, 130))
    assert inside == ImageColor.getrgb(paper)


def test_each_line_contrasts_with_any_background() -> None:
    for paper in ("black", "white", "#808080", TRUTH_COLOUR, PREDICTION_COLOUR):
        clean = Image.new("RGB", (400, 300), paper)
        for truth, found in ((TRUTH, None), (None, FOUND)):
            drawn = draw_boxes(clean, truth=truth, prediction=found, line=3)
            difference = np.abs(np.asarray(drawn, dtype=int) - np.asarray(clean, dtype=int)).sum(axis=2)
            assert difference.max() > 250


def test_the_image_is_kept_and_the_caption_comes_below() -> None:
    image = Image.effect_noise((400, 300), 80).convert("RGB")
    before = image.copy()
    page = annotate(image, truth=Truth(None, "background"), prediction=Prediction(None, "background", 0.1))
    assert page.crop((0, 0, 400, 300)).tobytes() == before.tobytes() == image.tobytes()
    assert page.width == 400
    assert 30 <= page.height - 300 <= 60
    bar = np.asarray(page)[300:].reshape(-1, 3).tolist()
    assert list(BLUE) in bar
    assert list(ORANGE) in bar


def test_the_box_of_a_background_verdict_is_dashed() -> None:
    clean = Image.new("RGB", (400, 300), "white")
    dashed = draw_boxes(clean, truth=None, prediction=FOUND._replace(name="background"), line=3)
    solid = draw_boxes(clean, truth=None, prediction=FOUND, line=3)
    counts = [(np.asarray(image)[60, 60:220] == ORANGE).all(axis=1).mean() for image in (dashed, solid)]
    assert 0.3 < counts[0] < 0.7
    assert counts[1] == 1


def test_a_box_on_the_border_is_seen_whole_and_one_outside_not_at_all() -> None:
    clean = Image.new("RGB", (400, 300), "white")
    drawn = np.asarray(draw_boxes(clean, truth=Truth((0, 0, 1, 1), "x"), prediction=None, line=4))
    for strip in (drawn[:8, 200], drawn[-8:, 200], drawn[150, :8], drawn[150, -8:]):
        assert (strip == BLUE).all(axis=1).sum() == 4
    for box in ((2.0, 2.0, 3.0, 3.0), (float("nan"),) * 4, (-9e9, -9e9, 9e9, 9e9)):
        outside = draw_boxes(clean, truth=None, prediction=Prediction(box, "x", 0.5), line=4)
        assert outside.tobytes() == clean.tobytes()


def test_lines_and_letters_grow_with_the_image() -> None:
    small, large = Look.of(320, 240), Look.of(4000, 3000)
    assert small.line >= 2
    assert small.font >= 13
    assert large.line > 5 * small.line
    assert large.font > 5 * small.font


@pytest.mark.parametrize("line", [2, 3, 4, 5])
@pytest.mark.parametrize("place", [0.2, 0.2025, 0.201, 0.2049])
def test_every_line_has_its_full_width_and_both_edges(line: int, place: float) -> None:
    clean = Image.new("RGB", (400, 400), "white")
    box = (place, place, place + 0.5, place + 0.5)
    drawn = np.asarray(draw_boxes(clean, truth=None, prediction=Prediction(box, "car", 0.5), line=line))
    for strip in (drawn[60:110, 200], drawn[200, 60:110], drawn[260:310, 200], drawn[200, 260:310]):
        assert (strip == ORANGE).all(axis=1).sum() == line
        assert (strip == 0).all(axis=1).sum() == 2 * max(1, round(line / 3))


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (5, 700), (700, 5), (64, 48)])
def test_tiny_and_narrow_images_get_a_readable_caption(size: tuple[int, int]) -> None:
    page = annotate(Image.new("RGB", size), truth=TRUTH, prediction=FOUND)
    assert page.width >= 240
    assert page.height >= 40
    if max(size) < 256:
        assert page.height > 5 * 32


@pytest.mark.parametrize("name", ["", "x" * 5000, "行人", "пешеход", "a\nb", "$\\frac{", "\ud800", "🚗"])
def test_any_name_can_be_written(name: str) -> None:
    page = annotate(Image.new("RGB", (320, 240)), truth=(None, name), prediction=(None, name, 0.5, None))
    assert page.width == 320
    plain = annotate(Image.new("RGB", (320, 240)), truth=(None, "car"), prediction=(None, "car", 0.5, None))
    assert page.height == plain.height


def test_a_long_name_leaves_the_numbers_readable() -> None:
    def numbers(name: str) -> bytes:
        bar = caption(320, truth=None, prediction=FOUND._replace(name=name), font_size=13)
        return bar.crop((200, 0, 320, bar.height)).tobytes()

    assert numbers("x" * 300) == numbers("car")


def test_grey_images_and_images_alone_are_fine() -> None:
    page = annotate(Image.new("L", (300, 300), 100))
    assert page.mode == "RGB"
    assert page.getpixel((150, 150)) == (100, 100, 100)


def test_right_means_verdict_and_box() -> None:
    assert is_right(TRUTH, FOUND)
    assert not is_right(TRUTH, FOUND._replace(iou=0.49))
    assert not is_right(TRUTH, FOUND._replace(name="bus"))
    assert is_right(TRUTH, FOUND._replace(iou=None))
    assert is_right(Truth(None, "background"), Prediction(TRUTH.box, "background", 0.1))
    right = caption(320, truth=TRUTH, prediction=FOUND, font_size=13)
    wrong = caption(320, truth=TRUTH, prediction=FOUND._replace(name="bus"), font_size=13)
    assert right.crop((300, 0, 320, 20)).tobytes() != wrong.crop((300, 0, 320, 20)).tobytes()
