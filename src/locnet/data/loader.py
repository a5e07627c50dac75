"""A DataLoader that knows how long it has been waited for, and how batches come from its workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate, get_worker_info

from locnet.data.dataset import Sample


def collate(samples: list[Sample]) -> Sample:
    """A batch of samples: from a worker the images travel in shared memory, everything else in the message itself.

    A tensor in shared memory is a file, two mappings and a connection between the processes. For all seven of a
    batch that takes longer than the pixels do.
    """
    if get_worker_info() is None:
        return cast(Sample, default_collate(samples))
    columns: dict[str, Any] = {}
    for name in samples[0]:
        column = [cast(dict[str, Tensor], sample)[name] for sample in samples]
        columns[name] = default_collate(column) if name == "image" else _InMessage(torch.stack(column))
    return cast(Sample, columns)


class _InMessage:
    """A tensor that is pickled by value: torch's own pickles to other processes are names of shared memory."""

    def __init__(self, tensor: Tensor) -> None:
        self._values = tensor.numpy()

    def __reduce__(self) -> Any:
        return torch.from_numpy, (self._values,)


class TimedLoader(DataLoader[Sample]):
    """torch's loader.

    Attributes:
        waited: seconds between asking for a batch and having it, over all epochs. Without worker processes that is all
            the time that loading takes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See `torch.utils.data.DataLoader`."""
        super().__init__(*args, **kwargs)
        self.waited = 0.0

    def __iter__(self) -> Any:
        """Batches of an epoch."""
        started = time.perf_counter()
        batches = super().__iter__()  # starts the workers, and has them begin
        self.waited += time.perf_counter() - started
        return self._timed(batches)

    def _timed(self, batches: Iterator[Sample]) -> Iterator[Sample]:
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            self.waited += time.perf_counter() - started
            if batch is None:
                return
            yield batch
