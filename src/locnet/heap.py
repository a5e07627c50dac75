"""What the C library of Linux does with freed memory; elsewhere nothing here has an effect.

By itself it hands blocks of more than some megabytes back to the system when they are freed, and getting them anew,
page by page, can take longer than what is computed in them. And what it does keep lies in an arena for each thread,
where a single large image leaves its size behind.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -3, -4, -8  # of malloc.h
_BLOCK_BYTES = 2**25  # the most that the library takes for its second threshold
_UNLIMITED = 2**31 - 1


def keep_blocks() -> None:
    """Keep freed blocks of up to 32 MB: for a process that decodes images, one after the other."""
    _set({_M_MMAP_THRESHOLD: _BLOCK_BYTES, _M_TRIM_THRESHOLD: 2 * _BLOCK_BYTES})


def keep_all() -> None:
    """Keep all freed memory, in one arena for all threads: for a process that runs a network over and over.

    To be called before it starts its threads. It stays at the size of its largest batch.
    """
    _set({_M_ARENA_MAX: 1, _M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _UNLIMITED})


def give_back() -> None:
    """Hand all pages back that are free just now; takes milliseconds."""
    if (library := _library()) is not None:
        with suppress(AttributeError):
            library.malloc_trim(0)


def _set(values: dict[int, int]) -> None:
    if (library := _library()) is not None:
        with suppress(AttributeError):
            for key, value in values.items():
                library.mallopt(key, value)


def _library() -> Any:
    """The C library of Linux; None on another system. A library without these calls raises `AttributeError`."""
    return ctypes.CDLL(None) if sys.platform == "linux" else None
