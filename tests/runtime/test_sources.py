"""Which files a user means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from locnet.errors import DataError
from locnet.runtime.sources import find_images, image_suffixes


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "my photos"
    for name in (
        "b.jpg",
        "a.PNG",
        "größe [1].webp",
        "notes.txt",
        "no-ending",
        ".hidden.jpg",
        ".thumbnails/c.jpg",
        "sub/deeper/c.tif",
        "sub/d.jpeg",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (folder / "folder.jpg").mkdir()
    return folder


def names(files: list[Path], root: Path) -> list[str]:
    return [str(file.relative_to(root)) for file in files]


def test_copies_of_an_earlier_call_are_left_out(photos: Path) -> None:
    found = ["a.PNG", "b.jpg", "größe [1].webp", "sub/d.jpeg"]
    assert names(find_images(str(photos), leave_out=photos / "sub" / "deeper"), photos) == found


def test_folder_with_its_subfolders(photos: Path) -> None:
    found = ["a.PNG", "b.jpg", "größe [1].webp", "sub/d.jpeg", "sub/deeper/c.tif"]
    assert names(find_images(str(photos)), photos) == found


def test_a_folder_inside_a_hidden_one_is_meant(photos: Path) -> None:
    assert names(find_images(str(photos / ".thumbnails")), photos) == [".thumbnails/c.jpg"]


@pytest.mark.parametrize("name", ["b.jpg", "notes.txt", "no-ending", ".hidden.jpg", "größe [1].webp"])
def test_a_file_of_any_name(photos: Path, name: str) -> None:
    assert find_images(str(photos / name)) == [photos / name]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jpg", ["b.jpg"]),  # a folder is no image, whatever its name
        ("*", ["a.PNG", "b.jpg", "größe [1].webp", "no-ending", "notes.txt"]),
        ("**/*.jp*g", ["b.jpg", "sub/d.jpeg"]),
        ("sub/*/[a-c].tif", ["sub/deeper/c.tif"]),
    ],
)
def test_patterns(photos: Path, pattern: str, found: list[str]) -> None:
    assert names(find_images(f"{photos}/{pattern}"), photos) == found


def test_relative_and_home(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    assert find_images("sub") == [Path("sub/d.jpeg"), Path("sub/deeper/c.tif")]
    assert find_images("*.jpg") == [Path("b.jpg")]
    monkeypatch.setenv("HOME", str(photos))
    assert find_images("~/b.jpg") == [photos / "b.jpg"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (lambda photos: f"{photos}/folder.jpg", "there is no image in this folder"),
        (lambda photos: f"{photos}/nosuch.jpg", "no such file or folder, and no file matches it as a pattern"),
        (lambda photos: f"{photos}/*.gif", "no such file or folder, and no file matches it as a pattern"),
    ],
    ids=["folder", "file", "pattern"],
)
def test_nothing_found(photos: Path, source: Callable[[Path], str], said: str) -> None:
    text = source(photos)
    with pytest.raises(DataError) as error:
        find_images(text)
    assert str(error.value).startswith(f"source={text}: {said}")


def test_endings() -> None:
    assert {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"} <= image_suffixes()
    assert not {".txt", ".csv", ".pdf", ""} & image_suffixes()
