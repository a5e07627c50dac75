"""Files in memory that outlive no run: each process that uses one holds a lock on it, the last one removes it.

A killed process removes nothing, but its lock ends with it; the next run on this machine that builds a cache
in memory sees that nobody holds the file and removes it.
"""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # a file system in memory, on Linux

_held: dict[Path, int] = {}


def folder() -> Path:
    """Where such files lie: in memory where the system has a place for that, else in its temporary folder."""
    base = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
    user = os.getuid() if sys.platform != "win32" else 0
    return base / f"locnet-{user}"


def hold(path: Path) -> None:
    """Keep a file until this process ends, and remove it then if no other process holds it."""
    if path in _held:
        return
    try:
        _held[path] = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # the last process that held it has just ended; what is mapped already stays
        return
    _lock(_held[path], exclusive=False)
    atexit.register(_release, path, os.getpid())


def clear() -> None:
    """Remove the files that nobody holds: of processes that were killed."""
    for path in folder().glob("images-*.bin"):
        if path not in _held:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                if _lock(descriptor, exclusive=True):
                    path.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


def _release(path: Path, owner: int) -> None:
    if os.getpid() != owner:  # a forked child has inherited the file, and this exit handler
        return
    descriptor = _held.pop(path)
    if _lock(descriptor, exclusive=True):
        path.unlink(missing_ok=True)
    os.close(descriptor)


def _lock(descriptor: int, *, exclusive: bool) -> bool:
    """Whether the file is locked now; where locks do not exist, nobody can hold one."""
    if sys.platform == "win32":
        return exclusive
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
