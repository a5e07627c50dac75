"""`python -m locnet.pack` as a user types it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Manifest = Callable[..., Path]


def run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LOCNET_CACHE": str(cwd / "cache")}
    command = [sys.executable, "-m", "locnet.pack", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def root(manifest: Manifest, tmp_path: Path) -> Path:
    return manifest(tmp_path / "data", train=6, val=3, test=2)


def test_pack(root: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "data=csv", f"data.root={root}", "output=packed", "shard_mb=0.02")
    assert done.returncode == 0, done.stderr
    assert re.search(r"train +6 images in [23] shards, 0\.\d MB\nval +3 images in ", done.stderr), done.stderr
    assert "next           python -m locnet.train data=shards data.root=packed" in done.stderr
    names = sorted(path.name for path in (tmp_path / "packed").iterdir())
    assert names[0] == "index.parquet"
    assert names[-1] == "val-000000.tar"
    again = run(tmp_path, "data=csv", f"data.root={root}", "output=packed")
    assert again.returncode == 2
    assert again.stderr.splitlines()[-1] == "error: output=packed is not empty; choose another folder"


def test_what_cannot_be_packed(root: Path, tmp_path: Path) -> None:
    for arguments, said in (
        (["data=csv", f"data.root={root}"], "error: output has no value; give it: output=..."),
        (["data=csv", f"data.root={root}", "output=x", "shard_mb=0"], "error: shard_mb must be"),
    ):
        done = run(tmp_path, *arguments)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith(said), done.stderr
    assert not (tmp_path / "x").exists()
