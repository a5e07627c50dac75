"""Which files a user means."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import fsspec
import pytest

from locnet.errors import DataError
from locnet.sources import image_suffixes, open_source


def find_images(source: str, leave_out: Path | None = None) -> list[Path]:
    found = open_source(source, leave_out=[leave_out] if leave_out else [])
    names = list(found.names)
    assert found.count is None or found.count() == len(names)
    return [Path(name) for name in names]


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


def test_order_is_that_of_sorted_paths(tmp_path: Path) -> None:
    names = ["a/z.png", "a.png", "a b/1.png", "a-/1.png", "b/a/1.png", "b/a.png", "B.png", "é.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_images(str(tmp_path)) == sorted(tmp_path / name for name in names)
    assert find_images(f"{tmp_path}/**/*.png") == sorted(tmp_path / name for name in names)


def test_a_folder_is_listed_as_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second folder is not even opened before the first is used up."""
    for name in ("a/1.png", "a/2.png", "b/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    opened: list[str] = []
    scandir = os.scandir

    def noting(folder: str) -> Any:
        opened.append(Path(folder).name)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", noting)
    names = open_source(str(tmp_path)).names
    assert [Path(next(names)).name for _ in range(2)] == ["1.png", "2.png"]
    assert opened[1:] == ["a"]
    assert [Path(name).name for name in names] == ["3.png"]
    assert opened[1:] == ["a", "b"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "real" / "in").mkdir(parents=True)
    (tmp_path / "real" / "in" / "a.png").touch()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "in" / "back").symlink_to(tmp_path / "real")
    (tmp_path / "photos" / "nowhere.png").symlink_to(tmp_path / "gone.png")
    assert find_images(str(tmp_path / "photos")) == [tmp_path / "photos" / "link" / "in" / "a.png"]


@pytest.mark.parametrize("source", ["-", "@list.txt"])
def test_lists(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path a line, read as it comes, not asked whether it exists; whoever reads it finds out."""
    content = b"a.png\r\n\nsub/b c.jpg\ns3://bucket/d.png\na.png\ncaf\xe9.png"
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_bytes(content)
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(content)))
    found = open_source(source)
    assert list(found.names) == ["a.png", "sub/b c.jpg", "s3://bucket/d.png", "a.png", "caf\udce9.png"]
    assert found.can_repeat


@pytest.mark.parametrize(
    ("source", "said"),
    [("@no.txt", "the list cannot be read (No such file or directory)"), ("@empty.txt", "the list names no file")],
)
def test_lists_without_files(source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.txt").write_text("\n \n")
    with pytest.raises(DataError) as error:
        open_source(source)
    assert str(error.value).startswith(f"source={source}: {said}")


def test_a_list_behind_a_url() -> None:
    fsspec.filesystem("memory").pipe("/lists/list.txt", b"a.png\r\n\nmemory://lists/b.png")
    found = open_source("@memory://lists/list.txt")
    assert list(found.names) == ["a.png", "memory://lists/b.png"]
    with pytest.raises(DataError, match=r"^source=@memory://lists/no: memory://lists/no: there is no such file"):
        open_source("@memory://lists/no")


@pytest.mark.parametrize(
    ("source", "file", "place"),
    [
        ("photos", "photos/sub/a.jpg", "sub/a.jpg"),
        ("photos/*/*.jpg", "photos/sub/a.jpg", "sub/a.jpg"),
        ("photos/sub/a.jpg", "photos/sub/a.jpg", "a.jpg"),
        (".", "photos/sub/a.jpg", "photos/sub/a.jpg"),
        ("@list.txt", "/etc/../photos/./a.jpg", "etc/photos/a.jpg"),  # never outside the folder of copies
        ("@list.txt", "s3://bucket/../a.jpg", "bucket/a.jpg"),
    ],
)
def test_where_copies_go(source: str, file: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos/sub").mkdir(parents=True)
    Path("photos/sub/a.jpg").touch()
    Path("list.txt").write_text("x\n")
    assert open_source(source).relative(file) == place


def test_urls(tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    for name in ("b.png", "a.PNG", "sub/c.jpg", ".hidden/d.jpg", "notes.txt"):
        system.pipe(f"/urls/{name}", b"x")
    system.pipe("/urls/other/[e].png", b"x")
    assert list(open_source("memory://urls/other/[e].png").names) == ["memory:///urls/other/[e].png"]
    system.rm("/urls/other", recursive=True)
    found = open_source("memory://urls")
    assert list(found.names) == ["memory:///urls/a.PNG", "memory:///urls/b.png", "memory:///urls/sub/c.jpg"]
    assert found.count is not None
    assert found.count() == 3
    assert list(open_source("memory://urls/*.png").names) == ["memory:///urls/b.png"]
    assert list(open_source("memory://urls/notes.txt").names) == ["memory:///urls/notes.txt"]
    assert found.relative("memory:///urls/sub/c.jpg") == "sub/c.jpg"
    (tmp_path / "e.png").touch()
    assert list(open_source(f"file://{tmp_path}").names) == [str(tmp_path / "e.png")]
    for source, said in (("memory://nowhere", "there is no image behind this URL"), ("nope://x", "cannot be listed")):
        with pytest.raises(DataError, match=f"^source={source}: {said}"):
            open_source(source)


def test_endings() -> None:
    assert {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"} <= image_suffixes()
    assert not {".txt", ".csv", ".pdf", ""} & image_suffixes()
