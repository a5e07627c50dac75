"""What becomes of freed memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

CODE = """
import json, resource, threading
import numpy as np
from locnet import heap
CALL
def work():
    for _ in range(20):
        np.ones(100_000_000, np.uint8)
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def resident():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS"))) // 1024
thread = threading.Thread(target=work)
before = faults()
thread.start()
thread.join()
kept = resident()
heap.give_back()
print(json.dumps([faults() - before, kept, resident()]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="concerns the C library of Linux")
def test_freed_memory_is_used_again_and_can_be_given_back() -> None:
    """20 times 100 MB in a thread."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = [
        json.loads(subprocess.check_output([sys.executable, "-c", CODE.replace("CALL", call)], env=env))
        for call in ("heap.keep_all()", "pass")
    ]
    (faults, kept, given_back), (usual, _, _) = run
    assert faults * 5 < usual
    assert given_back < kept - 80
