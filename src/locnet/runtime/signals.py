"""The signals that end a run: SIGTERM, and SIGUSR1, which Slurm can send before it preempts a job."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

_NAMES = ("SIGTERM", "SIGUSR1")  # no SIGUSR1 on Windows


def on_end(handler: Callable[[int, FrameType | None], None] | None) -> None:
    """Have them call `handler`, or end the process at once with None.

    To be called when a fit or a test starts, and no earlier: then Lightning (2.6) has put in its own handlers, which
    talk to the other processes from inside a handler and ignore the signals in a test. It puts the old ones back.
    """
    if threading.current_thread() is threading.main_thread():
        for name in _NAMES:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), handler or signal.SIG_DFL)
