"""Which files a user means by a file, a folder, a pattern, a list or a URL."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from locnet.errors import DataError
from locnet.sources.folders import walk_sorted
from locnet.sources.urls import is_url, pattern_of, read_url, walk_url
from locnet.sources.video import SUFFIXES

STDIN = "-"
_NO_IMAGE = "there is no image in this folder (.jpg, .png, .webp and whatever else Pillow opens)"
_NO_MATCH = "no such file or folder, and no file matches it as a pattern (quote patterns in the shell)"


@dataclass(frozen=True)
class Source:
    """The files that a user means; at least one.

    Attributes:
        names: a stream of paths and URLs; the same order each time, the memory of one folder's names at most.
        base: the folder below which copies of the files keep their places; None for a list.
        can_repeat: a list may name a file twice, and the second time does not count.
        count: says how many there are, by looking again; None where that cannot be known beforehand.
    """

    names: Iterator[str]
    base: str | None
    can_repeat: bool = False
    count: Callable[[], int] | None = None

    def relative(self, file: str) -> str:
        """Where copies of a file go, below a folder of ours: never outside it."""
        if self.base is not None:
            prefix = "" if self.base == "." else f"{self.base.rstrip('/')}/"
            if file.startswith(prefix) and file != prefix:
                file = file[len(prefix) :]
        path = file.partition("://")[2] if is_url(file) else os.path.splitdrive(file)[1]
        parts = path.replace(os.sep, "/").split("/")
        return "/".join(part for part in parts if part not in ("", ".", ".."))


@cache
def image_suffixes() -> frozenset[str]:
    """Endings that Pillow can read, in lower case, with the dot."""
    Image.init()
    return frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN) - SUFFIXES


def open_source(source: str, leave_out: Collection[Path] = ()) -> Source:
    """Begin to list the files.

    Args:
        source: a file (of any name), a folder (searched with its sub-folders for endings that Pillow reads; hidden
            files and folders are left out), a pattern such as `photos/**/*.jpg`, an fsspec URL of any of these,
            `@FILE` or `@URL` for a list of them, a line each, or `-` for such a list on stdin.
        leave_out: folders whose files do not count: the copies that an earlier call has written.

    Raises:
        DataError: there is none.
    """
    if source == STDIN:
        return _begun(source, _lines(sys.stdin.buffer), "stdin names no file; give one path a line", base=None)
    if source.startswith("@") and not Path(source).exists():
        return _begun(source, _lines(_open_list(source)), "the list names no file; give one path a line", base=None)
    if is_url(source):
        search = partial(walk_url, source, image_suffixes())
        base = _fixed_part(pattern_of(source))
        return _begun(source, search(), "there is no image behind this URL", base=base, count=lambda: _length(search()))
    own = [place.resolve() for place in leave_out]
    path = Path(source.removeprefix("file://") if source.startswith("file://") else source).expanduser()
    if path.is_file():
        return Source(iter([str(path)]), str(path.parent), count=lambda: 1)
    if path.is_dir():
        search = partial(walk_sorted, path, image_suffixes(), own)
        return _begun(source, search(), _NO_IMAGE, base=str(path), count=lambda: _length(search()))
    found = [name for name in glob.iglob(str(path), recursive=True) if _counts(name, own)]  # noqa: PTH207 - may be absolute
    found.sort(key=lambda name: name.split(os.sep))  # noqa: PTH206 - cheaper than a Path for each
    return _begun(source, iter(found), _NO_MATCH, base=_fixed_part(str(path)), count=lambda: len(found))


def _begun(
    source: str, names: Iterator[str], nothing: str, *, base: str | None, count: Callable[[], int] | None = None
) -> Source:
    """The source, once its first file is found.

    Raises:
        DataError: there is none.
    """
    first = next(names, None)
    if first is None:
        raise DataError(f"source={source}: {nothing}")
    return Source(chain([first], names), base, can_repeat=base is None, count=count)


def _open_list(source: str) -> BinaryIO:
    """The file of a list, here or behind a URL.

    Raises:
        DataError: it cannot be read.
    """
    place = source[1:]
    if is_url(place):
        try:
            return BytesIO(read_url(place).content)
        except DataError as error:
            raise DataError(f"source={source}: {error}") from error
    try:
        return Path(place.removeprefix("file://")).expanduser().open("rb")
    except OSError as error:
        raise DataError(f"source={source}: the list cannot be read ({error.strerror})") from error


def _lines(file: BinaryIO) -> Iterator[str]:
    """The lines that hold something; names that are not UTF-8 as Python has them."""
    with file:
        for line in file:
            name = os.fsdecode(line.rstrip(b"\r\n"))
            if name.strip():
                yield name


def _fixed_part(pattern: str) -> str:
    """The folder that a pattern's matches have in common, as far as it is written out."""
    folders = pattern.split("/")[:-1]
    fixed = next((i for i, part in enumerate(folders) if glob.has_magic(part)), len(folders))
    return "/".join(folders[:fixed]) or ("/" if pattern.startswith("/") else ".")


def _counts(name: str, own: Collection[Path]) -> bool:
    path = Path(name)
    return path.is_file() and not (own and any(place in path.resolve().parents for place in own))


def _length(names: Iterator[str]) -> int:
    return sum(1 for _ in names)
