"""The errors that a user can cause; each is one line that names the object, the value and the way out."""


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


class StoppedError(LocnetError):
    """A signal ended the run at a place that it can go on from."""

    exit_code = 143  # 128 + SIGTERM, as shells have it
