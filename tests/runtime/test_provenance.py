"""What metrics.json says about the code and the configuration that a run was made from."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from locnet.runtime.provenance import config_hash, git_state, provenance

CONFIG: dict[str, Any] = {"seed": 0, "optimizer": {"lr": 0.1}, "name": None, "resume": None, "logger": {}}


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_the_state_of_git(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    (tmp_path / "untracked").mkdir()
    (tmp_path / "untracked" / "b").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    clean = git_state(tmp_path)
    assert clean is not None
    assert len(clean) == 12
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path) == f"{clean}-dirty"
    assert git_state(tmp_path / "untracked") is None  # an environment inside somebody's repository is not of it
    assert git_state(tmp_path / "nowhere") is None


def test_two_runs_share_a_hash_if_they_compute_the_same() -> None:
    first = config_hash(CONFIG)
    assert config_hash(CONFIG | {"name": "other", "resume": "x", "logger": {"csv": {}}}) == first
    assert config_hash(dict(reversed(CONFIG.items()))) == first
    assert config_hash(CONFIG | {"seed": 1}) != first


def test_versions_are_there() -> None:
    assert {"version/torch", "version/locnet", "version/python", "config/hash", "git/locnet"} <= provenance({}).keys()
