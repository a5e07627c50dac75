"""How batches come from worker processes: left to itself, the way costs more than a kept image does.

A tensor of a batch that torch hands over is a file in shared memory, mapped by both processes, and a connection
between them: a high price for columns of a few numbers. And for each new one the system has to find and clear all
pages of the pixels.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.utils.data import default_collate, get_worker_info

from locnet.data.dataset import Sample


def in_message(samples: list[Sample]) -> Sample:
    """A batch whose images travel in shared memory of their own, and everything else in the message itself."""
    return _batch(samples, default_collate([sample["image"] for sample in samples]))


def _batch(samples: list[Sample], images: Any) -> Sample:
    columns: dict[str, Any] = {"image": images}
    for name in samples[0]:
        if name != "image":
            columns[name] = _ByValue(torch.stack([cast(dict[str, Tensor], sample)[name] for sample in samples]))
    return cast(Sample, columns)


class _ByValue:
    """A tensor that is pickled by value: torch's own pickles to other processes are names of shared memory."""

    def __init__(self, tensor: Tensor) -> None:
        self._values = tensor.numpy()

    def __reduce__(self) -> Any:
        return torch.from_numpy, (self._values,)


class Reused(NamedTuple):
    """Where on the shelf the images of a batch lie."""

    worker: int
    place: int
    images: int


class Shelf:
    """Shared memory for images of batches that is used again and again: places that each worker fills in turn.

    torch's loader asks a worker for another batch when it hands one of that worker's out, so that at any time at most
    `prefetch` of those are to come. With one place more, none is overwritten before its batch is handed out
    and the next one asked for.
    """

    def __init__(self, workers: int, prefetch: int, batch: tuple[int, int, int, int]) -> None:
        """Make room.

        Args:
            workers: number of worker processes.
            prefetch: batches that each is asked for in advance.
            batch: shape of the largest one, `(B, 3, H, W)`.
        """
        self._places = torch.empty(workers, prefetch + 1, *batch, dtype=torch.uint8).share_memory_()
        self._filled = 0  # by this worker

    def collate(self, samples: list[Sample]) -> Sample:
        """In a worker: a batch whose images are put on the shelf."""
        worker = get_worker_info()
        assert worker is not None
        reused = Reused(worker.id, self._filled % self._places.shape[1], len(samples))
        self._filled += 1
        torch.stack([sample["image"] for sample in samples], out=self._place(reused))
        return _batch(samples, reused)

    def take(self, reused: Reused, *, pin: bool) -> Tensor:
        """In the main process: a copy of the images, `(B, 3, H, W)` uint8, in pinned memory or not."""
        images = self._place(reused)
        return images.pin_memory() if pin else images.clone()

    def _place(self, reused: Reused) -> Tensor:
        place: Tensor = self._places[reused.worker, reused.place, : reused.images]
        return place
