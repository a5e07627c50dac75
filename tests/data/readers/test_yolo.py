"""YOLO as it is found in the wild."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import image, text, write_yolo

from locnet.config.defaults import data_settings
from locnet.data.labels.assemble import Reading
from locnet.data.reading import read_data
from locnet.errors import DataError


def read(root: Path, **changes: Any) -> Reading:
    return read_data(
        data_settings("yolo", root=str(root), **({"max_bad_fraction": 1.0, "duplicates": "off"} | changes))
    )


@pytest.mark.parametrize("names", ["[car, dog]", "{0: car, 1: dog}", "{'1': dog, '0': car}", "\n- car\n- dog"])
def test_names_as_list_or_mapping(tmp_path: Path, names: str) -> None:
    write_yolo(tmp_path)
    text(tmp_path / "data.yaml", f"names: {names}\n")
    text(tmp_path / "labels" / "pixel_2.txt", "1 0.5 0.5 0.1 0.1\n")
    assert read(tmp_path).records.classes == ("car", "dog")


@pytest.mark.parametrize(
    "paths",
    [
        "train: train/images\nval: valid/images",
        "train: ../train/images\nval: ../valid/images",
        "path: /content/elsewhere\ntrain: /content/elsewhere/train/images\nval: /content/elsewhere/valid/images",
        "path: .\ntrain: [train/images]\nval: [valid/images]",
        "train: train.txt\nval: val.txt",
        "train: nowhere\nval: neither",
    ],
)
def test_paths_of_another_machine(tmp_path: Path, paths: str) -> None:
    for split in ("train", "valid"):
        image(tmp_path / split / "images" / f"{split}.jpg")
        text(tmp_path / split / "labels" / f"{split}.txt", "0 0.5 0.5 0.1 0.1\n")
    text(tmp_path / "train.txt", "/home/me/train/images/train.jpg\n")
    text(tmp_path / "val.txt", "./valid/images/valid.jpg\n")
    text(tmp_path / "data.yaml", f"{paths}\ntest: ../test/images\nnames: [car]\n")
    records = read(tmp_path, split={"test": 0.0}).records
    assert dict(zip(records.files, records.splits.tolist(), strict=True)) == {
        "train/images/train.jpg": "train",
        "valid/images/valid.jpg": "val",
    }


def test_empty_files_are_background_and_missing_ones_say_nothing(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    text(tmp_path / "labels" / "whole_1.txt", " \n")
    image(tmp_path / "images" / "unlabelled.jpg")
    reading = read(tmp_path)
    assert reading.paths == {"one object": 1, "background": 1, "without object, skipped": 1}


def test_a_polygon_becomes_its_box(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    text(tmp_path / "labels" / "whole_1.txt", "0 0.25 0.5 0.75 0.25 0.5 0.875\n")
    records = read(tmp_path).records
    row = records.files.tolist().index("images/whole_1.jpg")
    assert np.allclose(records.boxes[row], [0.25, 0.25, 0.75, 0.875])


@pytest.mark.parametrize(
    ("row", "kind", "words"),
    [
        ("0 0.5 0.5 0.1", "wrong_cells", "4 numbers where"),
        ("0 0.5 0.5 0.1 0.1 0.9", "wrong_cells", "6 numbers where"),
        ("0 0.5 x 0.1 0.1", "not_a_number", "x is not a number"),
        ("1 0.5 0.5 0.1 0.1", "unknown_class", "class=1: data.yaml names 1"),
        ("0.5 0.5 0.5 0.1 0.1", "unknown_class", "class=0.5"),
        ("-1 0.5 0.5 0.1 0.1", "unknown_class", "class=-1"),
        ("0 0.5 0.5 0.1 0", "zero_area", "is empty"),
        ("0 0.9 0.5 0.6 0.1", "outside", "they are fractions of the upright image, 0 to 1"),
        ("0 96 54 12 30", "outside", "they are fractions"),
    ],
)
def test_rows_that_cannot_be_right(tmp_path: Path, row: str, kind: str, words: str) -> None:
    write_yolo(tmp_path)
    text(tmp_path / "labels" / "whole_1.txt", f"\n{row}\n")
    [defect] = read(tmp_path).defects
    assert (defect.kind, defect.line, defect.file) == (kind, 2, "images/whole_1.jpg")
    assert defect.message.startswith(f"{tmp_path}/labels/whole_1.txt:2: ")
    assert words in defect.message


def test_labels_without_image_and_with_two(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    text(tmp_path / "labels" / "gone.txt", "0 0.5 0.5 0.1 0.1\n")
    image(tmp_path / "images" / "whole_1.jpeg")
    reading = read(tmp_path)
    assert {defect.file: defect.kind for defect in reading.defects} == {
        "labels/gone.txt": "missing_image",
        "images/whole_1.jpg": "ambiguous_image",
        "images/whole_1.jpeg": "ambiguous_image",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("names: 3", r"names is 3; it must be a list of class names"),
        ("names: [a, a]", r"two classes are called a; rename one"),
        ("a: [", r"not YAML"),
        ("- a\n- b", r"it must hold keys"),
        ("names: {x: car}", r"'x' is not a class number"),
    ],
)
def test_a_file_that_describes_nothing(tmp_path: Path, content: str, message: str) -> None:
    write_yolo(tmp_path)
    text(tmp_path / "data.yaml", content)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_without_data_yaml_classes_are_numbers(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    reading = read(tmp_path)
    assert reading.records.classes == ("0",)
    assert any("called by their numbers" in note for note in reading.notes)
