"""Checkpoint files: whole or not there, and with a checksum."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch

from locnet.errors import CheckpointError
from locnet.runtime.files import beside, sync_folder

BEST, LAST, PREVIOUS = "best.ckpt", "last.ckpt", "previous.ckpt"

_MARK = b"sha256:"
_SEAL = len(_MARK) + 64
_CHUNK = 2**20


def write_checkpoint(content: Mapping[str, Any], path: Path, *, previous: Path | None = None) -> None:
    """Write a checkpoint so that whoever is killed when, `path` is the old one or the new one, and whole.

    torch writes zip files, and a zip file may end in a comment: there goes the SHA-256 of all that stands before.
    torch and every zip tool go on reading the file as before, and the checksum travels with it.

    Args:
        content: tensors and plain values.
        path: of the file.
        previous: the file that is at `path` is kept under this name.

    Raises:
        CheckpointError: it cannot be written (the disk is full); what was there is as it was.
    """
    partial = beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            sealed = _Sealed(file)
            torch.save(dict(content), sealed)  # type: ignore[arg-type]  # all that torch calls is write and flush
            sealed.close()
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            path.replace(previous)
        partial.replace(path)
        sync_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch turns some of the one into the other
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise CheckpointError(
            f"{path} cannot be written ({_reason(error)}); the checkpoints before it are intact. "
            "Make room and go on with resume=RUN_DIR"
        ) from error


def is_damaged(path: Path) -> bool:
    """Whether a file's checksum does not fit. A file without any is taken as it is (a torn one torch cannot read)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - _SEAL, 0))
        seal = file.read(_SEAL)
        if not seal.startswith(_MARK):
            return False
        file.seek(0)
        digest, left = hashlib.sha256(), size - _SEAL - 2
        while left > 0:
            block = file.read(min(_CHUNK, left))
            digest.update(block)
            left -= len(block)
    return seal != _MARK + digest.hexdigest().encode()


class _Sealed:
    """A file for torch to write to, that ends in the checksum."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest = file, hashlib.sha256()
        self.tail = b""  # the last two bytes are held back: they say how long the comment is

    def write(self, block: bytes) -> int:
        block = bytes(block)
        held = self.tail + block
        self.tail = held[-2:]
        self.digest.update(held[:-2])
        self.file.write(held[:-2])
        return len(block)

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        if self.tail != b"\0\0":
            raise RuntimeError("torch.save has not written a zip file")
        self.file.write(_SEAL.to_bytes(2, "little") + _MARK + self.digest.hexdigest().encode())


def _reason(error: BaseException) -> str:
    """What the system said, under what torch made of it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    return str(error).splitlines()[0]
