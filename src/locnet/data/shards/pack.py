"""Packs labelled images into tars that WebDataset, tar and locnet read: `KEY.jpg` and its label, `KEY.json`."""

from __future__ import annotations

import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from locnet.data.progress import with_progress
from locnet.data.records import SPLITS, Records
from locnet.data.shards.index import INDEX, Positions, Shard, ShardIndex
from locnet.errors import DataError

_HEADER = 512  # bytes before a member's content in a plain (USTAR) tar


def pack(records: Records, output: Path, *, shard_bytes: int, seed: int = 0) -> ShardIndex:
    """Write the image files as they are, and their labels.

    Training images are shuffled, so that neighbours in a shard have nothing to do with each other. The same
    records and seed give the same bytes. The index comes last: without it the folder counts as unfinished.

    Args:
        records: of the images.
        output: an empty folder; made if missing.
        shard_bytes: a tar is closed when it holds so much.
        seed: of the order of the training images.

    Returns:
        The index that was written.

    Raises:
        DataError: an image cannot be read, or the folder holds something.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        if any(output.iterdir()):
            raise DataError(f"output={output} is not empty; choose another folder")
        rows = np.concatenate([_order(records, split, seed) for split in SPLITS])
        shards: list[Shard] = []
        places: list[tuple[int, int, int]] = []
        title = f"packing {len(rows)} images into {output}"
        for place, closed in with_progress(_written(records, rows, output, shard_bytes), len(rows), title):
            places.append(place)
            shards += closed
        index = ShardIndex(records.take(rows), _positions(places), tuple(shards))
        unfinished = output / f".{INDEX}.tmp"
        index.write(unfinished)
        unfinished.replace(output / INDEX)
    except OSError as error:
        raise DataError(f"output={output}: cannot be written ({error.strerror or error})") from error
    return index


def _order(records: Records, split: str, seed: int) -> NDArray[np.int64]:
    rows = np.flatnonzero(records.splits == split)
    return np.random.default_rng(seed).permutation(rows) if split == "train" else rows


def _positions(places: list[tuple[int, int, int]]) -> Positions:
    table = np.array(places, dtype=np.int64).reshape(-1, 3)
    return Positions(table[:, 0].astype(np.int32), table[:, 1], table[:, 2])


def _written(
    records: Records, rows: NDArray[np.int64], output: Path, shard_bytes: int
) -> Iterator[tuple[tuple[int, int, int], list[Shard]]]:
    """Shard, offset and length of each image once it is written, and the shards that were closed with it."""
    tar: _Tar | None = None
    count, split = 0, ""
    numbers = dict.fromkeys(SPLITS, 0)
    for place, row in enumerate(rows.tolist()):
        split = str(records.splits[row])
        if tar is None:
            tar = _Tar(output / f"{split}-{numbers[split]:06}.tar")
            numbers[split] += 1
        offset, length = tar.add(f"{place:09}", records, row)
        last = place + 1 == len(rows) or str(records.splits[rows[place + 1]]) != split
        closed = [tar.close()] if last or tar.size >= shard_bytes else []
        yield (count, offset, length), closed
        if closed:
            tar, count = None, count + 1


class _Tar:
    """One tar that is being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._counted = _Counted(self._file)
        file = cast("IO[bytes]", self._counted)
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._tar.offset

    def add(self, key: str, records: Records, row: int) -> tuple[int, int]:
        """Append an image and its label; returns offset and length of the image."""
        path = records.path(row)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error
        offset = self._tar.offset + _HEADER
        self._member(f"{key}{path.suffix.lower() or '.img'}", content)
        self._member(f"{key}.json", json.dumps(label(records, row)).encode())
        return offset, len(content)

    def _member(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        self._tar.addfile(info, io.BytesIO(content))

    def close(self) -> Shard:
        self._tar.close()
        self._file.close()
        return Shard(self._path.name, self._path.stat().st_size, self._counted.crc)


class _Counted:
    """Passes bytes on and keeps their checksum."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.crc = file, 0

    def write(self, content: bytes) -> int:
        self.crc = zlib.crc32(content, self.crc)
        return self._file.write(content)

    def tell(self) -> int:
        return self._file.tell()


def label(records: Records, row: int) -> dict[str, Any]:
    """What a tar says of an image, for readers other than locnet."""
    number = int(records.labels[row])
    height, width = records.sizes[row].tolist()
    return {
        "file": records.files[row],
        "class": records.classes[number] if number >= 0 else "background",
        "box_xyxy": records.boxes[row].tolist() if number >= 0 else None,  # fractions of the upright image
        "height": height,
        "width": width,
    }
