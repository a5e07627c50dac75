"""Jobs through Hydra's launchers, which start processes that know nothing of ours."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from quick_app import run, write_app

from locnet.config.command_line import CommandLine
from locnet.config.explain import _no_such_option
from locnet.config.tree import Tree


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write_app(tmp_path)


def rows(sweep_dir: Path) -> list[dict[str, str]]:
    with (sweep_dir / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
@pytest.mark.slow
def test_several_jobs_at_once(app: Path, launcher: str) -> None:
    pytest.importorskip("joblib" if launcher == "joblib" else "submitit")
    options = ["hydra.launcher.n_jobs=2"] if launcher == "joblib" else ["hydra.launcher.timeout_min=5"]
    grid = ["loss.box_term=giou,bad", "optimizer.lr=1e-3,1e-2"]
    code, _, err = run(app, "-m", *grid, f"hydra/launcher={launcher}", *options)
    assert code == 1, err
    [sweep] = (app / "runs" / "multirun").iterdir()
    assert [(r["loss.box_term"], r["optimizer.lr"], r["status"], r["score"]) for r in rows(sweep)] == [
        ("giou", "0.001", "done", "-0.0"),
        ("giou", "0.01", "done", "-1.0"),
        ("bad", "0.001", "failed", ""),
        ("bad", "0.01", "failed", ""),
    ]
    assert "2 of 4 jobs failed" in err
    assert (
        "error: job 2 (loss.box_term=bad, optimizer.lr=0.001): a bad box term"
        in (sweep / "2" / "output.log").read_text()
    )
    assert len(list((app / "runs").rglob("job.json"))) == 4  # every process found the same directory


@pytest.mark.slow
def test_a_search_with_two_trials_at_once(app: Path) -> None:
    pytest.importorskip("joblib")
    pytest.importorskip("optuna")
    parallel = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.at_once=2"]
    code, _, err = run(app, "sweep=random", "hydra.sweeper.trials=5", "hydra.sweep.dir=s", *parallel)
    assert code == 0, err
    assert [(row["job"], row["status"]) for row in rows(app / "s")] == [(str(n), "done") for n in range(5)]


@pytest.mark.parametrize(("launcher", "extra"), [("joblib", "joblib"), ("submitit_slurm", "slurm")])
def test_launchers_that_are_not_installed(app: Path, launcher: str, extra: str) -> None:
    tree = Tree(CommandLine(app / "conf", "train", (f"hydra/launcher={launcher}",)))
    assert _no_such_option(f"hydra/launcher/{launcher}", tree) == (
        f"hydra/launcher={launcher} needs a package: pip install 'locnet[{extra}]'"
    )


def test_the_message_is_what_a_user_without_the_plugin_sees(app: Path) -> None:
    hide = "import sys; sys.modules['hydra_plugins'] = None\n"
    (app / "app.py").write_text(hide + (app / "app.py").read_text())
    code, _, err = run(app, "-m", "hydra/launcher=joblib", "seed=1,2")
    assert (code, err) == (2, "error: hydra/launcher=joblib needs a package: pip install 'locnet[joblib]'\n")
