from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from locnet import target
from locnet.config.defaults import data_settings
from locnet.data.augment import Augment
from locnet.data.augment.mosaic import draw_tiles
from locnet.data.dataset import LabelledImages
from locnet.data.reading import read_data
from locnet.data.samplers import Draw, TrainSampler

PLAIN = {
    "flip": 0.0,
    "zoom_in": 0.0,
    "zoom_out": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "hue": 0.0,
    "grayscale": 0.0,
    "blur": 0.0,
    "erase": 0.0,
}


@given(seed=st.integers(0, 2**31), width=st.integers(16, 300), height=st.integers(16, 300))
def test_tiles_fill_the_input_exactly_once(seed: int, width: int, height: int) -> None:
    tiles = draw_tiles(Random(seed), width, height)
    covered = torch.zeros(height, width, dtype=torch.int64)
    for left, top, right, bottom in tiles:
        covered[top:bottom, left:right] += 1
    assert bool((covered == 1).all())
    assert len(tiles) in (1, 2, 4)
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in tiles]
    assert areas[0] >= 0.15 * width * height


def _images(folder: Path, manifest: Callable[..., Path], **augment: float) -> LabelledImages:
    records = read_data(data_settings("csv", root=str(manifest(folder / "photos", train=16)))).records.select("train")
    return LabelledImages(records, height=64, width=64, resize="squash", augment=Augment(**(PLAIN | augment)))


def test_the_box_still_frames_the_one_bright_rectangle(manifest: Callable[..., Path], tmp_path: Path) -> None:
    images = _images(tmp_path, manifest, mosaic=1.0)
    row = int((images.records.labels >= 0).argmax())
    for seed in range(20):
        sample = images[Draw(row, seed)]
        bright = (sample["image"].float().mean(0) > 115).nonzero().float()
        low, high = bright.amin(0), bright.amax(0) + 1
        found = torch.stack((low[1], low[0], high[1], high[0])) / 64
        box = target.split(sample["target"]).box
        torch.testing.assert_close(found, box, atol=2.5 / 64, rtol=0)


def test_background_stays_background(manifest: Callable[..., Path], tmp_path: Path) -> None:
    images = _images(tmp_path, manifest, mosaic=1.0)
    row = int((images.records.labels < 0).argmax())
    sample = images[Draw(row, 3)]
    assert float(sample["target"][0]) == 0
    assert float(sample["image"].float().amax()) < 100  # no tile shows an object


def test_plain_draws_and_sets_without_background_get_none(manifest: Callable[..., Path], tmp_path: Path) -> None:
    images = _images(tmp_path, manifest, mosaic=1.0)
    alone = _images(tmp_path / "off", manifest, mosaic=0.0)
    assert not torch.equal(images[Draw(0, 5)]["image"], alone[Draw(0, 5)]["image"])
    assert torch.equal(images[Draw(0, 5, plain=True)]["image"], alone[Draw(0, 5)]["image"])
    images.backgrounds = images.backgrounds[:0]
    assert torch.equal(images[Draw(0, 5)]["image"], alone[Draw(0, 5)]["image"])


@pytest.mark.parametrize(("epoch", "plain"), [(0, False), (6, False), (7, True), (9, True)])
def test_the_last_epochs_are_plain(epoch: int, plain: bool) -> None:
    sampler = TrainSampler(4, seed=0, plain_from=7)
    sampler.set_epoch(epoch)
    assert [draw.plain for draw in sampler] == [plain] * 4
