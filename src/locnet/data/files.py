"""Image files of a data set: which exist, and which carry a name, by reading folders and not file by file."""

from __future__ import annotations

import heapq
import os
from collections.abc import Collection
from itertools import takewhile
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from locnet.data.strings import Strings

SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".bmp",
        ".gif",
        ".webp",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".avif",
        ".jp2",
    ]
)
"""Endings of files that are taken for images where a folder is searched; labels may name any file."""


def exist(root: Path, files: Strings) -> NDArray[np.bool_]:
    """Which of the files are there: `(N,)` bool.

    Each folder is listed once: one question for a million images in it, not a million.
    """
    paths = files.arrow
    found = np.zeros(len(paths), dtype=np.bool_)
    if not len(paths):
        return found
    folders = pc.replace_substring_regex(paths, pattern="/?[^/]*$", replacement="", max_replacements=1)
    encoded = folders.dictionary_encode()
    of_folder = encoded.indices.to_numpy()
    order = np.argsort(of_folder, kind="stable")
    ends = np.cumsum(np.bincount(of_folder, minlength=len(encoded.dictionary)))
    for folder, rows in zip(Strings(encoded.dictionary), np.split(order, ends[:-1]), strict=True):
        listing = _names(root / folder)
        names = paths.take(pa.array(rows)).to_pylist()
        found[rows] = [name.rpartition(b"/")[2] in listing for name in names]
    return found


def walk(root: Path, folder: str = "", suffixes: Collection[str] = SUFFIXES) -> list[str]:
    """All images (or files of other endings) below a folder, relative to `root` with `/` between folders, sorted.

    Links to folders are followed, each real folder once, and under its own name where it lies below; hidden files
    and folders are passed over.
    """
    found: list[str] = []
    seen: set[str] = set()
    folders, links = [folder.strip("/")], list[str]()
    while folders or links:
        current = folders.pop() if folders else heapq.heappop(links)
        place = root / current
        real = os.path.realpath(place)
        if real in seen:
            continue
        seen.add(real)
        for name, is_folder, is_link in _entries(place):
            path = f"{current}/{name}" if current else name
            if is_folder and is_link:
                heapq.heappush(links, path)
            elif is_folder:
                folders.append(path)
            elif PurePosixPath(name).suffix.lower() in suffixes:
                found.append(path)
    return sorted(found)


class ImageIndex:
    """Images below a folder by their name without ending, for labels that do not say it."""

    def __init__(self, root: Path, folder: str = "") -> None:
        """Search `root / folder`; the paths are relative to `root`."""
        self.files = walk(root, folder)
        self._by_stem: dict[str, list[str]] = {}
        for file in self.files:
            self._by_stem.setdefault(stem_of(file), []).append(file)

    def find(self, name: str, near: str) -> list[str]:
        """The image that a label means; several where that cannot be decided, none where it is not there.

        Of the images of that name, in any folder, those are taken that have the longest common folder with the
        label: `train/labels/a.txt` is about `train/images/a.jpg`, not about `val/images/a.jpg`.

        Args:
            name: file name of the image, or what it is without its ending.
            near: path of the label file, relative to the root.
        """
        same_stem = self._by_stem.get(stem_of(name), []) or self._by_stem.get(name, [])
        found = [file for file in same_stem if file.rpartition("/")[2] == name] or same_stem
        if len(found) < 2:
            return found
        common = [_shared_folders(file, near) for file in found]
        return [file for file, depth in zip(found, common, strict=True) if depth == max(common)]


def _shared_folders(one: str, other: str) -> int:
    pairs = zip(one.split("/")[:-1], other.split("/")[:-1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def stem_of(file: str) -> str:
    """File name without folders and ending."""
    name = file.rpartition("/")[2]
    return name[: name.rfind(".")] if "." in name[1:] else name


def _entries(folder: Path) -> list[tuple[str, bool, bool]]:
    """Names in a folder, and whether each is a folder and a link; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [
                (entry.name, _is_dir(entry), entry.is_symlink()) for entry in entries if not entry.name.startswith(".")
            ]
    except OSError:
        return []


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _names(folder: Path) -> frozenset[bytes]:
    """Everything in a folder; whether it is a file, and one that can be read, shows when it is opened."""
    try:
        return frozenset(os.listdir(os.fsencode(folder)))  # noqa: PTH208 - a million names are no million Path objects
    except (OSError, ValueError):  # ValueError: a name with a NUL character
        return frozenset()
