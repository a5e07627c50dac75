"""Export a checkpoint into other engines' files, and compare each with PyTorch on real images."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from locnet.config.app import Job, JobResult
from locnet.config.check import check
from locnet.config.schema import ExportSettings
from locnet.errors import ConfigError, LocnetError
from locnet.formats.description import describe, run_dir_of
from locnet.formats.engines import localizer_engine, open_engine
from locnet.formats.parity import Answers, Parity, ask, compare
from locnet.formats.pictures import Pictures, PictureSource
from locnet.inference.localizer import Localizer
from locnet.report.scores import SCORE_TITLES, scores
from locnet.runtime.checkpoints import find_checkpoint, load_trained
from locnet.runtime.quiet import quiet
from locnet.runtime.rundir import claim, log_to, write_json

log = logging.getLogger(__name__)

FILES = {
    "onnx": "model.onnx",
    "int8": "model_int8.onnx",
    "pt2": "model.pt2",
    "openvino": "openvino/model.xml",
    "safetensors": "model.safetensors",
    "web": "web/model.onnx",
}
"""The file of each format, within the output folder."""
_PACKAGES = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "int8": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("openvino", "onnx", "onnxscript"),
    "web": ("onnx", "onnxscript", "onnxruntime"),
}
_EXTRA = {"onnx": "export", "int8": "export", "web": "export", "openvino": "openvino"}
_SHOWN = ("iou", "top1_loc", "accuracy")


def export(job: Job) -> JobResult:
    """Write the files, the table of how they compare, and `export.json`; exit code 1 where one is over the tolerance.

    Raises:
        LocnetError: the checkpoint, the images or a format cannot be used.
    """
    settings = check(job.config, ExportSettings)
    formats = [settings.format] if isinstance(settings.format, str) else list(dict.fromkeys(settings.format))
    for name in formats:
        _check_installed(name)
    checkpoint = find_checkpoint(settings.checkpoint, cache=settings.paths.cache)
    exporter = _Exporter(settings, checkpoint, Path(settings.output or job.run_dir).expanduser())
    claim(job.run_dir, job.config, job.overrides)
    with quiet(), log_to(job.run_dir / "export.log"):
        log.info("checkpoint     %s", checkpoint)
        log.info("compared on    %d images of %s", len(exporter.pictures), exporter.pictures.name)
        exporter.row("PyTorch", None, exporter.truth, None)
        bad = [name for name in formats if not _exported(exporter, name, alone=len(formats) == 1)]
        Console(width=max(120, Console().width)).print(exporter.table)
        write_json(job.run_dir / "export.json", exporter.entries)
        log.info("written        %s", exporter.folder)
    return JobResult(exit_code=1 if bad else 0)


def _exported(exporter: _Exporter, name: str, *, alone: bool) -> bool:
    """One format; of several, one that cannot be does not take the others with it."""
    try:
        return exporter.export(name)
    except LocnetError as error:
        if alone:
            raise
        log.error("%s", error)  # noqa: TRY400 - one line, no traceback
        return False


class _Exporter:
    """One checkpoint on its way into several files."""

    def __init__(self, settings: ExportSettings, checkpoint: Path, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        self.trained = load_trained(checkpoint)
        network, resize, threshold, hparams = self.trained
        self.about = describe(self.trained, run_dir_of(checkpoint))
        self.localizer = Localizer(network, resize=resize, threshold=threshold, device="cpu")
        self.source = PictureSource(
            settings.source,
            settings.data,
            hparams,
            network.classes,
            network.image_size,
            resize,
            settings.paths.cache,
        )
        self.pictures: Pictures = self.source.take(settings.images, test=True)
        self.truth = ask(localizer_engine(self.localizer), self.pictures)
        self.entries: dict[str, Any] = {"checkpoint": str(checkpoint), "images": len(self.pictures)}
        self.table = Table("format", "size", "p_c differs", "box differs", "same class", "agree")
        for name in _SHOWN:
            self.table.add_column(SCORE_TITLES[name])
        self._core: Any = None

    def export(self, name: str) -> bool:
        """One format; whether its answers are those of PyTorch."""
        started = time.monotonic()
        path = self.folder / FILES[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        about = self.about | {"format": name}
        getattr(self, f"_write_{name}")(path, about)
        answers = ask(open_engine(path), self.pictures)
        limits = self.settings.int8_tolerance if name == "int8" else self.settings.tolerance
        parity = compare(
            self.truth,
            answers,
            threshold=self.trained.threshold,
            input_size=self.trained.network.image_size,
            p_c=limits.p_c,
            box=limits.box,
        )
        self.row(name, path, answers, parity)
        log.info("%-14s %s (%.0f s)", name, path, time.monotonic() - started)
        if parity.agreement >= limits.agreement:
            return True
        log.error(
            "%s does not answer as PyTorch does: %.1f %% of %d images agree (p_c within %g, box within %g pixels of "
            "the input), %.1f %% are asked for; the file is kept as %s",
            name,
            100 * parity.agreement,
            parity.images,
            limits.p_c,
            limits.box,
            100 * limits.agreement,
            _set_aside(path),
        )
        return False

    def row(self, name: str, path: Path | None, answers: Answers, parity: Parity | None) -> None:
        """A line of the table, and its numbers for `export.json`."""
        cells = [name]
        if path is not None and parity is not None:
            size = sum(file.stat().st_size for file in {path, path.with_suffix(".bin")} if file.exists())
            self.entries |= {f"{name}/{key}": value for key, value in vars(parity).items()}
            self.entries[f"{name}/bytes"] = size
            cells += [
                f"{size / 1e6:.1f} MB",
                f"{parity.p_c:.4f}",
                f"{parity.box_median:.2f}, most {parity.box:.2f} px",
                f"{parity.classes:.1%}",
                f"{parity.agreement:.1%}",
            ]
        else:
            cells += [""] * 5
        table = self.pictures.predictions(answers, self.trained.network.classes, self.trained.threshold)
        values = {} if table is None else scores(table)
        self.entries |= {f"{name}/test/{key}": value for key, value in values.items()}
        self.table.add_row(*cells, *(f"{values[key]:.3f}" if key in values else "" for key in _SHOWN))

    def core(self) -> Any:
        """The network as ONNX, translated once for all formats that begin with it."""
        from locnet.formats.onnx_file import trace_core

        if self._core is None:
            self._core = trace_core(self.trained.network)
        return self._core

    def whole(self, core: Any) -> Any:
        """Behind its scaling."""
        from locnet.formats.onnx_file import with_scaling

        return with_scaling(core, self.trained.network.image_size, self.trained.resize)

    def _write_onnx(self, path: Path, about: dict[str, Any]) -> None:
        from locnet.formats.onnx_file import write_onnx

        write_onnx(self.whole(self.core()), path, about)

    def _write_int8(self, path: Path, about: dict[str, Any]) -> None:
        from PIL import Image

        from locnet.formats.int8 import quantise
        from locnet.formats.onnx_file import write_onnx

        images = self.source.take(self.settings.calibration_images, test=False)
        log.info("int8           ranges are measured on %d images of %s", len(images), images.name)
        prepared = [self.localizer.prepare(Image.fromarray(pixels)).image for pixels in images]
        write_onnx(self.whole(quantise(self.core(), prepared)), path, about)

    def _write_pt2(self, path: Path, about: dict[str, Any]) -> None:
        from locnet.formats.pt2 import write_pt2

        write_pt2(self.trained.network, self.trained.resize, path, about)

    def _write_openvino(self, path: Path, about: dict[str, Any]) -> None:
        from locnet.formats.openvino_file import write_openvino

        write_openvino(self.whole(self.core()), path, about)

    def _write_safetensors(self, path: Path, about: dict[str, Any]) -> None:
        from locnet.formats.weights import write_weights

        write_weights(self.trained, path, about)

    def _write_web(self, path: Path, about: dict[str, Any]) -> None:
        from PIL import Image

        from locnet.formats.web_folder import add_runtime, write_page

        add_runtime(path.parent, self.settings.web.runtime)
        samples = self.source.samples(self.settings.web.samples)
        write_page(path.parent, about, [Image.fromarray(pixels) for pixels in samples])
        self._write_onnx(path, about)


def _check_installed(name: str) -> None:
    """Say what to install before minutes are spent.

    Raises:
        ConfigError: a package is missing.
    """
    missing = [package for package in _PACKAGES.get(name, ()) if importlib.util.find_spec(package) is None]
    if missing:
        raise ConfigError(f"format={name} needs {', '.join(missing)}: pip install 'locnet[{_EXTRA[name]}]'")


def _set_aside(path: Path) -> Path:
    """Give a file that must not be used another name, and all that belongs to it."""
    if path.parent.name in ("openvino", "web"):  # a folder that is of use as a whole only
        aside = path.parent.with_name(f"{path.parent.name}.over_tolerance")
        shutil.rmtree(aside, ignore_errors=True)
        return path.parent.replace(aside)
    return path.replace(path.with_name(f"{path.name}.over_tolerance"))
