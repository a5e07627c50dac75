"""Pascal VOC as it is found in the wild."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made import BOXES, image, text, voc_xml, write_voc

from locnet.config.defaults import data_settings
from locnet.data.labels.assemble import Reading
from locnet.data.reading import read_data

BOMB = (
    '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "'
    + "&lol;" * 10
    + '"><!ENTITY lol3 "'
    + "&lol2;" * 10
    + '">]><annotation>&lol3;</annotation>'
)
READS_FILES = (
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><object><name>&x;</name></object></annotation>'
)


def read(root: Path, **changes: Any) -> Reading:
    return read_data(data_settings("voc", root=str(root), **({"max_bad_fraction": 1.0, "duplicates": "off"} | changes)))


def kinds(reading: Reading) -> dict[str, str]:
    return {defect.file: defect.kind for defect in reading.defects}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (BOMB, "declares XML entities"),
        (READS_FILES, "declares XML entities"),
        ("<annotation><object>", "not well-formed XML (line 1: no element found)"),
        ("", "not well-formed XML"),
        ("<svg/>", "<svg> where <annotation> should be"),
        ("<annotation>" + "<a>" * 100 + "</a>" * 100 + "</annotation>", "more than 64 elements inside each other"),
        ("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer, not the labels"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: str, words: str) -> None:
    write_voc(tmp_path)
    (tmp_path / "Annotations" / "whole_1.xml").write_text(content)
    reading = read(tmp_path)
    assert kinds(reading) == {"JPEGImages/whole_1.jpg": "unreadable_labels"}
    assert words in reading.defects[0].message
    assert reading.records.files.tolist() == ["JPEGImages/pixel_2.jpg"]
    assert (reading.bad, reading.total) == (1, 2)


def test_other_encodings(tmp_path: Path) -> None:
    write_voc(tmp_path)
    content = '<?xml version="1.0" encoding="ISO-8859-1"?>' + voc_xml("whole_1.jpg", BOXES["whole_1"], "café")
    (tmp_path / "Annotations" / "whole_1.xml").write_bytes(content.encode("latin-1"))
    assert read(tmp_path).records.classes == ("café", "car")


def test_xml_beside_the_images_and_folders_for_splits(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        image(tmp_path / split / "a.jpg")
        text(tmp_path / split / "a.xml", voc_xml("a.jpg", BOXES["pixel_2"]))
    records = read(tmp_path).records
    assert dict(zip(records.files, records.splits.tolist(), strict=True)) == {
        "test/a.jpg": "test",
        "train/a.jpg": "train",
        "valid/a.jpg": "val",
    }


def test_image_sets_give_the_splits(tmp_path: Path) -> None:
    write_voc(tmp_path)
    image(tmp_path / "JPEGImages" / "third.jpg")
    text(tmp_path / "Annotations" / "third.xml", voc_xml("third.jpg", BOXES["pixel_2"]))
    text(tmp_path / "ImageSets" / "Main" / "train.txt", "whole_1\n")
    text(tmp_path / "ImageSets" / "Main" / "val.txt", "pixel_2 1\n")
    text(tmp_path / "ImageSets" / "Main" / "trainval.txt", "whole_1\npixel_2\n")
    reading = read(tmp_path, split={"test": 0.0})
    assert reading.records.counts()["train"]["car"] == reading.records.counts()["val"]["car"] == 1
    assert any("1 XML files are in no list" in note for note in reading.notes)


def test_names_that_annotation_tools_write(tmp_path: Path) -> None:
    """A path of another machine, a name without ending, the name of an image that was renamed since."""
    for file, stated in (("a", r"C:\photos\a.jpg"), ("b", "b"), ("c", "old name.jpg")):
        image(tmp_path / "images" / f"{file}.jpg")
        text(tmp_path / "annotations" / f"{file}.xml", voc_xml(stated, BOXES["pixel_2"]))
    assert read(tmp_path).records.files.tolist() == ["images/a.jpg", "images/b.jpg", "images/c.jpg"]


def test_two_images_of_one_name_and_two_files_for_one_image(tmp_path: Path) -> None:
    write_voc(tmp_path)
    image(tmp_path / "JPEGImages" / "whole_1.jpeg")
    text(tmp_path / "Annotations" / "whole_1.xml", voc_xml("whole_1", BOXES["whole_1"]))
    text(tmp_path / "Annotations" / "other.xml", voc_xml("pixel_2.jpg", BOXES["whole_1"]))
    image(tmp_path / "JPEGImages" / "good.jpg")
    text(tmp_path / "Annotations" / "good.xml", voc_xml("good.jpg", BOXES["whole_1"]))
    reading = read(tmp_path)
    assert kinds(reading) == {
        "JPEGImages/whole_1.jpg": "ambiguous_image",
        "JPEGImages/whole_1.jpeg": "ambiguous_image",
        "JPEGImages/pixel_2.jpg": "ambiguous_image",
    }
    assert reading.records.files.tolist() == ["JPEGImages/good.jpg"]


def test_no_objects_are_background_and_flags_are_read(tmp_path: Path) -> None:
    write_voc(tmp_path)
    text(tmp_path / "Annotations" / "whole_1.xml", "<annotation><filename>whole_1.jpg</filename></annotation>")
    hard = voc_xml("pixel_2.jpg", BOXES["pixel_2"]).replace("<difficult>0", "<difficult>1")
    text(tmp_path / "Annotations" / "pixel_2.xml", hard)
    image(tmp_path / "JPEGImages" / "unlabelled.jpg")
    reading = read(tmp_path)
    assert reading.paths == {"one object": 1, "background": 1, "without object, skipped": 1}
    assert read(tmp_path, ignore_flags=["difficult"], classes=["car"]).ignored == {"difficult": 1}


def test_lines_of_objects(tmp_path: Path) -> None:
    write_voc(tmp_path)
    lines = voc_xml("whole_1.jpg", (0, 0, 99, 23)).replace("<object>", "\n\n<object>")
    text(tmp_path / "Annotations" / "whole_1.xml", lines)
    [defect] = read(tmp_path).defects
    assert (defect.kind, defect.line) == ("outside", 3)
    assert defect.message.startswith(f"{tmp_path}/Annotations/whole_1.xml:3: the box (1, 1, 99, 23) leaves the 37 x 23")
