"""Frames of video files, one after the other, upright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import fsspec
from PIL import Image

from locnet.errors import DataError
from locnet.sources.folders import ending
from locnet.sources.urls import is_url

SUFFIXES = frozenset([".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"])


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
        except (av.error.FFmpegError, OSError, IndexError) as error:
            reason = getattr(error, "strerror", None) or "there is no video in it"
            where = f"damaged behind frame {number}" if number >= 0 else "cannot be read as a video"
            raise DataError(f"{file}: {where} ({reason})") from error


def _next_tick(due: float, time: float, rate: float) -> float:
    """The first tick behind a frame's time."""
    while due <= time + 1e-6:
        due += 1 / rate
    return due


def _upright(frame: Any) -> Image.Image:
    image: Image.Image = frame.to_image()
    turn = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
    by = turn.get(round(frame.rotation) % 360)  # of phones: counterclockwise, as Pillow has it
    return image if by is None else image.transpose(by)
