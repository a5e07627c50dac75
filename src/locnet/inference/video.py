"""A video as batches of inputs; the next ones are decoded in a thread while the network runs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from locnet.data.resize import ResizeMode
from locnet.inference.inputs import prepare, stack
from locnet.inference.stream import Asked, Inputs
from locnet.sources.video import frames

T = TypeVar("T")

_AHEAD = 2  # batches


def stream_video(
    file: str,
    image_size: tuple[int, int],
    resize: ResizeMode,
    *,
    batch_size: int,
    rate: float | None,
    wanted: Callable[[int], bool],
    keep_pictures: bool,
) -> Iterator[Inputs]:
    """Batches of the frames of a video.

    Args:
        file: path or URL.
        image_size: (height, width) of the network's input, pixels.
        resize: how images meet it.
        batch_size: frames in a batch.
        rate: frames a second; None takes all.
        wanted: says of a frame by its number whether it is to be answered.
        keep_pictures: the frames are needed at their full size too.

    Raises:
        DataError: the file cannot be decoded (on).
    """

    def batches() -> Iterator[Inputs]:
        found = (frame for frame in frames(file, rate) if wanted(frame[0]))
        while batch := list(islice(found, batch_size)):
            inputs = stack([prepare(image, *image_size, resize) for _, _, image in batch])
            asked = [Asked(file, number, time) for number, time, _ in batch]
            pictures = [image for _, _, image in batch] if keep_pictures else None
            errors: list[str | None] = [None] * len(batch)
            yield Inputs(inputs, asked, errors, pictures)

    return ahead(batches())


_Made = tuple[T | None, BaseException | None]  # no item and no error: there are no more


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, the next few of them made in a thread; what goes wrong there is raised here."""
    made: queue.Queue[_Made[T]] = queue.Queue(_AHEAD)
    stopped = threading.Event()
    threading.Thread(target=_make, args=(items, made, stopped), daemon=True).start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stopped.set()


def _make(items: Iterator[T], made: queue.Queue[_Made[T]], stopped: threading.Event) -> None:
    """Fill the queue until the items end, or nobody takes them any more."""
    last: _Made[T] = (None, None)
    try:
        for item in items:
            if not _put((item, None), made, stopped):
                return
    except BaseException as error:
        last = (None, error)
    _put(last, made, stopped)


def _put(item: _Made[T], made: queue.Queue[_Made[T]], stopped: threading.Event) -> bool:
    while not stopped.is_set():
        with suppress(queue.Full):
            made.put(item, timeout=0.1)
            return True
    return False
