"""Images behind fsspec URLs: found folder by folder, read whole and with retries."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import fsspec

from locnet.data.images import Encoded
from locnet.data.shards.store import Remote
from locnet.errors import DataError
from locnet.sources.folders import ending

RETRIES = 3


def is_url(source: str) -> bool:
    """Whether a source is something else than a path on this machine."""
    return "://" in source and not source.startswith("file://")


def read_url(url: str) -> Encoded:
    """The bytes of a file.

    Raises:
        ImageError: it does not exist, or every try has failed.
    """
    folder, _, name = url.rpartition("/")
    return Encoded(url, Remote(folder, RETRIES, "source").read(name))


def walk_url(source: str, suffixes: Collection[str]) -> Iterator[str]:
    """URLs of the images that are meant by the URL of a file, a folder or a pattern; sorted within each folder.

    Raises:
        DataError: the place cannot be listed.
    """
    with _explained(source):
        system, path = fsspec.core.url_to_fs(source)
        if _is_pattern(system, path):
            found = iter(sorted(system.glob(path)))
        elif system.isdir(path):
            found = _walk(system, path, suffixes)
        else:
            found = iter([path] if system.exists(path) else [])
        for name in found:
            yield str(system.unstrip_protocol(name))


def pattern_of(source: str) -> str:
    """The URL as its matches begin with it; of a folder with `/*` behind it.

    Raises:
        DataError: the place cannot be reached.
    """
    with _explained(source):
        system, path = fsspec.core.url_to_fs(source)
        is_folder = not _is_pattern(system, path) and system.isdir(path)
        return str(system.unstrip_protocol(path)).rstrip("/") + "/*" * is_folder


@contextmanager
def _explained(source: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise DataError(f"source={source}: {error} (for s3:// pip install 'locnet[s3]')") from error
    except Exception as error:  # every client library has errors of its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"source={source}: cannot be listed ({reason})") from error


def _is_pattern(system: Any, path: str) -> bool:
    """As on this machine, what exists under just this name is meant, whatever characters it has."""
    return glob.has_magic(path) and not system.exists(path)


def _walk(system: Any, root: str, suffixes: Collection[str]) -> Iterator[str]:
    for folder, folders, files in system.walk(root):
        folders.sort()
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in sorted(files):
            if not name.startswith(".") and ending(name) in suffixes:
                yield f"{folder.rstrip('/')}/{name}"
