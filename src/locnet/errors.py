"""The errors that a user can cause; each is one line that names the object, the value and the way out."""

from __future__ import annotations

import errno
import os


class LocnetError(Exception):
    """Base of all errors that are the input's fault, not the program's.

    The commands print the message as one line, without a traceback, and exit with `exit_code`.
    """

    exit_code = 2


class ConfigError(LocnetError):
    """A configuration key is unknown, of the wrong type, out of range, or at odds with another."""


class DataError(LocnetError):
    """A label file or an image cannot be used as it is."""


class CheckpointError(LocnetError):
    """A checkpoint or weight file is missing, unreadable, or does not fit."""


class DiskFullError(LocnetError):
    """Nothing more can be written."""

    @classmethod
    def of(cls, error: BaseException) -> DiskFullError | None:
        """The same in our words; None where the system says anything else."""
        if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return None
        file = f"{error.filename}: " if error.filename else ""
        return cls(f"{file}{os.strerror(error.errno)}; make room and run it again (training: with resume=RUN_DIR)")


class StoppedError(LocnetError):
    """A signal ended the run at a place that it can go on from."""

    exit_code = 143  # 128 + SIGTERM, as shells have it
