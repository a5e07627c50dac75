"""One labelled image as the network takes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate

from locnet import target
from locnet.boxes import paired_iou
from locnet.data.augment import Augment
from locnet.data.dataset import LabelledImages
from locnet.data.records import Records
from locnet.data.resize import boxes_to_image
from locnet.data.samplers import Draw
from locnet.data.strings import Strings
from locnet.errors import DataError

CALM = Augment(
    flip=0, zoom_in=0, zoom_out=0, brightness=0, contrast=0, saturation=0, hue=0, grayscale=0, blur=0, erase=0
)
WILD = Augment(brightness=0, contrast=0, saturation=0, hue=0, blur=0, erase=0, grayscale=0)
FULL = [0.0, 0.0, 1.0, 1.0]

MakeRecords = Callable[..., Records]


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Row 0: a red object in a black 128 x 64 image; row 1: background, 32 x 96."""
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[16:48, 32:96] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "object.png")
    Image.new("RGB", (32, 96), "blue").save(tmp_path / "background.png")
    return Records(
        root=tmp_path,
        classes=("car", "dog", "person"),
        files=Strings(["object.png", "background.png"]),
        splits=np.array(["train", "train"]),
        labels=np.array([1, -1]),
        boxes=np.array([[0.25, 0.25, 0.75, 0.75], [np.nan] * 4]),
        sizes=np.array([[64, 128], [96, 32]]),
    )


def red_box(image: Tensor) -> Tensor:
    """Hull of the red pixels, xyxy in fractions of the image."""
    red = (image[0] > 127) & (image[2] < 100)
    rows, columns = red.any(1).nonzero().flatten(), red.any(0).nonzero().flatten()
    height, width = red.shape
    edges = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    return torch.stack([torch.as_tensor(edge) for edge in edges])


def test_what_a_sample_holds(records: Records) -> None:
    sample = LabelledImages(records, height=32, width=48, resize="squash")[Draw(0, None)]
    types = {name: (tuple(value.shape), value.dtype) for name, value in sample.items()}  # type: ignore[attr-defined]
    assert types == {
        "image": ((3, 32, 48), torch.uint8),
        "target": ((8,), torch.float32),
        "label": ((), torch.int64),
        "box_xyxy": ((4,), torch.float32),
        "placement": ((4,), torch.float32),
        "size": ((2,), torch.int64),
        "index": ((), torch.int64),
    }
    assert sample["label"] == 1
    assert sample["index"] == 0
    assert sample["size"].tolist() == [64, 128]
    assert sample["target"].tolist() == [1, 0.5, 0.5, 0.5, 0.5, 0, 1, 0]
    assert sample["placement"].tolist() == FULL
    assert red_box(sample["image"]).tolist() == sample["box_xyxy"].tolist() == [0.25, 0.25, 0.75, 0.75]


def test_letterbox_moves_the_target_and_says_where_the_image_lies(records: Records) -> None:
    sample = LabelledImages(records, height=64, width=64, resize="letterbox")[Draw(0, None)]
    assert sample["placement"].tolist() == [0, 0.25, 1, 0.75]
    in_input = target.split(sample["target"]).box
    assert in_input.tolist() == red_box(sample["image"]).tolist() == [0.25, 0.375, 0.75, 0.625]
    assert torch.equal(boxes_to_image(in_input, sample["placement"]), sample["box_xyxy"])


def test_background(records: Records) -> None:
    dataset = LabelledImages(records, height=64, width=64, resize="letterbox")
    sample = dataset[Draw(1, None)]
    assert sample["label"] == -1
    assert sample["target"].tolist() == [0.0] * 8
    assert sample["box_xyxy"].isnan().all()
    batch = default_collate([dataset[Draw(0, None)], sample])
    assert batch["image"].shape == (2, 3, 64, 64)
    assert batch["size"].tolist() == [[64, 128], [96, 32]]


def test_negative_augmentation_makes_background(records: Records) -> None:
    augment = Augment(negative=1, negative_area=0.05, erase=0)
    dataset = LabelledImages(records, height=32, width=32, resize="squash", augment=augment)
    sample = dataset[Draw(0, 5)]
    assert sample["label"] == -1
    assert sample["target"].tolist() == [0.0] * 8
    assert sample["image"].float().amax() < 200  # nothing red is left
    assert dataset[Draw(1, 5)]["label"] == -1
    assert dataset[Draw(0, None)]["label"] == 1  # as it is


def test_the_target_follows_the_augmentation(records: Records) -> None:
    dataset = LabelledImages(records, height=96, width=96, resize="letterbox", augment=WILD)
    overlaps, targets = [], set()
    for seed in range(30):
        sample = dataset[Draw(0, seed)]
        parts = target.split(sample["target"])
        assert parts.objectness == 1
        assert parts.classes.tolist() == [0, 1, 0]
        overlaps.append(float(paired_iou(parts.box[None], red_box(sample["image"])[None])))
        targets.add(tuple(parts.box.tolist()))
    assert min(overlaps) > 0.85
    assert len(targets) > 20


def test_the_seed_decides(records: Records) -> None:
    dataset = LabelledImages(records, height=32, width=32, resize="squash", augment=Augment())
    one, again, other = dataset[Draw(0, 1)], dataset[Draw(0, 1)], dataset[Draw(0, 2)]
    assert torch.equal(one["image"], again["image"])
    assert torch.equal(one["target"], again["target"])
    assert not torch.equal(one["image"], other["image"])


def test_without_change_augmentation_is_plain(records: Records) -> None:
    plain = LabelledImages(records, height=32, width=32, resize="squash")[Draw(0, None)]
    calm = LabelledImages(records, height=32, width=32, resize="squash", augment=CALM)[Draw(0, 9)]
    assert torch.equal(calm["target"], plain["target"])
    assert (calm["image"].float() - plain["image"].float()).abs().max() <= 2
    without = LabelledImages(records, height=32, width=32, resize="squash")[Draw(0, 9)]
    assert torch.equal(without["image"], plain["image"])


def test_row_numbers_are_draws_too(records: Records) -> None:
    """Lightning puts a SequentialSampler in for `trainer.overfit_batches`."""
    dataset = LabelledImages(records, height=32, width=32, resize="squash", augment=Augment())
    assert torch.equal(dataset[0]["image"], dataset[Draw(0, None)]["image"])


@pytest.mark.parametrize("orientation", [1, 6])
def test_size_is_that_of_the_upright_image_in_the_file(tmp_path: Path, records: Records, orientation: int) -> None:
    """Also where a large JPEG is decoded at an eighth of its size."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (640, 480)).save(tmp_path / "object.png", format="JPEG", exif=exif)
    sample = LabelledImages(records, height=32, width=32, resize="squash")[Draw(0, None)]
    assert sample["size"].tolist() == ([480, 640] if orientation == 1 else [640, 480])


def test_unreadable_image(records: Records) -> None:
    (records.root / "object.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"object\.png: is not an image"):
        LabelledImages(records, height=32, width=32, resize="squash")[Draw(0, None)]
