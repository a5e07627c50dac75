"""The comparison with a plain loop runs and says what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "train_overhead.py"


@pytest.mark.slow
def test_two_steps_of_each() -> None:
    small = ["--rounds", "1", "--steps", "2", "--batch-size", "2", "backbone.name=lcnet_035", "backbone.image_size=32"]
    done = subprocess.run([sys.executable, SCRIPT, *small], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["side"] == 32
    assert said["ratio_median"] > 0
