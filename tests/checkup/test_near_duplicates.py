"""Pictures that a split has more than once are listed; labels that contradict each other on them are a defect."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from locnet.checkup.examination import needs_a_look, with_twins
from locnet.checkup.near_duplicates import near_duplicates, pairs_in_splits
from locnet.config.defaults import data_settings
from locnet.data.duplicates import Twins, alike
from locnet.data.inspection import THUMBNAIL
from locnet.data.labels.assemble import Reading, assemble
from locnet.data.reading import look, read_labels

WIDTH, HEIGHT = 200, 150
BOX = (60, 50, 76, 66)
ELSEWHERE = (130, 90, 146, 106)
Add = Callable[..., None]


def scene(seed: int, box: tuple[int, int, int, int] | None = BOX) -> Image.Image:
    """A soft background of its own, and a small dark thing on it."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(rng.integers(30, 255, (6, 8, 3), dtype=np.uint8)).resize((WIDTH, HEIGHT))
    if box is not None:
        ImageDraw.Draw(picture).rectangle(box, fill=(20, 20, 40))
    return picture.filter(ImageFilter.GaussianBlur(1))


class Folder:
    """A manifest in the making."""

    def __init__(self, root: Path) -> None:
        self.root, self.rows = root, []  # type: tuple[Path, list[tuple[Any, ...]]]
        (root / "images").mkdir()

    def add(self, name: str, picture: Image.Image, label: str, box: Any = BOX, split: str = "train") -> None:
        """A picture and its row; the box in pixels of `WIDTH` x `HEIGHT`."""
        picture.save(self.root / "images" / name, quality=80)
        x, y = picture.width / WIDTH, picture.height / HEIGHT
        edges = ("",) * 4 if label == "background" else tuple(e * s for e, s in zip(box, (x, y, x, y), strict=True))
        self.rows.append((name, split, label, *edges))

    def examine(self) -> tuple[Reading, list[list[str]]]:
        """The reading and the names of the near-duplicates."""
        with (self.root / "annotations.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("filename", "split", "class", "xmin", "ymin", "xmax", "ymax"), *self.rows])
        settings = data_settings("csv", root=str(self.root), split={"val": 0.0, "test": 0.0})
        reading = assemble(read_labels(settings), settings, look=look(whole=True), look_at_all=True)  # type: ignore[arg-type]
        reading, groups = with_twins(reading, workers=1)
        return reading, [[reading.records.files[row].removeprefix("images/") for row in group] for group in groups]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """With two pictures that are like no other, one of each class."""
    made = Folder(tmp_path)
    made.add("one.png", scene(1), "car")
    made.add("two.png", scene(2), "dog")
    return made


def found(reading: Reading) -> list[tuple[str, str, str]]:
    return [(d.kind, d.file.removeprefix("images/"), d.value.removeprefix("images/")) for d in reading.defects]


def test_bursts_and_copies_are_listed_and_no_defect(folder: Folder) -> None:
    folder.add("again.jpg", scene(1).resize((160, 120)), "car")
    folder.add("copy.png", scene(1), "car")
    folder.add("brighter.png", scene(2).point(lambda value: min(255, value + 4)), "dog")
    reading, groups = folder.examine()
    assert groups == [["one.png", "again.jpg", "copy.png"], ["two.png", "brighter.png"]]
    assert found(reading) == [
        ("near_duplicate_in_split", "again.jpg", "one.png"),
        ("near_duplicate_in_split", "copy.png", "one.png"),
        ("near_duplicate_in_split", "brighter.png", "two.png"),
    ]
    assert not needs_a_look(reading)


def test_pictures_of_two_splits_are_no_group(folder: Folder) -> None:
    folder.add("copy.png", scene(1), "car", split="val")
    folder.add("again.jpg", scene(1), "car", split="val")
    reading, groups = folder.examine()
    assert groups == [["copy.png", "again.jpg"]]
    assert {kind for kind, _, _ in found(reading)} == {
        "duplicate_across_splits",
        "near_duplicate_across_splits",
        "near_duplicate_in_split",
    }


def test_the_same_picture_with_another_class_is_a_defect(folder: Folder) -> None:
    folder.add("again.jpg", scene(1).resize((160, 120)), "dog")
    folder.add("copy.png", scene(2), "background")
    reading, _ = folder.examine()
    assert found(reading)[:2] == [
        ("contradicting_labels", "again.jpg", "one.png"),
        ("contradicting_labels", "copy.png", "two.png"),
    ]
    first = reading.defects[0]
    assert first.message == (
        f"{folder.root}/annotations.csv:4: images/again.jpg is dog, images/one.png is car "
        f"({folder.root}/annotations.csv:2), and they are the same picture; correct one of the two"
    )
    assert first.line == 4
    assert needs_a_look(reading)


def test_the_same_picture_with_a_box_elsewhere_is_a_defect(folder: Folder) -> None:
    folder.add("near.jpg", scene(1), "car", box=(61, 51, 76, 66))
    folder.add("far.jpg", scene(1), "car", box=ELSEWHERE)
    reading, _ = folder.examine()
    contradicting = [defect for defect in reading.defects if defect.kind == "contradicting_labels"]
    assert [defect.file for defect in contradicting] == ["images/far.jpg"]
    assert "have an IoU of 0.00" in contradicting[0].message


def test_a_camera_that_stands_still_contradicts_nothing(folder: Folder) -> None:
    """The picture is the same on the whole, and the object is not where it was."""
    folder.add("moved.jpg", scene(1, ELSEWHERE), "car", box=ELSEWHERE)
    folder.add("gone.jpg", scene(1, None), "background")
    folder.add("dog.jpg", scene(1, (60, 50, 68, 66)), "dog", box=(60, 50, 68, 66))
    reading, groups = folder.examine()
    assert groups == [["one.png", "moved.jpg", "gone.jpg", "dog.jpg"]]
    assert not needs_a_look(reading)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda p: p[0] < p[1]), max_size=40))
def test_groups_are_what_hangs_together(pairs: list[tuple[int, int]]) -> None:
    groups = near_duplicates(np.array(sorted(set(pairs)), dtype=np.int64).reshape(-1, 2))
    expected: list[set[int]] = []
    for pair in pairs:
        touched = [group for group in expected if group & set(pair)]
        expected = [group for group in expected if group not in touched] + [set(pair).union(*touched)]
    assert sorted(sorted(group) for group in expected) == sorted(group.tolist() for group in groups)
    assert [len(group) for group in groups] == sorted((len(group) for group in expected), reverse=True)


def test_equal_files_of_a_split_are_pairs_even_without_a_feature() -> None:
    """Black frames look like no other, and are still the same file."""
    splits = np.array(["val", "train", "train", "val", "train"])
    twins = Twins([[0, 1, 2, 4]], np.array([[1, 4], [3, 4]]))
    assert pairs_in_splits(splits, twins).tolist() == [[1, 2], [1, 4]]


def test_featureless_and_absent_pictures_are_like_no_other() -> None:
    black = bytes(THUMBNAIL**2)
    assert alike([]).shape == (0, 2)
    assert alike([b"", black, black, b"", bytes(range(THUMBNAIL)) * THUMBNAIL]).shape == (0, 2)


def test_crowded_pictures_are_found_far_apart() -> None:
    """Thousands share half of their picture; the copies of a few are thousands of rows behind them."""
    rng = np.random.default_rng(0)
    grey = np.repeat(np.linspace(0, 240, THUMBNAIL)[None, :, None], 3000, axis=0) * np.ones(THUMBNAIL)
    grey[:, :9] += rng.normal(0, 30, (3000, 9, THUMBNAIL))
    pixels: NDArray[np.uint8] = np.concatenate((grey, grey[:20] + 2)).clip(0, 255).astype(np.uint8)
    pairs = alike([picture.tobytes() for picture in pixels])
    assert pairs.tolist() == [[row, row + 3000] for row in range(20)]
