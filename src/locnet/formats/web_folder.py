"""`format=web`: one page, the ONNX file, onnxruntime-web, sample pictures; any file server shows it."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from locnet.errors import ConfigError
from locnet.page.document import document, resource

RUNTIME = "onnxruntime-web@1.30.0"
"""What npm is asked for: the version that the page is tested with (MIT)."""
_NEEDED = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_HERE = "locnet.formats.web"
_SECONDS = 300


def write_page(folder: Path, about: Mapping[str, Any], samples: Sequence[Image.Image]) -> None:
    """`index.html` and `samples/`.

    Args:
        folder: has `model.onnx` and `runtime/` already, or will have.
        about: what the model says about itself.
        samples: pictures that the page offers.
    """
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    names = []
    for number, picture in enumerate(samples, start=1):
        names.append(f"samples/{number}.png")
        picture.save(folder / names[-1])
    page = document(
        f"locnet: {', '.join(about['classes'])}",
        ['<script src="runtime/ort.wasm.min.js"></script>', resource(_HERE, "page.html")],
        heading="One picture, one object",
        where=f"{', '.join(about['classes'])}, or background · {about['backbone']} · locnet {about['version']}",
        style=resource(_HERE, "style.css"),
        scripts=(resource(_HERE, "maths.js"), resource(_HERE, "app.js")),
        data={**about, "samples": names},
    )
    (folder / "index.html").write_text(page, encoding="utf-8")


def add_runtime(folder: Path, place: str | None) -> None:
    """Put onnxruntime-web's files into `runtime/`.

    Args:
        folder: of the page.
        place: a folder that has them somewhere inside, or the .tgz that `npm pack` makes; None asks npm for it.

    Raises:
        ConfigError: they are not there, or npm cannot fetch them.
    """
    with tempfile.TemporaryDirectory() as name:
        source = Path(place).expanduser() if place is not None else _packed(Path(name))
        if source.is_file():
            source = _unpacked(source, Path(name) / "unpacked")
        for file in _NEEDED:
            found = next((path for path in sorted(source.rglob(file)) if path.is_file()), None)
            if found is None:
                raise ConfigError(
                    f"web.runtime={place}: there is no {file} in it; it must be the folder or the .tgz of the npm "
                    f"package {RUNTIME}"
                )
            (folder / "runtime").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, folder / "runtime" / file)


def _packed(folder: Path) -> Path:
    """The package as npm fetches it."""
    way_out = f"`npm pack {RUNTIME}` where there is a network makes a file for web.runtime=FILE"
    npm = shutil.which("npm")
    if npm is None:
        raise ConfigError(f"format=web needs {RUNTIME}, and there is no npm here to fetch it; {way_out}")
    command = [npm, "pack", RUNTIME, "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        said = f"npm said: {(done.stderr.strip().splitlines() or ['nothing'])[0]}"
    except subprocess.TimeoutExpired:
        said = f"npm took more than {_SECONDS} seconds"
    file = next(folder.glob("*.tgz"), None)
    if file is None:
        raise ConfigError(f"format=web needs {RUNTIME}, which npm cannot fetch here ({said}); {way_out}")
    return file


def _unpacked(file: Path, folder: Path) -> Path:
    """The needed files of a package, by their names alone: no path in it leads anywhere."""
    folder.mkdir()
    try:
        with tarfile.open(file) as archive:
            for member in archive:
                content = archive.extractfile(member) if Path(member.name).name in _NEEDED else None
                if content is not None:
                    (folder / Path(member.name).name).write_bytes(content.read())
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ConfigError(f"web.runtime={file} is not a package that `npm pack` makes ({error})") from error
    return folder
