"""COCO as it is found in the wild."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made import image, text, write_coco

from locnet.config.defaults import data_settings
from locnet.data.labels.assemble import Reading
from locnet.data.reading import read_data
from locnet.errors import DataError


def read(root: Path, **changes: Any) -> Reading:
    return read_data(
        data_settings("coco", root=str(root), **({"max_bad_fraction": 1.0, "duplicates": "off"} | changes))
    )


def change(root: Path, **lists: Any) -> None:
    """Replace entries of the file that `write_coco` makes."""
    write_coco(root)
    content = json.loads((root / "instances.json").read_text())
    for key, value in lists.items():
        content[key] = value(content[key]) if callable(value) else value
    text(root / "instances.json", json.dumps(content))


def test_crowds_do_not_count_and_unlabelled_images_say_nothing(tmp_path: Path) -> None:
    def crowd(annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [annotations[0] | {"iscrowd": 1}]

    change(tmp_path, annotations=crowd)
    reading = read(tmp_path, classes=["car"], without_object="background")
    assert reading.ignored == {"crowd": 1}
    assert reading.paths == {"without object, taken as background": 2}
    assert read(tmp_path, ignore_flags=[]).paths == {"one object": 1, "without object, skipped": 1}


@pytest.mark.parametrize(
    ("annotation", "kind", "words"),
    [
        ({"bbox": [1, 2, 3]}, "no_box", "bbox=[1, 2, 3] is no list of 4 numbers"),
        ({"bbox": None}, "no_box", "bbox=None"),
        ({"bbox": [1, 2, "3", 4]}, "not_a_number", "is no list of 4 numbers"),
        ({"bbox": [1, 2, float("nan"), 4]}, "not_a_number", "an edge that is not a number"),
        ({"bbox": [1, 2, 0, 4]}, "zero_area", "is empty"),
        ({"bbox": [1, 2, -3, 4]}, "swapped_edges", "is empty or its edges are swapped"),
        ({"bbox": [30, 2, 30, 4]}, "outside", "leaves the 37 x 23 image"),
        ({"category_id": 7}, "unknown_class", "category_id=7 is none of the categories"),
    ],
)
def test_annotations_that_cannot_be_right(tmp_path: Path, annotation: dict[str, Any], kind: str, words: str) -> None:
    change(tmp_path, annotations=lambda found: [found[0] | annotation, *found[1:]])
    [defect] = read(tmp_path).defects
    assert (defect.kind, defect.file, defect.line) == (kind, "images/whole_1.jpg", 10)
    assert defect.message.startswith(f"{tmp_path}/instances.json: annotation 10: ")
    assert words in defect.message


def test_annotations_of_no_image(tmp_path: Path) -> None:
    change(tmp_path, annotations=lambda found: [*found, found[0] | {"id": 99, "image_id": 7}])
    [defect] = read(tmp_path).defects
    assert defect.kind == "missing_image"
    assert "image_id=7: there is no such image in the file (1 annotations)" in defect.message


def test_a_file_for_each_split_by_name_or_folder(tmp_path: Path) -> None:
    write_coco(tmp_path)
    content = json.loads((tmp_path / "instances.json").read_text())
    (tmp_path / "instances.json").unlink()
    for split, place in (
        ("train2017", "annotations/instances_train2017.json"),
        ("valid", "valid/_annotations.coco.json"),
    ):
        image(tmp_path / split / "whole_1.jpg")
        text(
            tmp_path / place,
            json.dumps(content | {"images": content["images"][:1], "annotations": content["annotations"][:1]}),
        )
    (tmp_path / "annotations" / "captions_train2017.json").write_text('{"images": [], "annotations": []}')
    # instances_* are taken before all others; the other split has to be named
    assert read(tmp_path, split={"val": 0.0, "test": 0.0}).records.files.tolist() == ["train2017/whole_1.jpg"]
    files = {"train": "annotations/instances_train2017.json", "val": "valid/_annotations.coco.json"}
    records = read(tmp_path, annotations=files, split={"test": 0.0}).records
    assert dict(zip(records.files, records.splits.tolist(), strict=True)) == {
        "train2017/whole_1.jpg": "train",
        "valid/whole_1.jpg": "val",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "no COCO file; it must hold the lists images, annotations, categories"),
        ('{"images": [3], "annotations": [], "categories": []}', "3 stands where an object should"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: str, message: str) -> None:
    text(tmp_path / "a.json", content)
    with pytest.raises(DataError, match=message):
        read(tmp_path, annotations="a.json")
