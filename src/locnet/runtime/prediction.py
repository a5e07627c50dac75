"""Predict for image files: decode in worker processes, one forward pass a batch, rows in the order of the files."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TextIO, TypedDict, cast

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from locnet.answer import read_off
from locnet.calibration.conformal import grow
from locnet.config.app import Job, JobResult
from locnet.config.check import check
from locnet.config.schema import PredictSettings
from locnet.data.images import load_image
from locnet.data.resize import ResizeMode, fit
from locnet.data.workers import worker_count
from locnet.errors import ConfigError, DataError
from locnet.module import LocalizerModule
from locnet.report.caption import Box, Prediction
from locnet.report.overlay import annotate
from locnet.runtime.calibrate import crop_margin
from locnet.runtime.checkpoints import find_checkpoint, load_module
from locnet.runtime.rundir import claim
from locnet.runtime.sources import find_images

log = logging.getLogger(__name__)

EDGES = ("xmin", "ymin", "xmax", "ymax")
FIELDS = ("file", "p_c", "class", "verdict", *EDGES, "width", "height")
CROP = tuple(f"crop_{edge}" for edge in EDGES)


class _Item(TypedDict):
    image: Tensor  # (3, H, W) uint8
    placement: Tensor  # (4,) float32
    size: tuple[int, int]  # height, width of the original image
    error: str | None  # why the file cannot be read


class _Batch(TypedDict):
    images: Tensor  # (B, 3, H, W) uint8
    placements: Tensor  # (B, 4) float32
    sizes: list[tuple[int, int]]
    errors: list[str | None]


class _Files(Dataset[_Item]):
    """Image files at the network's size; an unreadable one carries its error instead of ending the run."""

    def __init__(self, files: Sequence[Path], height: int, width: int, resize: ResizeMode) -> None:
        self.files, self.height, self.width, self.resize = files, height, width, resize

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> _Item:
        try:
            loaded = load_image(self.files[index], at_least=max(self.height, self.width))
        except DataError as error:
            blank = torch.zeros(3, self.height, self.width, dtype=torch.uint8)
            return _Item(image=blank, placement=torch.tensor((0.0, 0, 1, 1)), size=(0, 0), error=str(error))
        image, placement = fit(loaded.image, self.height, self.width, self.resize)
        where = placement.as_tensor().float()
        return _Item(image=image, placement=where, size=(loaded.height, loaded.width), error=None)


def predict(job: Job) -> JobResult:
    """Write `predictions.jsonl` and `predictions.csv`; exit code 1 where files were skipped.

    Raises:
        LocnetError: the checkpoint or the source cannot be used.
    """
    settings = check(job.config, PredictSettings)
    device = _device(settings.device)
    module = load_module(find_checkpoint(settings.checkpoint)).to(device)
    if settings.threshold is not None:
        module.threshold = settings.threshold
    margin = crop_margin(module.model.calibration, settings.coverage) if settings.coverage is not None else None
    output = Path(settings.output).expanduser() if settings.output else job.run_dir
    files = find_images(settings.source, leave_out=output / "annotated")
    claim(output, job.config, job.overrides)
    if output.resolve() != job.run_dir.resolve():
        with suppress(OSError):
            job.run_dir.rmdir()  # Hydra has made it, and it stays empty
    height, width = module.model.image_size
    loader = DataLoader(
        _Files(files, height, width, cast(ResizeMode, module.resize)),
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
            fieldnames=[*FIELDS, *(CROP if margin is not None else ()), *(f"score_{name}" for name in module.classes)],
        )
        table.writeheader()
        position = 0
        for batch in _progress(loader):
            size = len(batch["sizes"])
            rows = answer_rows(module, batch, files[position : position + size], device, margin)
            for error, row in zip(batch["errors"], rows, strict=True):
                if error is not None:
                    skipped.append(error)
                    log.warning("skipped: %s", error)
                    continue
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
                table.writerow(row)
                if settings.annotate:
                    _annotate(row, base, output / "annotated", settings.coverage)
            position += size
    log.info("predicted      %d of %d images%s", len(files) - len(skipped), len(files), _skipped(skipped))
    log.info("written        %s: predictions.jsonl, predictions.csv%s", output, ", annotated/" * settings.annotate)
    return JobResult(exit_code=1 if skipped else 0)


@torch.inference_mode()
def answer_rows(
    module: LocalizerModule,
    batch: _Batch,
    files: Sequence[Path],
    device: torch.device,
    margin: float | None = None,
) -> list[dict[str, Any]]:
    """One row a file: box in pixels of the original image, class, p_c, verdict, class scores.

    The box is given whatever p_c is; the verdict says `background` where p_c is below the threshold. A system
    without boxes has None for its edges. With a margin (see `crop_margin`) the crop stands beside the box.
    """
    answer = read_off(module.model(batch["images"].to(device)).y.cpu(), batch["placements"])
    boxes = answer.boxes.double().numpy()
    crops = grow(boxes, margin) if margin is not None else boxes
    rows = []
    for index, ((height, width), file) in enumerate(zip(batch["sizes"], files, strict=True)):
        p_c = float(answer.p_c[index])
        scores = [float(score) for score in answer.scores[index]]
        name = module.classes[max(range(len(scores)), key=scores.__getitem__)]
        box: list[float | None] = [None] * 4
        sides = (width, height, width, height)
        if module.model.has_box:
            box = [round(float(edge * side), 3) for edge, side in zip(boxes[index], sides, strict=True)]
        crop = {} if margin is None else dict(zip(CROP, whole_pixels(crops[index], width, height), strict=True))
        rows.append(
            {
                "file": str(file),
                "p_c": p_c,
                "class": name,
                "verdict": "background" if p_c < module.threshold else name,
                **dict(zip(EDGES, box, strict=True)),
                "width": width,
                "height": height,
                **crop,
                **{f"score_{name}": score for name, score in zip(module.classes, scores, strict=True)},
            }
        )
    return rows


def whole_pixels(crop: NDArray[np.float64], width: int, height: int) -> tuple[int, int, int, int]:
    """A crop in fractions of the image as whole pixels, rounded outward, as `PIL.Image.crop` takes it."""
    left, top, right, bottom = crop * (width, height, width, height)
    slack = 1e-6  # what float32 adds to an edge that lies on a pixel's
    low = (max(0, math.floor(edge + slack)) for edge in (left, top))
    high = (min(side, math.ceil(edge - slack)) for edge, side in ((right, width), (bottom, height)))
    return (*low, *high)


def _writing(path: Path) -> TextIO:
    """A new text file. Names that are not UTF-8 hold lone surrogates; escaped they are still right JSON."""
    return path.open("w", encoding="utf-8", errors="backslashreplace", newline="")


def _collate(items: Sequence[_Item]) -> _Batch:
    """In the worker process, because each tensor that is handed over costs an open file (of 1024, usually)."""
    return _Batch(
        images=torch.stack([item["image"] for item in items]),
        placements=torch.stack([item["placement"] for item in items]),
        sizes=[item["size"] for item in items],
        errors=[item["error"] for item in items],
    )


def _base(source: Path, files: Sequence[Path]) -> Path:
    """The folder below which annotated copies keep their places: the source, or what all files have in common."""
    return source if source.is_dir() else Path(os.path.commonpath([file.parent for file in files]))


def _annotate(row: dict[str, Any], base: Path, folder: Path, coverage: float | None) -> None:
    """Write a copy of the image with the answer drawn on it, under its path relative to `base`."""
    file = Path(row["file"])
    name = file.relative_to(base)
    shown = row["verdict"] != "background"
    prediction = Prediction(
        _fractions(row, EDGES) if shown else None,
        row["verdict"],
        row["p_c"],
        crop=_fractions(row, CROP) if shown else None,
        coverage=coverage,
    )
    picture = annotate(load_image(file).image, prediction=prediction)
    target = folder / name.with_name(f"{name.name}.jpg" if file.suffix.lower() not in (".jpg", ".jpeg") else name.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.save(target, quality=92)


def _fractions(row: dict[str, Any], edges: Sequence[str]) -> Box | None:
    """The edges of a row in fractions of the image; None where it has none."""
    if row.get(edges[0]) is None:
        return None
    left, top, right, bottom = (row[edge] for edge in edges)
    return left / row["width"], top / row["height"], right / row["width"], bottom / row["height"]


def _progress(loader: DataLoader[Any]) -> Iterator[_Batch]:
    hidden = not sys.stderr.isatty()
    yield from track(loader, description="predict", console=Console(stderr=True), disable=hidden, transient=True)


def _device(name: str) -> torch.device:
    """The device that a user means.

    Raises:
        ConfigError: this machine does not have it.
    """
    if name == "auto":
        has_mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    device = torch.device(name)
    available = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    if (device.index or 0) >= available[device.type]:
        raise ConfigError(f"device={name} is not on this machine; use device=auto or device=cpu")
    return device


def _skipped(errors: Sequence[str]) -> str:
    return f", {len(errors)} skipped (see above)" if errors else ""
