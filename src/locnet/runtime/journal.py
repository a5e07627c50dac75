"""`predictions.jsonl`: what is answered, a line each; the one file that a killed run goes on from.

A file is answered when its line, newline included, is in the journal. Lines are only ever added, by one process at a
time, and a file that has one is not asked about again; so every file has one line at most, whoever was killed when.
Everything else that predict writes is made from the journal, or made again before its line is.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from locnet.errors import ConfigError

_SYNC_SECONDS = 5.0  # what a power cut may cost; a killed process costs nothing that it has written


class Journal:
    """Rows on their way to the disk, and which files have one.

    Attributes:
        path: of the file.
        count: rows in it.
        has_frames: there are frames of videos among them.
    """

    def __init__(self, path: Path) -> None:
        """Open the journal, a new one or one that goes on; a torn line at its end is cut off.

        Raises:
            ConfigError: another process is writing it.
        """
        self.path, self.count, self.has_frames = path, 0, False
        self._seen: set[bytes] = set()
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(f"{path.parent}: another process writes there; wait, or choose another") from error
        end = self._read() if path.exists() else 0
        self._file = path.open("ab")
        self._file.truncate(end)
        self._synced = time.monotonic()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sync()
        self._file.close()
        self._lock.release()

    def has(self, file: str, frame: int | None = None) -> bool:
        """Whether a file, or a frame of a video, is answered."""
        return _key(file, frame) in self._seen

    def note(self, file: str) -> None:
        """Let a file count as answered without a row, because it is about to be."""
        self._seen.add(_key(file, None))

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Append rows; the system has them when this returns, the disk a few seconds later."""
        # json escapes what is not ASCII's: names that are not UTF-8 hold lone surrogates, escaped they are right JSON
        self._file.write(b"".join(_line(row) for row in rows))
        self._file.flush()
        self.count += len(rows)
        self.has_frames |= any("frame" in row for row in rows)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Have the disk hold all rows."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _read(self) -> int:
        """Learn what is answered; where the last whole line ends, in bytes."""
        end = 0
        with self.path.open("rb") as file:
            for line in file:
                row = _row(line)
                if row is None:
                    break
                self._seen.add(_key(row["file"], row.get("frame")))
                self.count += 1
                self.has_frames |= "frame" in row
                end += len(line)
        return end


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a journal, one after the other."""
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _row(line: bytes) -> dict[str, Any] | None:
    """The row of a line; None where it is torn, or what a power cut leaves."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("file"), str) else None


def _key(file: str, frame: int | None) -> bytes:
    """A digest of 12 bytes: a million of them take 80 MB, and two files that share one are not to be expected."""
    name = file if frame is None else f"{file}\0{frame}"
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).digest()
