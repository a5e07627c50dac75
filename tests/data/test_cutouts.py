"""Objects cut out along their outline, and pasted elsewhere."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from locnet import target
from locnet.config.defaults import data_settings
from locnet.data import cutouts as pool
from locnet.data.augment import Augment
from locnet.data.augment.cutout import Cutout, cut_out
from locnet.data.augment.paste import paste
from locnet.data.cutouts import Cutouts
from locnet.data.datamodule import LabelledImagesModule
from locnet.data.dataset import LabelledImages
from locnet.data.records import Records
from locnet.data.samplers import Draw
from locnet.data.sources import ImageFiles
from locnet.data.strings import Strings
from locnet.errors import ConfigError

pytest.importorskip("cv2", reason="pip install 'locnet[paste]'")

RED = (200, 30, 30)


def photo(box: tuple[int, int, int, int], size: tuple[int, int] = (240, 160)) -> NDArray[np.uint8]:
    """A red ellipse in a box of pixels on noisy green ground."""
    noise = np.random.default_rng(0).integers(0, 40, (size[1], size[0], 3))
    image = Image.fromarray((noise + np.array((20, 120, 40))).astype(np.uint8))
    ImageDraw.Draw(image).ellipse((box[0], box[1], box[2] - 1, box[3] - 1), fill=RED)
    return np.asarray(image)


def unchanged(pixels: Tensor, _: Random) -> Tensor:
    return pixels


def ellipse(cut_off: tuple[bool, bool, bool, bool] = (False,) * 4) -> Cutout:
    """White, twice as wide as high."""
    image = Image.new("L", (80, 40))
    ImageDraw.Draw(image).ellipse((0, 0, 79, 39), fill=255)
    return Cutout(np.dstack((np.full((40, 80, 3), 255, np.uint8), np.asarray(image))), 0, cut_off)


def test_the_outline_is_that_of_the_object() -> None:
    found = cut_out(photo((60, 40, 160, 120)), (60 / 240, 40 / 160, 160 / 240, 120 / 160), label=2)
    assert found is not None
    assert found.label == 2
    assert found.cut_off == (False,) * 4
    height, width = found.pixels.shape[:2]
    assert (width, height) == pytest.approx((100, 80), abs=2)
    inside = found.pixels[..., 3] > 127
    assert inside.mean() == pytest.approx(np.pi / 4, abs=0.03)
    assert np.abs(found.pixels[inside][:, :3].astype(float) - RED).mean() < 5  # no ground comes along
    again = cut_out(photo((60, 40, 160, 120)), (60 / 240, 40 / 160, 160 / 240, 120 / 160), label=2)
    assert again is not None
    assert np.array_equal(again.pixels, found.pixels)


def test_a_large_cutout_is_made_smaller() -> None:
    found = cut_out(photo((60, 40, 160, 120)), (0.25, 0.25, 160 / 240, 0.75), label=0, most_side=50)
    assert found is not None
    assert found.pixels.shape[:2] == pytest.approx((40, 50), abs=1)


def test_a_thin_cutout_keeps_a_pixel() -> None:
    found = cut_out(photo((20, 40, 220, 56)), (20 / 240, 0.25, 220 / 240, 0.35), label=0, most_side=5)
    assert found is not None
    assert found.pixels.shape[0] == 1


def test_a_box_that_the_photo_cuts_off_is_that_of_what_it_shows() -> None:
    image = photo((-40, 100, 60, 200))
    inside, beyond = (cut_out(image, box, 0) for box in ((0, 100 / 160, 0.25, 1), (-0.16, 100 / 160, 0.25, 1.25)))
    assert inside is not None
    assert beyond is not None
    assert np.array_equal(inside.pixels, beyond.pixels)


def test_an_edge_of_the_photo_cuts_off() -> None:
    found = cut_out(photo((-40, 100, 60, 200)), (0, 100 / 160, 60 / 240, 1), label=0)
    assert found is not None
    assert found.cut_off == (True, False, False, True)


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ((60, 40, 240, 160), "the box is much larger than what stands out in it"),
        ((100, 70, 120, 90), "the box is inside the object"),
        ((0, 0, 240, 160), "nothing around it"),
        ((60, 40, 68, 46), "too small"),
    ],
)
def test_no_outline_that_fits_is_no_cutout(box: tuple[int, int, int, int], why: str) -> None:
    edges = (box[0] / 240, box[1] / 160, box[2] / 240, box[3] / 160)
    assert cut_out(photo((60, 40, 160, 120)), edges, label=0) is None, why


def test_one_colour_is_no_cutout() -> None:
    assert cut_out(np.full((90, 90, 3), 127, np.uint8), (0.2, 0.2, 0.8, 0.8), label=0) is None


def test_without_opencv_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(
        ConfigError, match=r"augment.paste and augment.paste_beside need a package: pip install 'locnet"
    ):
        cut_out(photo((60, 40, 160, 120)), (0.25, 0.25, 160 / 240, 0.75), label=0)


@given(area=st.floats(0.01, 0.9), seed=st.integers(0, 10_000))
def test_the_box_is_that_of_the_pasted_pixels(area: float, seed: int) -> None:
    image = torch.zeros(3, 64, 96, dtype=torch.uint8)
    box = paste(image, ellipse(), area, Random(seed), unchanged)
    assert box is not None
    assert 0 <= box[0] < box[2] <= 1
    assert 0 <= box[1] < box[3] <= 1
    bright = image[0] > 127
    rows, columns = bright.any(1).nonzero().flatten(), bright.any(0).nonzero().flatten()
    hull = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    for edge, found, side in zip(box, hull, (96, 64) * 2, strict=True):
        # an ellipse whose tip is cut off is seen less far, one that is a few pixels small has soft tips
        assert abs(edge * side - float(found)) <= max(3, 0.4 * side * area)
    assert bright.float().mean() <= area * 1.1 + 8 * 8 / (64 * 96)


@given(seed=st.integers(0, 10_000))
def test_what_was_cut_off_stays_at_that_edge(seed: int) -> None:
    box = paste(
        torch.zeros(3, 64, 96, dtype=torch.uint8), ellipse((True, False, False, True)), 0.1, Random(seed), unchanged
    )
    assert box is not None
    assert box[3] == 1
    assert box[0] == 0 or box[2] == 1  # mirrored


def test_beside_the_object_it_stays_visible() -> None:
    own = (0.3, 0.3, 0.7, 0.7)
    for seed in range(50):
        image = torch.zeros(3, 96, 96, dtype=torch.uint8)
        paste(image, ellipse(), 0.08, Random(seed), unchanged, beside=own)
        inside = image[0, 29:67, 29:67] > 127
        assert inside.float().mean() < 0.1
    full = torch.zeros(3, 96, 96, dtype=torch.uint8)
    assert paste(full, ellipse(), 0.5, Random(0), unchanged, beside=(0.0, 0.0, 1.0, 1.0)) is None
    assert not full.any()


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Rows 0 and 1: classes 0 and 1 with an outline; 2: class 2, of one colour; 3: blue background."""
    Image.fromarray(photo((60, 40, 160, 120))).save(tmp_path / "0.png")
    Image.fromarray(photo((20, 20, 220, 140))).save(tmp_path / "1.png")
    Image.new("RGB", (240, 160), "gray").save(tmp_path / "2.png")
    Image.new("RGB", (240, 160), "blue").save(tmp_path / "3.png")
    boxes = [[0.25, 0.25, 160 / 240, 0.75], [20 / 240, 0.125, 220 / 240, 0.875], [0.2, 0.2, 0.8, 0.8], [np.nan] * 4]
    return Records(
        root=tmp_path,
        classes=("a", "b", "c"),
        files=Strings([f"{number}.png" for number in range(4)]),
        splits=np.array(["train"] * 4),
        labels=np.array([0, 1, 2, -1]),
        boxes=np.array(boxes),
        sizes=np.array([[160, 240]] * 4),
    )


def data(records: Records, **settings: float) -> LabelledImages:
    augment = Augment(flip=0, zoom_in=0, zoom_out=0, brightness=0, contrast=0, saturation=0, hue=0, grayscale=0, blur=0)
    augment = Augment(**{**vars(augment), "erase": 0.0, **settings})
    found = Cutouts.of(records, ImageFiles(records), seed=0, at_least=200, most_side=96)
    return LabelledImages(records, height=96, width=96, resize="squash", augment=augment, cutouts=found)


def test_the_pool_says_what_could_be_cut_out(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Cutouts.of(records, ImageFiles(records), seed=0, at_least=200, most_side=96)
    assert found.tried == 3
    assert {label: len(of) for label, of in found.by_label.items()} == {0: 1, 1: 1}
    monkeypatch.setattr(pool, "MOST", 1)
    assert {
        Cutouts.of(records, ImageFiles(records), seed=seed, at_least=200, most_side=96).tried for seed in range(5)
    } == {1}


def test_another_object_of_the_class_before_a_background(records: Records) -> None:
    dataset = data(records, paste=1)
    boxes = set()
    for seed in range(20):
        sample = dataset[Draw(0, seed)]
        parts = target.split(sample["target"])
        assert sample["label"] == 0
        assert parts.objectness == 1
        assert parts.classes.tolist() == [1, 0, 0]
        left, top, right, bottom = (round(edge * 96) for edge in parts.box.tolist())
        assert (sample["image"][0, top:bottom, left:right] > 127).float().mean() > 0.6  # red
        assert (sample["image"][2] > 200).float().mean() > 0.2  # the background's blue
        boxes.add(tuple(parts.box.tolist()))
    assert len(boxes) == 20


def test_a_class_without_cutouts_and_the_last_epochs_go_without(records: Records) -> None:
    plain = LabelledImages(records, height=96, width=96, resize="squash")
    dataset = data(records, paste=1)
    assert torch.equal(dataset[Draw(2, 5)]["target"], plain[Draw(2, None)]["target"])
    assert torch.equal(dataset[Draw(0, 5, plain=True)]["target"], plain[Draw(0, None)]["target"])
    assert (dataset[Draw(3, 5)]["image"][0] == 0).all()  # backgrounds stay what they are
    assert not torch.equal(dataset[Draw(0, 5)]["target"], plain[Draw(0, None)]["target"])


def test_objects_beside_leave_the_answer_as_it_is(records: Records) -> None:
    plain = LabelledImages(records, height=96, width=96, resize="squash")[Draw(0, None)]
    dataset = data(records, paste_beside=1)
    changed = 0
    for seed in range(10):
        sample = dataset[Draw(0, seed)]
        assert torch.equal(sample["target"], plain["target"])
        changed += not torch.equal(sample["image"], plain["image"])
    assert changed > 5


def test_together_they_are_at_most_certain() -> None:
    with pytest.raises(ConfigError, match=r"augment.paste=0.7 and augment.paste_beside=0.5 exclude each other"):
        Augment(paste=0.7, paste_beside=0.5)


def test_the_data_module_cuts_out_once_says_so_and_workers_paste_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images").mkdir()
    rows = ["filename,split,class,xmin,ymin,xmax,ymax"]
    for number, split in enumerate(["train"] * 4 + ["val", "test"]):
        Image.fromarray(photo((60, 40, 160, 120))).save(tmp_path / "images" / f"{number}.png")
        Image.new("RGB", (240, 160), (0, number, 200)).save(tmp_path / "images" / f"b{number}.png")
        rows += [f"{number}.png,{split},a,60,40,160,120", f"b{number}.png,{split},background,,,,"]
    (tmp_path / "annotations.csv").write_text("\n".join(rows))
    augment = Augment(paste=0.5, paste_beside=0.5)
    batches = []
    for workers in (0, 2):
        settings = data_settings("csv", root=str(tmp_path), batch_size=4, num_workers=workers)
        module = LabelledImagesModule(settings, image_size=(64, 64), augment=augment, seed=3)
        with caplog.at_level(logging.INFO):
            batches.append([list(module.train_dataloader()) for _ in range(2)])
    said = [line for line in caplog.messages if line.startswith("cutouts")]
    assert len(said) == 2  # once a data module, not once an epoch
    assert "of 4 objects, 4 have an outline that fits their box (a 4)" in said[0]
    for alone, helped in zip(*batches, strict=True):
        for one, two in zip(alone, helped, strict=True):
            assert torch.equal(one["image"], two["image"])
            assert torch.equal(one["target"], two["target"])
