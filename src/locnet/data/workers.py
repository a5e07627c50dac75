"""How many processes load images."""

from __future__ import annotations

import os
from collections.abc import Mapping

from locnet.heap import keep_blocks

_MOST_WORKERS = 8  # more than that a training process can seldom eat


def worker_count(setting: int | str, processes: int = 1) -> int:
    """Loader workers of one process: `auto` shares out the cores and keeps one for the process itself.

    Args:
        setting: a number, or `auto`.
        processes: training processes on this machine.
    """
    if isinstance(setting, int):
        return setting
    return max(0, min(_MOST_WORKERS, _cores_of_one(max(processes, 1), os.environ, len(cores())) - 1))


def cores() -> list[int]:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _cores_of_one(processes: int, environment: Mapping[str, str], available: int) -> int:
    """Cores for each of the training processes on this machine.

    SLURM may or may not bind a task to its cores: bound, the cores are this process's already and must not be
    divided again; unbound, it looks as if the whole machine were ours.
    """
    per_task = _number(environment, "SLURM_CPUS_PER_TASK")
    if per_task:
        # One task may still hold several processes that Lightning started in it.
        here = _number(environment, "SLURM_STEP_TASKS_PER_NODE") or _number(environment, "SLURM_NTASKS_PER_NODE")
        tasks = here or _number(environment, "SLURM_NTASKS") or 1
        return min(available, per_task) // -(-processes // tasks)
    return min(available, _number(environment, "SLURM_CPUS_ON_NODE") or available) // processes


def _number(environment: Mapping[str, str], name: str) -> int:
    """A count that SLURM gives, as in `4` or `4(x2)`; 0 where it gives none."""
    digits = environment.get(name, "").partition("(")[0]
    return int(digits) if digits.isdigit() else 0


def prepare_worker(_: int) -> None:
    """What a loader process does first; a `worker_init_fn`.

    Pixels come and go by the megabyte; getting their memory anew each time takes a third of the time of loading an
    image.
    """
    keep_blocks()
