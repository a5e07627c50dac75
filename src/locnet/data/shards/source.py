"""The images of packed rows, and the order that suits their tars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from locnet.config.schema import ShardsSettings
from locnet.data.decode import load_picture
from locnet.data.images import Encoded
from locnet.data.records import Records
from locnet.data.samplers import TrainSampler
from locnet.data.shards.index import Positions, ShardIndex
from locnet.data.shards.store import ShardStore, is_url
from locnet.data.sources import SourceImage
from locnet.errors import DataError


@dataclass(frozen=True)
class ShardImages:
    """An `OriginalSource` of images in tars."""

    records: Records
    positions: Positions
    store: ShardStore

    def load(self, row: int, at_least: int | None = None) -> SourceImage:
        """The image of a row; see `ImageSource`."""
        return SourceImage(*load_picture(self.encoded(row), at_least))

    def encoded(self, row: int) -> Encoded:
        """The image file of a row."""
        at = self.positions
        shard = int(at.shard[row])
        content = self.store.read(shard, int(at.offset[row]), int(at.length[row]))
        return Encoded(f"{self.store.shards[shard].name}: {self.records.files[row]}", content)

    def near(self, row: int) -> range:
        """The rows of the same shard."""
        shard = self.positions.shard
        return range(int(np.searchsorted(shard, shard[row])), int(np.searchsorted(shard, shard[row], side="right")))

    def stamps(self) -> Iterator[str]:
        """Shard with its checksum, and the place in it."""
        for shard, offset in zip(self.positions.shard.tolist(), self.positions.offset.tolist(), strict=True):
            yield f"{self.store.root}\0{self.store.shards[shard]}\0{offset}"


def images_of(index: ShardIndex, split: str, records: Records, settings: ShardsSettings, local: Path) -> ShardImages:
    """The images of one split.

    Args:
        index: of all.
        split: its name.
        records: the rows of the split.
        settings: of the data.
        local: folder for copies of what lies behind a URL.

    Raises:
        DataError: `data.keep_gb` has no room for the shards that are needed at a time.
    """
    largest = max(shard.size for shard in index.shards)
    keep = round(settings.keep_gb * 1e9)
    needed = largest * (2 * settings.shuffle_shards + 1)  # those in use, the next ones, and one that comes
    if is_url(settings.root) and keep < min(needed, sum(shard.size for shard in index.shards)):
        window = f"data.shuffle_shards={settings.shuffle_shards} shards of {largest / 1e6:.0f} MB"
        raise DataError(
            f"data.keep_gb={settings.keep_gb:g} has no room for {window} in use and as many to come "
            f"({needed / 1e9:.2f} GB); raise one or lower the other"
        )
    store = ShardStore(settings.root, index.shards, local, keep, settings.retries)
    return ShardImages(records, index.positions.take(np.flatnonzero(index.records.splits == split)), store)


class ShardSampler(TrainSampler):
    """A new seeded order each epoch that needs few shards at a time.

    Shards are shuffled, and then the images of `window` neighbouring ones among themselves. Each process gets one
    stretch of this order, so that it needs its share of the shards only. As with `TrainSampler` all get equally
    many, each image comes at most once an epoch, and a position in the order says all that is needed to go on.
    """

    def __init__(
        self,
        shards: NDArray[np.int32],
        *,
        window: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        ahead: Callable[[Sequence[int]], None] | None = None,
        **options: float,
    ) -> None:
        """Deal rows out.

        Args:
            shards: `(N,)` int32, the shard of each row; rows of one shard follow each other.
            window: how many shards are shuffled together.
            seed: of the order.
            rank: of this process.
            world: number of processes.
            ahead: told which shards this process needs soon.
            **options: of `TrainSampler`.
        """
        super().__init__(len(shards), seed=seed, rank=rank, world=world, **options)
        self.shards, self.window, self.ahead = shards, window, ahead

    def _mine(self, generator: torch.Generator) -> NDArray[np.int64]:
        starts = np.flatnonzero(np.r_[True, self.shards[1:] != self.shards[:-1]]) if self.size else np.zeros(0, int)
        ends = np.r_[starts[1:], self.size]
        order = torch.randperm(len(starts), generator=generator).numpy()
        parts = []
        for first in range(0, len(order), self.window):
            rows = np.concatenate([np.arange(starts[s], ends[s]) for s in order[first : first + self.window]])
            parts.append(rows[torch.randperm(len(rows), generator=generator).numpy()])
        whole = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        mine: NDArray[np.int64] = whole[len(self) * self.rank : len(self) * (self.rank + 1)]
        return mine

    def _before(self, mine: NDArray[np.int64]) -> None:
        """See which shards will be needed, in the order in which they are, and where each is needed first."""
        shards = self.shards[mine]
        _, firsts = np.unique(shards, return_index=True)
        firsts.sort()
        self._needed: list[int] = shards[firsts].tolist()
        self._calls = {int(firsts[place]): place for place in range(0, len(firsts), self.window)}

    def _at(self, place: int) -> None:
        """Call for the next shards whenever the first of a window is needed."""
        first = self._calls.get(place)
        if first is not None and self.ahead is not None:
            self.ahead(self._needed[first : first + 2 * self.window])
