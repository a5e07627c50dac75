"""Any number of files as batches of inputs, in their order: decoded in worker processes, a few batches ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from locnet.data.resize import ResizeMode
from locnet.data.workers import prepare_worker
from locnet.errors import DataError
from locnet.inference.inputs import Batch, Input, prepare, stack
from locnet.sources.urls import is_url, read_url


class Asked(NamedTuple):
    """What an answer is about: an image file, or a frame of a video.

    Attributes:
        file: path or URL.
        frame: its number in the video, from 0.
        time: of the frame, in seconds.
    """

    file: str
    frame: int | None = None
    time: float | None = None


class Inputs(NamedTuple):
    """A batch and what it is about.

    Attributes:
        batch: of an unreadable file it holds a blank image.
        asked: what each input is about.
        errors: why it cannot be read; None where it can.
        pictures: frames of a video at their full size, where they are needed once more; None for files.
    """

    batch: Batch
    asked: list[Asked]
    errors: list[str | None]
    pictures: list[Image.Image] | None = None


class _Decoded(Dataset[tuple[str, Input, str | None]]):
    """Files by their names; an unreadable one carries its error instead of ending the run."""

    def __init__(self, height: int, width: int, resize: ResizeMode) -> None:
        self.height, self.width, self.resize = height, width, resize

    def __getitem__(self, name: str) -> tuple[str, Input, str | None]:
        try:
            place = read_url(name) if is_url(name) else Path(name)
            return name, prepare(place, self.height, self.width, self.resize), None
        except DataError as error:
            blank = torch.zeros(3, self.height, self.width, dtype=torch.uint8)
            return name, Input(blank, torch.tensor((0.0, 0, 1, 1)), 0, 0), str(error)


def stream_files(
    names: Iterator[str], image_size: tuple[int, int], resize: ResizeMode, *, batch_size: int, workers: int
) -> Iterator[Inputs]:
    """Batches of image files; in memory are a few of them, however many names there are.

    Args:
        names: paths and URLs, read as they are needed.
        image_size: (height, width) of the network's input, pixels.
        resize: how images meet it.
        batch_size: images in a batch.
        workers: processes that decode; fewer where there is less than a batch for each.
    """
    first = list(islice(names, batch_size * workers))
    yield from DataLoader(
        _Decoded(*image_size, resize),
        batch_sampler=_batched(chain(first, names), batch_size),
        num_workers=min(workers, len(first) // batch_size),
        collate_fn=_collate,
        worker_init_fn=prepare_worker,
    )


def _batched(names: Iterable[str], size: int) -> Iterator[list[str]]:
    names = iter(names)
    while batch := list(islice(names, size)):
        yield batch


def _collate(items: Sequence[tuple[str, Input, str | None]]) -> Inputs:
    """In the worker process, because each tensor that is handed over costs an open file (of 1024, usually)."""
    names, inputs, errors = zip(*items, strict=True)
    return Inputs(stack(inputs), [Asked(name) for name in names], list(errors))
