"""The built wheel carries conf/, and trains when it is installed elsewhere and run from another directory."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="not in a checkout"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    [path] = folder.glob("locnet-*.whl")
    return path


def test_the_wheel_holds_every_configuration_file(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("locnet/conf/")}
    conf = ROOT / "conf"
    wanted = {
        f"locnet/conf/{file.relative_to(conf).as_posix()}" for file in conf.rglob("*.y*ml") if "local" not in file.parts
    }
    assert packed == wanted
    assert {"locnet/py.typed", "hydra_plugins/locnet_search.py"} <= set(zipfile.ZipFile(wheel).namelist())


def test_the_installed_wheel_trains_from_another_directory(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    where = "import locnet.config.location as l; print(l.config_dir())"
    env = {**os.environ, "PYTHONPATH": str(site), "LOCNET_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", where], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(site / "locnet" / "conf")  # not the checkout's
    where = "import hydra_plugins.locnet_search as l; print(l.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", where], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(site / "hydra_plugins" / "locnet_search.py")
    train = [sys.executable, "-m", "locnet.train", "debug=one_batch", "data.size=64", "data.train=8", "data.val=4"]
    train += [
        "data.test=4",
        "data.batch_size=4",
        "data.num_workers=0",
        "backbone.name=lcnet_035",
        "trainer.accelerator=cpu",
    ]
    done = subprocess.run(train, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
