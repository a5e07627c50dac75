"""Frames of video files, one after the other, upright."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import fsspec
from PIL import Image

from locnet.errors import DataError
from locnet.sources.folders import ending
from locnet.sources.urls import is_url

SUFFIXES = frozenset([".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"])

_TURNS: dict[tuple[int, ...], Image.Transpose] = {
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,  # Pillow turns counterclockwise
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
"""By the signs of a, b, c, d of a display matrix: a pixel at (x, y) is shown at (ax + cy, bx + dy), y down."""


def is_video(name: str) -> bool:
    """Whether a path or a URL is that of a video, by its ending."""
    return ending(name) in SUFFIXES


def frames(file: str, rate: float | None = None) -> Iterator[tuple[int, float, Image.Image]]:
    """Number from 0, time in seconds, and upright RGB image of the frames of a video.

    Args:
        file: path or URL.
        rate: frames a second, the first one at or behind each tick; None gives all.

    Raises:
        DataError: PyAV is not installed, or the file cannot be decoded (on); frames before are good.
    """
    try:
        import av
    except ImportError as error:
        raise DataError(f"{file}: videos need PyAV: pip install 'locnet[video]'") from error
    number = -1
    with ExitStack() as stack:
        try:
            place: Any = stack.enter_context(fsspec.open(file, "rb").open()) if is_url(file) else file
            container = stack.enter_context(av.open(place))
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            due = float("-inf")
            for number, frame in enumerate(container.decode(stream)):
                time = float(frame.time) if frame.time is not None else number / float(stream.average_rate or 25)
                if rate is not None:
                    if time < due - 1e-6:
                        continue
                    due = _next_tick(max(due, time) if due == float("-inf") else due, time, rate)
                yield number, round(time, 6), _upright(frame)
        except Exception as error:  # PyAV's, the system's, and of URLs each client library has its own
            where = f"damaged behind frame {number}" if number >= 0 else "cannot be read as a video"
            raise DataError(f"{file}: {where} ({_reason(error)})") from error


def _next_tick(due: float, time: float, rate: float) -> float:
    """The first tick behind a frame's time."""
    while due <= time + 1e-6:
        due += 1 / rate
    return due


def _reason(error: Exception) -> str:
    if isinstance(error, IndexError):
        return "there is no video in it"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return getattr(error, "strerror", None) or " ".join(str(error).split())[:200] or type(error).__name__


def _upright(frame: Any) -> Image.Image:
    """The frame as a player shows it: phones film as the sensor lies, and write beside it how it was held."""
    image: Image.Image = frame.to_image()
    turn = _TURNS.get(_direction(frame))
    return image if turn is None else image.transpose(turn)


def _direction(frame: Any) -> tuple[int, ...]:
    """Signs of a, b, c, d of the frame's display matrix; of numbers below a thousandth 0."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])  # 16.16 fixed point
    return tuple((number > 65) - (number < -65) for number in (a, b, c, d))
