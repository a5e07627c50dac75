"""A job of a multirun in a process of its own.

Lightning starts the other ranks of a DDP job with the command line as typed, which in a multirun is the whole sweep
(Lightning #11300), and when one rank fails it kills the process that started them, which would be the sweep (2.6,
strategies/launchers/subprocess_script.py). A CUDA error or lack of memory stays with a process, too. So each job is
typed anew, as a single run in the directory that Hydra has chosen for it; what is left for the sweep is to wait.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

from locnet.config.command_line import CommandLine, split

OUTPUT = "output.log"
_NOT_THE_JOBS = ("hydra.mode", "hydra.run.dir", "hydra.sweep", "hydra.launcher", "hydra/launcher", "hydra.job.num")


def single_run(module: str, line: CommandLine, about: Any) -> list[str]:
    """The command that does one job of a multirun and nothing else.

    Args:
        module: `python -m module` is the command.
        line: what was typed.
        about: Hydra's part of the job's configuration.
    """
    kept = [text for text in about.overrides.hydra if not _is_below(split(text)[1], _NOT_THE_JOBS)]
    places = {"hydra.sweep.dir": Path(about.sweep.dir).absolute(), "hydra.run.dir": about.runtime.output_dir}
    return [
        *(sys.executable, "-m", module),
        *line.flags,
        *about.overrides.task,
        *kept,
        *(f"{key}={quoted(str(place))}" for key, place in places.items()),
        f"hydra.job.num={about.job.num}",  # that there is one tells the job that it is one of several
        "hydra.mode=RUN",
    ]


def run(command: Sequence[str], output: Path | None = None) -> int:
    """Do a job and wait for it.

    Ctrl-C reaches the job by itself, and it is waited for; SIGTERM is passed on. Where this process dies without
    a word (Linux), the job gets SIGTERM.

    Args:
        command: of the job.
        output: file that gets what the job prints; None prints it here.

    Returns:
        Its exit code; minus the signal's number where a signal ended it.

    Raises:
        KeyboardInterrupt: this process was interrupted; the job has ended.
        SystemExit: this process was terminated; the job has ended.
    """
    with (
        output.open("ab") if output else nullcontext() as file,
        subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT if file else None,
            stdin=subprocess.DEVNULL if file else None,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one system call
        ) as process,
        _passed_on(process) as terminated,
    ):
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise
    if terminated:
        sys.exit(128 + signal.SIGTERM)
    return code


def how_it_ended(code: int) -> str:
    """In words: `killed by SIGKILL`, `exit code 70`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def quoted(value: str) -> str:
    """A value as Hydra's grammar reads it back, whatever characters it has."""
    # backslashes count double where a quotation mark follows them
    escaped = re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + (r"\'" if match[2] else ""), value)
    return f"'{escaped}'"


def _is_below(key: str, parents: Sequence[str]) -> bool:
    return any(key == parent or key.startswith(f"{parent}.") for parent in parents)


@contextmanager
def _passed_on(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Pass SIGTERM on to a process; the list holds the signal afterwards if there was one."""
    received: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        process.terminate()

    if threading.current_thread() is not threading.main_thread():  # Python lets only that one handle signals
        yield received
        return
    before: Callable[[int, FrameType | None], Any] | int | None = signal.signal(signal.SIGTERM, pass_on)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def _die_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when its parent ends (prctl, PR_SET_PDEATHSIG)."""
    import ctypes

    ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))
