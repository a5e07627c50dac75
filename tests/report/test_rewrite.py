"""`python -m locnet.report`, as it is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from report_data import at_random, store


def typed(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "locnet.report", *arguments]
    return subprocess.run(command, cwd=cwd, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_the_page_of_a_finished_run_is_written_anew_and_nothing_else(tmp_path: Path) -> None:
    store(tmp_path / "run", at_random(20))
    before = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    done = typed(tmp_path, "run=run", "report.images=0")
    assert done.returncode == 0, done.stderr
    after = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    assert after - before == {Path("run/report.html")}


def test_a_mistyped_run_is_one_line_and_is_not_made(tmp_path: Path) -> None:
    done = typed(tmp_path, "run=rum")
    assert (done.returncode, done.stderr.strip()) == (2, "error: rum: no such directory; give the directory of a run")
    assert not (tmp_path / "rum").exists()
