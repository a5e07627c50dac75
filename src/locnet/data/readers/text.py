"""Label files as text: UTF-8 with or without a byte order mark; everything else is one clear line."""

from __future__ import annotations

from pathlib import Path

from locnet.errors import DataError

LFS = b"version https://git-lfs"
_LARGEST = 1 << 31


def read_bytes(path: Path) -> bytes:
    """Content of a label file.

    Raises:
        DataError: there is none, it cannot be read, or Git LFS has left its pointer in its place.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: more than 2 GB of labels in one file; split it, or write Parquet")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if content.startswith(LFS):
        raise DataError(f"{path}: is a Git LFS pointer, not the labels; run `git lfs pull`")
    return content


def read_text(path: Path) -> str:
    """Text of a label file.

    Raises:
        DataError: see `read_bytes`; or it is not UTF-8, with the line.
    """
    content = read_bytes(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
