"""What came of the jobs of a multirun, and how each of them is typed anew."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from locnet.config import isolation
from locnet.config.command_line import CommandLine
from locnet.config.jobs import JobRecord, exit_code, read_record, read_records


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    record = JobRecord(3, ["lr=0.1", "head=grid"], "failed", "abcd", 2, None, "labels.csv line 7: é", 1.5, {"a": 1})
    record.write(tmp_path / "sweep" / "3")
    assert read_record(tmp_path / "sweep" / "3") == record
    assert record.label == "job 3 (lr=0.1, head=grid)"
    assert [path.name for path in (tmp_path / "sweep" / "3").iterdir()] == ["job.json"]


def test_records_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 0):
        JobRecord(number, []).write(tmp_path / f"{number}-x" / "y")
    (tmp_path / "11").mkdir()
    (tmp_path / "11" / "job.json").write_text('{"number": 11, "swe')  # torn
    assert [record.number for record in read_records(tmp_path).values()] == [0, 2, 10]
    assert read_record(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("codes", "code"), [([], 0), ([0, 0], 0), ([0, 1], 1), ([0, 2], 1), ([2, 70], 70), ([2], 2), ([None, 0], 1)]
)
def test_exit_code_of_a_sweep(codes: list[int | None], code: int) -> None:
    assert exit_code([JobRecord(0, [], exit_code=of) for of in codes]) == code


@given(st.text(st.characters(codec="utf-8", exclude_characters="$", exclude_categories=["Cc", "Cs"])))
def test_any_path_survives_hydras_grammar(value: str) -> None:
    assert OverridesParser.create().parse_override(f"key={isolation.quoted(value)}").value() == value


def test_a_job_is_typed_anew_as_a_single_run() -> None:
    about = OmegaConf.create(
        {
            "overrides": {
                "task": ["lr=0.1", "sweep=optuna"],
                "hydra": [
                    *("hydra.mode=MULTIRUN", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.verbose=true"),
                    *("hydra.sweep.dir='/a'", "hydra.sweep.subdir=7", "hydra.sweeper.trial=7"),
                ],
            },
            "sweep": {"dir": "/a"},
            "runtime": {"output_dir": "/a/it's 7"},
            "job": {"num": 7},
        }
    )
    line = CommandLine(Path("conf"), "train", ("lr=0.1,0.2",), flags=("--config-dir=mine",))
    assert isolation.single_run("locnet.train", line, about) == [
        *(sys.executable, "-m", "locnet.train", "--config-dir=mine", "lr=0.1", "sweep=optuna"),
        *("hydra.verbose=true", "hydra.sweeper.trial=7"),
        *("hydra.sweep.dir='/a'", "hydra.run.dir='/a/it\\'s 7'", "hydra.job.num=7", "hydra.mode=RUN"),
    ]


def test_exit_codes_and_signals_in_words(tmp_path: Path) -> None:
    assert isolation.run([sys.executable, "-c", "raise SystemExit(5)"]) == 5
    code = isolation.run(
        [sys.executable, "-c", "import os; print('hello', flush=True); os.kill(os.getpid(), 9)"], tmp_path / "o"
    )
    assert (code, (tmp_path / "o").read_text()) == (-9, "hello\n")
    assert isolation.how_it_ended(-9) == "killed by SIGKILL"
    assert isolation.how_it_ended(70) == "exit code 70"


PARENT = """
import sys
from locnet.config.isolation import run
run([sys.executable, "-c", '''
import os, signal, sys, time
def end(*_):
    open("ended", "w").close()
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(30)
'''])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_job_is_told_when_its_sweep_is_ended(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """By name where the sweep can still say so, by the kernel where it is killed."""
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(timeout=20) == code
    end = time.monotonic() + 20
    while not (tmp_path / "ended").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
