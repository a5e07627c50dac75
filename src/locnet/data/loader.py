"""A DataLoader that knows how long it has been waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from locnet.data.dataset import Sample


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
