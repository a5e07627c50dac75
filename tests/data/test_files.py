"""Finding image files: folders are listed, links are followed once, and names are matched without guessing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from locnet.data.files import ImageIndex, exist, stem_of, walk
from locnet.data.strings import Strings


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_which_files_are_there(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "sub/b.jpg", "sub/deep/c.jpg")
    names = ["a.jpg", "b.jpg", "sub/b.jpg", "sub/deep/c.jpg", "sub/B.jpg", "nowhere/a.jpg", "a\0.jpg", "", "sub"]
    found = exist(tmp_path, Strings(names)).tolist()
    assert found[:4] == [True, False, True, True]
    assert found[4:8] == [False] * 4
    assert exist(tmp_path, Strings()).tolist() == []


def test_which_of_the_odd_names_are_there(tmp_path: Path) -> None:
    odd = ["häßlich/日本.jpg", "a b/c:d\nstrange.jpg", "sub.d/.hidden", os.fsdecode(b"old\xff/\xfe.jpg")]
    try:
        touch(tmp_path, *odd)
    except OSError:
        pytest.skip("this file system has no such names")
    names = [name for one in odd for name in (one, one + "x", "x" + one, one.replace("/", "//"), one + "/")]
    assert exist(tmp_path, Strings(names)).tolist() == [True, False, False, True, False] * len(odd)


def test_walking_survives_loops_of_links(tmp_path: Path) -> None:
    touch(tmp_path, "photos/a.jpg", "photos/b.PNG", "photos/notes.txt", ".hidden/c.jpg", "photos/.d.jpg")
    (tmp_path / "photos" / "again").symlink_to(tmp_path / "photos")
    (tmp_path / "up").symlink_to("..")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "photos")
    found = walk(tmp_path, "photos")
    assert found == ["photos/a.jpg", "photos/b.PNG"]
    assert len([file for file in walk(tmp_path) if file.endswith("a.jpg")]) >= 1


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path / "store", "a.jpg")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images").symlink_to(tmp_path / "store")
    assert walk(tmp_path / "data") == ["images/a.jpg"]


def test_a_folder_keeps_its_name_whatever_links_lead_to_it(tmp_path: Path) -> None:
    touch(tmp_path, "m/car/a.jpg")
    for link in ("a", "z"):
        (tmp_path / link).symlink_to(tmp_path / "m")
    (tmp_path / "m" / "zz").symlink_to(tmp_path / "m" / "car")
    assert walk(tmp_path) == ["m/car/a.jpg"]


def test_of_two_links_the_first_by_name_counts(tmp_path: Path) -> None:
    touch(tmp_path / "store", "a.jpg")
    (tmp_path / "data").mkdir()
    for link in ("c", "b", "d"):
        (tmp_path / "data" / link).symlink_to(tmp_path / "store")
    assert walk(tmp_path / "data") == ["b/a.jpg"]


def test_an_image_is_found_near_its_label(tmp_path: Path) -> None:
    touch(tmp_path, "train/images/a.jpg", "val/images/a.jpg", "val/images/b.jpg", "val/images/b.png", "c.tar.jpg")
    index = ImageIndex(tmp_path)
    assert index.find("a", "train/labels/a.txt") == ["train/images/a.jpg"]
    assert index.find("a.jpg", "val/labels/a.txt") == ["val/images/a.jpg"]
    assert len(index.find("a", "labels/a.txt")) == 2
    assert index.find("b.png", "val/labels/b.xml") == ["val/images/b.png"]
    assert len(index.find("b", "val/labels/b.xml")) == 2
    assert index.find("c.tar", "c.tar.txt") == ["c.tar.jpg"]
    assert index.find("nothing", "x.txt") == []
    assert stem_of("a/b.c/d.e.f") == "d.e"


def test_strings_are_what_was_put_in() -> None:
    names = ["a", "", "häß\u2028lich", "日本", "lone \udcff surrogate", "x" * 500]
    strings = Strings(names)
    assert strings.tolist() == list(strings) == names
    assert [strings[i] for i in range(len(names))] == names
    assert strings[2:4].tolist() == names[2:4]
    assert strings == Strings(names)
    assert strings != Strings(names[1:])
    assert Strings(["ab", "c"]).tobytes() != Strings(["a", "bc"]).tobytes()
    assert strings[1:].tobytes() == Strings(names[1:]).tobytes()
    assert Strings().tolist() == []
    import pickle

    assert pickle.loads(pickle.dumps(strings)) == strings
