"""Reads parts of tars that lie in a folder or behind a URL. What comes over a network is kept on a local disk."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import fsspec
from filelock import FileLock

from locnet.data.images import ImageError
from locnet.data.shards.index import Shard

_BLOCK = 2**23  # bytes asked for at once: what a dropped connection costs
_MOST_OPEN = 16  # files
_LONGEST_WAIT = 30.0  # seconds between two tries


def is_url(root: str) -> bool:
    """Whether a root is something else than a path on this machine."""
    return "://" in root and not root.startswith("file://")


@dataclass
class Remote:
    """Files behind a URL, read in blocks, each of them tried several times.

    Attributes:
        url: of the folder.
        retries: further tries of a request that fails.
        key: of the configuration that named the URL, for messages.
    """

    url: str
    retries: int
    key: str = "data.root"

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """Some bytes of a file, or all of it.

        Raises:
            ImageError: it does not exist, is not for us to read, or every try has failed.
        """
        where = f"{self.url.rstrip('/')}/{name}"
        for attempt in range(self.retries + 1):
            try:
                # a new connection each time: the old one may be what is broken
                system, path = fsspec.core.url_to_fs(where, skip_instance_cache=attempt > 0)
                content: bytes = system.cat_file(path, start=start, end=end)
            except ImportError as error:
                raise ImageError(f"{self.key}={self.url}: {error} (for s3:// pip install 'locnet[s3]')") from error
            except FileNotFoundError as error:
                raise ImageError(f"{where}: there is no such file") from error
            except PermissionError as error:
                raise ImageError(f"{where}: access is denied ({_one_line(error)})") from error
            except Exception as error:  # every client library has errors of its own
                reason = _one_line(error)
            else:
                if end is None or len(content) == end - start:
                    return content
                reason = f"{len(content)} bytes came instead of {end - start}"
            if attempt < self.retries:
                time.sleep(min(0.25 * 2**attempt, _LONGEST_WAIT))
        tries = f"{self.retries + 1} tries" if self.retries else "1 try"
        more = ", or raise data.retries" if self.key == "data.root" else ""
        raise ImageError(f"{where}: cannot be read after {tries} ({reason}); check the network{more}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@dataclass
class ShardStore:
    """Gives bytes of shards. It travels to worker processes; each opens its own files.

    Attributes:
        root: folder or URL of the tars.
        shards: that may be asked for.
        local: folder for copies of tars behind a URL.
        keep_bytes: copies are removed, the longest unused first, when they take more than this.
        retries: further tries of a request that fails.
    """

    root: str
    shards: tuple[Shard, ...]
    local: Path
    keep_bytes: int
    retries: int
    _open: OrderedDict[int, IO[bytes]] = field(default_factory=OrderedDict, repr=False)
    _owner: int = field(default_factory=os.getpid, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict()}

    def read(self, shard: int, offset: int, length: int) -> bytes:
        """Bytes of a tar; fetches it first where it is not here yet.

        Raises:
            ImageError: it cannot be had, or is shorter than it should be.
        """
        file = self._file(shard)
        file.seek(offset)
        content = file.read(length)
        if len(content) < length:
            raise ImageError(f"{self.root}/{self.shards[shard].name}: is cut short; pack or copy it again")
        return content

    def fetch(self, shard: int) -> Path:
        """The local file of a shard; of several processes that want it one fetches it, the others wait."""
        tar = self.shards[shard]
        if not is_url(self.root):
            return Path(self.root.removeprefix("file://")).expanduser() / tar.name
        folder = self.local / f"shards-{hashlib.sha256(self.root.encode()).hexdigest()[:10]}"
        path = folder / f"{tar.crc:08x}-{tar.name}"  # another version of the same name is another file
        if not _is_whole(path, tar):
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f".{tar.name}.lock"):
                if not _is_whole(path, tar):
                    self._download(tar, path)
                    _make_room(folder, self.keep_bytes, spared=path)
        return path

    def fetch_ahead(self, shards: Sequence[int]) -> None:
        """Fetch shards in the background, in this order; what goes wrong is told when they are needed."""
        if is_url(self.root):
            threading.Thread(target=self._fetch_all, args=(tuple(shards),), daemon=True).start()

    def _fetch_all(self, shards: Sequence[int]) -> None:
        with suppress(ImageError, OSError):
            for shard in shards:
                self.fetch(shard)

    def _file(self, shard: int) -> IO[bytes]:
        if self._owner != os.getpid():  # forked: the files are the parent's, who may close them
            self._open, self._owner = OrderedDict(), os.getpid()
        if shard not in self._open:
            self._open[shard] = self._opened(shard)
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(shard)
        return self._open[shard]

    def _opened(self, shard: int) -> IO[bytes]:
        path = self.fetch(shard)
        try:
            try:
                file = path.open("rb", buffering=0)
            except FileNotFoundError:  # a copy that has just been removed to make room, perhaps
                file = self.fetch(shard).open("rb", buffering=0)
            if is_url(self.root):
                os.utime(path)  # it was of use just now
        except FileNotFoundError as error:
            raise ImageError(f"{path}: there is no such shard; pack or copy it again") from error
        except OSError as error:
            raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
        return file

    def _download(self, tar: Shard, path: Path) -> None:
        remote = Remote(self.root, self.retries)
        for leftover in path.parent.glob(f".{path.name}.*.tmp"):  # of killed processes: the lock says nobody is at it
            leftover.unlink(missing_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        crc = 0
        try:
            with unfinished.open("wb") as file:
                for start in range(0, tar.size, _BLOCK):
                    block = remote.read(tar.name, start, min(start + _BLOCK, tar.size))
                    crc = zlib.crc32(block, crc)
                    file.write(block)
            if crc != tar.crc:
                raise ImageError(f"{self.root}/{tar.name}: is not what was packed (checksum); pack or copy it again")
            unfinished.replace(path)
        except OSError as error:
            raise ImageError(f"{path.parent}: cannot keep shards there ({error.strerror or error})") from error
        finally:
            unfinished.unlink(missing_ok=True)


def _is_whole(path: Path, tar: Shard) -> bool:
    try:
        return path.stat().st_size == tar.size
    except FileNotFoundError:
        return False


def _make_room(folder: Path, keep_bytes: int, spared: Path) -> None:
    """Remove copies; a process that reads one goes on reading it (on Windows it cannot be removed then)."""
    copies = []
    for path in folder.glob("*.tar"):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        copies.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in copies)
    for _, size, path in sorted(copies):
        if total <= keep_bytes:
            break
        if path != spared:
            try:
                path.unlink(missing_ok=True)
            except PermissionError:
                continue
            total -= size
