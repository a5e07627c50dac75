"""Draws a whole data set once, into a cache folder that every later run finds."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from pathlib import Path

from filelock import FileLock

from locnet.data.progress import with_progress
from locnet.data.streets.crew import Crew
from locnet.data.streets.manifest import HEADER, Row, file_name
from locnet.data.streets.scene import SMALLEST_SIZE, SPLITS, VERSION
from locnet.errors import ConfigError


def generate(cache: Path, *, seed: int, size: int, train: int, val: int, test: int, workers: int) -> Path:
    """The data set of these settings, drawn if it is not in the cache yet.

    The folder holds `annotations.csv` and `images/`. It appears complete or not at all; one process draws it
    and others that want the same one wait. The number of workers has no influence on its content.

    Args:
        cache: folder of all drawn data sets; made if missing.
        seed: of the data set.
        size: side of the pictures in pixels.
        train: number of pictures in that split; `val` and `test` likewise.
        val: see `train`.
        test: see `train`.
        workers: processes that draw; 0 or 1 draws in this one.

    Returns:
        The folder.

    Raises:
        ConfigError: if a setting is out of range.
        DataError: if a worker process fails, for example because the disk is full.
    """
    counts = {"train": train, "val": val, "test": test}
    _check(size, counts, workers)
    settings = {"version": VERSION, "seed": seed, "size": size, **counts}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:10]
    folder = cache / f"streets-{digest}"
    if _is_complete(folder, counts):
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f".{folder.name}.lock"):
        if _is_complete(folder, counts):  # another process drew it while we waited
            return folder
        for leftover in cache.glob(f".{folder.name}.tmp-*"):  # of killed runs: the lock says that nobody is at it
            shutil.rmtree(leftover, ignore_errors=True)
        unfinished = cache / f".{folder.name}.tmp-{os.getpid()}"
        (unfinished / "images").mkdir(parents=True)
        try:
            _draw(unfinished, seed, size, counts, workers)
            (unfinished / "settings.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
            if folder.exists():  # somebody took files out of it
                shutil.rmtree(folder)
            unfinished.rename(folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return folder


def _check(size: int, counts: dict[str, int], workers: int) -> None:
    if size < SMALLEST_SIZE:
        raise ConfigError(f"data.size={size}: street scenes need at least {SMALLEST_SIZE} pixels")
    for split, count in counts.items():
        if count < 1:
            raise ConfigError(f"data.{split}={count}: every split needs at least one picture")
    if workers < 0:
        raise ConfigError(f"data.workers={workers}: must not be negative")


def _is_complete(folder: Path, counts: dict[str, int]) -> bool:
    """Whether the folder was renamed into place and nobody took pictures out of it since."""
    if not (folder / "annotations.csv").is_file() or not (folder / "images").is_dir():
        return False
    with os.scandir(folder / "images") as entries:
        return sum(1 for _ in entries) == sum(counts.values())


def _draw(folder: Path, seed: int, size: int, counts: dict[str, int], workers: int) -> None:
    items = [(split, index) for split in SPLITS for index in range(counts[split])]
    rows: dict[str, Row] = {}
    with Crew(folder, seed, size, items, workers) as crew:
        title = f"drawing {len(items)} street scenes of {size}x{size}"
        for row in with_progress(crew.rows(), len(items), title, note="once; they are cached"):
            rows[row[0]] = row
    with (folder / "annotations.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows[file_name(split, index)] for split, index in items)
