"""What an image file is, seen from its header or from all of it: size, kind, and what is wrong with it."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from locnet.data.images import load_image, opened, upright_size
from locnet.errors import DataError

THUMBNAIL = 18
"""Side of the grey thumbnail that near-duplicates are found by."""
_TAIL = 4096  # bytes at the end of a file in which its format's last marker stands
_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
_SUFFIXES = {
    "JPEG": ".jpg .jpeg .jpe .jfif",
    "MPO": ".jpg .jpeg .mpo",
    "PNG": ".png",
    "WEBP": ".webp",
    "GIF": ".gif",
    "BMP": ".bmp .dib",
    "TIFF": ".tif .tiff",
    "PPM": ".ppm .pgm .pbm .pnm",
}

# Larger images are refused here by their header; nobody needs Pillow's warning beside that.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class Facts(NamedTuple):
    """One image file.

    Attributes:
        height: of the upright image, pixels; 0 where the file is no usable image.
        width: likewise.
        orientation: EXIF orientation 1 to 8, 1 where there is none or nonsense.
        problem: kind of the defect that makes the file unusable; empty for none.
        message: what is to be said about it.
        notes: kinds that are good to know.
        mode: of Pillow.
        size: of the file, bytes.
        digest: SHA-256 of the file; empty from the header alone.
        thumbnail: grey pixels, `THUMBNAIL` squared; empty from the header alone.
    """

    height: int = 0
    width: int = 0
    orientation: int = 1
    problem: str = ""
    message: str = ""
    notes: tuple[str, ...] = ()
    mode: str = ""
    size: int = 0
    digest: str = ""
    thumbnail: bytes = b""


def inspect(path: str, whole: bool = False) -> Facts:
    """Look at an image file.

    Args:
        path: of the file.
        whole: decode all of it and hash it; otherwise the header and the last bytes, and all of it only where
            these look cut short.
    """
    file = Path(path)
    try:
        facts, suspicious = _header(file)
        if whole or suspicious:
            loaded = load_image(file, at_least=THUMBNAIL).image
            if whole:
                small = loaded.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                facts = facts._replace(digest=digest, thumbnail=small.tobytes())
    except DataError as error:
        return Facts(problem=_kind(file, error.__cause__), message=str(error), size=_file_size(file))
    except OSError as error:  # it has gone while we looked, or a disk fails
        return Facts(problem="unreadable_image", message=f"{file}: cannot be read ({error.strerror})")
    return facts


def inspect_all(
    paths: Sequence[str],
    *,
    whole: bool = False,
    workers: int = 1,
    progress: Callable[[Iterator[Facts]], Iterator[Facts]] = iter,
) -> list[Facts]:
    """Look at many files in parallel, in order: headers in threads, whole files in processes.

    Args:
        paths: of the files.
        whole: see `inspect`.
        workers: threads or processes; 1 does it in this thread.
        progress: wraps the results as they come.

    Raises:
        DataError: a process was killed.
    """
    if workers <= 1 or len(paths) < 2 * _BATCH:
        return list(progress(inspect(path, whole) for path in paths))
    pool: Any = (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn"))  # Arrow has threads; forking them is unsafe
        if whole
        else ThreadPoolExecutor(workers)
    )
    try:
        with pool:
            return list(progress(pool.map(inspect, paths, [whole] * len(paths), chunksize=_BATCH)))
    except BrokenProcessPool as error:
        raise DataError(
            "a process that looks at images was killed (out of memory?); take fewer: num_workers=1"
        ) from error


_BATCH = 32


def _header(file: Path) -> tuple[Facts, bool]:
    """Facts from the header, and whether the file looks cut short."""
    with opened(file) as image:
        stated_width, stated_height = image.size
        if stated_width * stated_height > (Image.MAX_IMAGE_PIXELS or np.inf):
            raise Image.DecompressionBombError
        height, width = upright_size(file, image)
        raw = _raw_orientation(image)
        notes = list(_notes(file, image))
        orientation = raw if isinstance(raw, int) and 1 <= raw <= 8 else 1
        if raw is not None and orientation != raw:
            notes.append("bad_orientation")
        elif orientation != 1:
            notes.append("rotated")
        facts = Facts(height, width, orientation, notes=tuple(notes), mode=image.mode, size=_file_size(file))
        return facts, _looks_cut(file, image.format or "")


def _kind(file: Path, cause: BaseException | None) -> str:
    """The kind of defect that an unusable image is."""
    with suppress(OSError), file.open("rb") as stream:
        head = stream.read(64)
        if not head:
            return "empty_image"
        if head.startswith(b"version https://git-lfs"):
            return "lfs_pointer"
        if isinstance(cause, (Image.DecompressionBombError, MemoryError)):
            return "too_many_pixels"
        return "not_an_image" if isinstance(cause, UnidentifiedImageError) else "damaged_image"
    return "missing_image" if isinstance(cause, FileNotFoundError) else "unreadable_image"


def _notes(file: Path, image: Image.Image) -> Iterator[str]:
    suffixes = _SUFFIXES.get(image.format or "", "").split()
    if suffixes and file.suffix.lower() not in suffixes:
        yield "wrong_extension"
    if image.mode in ("1", "L", "LA", "La"):
        yield "grey"
    if image.mode.startswith("P"):
        yield "palette"
    if image.mode.startswith("I") or image.mode == "F":
        yield "deep"
    if image.mode == "CMYK":
        yield "cmyk"
    if image.has_transparency_data:
        yield "transparent"
    if image.format != "MPO" and getattr(image, "is_animated", False):  # an MPO is a photo with its preview
        yield "animated"


def _raw_orientation(image: Image.Image) -> Any:
    """The EXIF orientation as it stands in the header; None where there is none."""
    try:
        return Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    except Exception:
        return None


def _looks_cut(file: Path, form: str) -> bool:
    """Whether the end of the file is not where its format says; the pixels then decide."""
    with file.open("rb") as stream:
        length = stream.seek(0, os.SEEK_END)
        if form == "WEBP":
            stream.seek(4)
            return int.from_bytes(stream.read(4), "little") + 8 > length
        stream.seek(max(0, length - _TAIL))
        return form in _ENDS and _ENDS[form] not in stream.read()


def _file_size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
