"""A DataLoader that knows how long it has been waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast

from torch.utils.data import DataLoader, default_collate

from locnet.data.dataset import LabelledImages, Sample
from locnet.data.transport import Reused, Shelf, in_message


class TimedLoader(DataLoader[Sample]):
    """torch's loader for `LabelledImages`.

    Attributes:
        waited: seconds between asking for a batch and having it, over all epochs. Without worker processes that is all
            the time that loading takes.
    """

    def __init__(self, *args: Any, reuse: bool = False, **kwargs: Any) -> None:
        """See `torch.utils.data.DataLoader`; `reuse` as `Shelf` has it: for loaders that are used over and over."""
        super().__init__(*args, **kwargs)
        self.reuse = reuse
        self.waited = 0.0

    def _get_iterator(self) -> Any:
        """Called whenever workers start, once where they are persistent."""
        self._shelf: Shelf | None = None
        if self.num_workers:
            if self.reuse:
                images = cast(LabelledImages, self.dataset)
                batch = (cast(int, self.batch_size), 3, images.height, images.width)
                self._shelf = Shelf(self.num_workers, cast(int, self.prefetch_factor), batch)
            self.collate_fn = self._shelf.collate if self._shelf else in_message
        else:
            self.collate_fn = default_collate
        return super()._get_iterator()

    def __iter__(self) -> Any:
        """Batches of an epoch."""
        started = time.perf_counter()
        batches = super().__iter__()  # starts the workers, and has them begin
        self.waited += time.perf_counter() - started
        return self._timed(batches, self._shelf)

    def _timed(self, batches: Iterator[Sample], shelf: Shelf | None) -> Iterator[Sample]:
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            if batch is not None and shelf is not None:
                batch["image"] = shelf.take(cast(Reused, batch["image"]), pin=self.pin_memory)
            self.waited += time.perf_counter() - started
            if batch is None:
                return
            yield batch
