"""How many loader processes `data.num_workers=auto` is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from locnet.data import workers
from locnet.data.workers import worker_count


@pytest.fixture(autouse=True)
def no_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CPUS_PER_TASK", "STEP_TASKS_PER_NODE", "NTASKS_PER_NODE", "NTASKS", "CPUS_ON_NODE"):
        monkeypatch.delenv(f"SLURM_{name}", raising=False)


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    count: list[int] = []
    monkeypatch.setattr(workers, "cores", lambda: count)
    return count


@pytest.mark.skipif(sys.platform != "linux", reason="concerns the C library of Linux")
def test_a_worker_keeps_its_memory() -> None:
    """Megabytes that come and go cost no page faults."""
    code = (
        "import resource; import numpy as np; from PIL import Image\n"
        "from locnet.data.workers import prepare_worker; PREPARE\n"
        "def load():\n"
        "    pixels = np.array(Image.new('RGB', (512, 384), (1, 2, 3)))\n"
        "    return pixels.astype(np.float32) * 2\n"
        "for count in (5, 50):\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(count): load()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    faults = [
        int(subprocess.check_output([sys.executable, "-c", code.replace("PREPARE", call)], env=env))
        for call in ("prepare_worker(0)", "pass")
    ]
    assert faults[0] * 5 < faults[1]


def test_a_number_is_that_number() -> None:
    assert worker_count(3) == 3
    assert worker_count(0, processes=4) == 0


@pytest.mark.parametrize(
    ("available", "processes", "expected"), [(6, 1, 5), (6, 2, 2), (6, 8, 0), (1, 1, 0), (64, 1, 8)]
)
def test_auto_shares_out_the_cores(cores: list[int], available: int, processes: int, expected: int) -> None:
    cores += range(available)
    assert worker_count("auto", processes) == expected


@pytest.mark.parametrize(
    ("environment", "available", "processes", "expected"),
    [
        # four tasks of 6 cores, bound: the 6 are this process's own
        ({"CPUS_PER_TASK": "6", "NTASKS": "4", "STEP_TASKS_PER_NODE": "4"}, 6, 4, 5),
        # the same unbound: the process sees the whole machine
        ({"CPUS_PER_TASK": "6", "NTASKS": "4", "STEP_TASKS_PER_NODE": "4"}, 64, 4, 5),
        # two nodes with two tasks each
        ({"CPUS_PER_TASK": "4", "NTASKS": "4", "STEP_TASKS_PER_NODE": "2(x2)"}, 64, 2, 3),
        # one task, in which Lightning starts two processes
        ({"CPUS_PER_TASK": "8", "NTASKS": "1"}, 8, 2, 3),
        # nothing said for a task: what the job has on this machine
        ({"CPUS_ON_NODE": "6"}, 64, 2, 2),
    ],
)
def test_slurm(
    monkeypatch: pytest.MonkeyPatch,
    cores: list[int],
    environment: dict[str, str],
    available: int,
    processes: int,
    expected: int,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    cores += range(available)
    assert worker_count("auto", processes) == expected
