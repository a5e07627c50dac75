"""Finds a cache of decoded images, or builds it: once, atomically, by one of the processes that want it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from locnet.data.cache import ram
from locnet.data.cache.keep import Keep, Kept, describe
from locnet.data.cache.packed import PackedImages, PackedWriter, TornError
from locnet.data.progress import with_progress
from locnet.data.sources import ImageSource, OriginalSource, SourceImage
from locnet.data.workers import prepare_worker
from locnet.errors import DataError

log = logging.getLogger(__name__)

_VERSION = 2  # raise it with every change of what is kept
_SPARE_BYTES = 2**28  # what stays free beside a cache, for everybody else on that disk


@dataclass(frozen=True)
class CachedImages:
    """An `ImageSource` that decodes nothing."""

    packed: PackedImages

    def load(self, row: int, at_least: int | None = None) -> SourceImage:
        """The image as it is kept; `at_least` was heeded when that was decided."""
        (pixels, fitted), height, width = self.packed.load(row)
        picture = pixels if pixels.size else fitted.permute(1, 2, 0).numpy()
        return SourceImage(picture, height, width, fitted if fitted.numel() else None)

    def near(self, row: int) -> range:
        """All: nothing is decoded."""
        return range(len(self.packed))


def cached(
    source: OriginalSource,
    *,
    name: str,
    sizes: NDArray[np.int64],
    keep: Keep,
    where: Literal["disk", "ram"],
    folder: Path,
    workers: int,
) -> CachedImages:
    """The images of a source, decoded; built where there is no cache of them yet.

    Of several processes one builds, the others wait. The file appears whole or not at all. It belongs to the
    names, sizes and times of the image files and to what is kept of them: when one changes, it is built anew
    and the old one removed. A damaged file is built again.

    Args:
        source: of the images.
        name: of the data set, in messages and in the file's name.
        sizes: `(N, 2)` int64, height and width of the images as far as known, to see whether there is room.
        keep: at which size.
        where: `disk` keeps it in `folder`; `ram` in memory, until the last process that uses it ends.
        folder: made if missing.
        workers: processes that decode; 0 decodes in this one.

    Raises:
        DataError: an image cannot be read, or there is no room.
    """
    folder = ram.folder() if where == "ram" else folder
    family = _digest(json.dumps({"version": _VERSION, "name": name, **describe(keep)}, sort_keys=True))
    content = hashlib.sha256()
    for stamp in source.stamps():
        content.update(stamp.encode("utf-8", "surrogateescape") + b"\n")
    path = folder / f"images-{family}-{content.hexdigest()[:12]}.bin"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # in memory one lock for all: clearing must not meet a file that is built but not held yet
        with FileLock(folder / (".images.lock" if where == "ram" else f".images-{family}.lock")):
            packed = _opened(path, len(sizes))
            if packed is None:
                _clear(folder, family, where)
                _build(path, source, name, sizes, keep, where, workers)
                packed = PackedImages(path)
            if where == "ram":
                ram.hold(path)
    except OSError as error:
        raise DataError(f"data.cache={where}: {folder} cannot be used ({error.strerror or error})") from error
    return CachedImages(packed)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _opened(path: Path, count: int) -> PackedImages | None:
    """The cache, if there is one and it is whole."""
    try:
        packed = PackedImages(path)
        packed.check(count)
    except FileNotFoundError:
        return None
    except TornError as error:
        log.warning("image cache %s is damaged (%s); building it again", path, error)
        return None
    return packed


def _clear(folder: Path, family: str, where: str) -> None:
    """Remove what the new file replaces, and what killed runs left; the lock says that nobody is at it."""
    for old in (*folder.glob(f"images-{family}-*.bin"), *folder.glob(f".images-{family}.tmp-*")):
        old.unlink(missing_ok=True)
    if where == "ram":
        ram.clear()


def _build(
    path: Path,
    source: ImageSource,
    name: str,
    sizes: NDArray[np.int64],
    keep: Keep,
    where: str,
    workers: int,
) -> None:
    needed = sum(height * width * 3 for size in sizes.tolist() for height, width in keep.sizes(*size))
    free = shutil.disk_usage(path.parent).free
    if needed + _SPARE_BYTES > free:
        other = "data.cache=disk, or none" if where == "ram" else "another paths.cache, or data.cache=none"
        room = f"{name} needs {_gigabytes(needed)} in {path.parent}, which has {_gigabytes(free)} free"
        raise DataError(f"data.cache={where}: {room}; take {other}")
    loader: DataLoader[Any] = DataLoader(
        _Decoded(source, len(sizes), keep),
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
        worker_init_fn=prepare_worker,
        generator=torch.Generator(),  # training's randomness must not depend on whether there was something to build
    )
    title = f"decoding {name}: {len(sizes)} images, {_gigabytes(needed)}"
    unfinished = path.parent / f".{path.name.rpartition('-')[0]}.tmp-{os.getpid()}"
    try:
        with unfinished.open("wb") as file:
            writer = PackedWriter(file)
            for kept, height, width in with_progress(loader, len(sizes), title, note="once; they are cached"):
                writer.add(kept, height, width)
            writer.close()
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _as_it_is(loaded: Any) -> Any:
    return loaded


class _Decoded(Dataset[tuple[Kept, int, int]]):
    """The images as they are kept, in the order of the rows."""

    def __init__(self, source: ImageSource, rows: int, keep: Keep) -> None:
        self.source, self.rows, self.keep = source, rows, keep

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, row: int) -> tuple[Kept, int, int]:
        loaded = self.source.load(row, self.keep.at_least)
        return self.keep.apply(loaded.picture), loaded.height, loaded.width


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
