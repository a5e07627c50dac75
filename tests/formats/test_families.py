"""Backbone families answer alike in every engine: the script that makes the table of docs/export.md runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "export_families.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lcnet_035", "vit_tiny_patch16_224", "convnext_atto"])
def test_a_family_answers_alike_in_every_engine(name: str) -> None:
    pytest.importorskip("openvino")
    done = subprocess.run([sys.executable, SCRIPT, name], capture_output=True, text=True, check=True)
    row = done.stdout.splitlines()[-1]
    assert row.startswith(f"| `{name}` |")
    assert row.count(" px") == 3
    assert "over" not in row
