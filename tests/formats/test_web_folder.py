"""The page of `format=web`: its parts, and where its runtime comes from."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from locnet.errors import ConfigError
from locnet.formats.web_folder import RUNTIME, add_runtime, write_page

NAMES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
ABOUT = {"version": "1.0", "backbone": "tiny", "classes": ["car", "</script><b>"], "threshold": 0.5}


def npm(folder: Path, script: str) -> str:
    """A PATH on which npm is this script."""
    file = folder / "bin" / "npm"
    file.parent.mkdir()
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file.parent)


def package(path: Path, names: tuple[str, ...] = NAMES) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in (*(f"package/dist/{name}" for name in names), "package/dist/ort.webgpu.mjs", "../../outside"):
            info = tarfile.TarInfo(name)
            info.size = len(name)
            archive.addfile(info, io.BytesIO(name.encode()))
    return path


def test_the_page_names_what_it_shows(tmp_path: Path) -> None:
    write_page(tmp_path, ABOUT, [Image.new("RGB", (8, 8))] * 2)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "</script><b>" not in page  # class names cannot break out
    assert '"samples":["samples/1.png","samples/2.png"]' in page
    assert sorted(file.name for file in (tmp_path / "samples").iterdir()) == ["1.png", "2.png"]
    assert "http" not in page.replace("http-equiv", "")  # nothing from elsewhere


def test_the_runtime_comes_from_a_folder_or_a_package(tmp_path: Path) -> None:
    inside = tmp_path / "node_modules" / "onnxruntime-web" / "dist"
    inside.mkdir(parents=True)
    for name in NAMES:
        (inside / name).write_text(name)
    add_runtime(tmp_path / "a", str(tmp_path / "node_modules"))
    add_runtime(tmp_path / "b", str(package(tmp_path / "x.tgz")))
    for page in ("a", "b"):
        assert sorted(file.name for file in (tmp_path / page / "runtime").iterdir()) == sorted(NAMES)
    assert not (tmp_path / "outside").exists()


def test_npm_fetches_it_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path / "x.tgz")
    script = f'[ "$1 $2" = "pack {RUNTIME}" ] && cat {tmp_path}/x.tgz > "$5/onnxruntime-web.tgz"'
    monkeypatch.setenv("PATH", npm(tmp_path, script), prepend=":")
    add_runtime(tmp_path / "page", None)
    assert len(list((tmp_path / "page" / "runtime").iterdir())) == 3


def test_what_is_missing_is_one_line_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"^web.runtime=.*x.tgz: there is no ort-wasm-simd-threaded.wasm in it"):
        add_runtime(tmp_path, str(package(tmp_path / "x.tgz", NAMES[:2])))
    (tmp_path / "y.tgz").write_bytes(b"no package")
    with pytest.raises(ConfigError, match=r"^web.runtime=.*y.tgz is not a package that `npm pack` makes"):
        add_runtime(tmp_path, str(tmp_path / "y.tgz"))
    monkeypatch.setenv("PATH", npm(tmp_path, "echo 'network is down' >&2; exit 1"), prepend=":")
    with pytest.raises(ConfigError, match=r"cannot fetch here \(npm said: network is down\); `npm pack .*web.runtime="):
        add_runtime(tmp_path, None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ConfigError, match=r"there is no npm here to fetch it; `npm pack onnxruntime-web@"):
        add_runtime(tmp_path, None)
