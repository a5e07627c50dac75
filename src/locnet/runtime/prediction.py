"""Predict for image files: decode in worker processes, one forward pass a batch, rows in the order of the files."""

from __future__ import annotations

import csv
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import torch
from rich.console import Console
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from locnet.config.app import Job, JobResult
from locnet.config.check import check
from locnet.config.schema import PredictSettings
from locnet.data.images import load_image
from locnet.data.resize import ResizeMode
from locnet.data.workers import worker_count
from locnet.errors import DataError
from locnet.inference.inputs import Batch, Input, prepare, stack
from locnet.inference.localizer import Localizer
from locnet.inference.result import CROP, FIELDS, Box, Crop, Result
from locnet.report.caption import Prediction
from locnet.report.overlay import annotate
from locnet.runtime.rundir import claim
from locnet.runtime.sources import find_images

log = logging.getLogger(__name__)


class _Inputs(NamedTuple):
    """A batch of files; of an unreadable one a blank image, and why it cannot be read."""

    batch: Batch
    errors: list[str | None]


class _Files(Dataset[tuple[Input, str | None]]):
    """Image files at the network's size; an unreadable one carries its error instead of ending the run."""

    def __init__(self, files: Sequence[Path], height: int, width: int, resize: ResizeMode) -> None:
        self.files, self.height, self.width, self.resize = files, height, width, resize

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Input, str | None]:
        try:
            return prepare(self.files[index], self.height, self.width, self.resize), None
        except DataError as error:
            blank = torch.zeros(3, self.height, self.width, dtype=torch.uint8)
            return Input(blank, torch.tensor((0.0, 0, 1, 1)), 0, 0), str(error)


def predict(job: Job) -> JobResult:
    """Write `predictions.jsonl` and `predictions.csv`; exit code 1 where files were skipped.

    Raises:
        LocnetError: the checkpoint or the source cannot be used.
    """
    settings = check(job.config, PredictSettings)
    localizer = Localizer.load(settings.checkpoint, device=settings.device, threshold=settings.threshold)
    margin = localizer.margin(settings.coverage) if settings.coverage is not None else None
    output = Path(settings.output).expanduser() if settings.output else job.run_dir
    files = find_images(settings.source, leave_out=output / "annotated")
    claim(output, job.config, job.overrides)
    if output.resolve() != job.run_dir.resolve():
        with suppress(OSError):
            job.run_dir.rmdir()  # Hydra has made it, and it stays empty
    loader = DataLoader(
        _Files(files, *localizer.image_size, localizer.resize),
        batch_size=settings.batch_size,
        num_workers=min(worker_count(settings.num_workers), len(files) // settings.batch_size),
        collate_fn=_collate,
    )
    base = _base(Path(settings.source).expanduser(), files)
    skipped: list[str] = []
    with ExitStack() as stack:
        lines = stack.enter_context(_writing(output / "predictions.jsonl"))
        table = csv.DictWriter(
            stack.enter_context(_writing(output / "predictions.csv")),
            fieldnames=[
                *FIELDS,
                *(CROP if margin is not None else ()),
                *(f"score_{name}" for name in localizer.classes),
            ],
        )
        table.writeheader()
        following = iter(files)
        for batch, errors in _progress(loader):
            results = localizer.results(batch, margin=margin)
            for error, file, result in zip(errors, following, results):  # noqa: B905 - files go on after the batch
                if error is not None:
                    skipped.append(error)
                    log.warning("skipped: %s", error)
                    continue
                row = {"file": str(file), **result.row()}
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
                table.writerow(row)
                if settings.annotate:
                    _annotate(file, result, base, output / "annotated", settings.coverage)
    log.info("predicted      %d of %d images%s", len(files) - len(skipped), len(files), _skipped(skipped))
    log.info("written        %s: predictions.jsonl, predictions.csv%s", output, ", annotated/" * settings.annotate)
    return JobResult(exit_code=1 if skipped else 0)


def _writing(path: Path) -> TextIO:
    """A new text file. Names that are not UTF-8 hold lone surrogates; escaped they are still right JSON."""
    return path.open("w", encoding="utf-8", errors="backslashreplace", newline="")


def _collate(items: Sequence[tuple[Input, str | None]]) -> _Inputs:
    """In the worker process, because each tensor that is handed over costs an open file (of 1024, usually)."""
    return _Inputs(stack([item for item, _ in items]), [error for _, error in items])


def _base(source: Path, files: Sequence[Path]) -> Path:
    """The folder below which annotated copies keep their places: the source, or what all files have in common."""
    return source if source.is_dir() else Path(os.path.commonpath([file.parent for file in files]))


def _annotate(file: Path, result: Result, base: Path, folder: Path, coverage: float | None) -> None:
    """Write a copy of the image with the answer drawn on it, under its path relative to `base`."""
    name = file.relative_to(base)
    prediction = Prediction(
        result.box_fractions if result.present else None,
        result.verdict,
        result.p_c,
        crop=_fractions(result.crop, result) if result.present and result.crop else None,
        coverage=coverage,
    )
    picture = annotate(load_image(file).image, prediction=prediction)
    target = folder / name.with_name(f"{name.name}.jpg" if file.suffix.lower() not in (".jpg", ".jpeg") else name.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.save(target, quality=92)


def _fractions(crop: Crop, result: Result) -> Box:
    """The crop in fractions of the image."""
    return Box(crop.xmin / result.width, crop.ymin / result.height, crop.xmax / result.width, crop.ymax / result.height)


def _progress(loader: DataLoader[Any]) -> Iterator[_Inputs]:
    hidden = not sys.stderr.isatty()
    yield from track(loader, description="predict", console=Console(stderr=True), disable=hidden, transient=True)


def _skipped(errors: Sequence[str]) -> str:
    return f", {len(errors)} skipped (see above)" if errors else ""
