"""Files of a folder and its sub-folders in the order of their names, without a list of them all."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path


def walk_sorted(root: Path, suffixes: Collection[str], leave_out: Collection[Path] = ()) -> Iterator[str]:
    """Paths of the files below `root`, folder by folder: in memory are the names of the folders that are open.

    Links to folders are followed, each real folder once; hidden files and folders are passed over, and folders that
    cannot be read.

    Args:
        root: of the search; the paths begin with it.
        suffixes: the endings that count, in lower case, with the dot.
        leave_out: real paths of folders that do not count.
    """
    seen = {str(place) for place in leave_out}
    stack = [_entries(str(root), seen)]
    while stack:
        path, is_folder = next(stack[-1], ("", False))
        if not path:
            stack.pop()
        elif is_folder:
            stack.append(_entries(path, seen))
        elif ending(path) in suffixes:
            yield path


def ending(path: str) -> str:
    """The ending of a path or a URL in lower case, with the dot; cheaper than a `Path` for each of a million."""
    return os.path.splitext(path)[1].lower()  # noqa: PTH122


def _entries(folder: str, seen: set[str]) -> Iterator[tuple[str, bool]]:
    """What is in a folder that was not seen yet, sorted, and whether each is a folder."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    prefix = "" if folder == "." else folder.rstrip("/") + "/"
    try:
        with os.scandir(folder) as entries:
            # a name and a letter each: a folder of a million files takes a hundred megabytes while it is open
            found = sorted((e.name, _kind(e)) for e in entries if not e.name.startswith("."))
    except OSError:
        return
    for name, kind in found:
        if kind:
            yield prefix + name, kind == "d"


def _kind(entry: os.DirEntry[str]) -> str:
    """`d` for a folder, `f` for a file, nothing for anything else."""
    try:
        return "d" if entry.is_dir() else "f" if entry.is_file() else ""
    except OSError:  # a loop of links
        return ""
