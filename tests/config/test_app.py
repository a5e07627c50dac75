"""What a user types, what the command answers: one line, and an exit code."""

# ruff: noqa: E501 - one case, one line

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locnet import __version__
from locnet.config import location
from locnet.config.app import Job, JobResult, run_app
from locnet.errors import DataError

CONF = {
    "train": """
        defaults:
          - hydra: default
          - trainer: default
          - head: linear
          - data: voc
          - backbone: null
          - experiment: null
          - _self_
        lr: 0.1
        note: ""
        betas: [0.9, 0.99]
        own: {}
        """,
    "needs_data": "defaults:\n  - hydra: default\n  - data: ???\n",
    "trainer/default": "max_epochs: 3\ndevices: 1\n",
    "head/linear": "name: linear\ndropout: 0.1\n",
    "head/grid": "name: grid\nchannels: 64\n",
    "data/voc": "root: ???\nsize: ${trainer.devices}\n",
    "data/coco": "root: ???\n",
    "backbone/r18": "depth: 18\n",
    "experiment/good": "# @package _global_\ndefaults:\n  - override /head: grid\nlr: 1\n",
    "experiment/badgroup": "# @package _global_\ndefaults:\n  - override /haed: grid\n",
    "experiment/badoption": "# @package _global_\ndefaults:\n  - override /head: gird\n",
    "experiment/broken": "# @package _global_\nlr: 1\n  indented: 2\n",
    "experiment/latin": "# @package _global_\nnote: caf\xe9\n",
    "hydra/default": """
        defaults:
          - override job_logging: none
          - override hydra_logging: none
        callbacks:
          sweep_dir:
            _target_: locnet.config.multirun.SweepDir
        run:
          dir: runs/${hydra.job.name}/${locnet.join:${oc.select:hydra.runtime.choices.experiment},${locnet.token:}}
        sweep:
          dir: runs/${hydra.job.name}/${locnet.token:}
          subdir: ${locnet.join:${hydra.job.num},${oc.select:hydra.runtime.choices.experiment}}
        """,
}

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "conf"
    for name, text in CONF.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        indent = re.match(r"\n *", text)
        path.write_text(text.replace(indent[0] if indent else "\n", "\n"), encoding="latin-1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    return folder


@pytest.fixture
def typed(conf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command line; gives exit code, stdout and stderr."""

    def typed(*arguments: str, job: Callable[[Job], JobResult] = lambda _: JobResult()) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["train", *arguments])
        handlers, level = list(logging.root.handlers), logging.root.level
        with pytest.raises(SystemExit) as end:
            run_app("train", job, conf=conf)
        logging.root.handlers, logging.root.level = (
            handlers,
            level,
        )  # `--info` adds one that outlives the test
        out, err = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, out, err

    return typed


R = "data.root=x"
ALL = " (all keys: --cfg job)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        # unknown keys
        ([R, "trainer.max_epoch=3"], "unknown key trainer.max_epoch (=3); did you mean trainer.max_epochs?" + ALL),
        ([R, "max_epochs=3"], "unknown key max_epochs (=3); did you mean trainer.max_epochs?" + ALL),
        ([R, "haed.x=3"], "unknown key haed.x (=3); did you mean head?" + ALL),
        ([R, "lr.x=3"], "unknown key lr.x (=3): lr is a single value" + ALL),
        ([R, "own.depth=3"], "own.depth is not there yet; to add it write +own.depth=3"),
        ([R, "head={channels: 3}"], "unknown key head.channels (={channels: 3}): head=linear has no such key, head=grid has" + ALL),
        ([R, "head.channels=3"], "unknown key head.channels (=3): head=linear has no such key, head=grid has" + ALL),
        ([R, "backbone.depth=3"], "unknown key backbone.depth (=3): no backbone is chosen; choose backbone=r18" + ALL),
        ([R, "~betass"], "cannot remove betass: it is not there; did you mean betas?"),
        ([R, "+lr=3"], "lr is there already; write lr=3 (without +)"),
        ([R, "hydra.foo=3"], "unknown key hydra.foo (=3)" + ALL),
        # groups and options
        ([R, "head=gird"], "unknown option head=gird; did you mean head=grid? options of head: grid, linear"),
        ([R, "head=1"], "unknown option head=1; options of head: grid, linear"),
        ([R, "head=null"], "unknown option head=null; options of head: linear, grid; to leave the group out write ~head"),
        ([R, "haed=grid"], "unknown key haed (=grid); did you mean head?" + ALL),
        ([R, "+head=grid"], "head is chosen already; write head=grid (without +)"),
        ([R, "~head=gird"], "cannot remove head=gird: the choice is head=linear"),
        (["-m", R, "head=grid,gird"], "unknown option head=gird; did you mean head=grid? options of head: grid, linear"),
        (["--config-name", "needs_data"], "no data is chosen; choose data=OPTION, options: coco, voc"),
        ([R, "--config-name", "tarin"], "--config-name tarin: no such configuration in CONF; did you mean train?"),
        # files
        ([R, "experiment=badgroup"], "CONF/experiment/badgroup.yaml: unknown group haed; did you mean head?"),
        (
            [R, "experiment=badoption"],
            "CONF/experiment/badoption.yaml: unknown option head=gird; did you mean head=grid? options of head: grid, linear",
        ),
        ([R, "experiment=broken"], "CONF/experiment/broken.yaml line 3: mapping values are not allowed here"),
        ([R, "experiment=latin"], "CONF/experiment/latin.yaml: not UTF-8 text"),
        (["--config-dir", "nowhere"], "--config-dir nowhere: no such folder"),
        # how settings are written
        ([R, "lr==3"], "cannot read lr==3: write lr=3"),
        ([R, "train"], "cannot read train: settings are written key=value"),
        ([R, "grid"], "cannot read grid: settings are written key=value; did you mean head=grid?"),
        ([R, "=3"], "cannot read =3: there is no key before ="),
        ([R, "betas=[1,2"], "cannot read betas=[1,2: a bracket or quotation mark is not closed; put the setting in quotes, 'betas=...'"),
        ([R, "note=epoch=3.ckpt"], """cannot read note=epoch=3.ckpt: put the value in quotes, 'note="epoch=3.ckpt"'"""),
        ([R, "betas[0]=3"], "cannot read betas[0]=3: an item of a list is written betas.0=3"),
        ([R, "lr=1,2"], "lr=1,2 has several values: to run them all add -m, for one list write 'lr=[1,2]'"),
        ([R, "lr=range(1,3)"], "lr=range(1,3) has several values: to run them all add -m"),
        ([R, "--lr", "3"], "unknown option --lr; settings are written without dashes: lr=..."),
        ([R, "--max-epochs=3"], "unknown option --max-epochs=3; settings are written without dashes: max_epochs=3"),
        ([R, "--cfg", "jb"], "--cfg/-c: invalid choice: 'jb' (choose from 'job', 'hydra', 'all')"),
        # values
        ([], "data.root has no value; give it: data.root=..."),
        ([R, "lr=${trainer.devixes}"], "lr: there is no key trainer.devixes to take the value from; did you mean trainer.devices?"),
        ([R, "lr=${oc.env:NOT_SET}"], "lr: environment variable 'NOT_SET' not found"),
        ([R, "lr=${nothing:3}"], "lr: there is no resolver ${nothing:...}"),
        ([R, "hydra.job.chdir=abc"], "hydra.job.chdir: value 'abc' is not a valid bool (type str)"),
        ([R, "hydra.run.dir=${foo}"], "hydra.run.dir: there is no key foo to take the value from"),
        ([R, "hydra.run.dir=conf/train.yaml/x"], "conf/train.yaml/x: Not a directory; choose another run directory: hydra.run.dir=DIR"),
    ],
)  # fmt: skip
def test_user_errors_are_one_line(typed: Typed, conf: Path, arguments: list[str], message: str) -> None:
    code, _, err = typed(*arguments)
    assert err.replace(str(conf), "CONF") == f"error: {message}\n"
    assert code == 2


def test_job_is_plain_python(typed: Typed, tmp_path: Path) -> None:
    jobs: list[Job] = []

    def job(job: Job) -> JobResult:
        jobs.append(job)
        return JobResult(exit_code=1)

    code, _, err = typed(R, "experiment=good", "betas=[1, 2]", job=job)
    assert (code, err) == (1, "")
    (done,) = jobs
    assert type(done.config) is dict
    assert type(done.config["betas"]) is list
    assert done.config == {
        "trainer": {"max_epochs": 3, "devices": 1},
        "head": {"name": "grid", "channels": 64},
        "data": {"root": "x", "size": 1},
        "lr": 0.1,
        "note": "",
        "betas": [1, 2],
        "own": {},
    }
    assert done.overrides == [R, "experiment=good", "betas=[1, 2]"]
    assert done.choices == {"trainer": "default", "head": "grid", "data": "voc", "experiment": "good"}
    assert (done.multirun, done.number) == (False, None)
    assert done.run_dir.parent == tmp_path / "runs" / "train"
    assert re.fullmatch(r"good-[0-9a-f]{6}", done.run_dir.name)
    assert done.run_dir.is_dir()


def test_all_missing_values_in_one_line(typed: Typed) -> None:
    _, _, err = typed("lr=???")
    assert err == "error: data.root, lr have no value; give them: data.root=... lr=...\n"


def test_two_runs_have_different_directories(typed: Typed) -> None:
    places: set[Path] = set()

    def job(job: Job) -> JobResult:
        places.add(job.run_dir)
        return JobResult()

    for _ in range(2):
        assert typed(R, job=job)[0] == 0
    assert len(places) == 2


def test_multirun_goes_on_after_a_failed_job(typed: Typed, tmp_path: Path) -> None:
    jobs: list[Job] = []

    def job(job: Job) -> JobResult:
        jobs.append(job)
        if job.config["lr"] == 2:
            raise DataError("labels.csv line 7: no class in the row")
        return JobResult(value=1.0)

    code, _, err = typed(R, "-m", "lr=1,2", "head=linear,grid", job=job)  # the option stands between settings
    assert code == 1
    assert err.splitlines() == [
        "error: job 2 (lr=2, head=linear): labels.csv line 7: no class in the row",
        "error: job 3 (lr=2, head=grid): labels.csv line 7: no class in the row",
        "error: 2 of 4 jobs failed: job 2 (lr=2, head=linear); job 3 (lr=2, head=grid)",
    ]
    assert [(job.multirun, job.number, job.config["head"]["name"]) for job in jobs] == [
        (True, number, head) for number, head in enumerate(["linear", "grid"] * 2)
    ]
    (sweep,) = {job.run_dir.parent for job in jobs}
    assert [job.run_dir.name for job in jobs] == ["0", "1", "2", "3"]
    assert sweep.parent == tmp_path / "runs" / "train"


@pytest.mark.parametrize(
    ("swept", "values"),
    [
        ("head=glob(*)", ["head=grid", "head=linear"]),
        ("head=glob(*,exclude=l*)", []),  # one value is no sweep
        ("lr=range(1,4)", ["lr=1", "lr=2", "lr=3"]),
        ("lr=choice(1,5)", ["lr=1", "lr=5"]),
        ("betas=[1,2],[3]", ["betas=[1,2]", "betas=[3]"]),
    ],
)
def test_ways_to_write_several_values(typed: Typed, swept: str, values: list[str]) -> None:
    jobs: list[Job] = []

    def job(job: Job) -> JobResult:
        jobs.append(job)
        return JobResult()

    assert typed(R, "-m", swept, job=job)[0] == 0
    assert sorted(text for job in jobs for text in job.swept) == values or len(jobs) == 1
    assert len({job.run_dir for job in jobs}) == max(len(values), 1)


def test_multirun_over_experiments_names_the_directories(typed: Typed) -> None:
    names = []

    def job(job: Job) -> JobResult:
        names.append(job.run_dir.name)
        return JobResult(exit_code=len(names) % 2)

    assert typed(R, "-m", "experiment=good", "lr=1,2", job=job)[0] == 1  # the worst code of its jobs
    assert names == ["0-good", "1-good"]


def test_a_job_sees_the_users_environment(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def job(_: Job) -> JobResult:
        seen.append(os.environ.get("HYDRA_FULL_ERROR"))
        return JobResult()

    typed(R, job=job)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    typed(R, job=job)
    assert seen == [None, "0"]
    assert os.environ["HYDRA_FULL_ERROR"] == "0"


def test_full_error_lets_errors_through(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hydra.errors import ConfigCompositionException

    def job(_: Job) -> JobResult:
        raise DataError("bad row")

    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(sys, "argv", ["train", R, "lrr=3"])
    with pytest.raises(ConfigCompositionException):
        run_app("train", job, conf=conf)
    monkeypatch.setattr(sys, "argv", ["train", R])
    with pytest.raises(DataError):
        run_app("train", job, conf=conf)


def test_faults_of_the_program_keep_their_traceback(typed: Typed) -> None:
    def job(_: Job) -> JobResult:
        raise ZeroDivisionError("a bug")

    code, _, err = typed(R, job=job)
    assert code == 70
    assert err.startswith("Traceback")
    assert err.endswith("ZeroDivisionError: a bug\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_disk_is_no_fault_of_the_program(typed: Typed) -> None:
    def job(_: Job) -> JobResult:
        with open("/dev/full", "w") as file:  # noqa: PTH123 - as a library opens it
            file.write("history")
        return JobResult()

    code, _, err = typed(R, job=job)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: No space left on device; make room and run it again")


def test_a_multirun_whose_jobs_all_fail_ends_with_their_code(typed: Typed) -> None:
    def job(_: Job) -> JobResult:
        raise DataError("labels.csv line 7: no class in the row")

    code, _, err = typed(R, "-m", "lr=1", "betas=[1, 2]", job=job)
    assert (code, err) == (2, "error: job 0: labels.csv line 7: no class in the row\n")


def test_interrupted(typed: Typed) -> None:
    def ctrl_c(_: Job) -> JobResult:
        raise KeyboardInterrupt

    def ctrl_c_in_lightning(job: Job) -> JobResult:
        try:
            return ctrl_c(job)
        except KeyboardInterrupt:
            sys.exit(1)

    def other_exit(_: Job) -> JobResult:
        sys.exit(5)

    assert typed(R, job=ctrl_c) == (130, "", "error: interrupted\n")
    assert typed(R, job=ctrl_c_in_lightning) == (130, "", "error: interrupted\n")
    assert typed(R, job=other_exit) == (5, "", "")


def test_flags_of_hydra_still_work(typed: Typed) -> None:
    code, out, _ = typed("--cfg", "job", "head=grid")
    assert code == 0
    assert "channels: 64" in out
    code, out, _ = typed("--help")
    assert code == 0
    assert "head: grid, linear" in out
    assert typed("--hydra-help")[0] == 0
    assert typed("--info", "config", R)[0] == 0
    assert "complete" in typed("--shell-completion", "install=bash")[1]
    assert typed("--version") == (0, f"locnet {__version__}\n", "")


def test_config_dir_adds_options(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "mine" / "head").mkdir(parents=True)
    (tmp_path / "mine" / "head" / "own.yaml").write_text("secret: 1\n")
    assert typed(R, "--config-dir", "mine", "head=own", "head.secret=2") == (0, "", "")
    assert typed(R, "hydra.searchpath=[mine]", "head=owm")[2] == (
        "error: unknown option head=owm; did you mean head=own? options of head: own, grid, linear\n"
    )
    assert typed(R, "--config-dir", "mine", "head.secret=2")[2] == (
        "error: unknown key head.secret (=2): head=linear has no such key, head=own has (all keys: --cfg job)\n"
    )


def test_conf_lies_in_the_wheel_or_in_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "src" / "locnet"
    monkeypatch.setattr(location, "_PACKAGE", package)
    with pytest.raises(FileNotFoundError, match="install locnet again"):
        location.config_dir()
    (tmp_path / "conf").mkdir()
    assert location.config_dir() == tmp_path / "conf"
    (package / "conf").mkdir(parents=True)
    assert location.config_dir() == package / "conf"


APP = """
import atexit, json, sys
from pathlib import Path
from locnet.config.app import Job, JobResult, run_app

atexit.register(lambda: Path("modules.json").write_text(json.dumps([m for m in sys.modules if "." not in m])))

def fit(job):
    import time
    print("started", flush=True)
    time.sleep(30)
    return JobResult()

if __name__ == "__main__":
    run_app("train", "app:fit", conf=Path("conf"))
"""


def test_help_imports_neither_the_job_nor_torch(conf: Path) -> None:
    Path("app.py").write_text(APP)
    done = subprocess.run([sys.executable, "-m", "app", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    modules = json.loads(Path("modules.json").read_text())
    assert "hydra" in modules
    assert not {"torch", "app", "pytorch_lightning", "numpy", "timm"} & set(modules)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_of_a_real_process(conf: Path) -> None:
    Path("app.py").write_text(APP)
    command = [sys.executable, "-m", "app", R]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # tests that run in the background have inherited that Ctrl-C is ignored
    pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "error: interrupted\n")
