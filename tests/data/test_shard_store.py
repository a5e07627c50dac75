"""Copies of tars behind a URL: tried again, checked, shared, and removed when they take too much."""

from __future__ import annotations

import os
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest

from locnet.data.images import ImageError
from locnet.data.shards.index import Shard
from locnet.data.shards.store import Remote, ShardStore

URL = "far://away/photos"
CONTENT = {f"train-{number:06}.tar": bytes([number]) * (1000 + number) for number in range(6)}
SHARDS = tuple(Shard(name, len(content), zlib.crc32(content)) for name, content in CONTENT.items())


class Far:
    """A file system of fsspec that fails as often as it is told to."""

    def __init__(self) -> None:
        self.errors: list[Any] = []
        self.asked: list[str] = []

    def cat_file(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        self.asked.append(path.rpartition("/")[2])
        if self.errors:
            answer = self.errors.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return bytes(answer)
        return CONTENT[path.rpartition("/")[2]][start:end]


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Far:
    system = Far()
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda url, **_: (system, url))
    return system


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


def store(folder: Path, keep: int = 10**9, retries: int = 3) -> ShardStore:
    return ShardStore(URL, SHARDS, folder, keep, retries)


def test_it_is_fetched_once(far: Far, tmp_path: Path) -> None:
    first, second = store(tmp_path), pickle.loads(pickle.dumps(store(tmp_path)))
    assert first.read(2, 10, 5) == bytes([2]) * 5
    assert second.read(2, 0, 1002) == CONTENT["train-000002.tar"]
    assert far.asked == ["train-000002.tar"]


def test_failures_are_tried_again_with_longer_and_longer_waits(far: Far, waits: list[float], tmp_path: Path) -> None:
    far.errors = [ConnectionResetError("reset"), TimeoutError(), b"short"]
    assert store(tmp_path).read(1, 0, 3) == b"\1\1\1"
    assert waits == [0.25, 0.5, 1.0]
    assert not far.errors


def test_in_the_end_it_is_one_line(far: Far, waits: list[float], tmp_path: Path) -> None:
    far.errors = [ConnectionResetError("reset\nby peer")] * 9
    with pytest.raises(ImageError) as error:
        store(tmp_path).read(1, 0, 3)
    problem = "cannot be read after 4 tries (reset by peer); check the network, or raise data.retries"
    assert str(error.value) == f"{URL}/train-000001.tar: {problem}"
    assert len(waits) == 3
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_what_a_killed_process_left_is_cleared_away(far: Far, tmp_path: Path) -> None:
    path = store(tmp_path).fetch(0)
    path.unlink()
    leftover = path.with_name(f".{path.name}.1234.tmp")
    leftover.write_bytes(b"half")
    store(tmp_path).fetch(0)
    assert path.exists()
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (FileNotFoundError("x"), "train-000000.tar: there is no such file"),
        (PermissionError("Forbidden"), r"train-000000.tar: access is denied \(Forbidden\)"),
        (ImportError("Install s3fs"), r"Install s3fs \(for s3:// pip install 'locnet\[s3\]'\)"),
    ],
)
def test_what_no_further_try_helps(far: Far, waits: list[float], tmp_path: Path, failure: Exception, said: str) -> None:
    far.errors = [failure]
    with pytest.raises(ImageError, match=said):
        store(tmp_path).read(0, 0, 3)
    assert not waits


def test_other_content_than_was_packed(far: Far, tmp_path: Path) -> None:
    far.errors = [b"x" * 1000]
    with pytest.raises(ImageError, match=r"is not what was packed \(checksum\)"):
        store(tmp_path).read(0, 0, 3)
    assert store(tmp_path).read(0, 0, 3) == b"\0\0\0"


def test_the_longest_unused_copies_make_room(far: Far, tmp_path: Path) -> None:
    few = store(tmp_path, keep=3100)
    for shard in range(3):
        os.utime(few.fetch(shard), (shard, shard))
    few.fetch(3)
    assert sorted(path.name[9:] for path in tmp_path.rglob("*.tar")) == [SHARDS[n].name for n in (1, 2, 3)]
    few.read(1, 0, 1)  # opened: of use just now
    few.fetch(4)
    assert sorted(path.name[9:] for path in tmp_path.rglob("*.tar")) == [SHARDS[n].name for n in (1, 3, 4)]


def test_a_copy_that_is_removed_is_still_read(far: Far, tmp_path: Path) -> None:
    one = store(tmp_path)
    one.read(0, 0, 1)
    for path in tmp_path.rglob("*.tar"):
        path.unlink()
    assert one.read(0, 500, 2) == b"\0\0"
    assert far.asked == ["train-000000.tar"]


def test_fetching_ahead(far: Far, tmp_path: Path) -> None:
    ahead = store(tmp_path)
    ahead._fetch_all([3, 1])
    assert far.asked == ["train-000003.tar", "train-000001.tar"]
    far.errors = [PermissionError()]
    ahead._fetch_all([4])  # said when it is needed, not here
    assert len(list(tmp_path.rglob("*.tar"))) == 2


def test_whole_files_and_parts(far: Far) -> None:
    remote = Remote(URL, 0)
    assert remote.read("train-000005.tar") == CONTENT["train-000005.tar"]
    assert remote.read("train-000005.tar", 3, 7) == b"\5" * 4
    far.errors = [OSError("gone")]
    with pytest.raises(ImageError, match="after 1 try"):
        remote.read("train-000005.tar")


def test_a_folder_is_read_in_place(tmp_path: Path) -> None:
    (tmp_path / SHARDS[1].name).write_bytes(CONTENT[SHARDS[1].name])
    for root in (str(tmp_path), f"file://{tmp_path}"):
        local = ShardStore(root, SHARDS, tmp_path / "copies", 0, 0)
        assert local.read(1, 0, 2) == b"\1\1"
    assert not (tmp_path / "copies").exists()
