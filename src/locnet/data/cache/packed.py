"""One file of decoded images: the pixels one after another, an index of them, and a trailer that finds it.

of image 0: pixels, fitted; of image 1 ...   (height, width, 3) and (3, height, width) uint8, RGB (see `Kept`)
index                                        one `INDEX` entry an image
trailer                                      where the index lies and its checksum; written last
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

from locnet.data.cache.keep import Kept

INDEX = np.dtype(
    [
        ("offset", "<i8"),
        ("height", "<i4"),  # of the pixels
        ("width", "<i4"),
        ("fitted_height", "<i4"),
        ("fitted_width", "<i4"),
        ("full_height", "<i4"),  # of the image in its file
        ("full_width", "<i4"),
        ("crc", "<u4"),  # of pixels and fitted image
    ]
)
_TRAILER = struct.Struct("<8sqqI")  # magic, number of images, offset of the index, checksum of the index
_MAGIC = b"locnet2\n"
_CHECKED_BYTES = 2**31  # of pixels that opening compares with their checksums; of more, an even sample

RESIDENT_BYTES = 2**25
"""About as much of the file counts as memory of each process that reads it."""


class TornError(Exception):
    """The file is not what was once written; the text says how one sees it."""


class PackedWriter:
    """Writes images one after another; `close` makes it a whole file."""

    def __init__(self, file: IO[bytes]) -> None:
        """Write to an open, empty file."""
        self._file = file
        self._entries: list[tuple[int, ...]] = []
        self._offset = 0

    def add(self, kept: Kept, full_height: int, full_width: int) -> None:
        """Append one image, and the size it has in its own file."""
        content = kept.pixels.tobytes() + kept.fitted.numpy().tobytes()
        self._file.write(content)
        sizes = (*kept.pixels.shape[:2], *kept.fitted.shape[1:], full_height, full_width)
        self._entries.append((self._offset, *sizes, zlib.crc32(content)))
        self._offset += len(content)

    def close(self) -> None:
        """Append index and trailer."""
        index = np.array(self._entries, dtype=INDEX).tobytes()
        self._file.write(index)
        self._file.write(_TRAILER.pack(_MAGIC, len(self._entries), self._offset, zlib.crc32(index)))


class PackedImages:
    """Reads such a file. Copies for worker processes share its pages in memory, whatever the start method."""

    def __init__(self, path: Path) -> None:
        """Map the file.

        Raises:
            TornError: it is cut short, or its index is damaged.
            FileNotFoundError: there is none.
        """
        self.path = path
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < _TRAILER.size:
                raise TornError(f"{size} bytes are too few")
            # torch wants memory that may be written to; nobody does, and what was written would stay in this process
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        magic, count, start, crc = _TRAILER.unpack(self._map[size - _TRAILER.size :])
        if magic != _MAGIC or count < 0 or start < 0 or start + count * INDEX.itemsize + _TRAILER.size != size:
            raise TornError("the end is missing")
        # a copy, small beside the pixels, so that nothing holds on to the map
        self._index = np.frombuffer(self._map, dtype=INDEX, count=count, offset=start).copy()
        if zlib.crc32(self._index.tobytes()) != crc:
            raise TornError("the index is damaged")
        self._touched = 0

    def __len__(self) -> int:
        return len(self._index)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]  # what pickle cannot carry is opened again

    def load(self, row: int) -> tuple[Kept, int, int]:
        """What is kept of an image, and height and width of the upright image in its own file.

        The pixels are views of the file, no copies; nobody may write to them.

        Now and then the pages that were touched leave this process's memory (not the system's page cache), so
        that the process does not seem to grow by every image that it has ever touched.
        """
        start, height, width, fitted_height, fitted_width, full_height, full_width, _ = self._index[row].item()
        first, second = height * width * 3, fitted_height * fitted_width * 3
        self._touched += first + second
        if self._touched > RESIDENT_BYTES:
            self._forget()
            self._touched = first + second
        view: NDArray[np.uint8] = np.frombuffer(self._map, dtype=np.uint8, count=first + second, offset=start)
        fitted = torch.from_numpy(view[first:].reshape(3, fitted_height, fitted_width))
        return Kept(view[:first].reshape(height, width, 3), fitted), full_height, full_width

    def check(self, count: int) -> None:
        """Compare pixels with their checksums: all of them in a small file, an even sample in a large one.

        Args:
            count: how many images there should be.

        Raises:
            TornError: some differ.
        """
        if len(self) != count:
            raise TornError(f"it holds {len(self)} images, not {count}")
        share = min(1.0, _CHECKED_BYTES / max(len(self._map), 1))
        for row in self._sample(share):
            kept, *_ = self.load(row)
            crc = zlib.crc32(kept.fitted.numpy().reshape(-1).data, zlib.crc32(kept.pixels.reshape(-1).data))
            if crc != int(self._index[row]["crc"]):
                raise TornError(f"image {row} is damaged")
        self._forget()

    def _sample(self, share: float) -> Iterable[int]:
        wanted = max(round(len(self) * share), min(len(self), 2))
        rows: list[int] = np.unique(np.linspace(0, len(self) - 1, wanted).round().astype(int)).tolist()
        return rows if len(self) else []

    def _forget(self) -> None:
        if hasattr(self._map, "madvise"):  # not on Windows
            self._map.madvise(mmap.MADV_DONTNEED)
