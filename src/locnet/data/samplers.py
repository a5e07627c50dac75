"""Which samples a process sees: training in a seeded order, evaluation every sample exactly once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler

from locnet.seeds import mix


class Draw(NamedTuple):
    """One sample to load.

    Attributes:
        index: row of the data set.
        seed: seed of its augmentation; None for evaluation.
        plain: training is about to end: no mosaics and pasted objects any more.
    """

    index: int  # type: ignore[assignment]  # shadows tuple.index, which nobody needs here
    seed: int | None
    plain: bool = False


class TrainSampler(Sampler[Draw]):
    """A new seeded order each epoch, dealt out to the processes; all get equally many samples.

    The seed of each draw depends on (seed, epoch, index) alone, so augmentation is the same whatever the number
    of workers. What does not deal out evenly is left for another epoch's order.
    """

    def __init__(self, size: int, *, seed: int, rank: int = 0, world: int = 1, plain_from: float = math.inf) -> None:
        """Deal `size` samples out to `world` processes, of which this is number `rank`.

        Draws are `plain` from epoch `plain_from` on.
        """
        self.size, self.seed, self.rank, self.world = size, seed, rank, world
        self.plain_from = plain_from
        self.epoch = 0
        self.resumed = (0, 0)

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        self.epoch = epoch

    def resume(self, epoch: int, drawn: int) -> None:
        """Begin in this epoch, after as many draws of this process."""
        self.epoch, self.resumed = epoch, (epoch, drawn)

    def __len__(self) -> int:
        return self.size // self.world

    def __iter__(self) -> Iterator[Draw]:
        generator = torch.Generator().manual_seed(mix(self.seed, self.epoch))
        epoch, drawn = self.resumed
        mine = self._mine(generator)[drawn if epoch == self.epoch else 0 :]
        self._before(mine)
        for place, index in enumerate(map(int, mine)):
            self._at(place)
            yield Draw(index, mix(self.seed, self.epoch, index), self.epoch >= self.plain_from)

    def _mine(self, generator: torch.Generator) -> NDArray[np.int64]:
        """This process's rows in the order of the epoch, an array: a million Python numbers take 40 MB."""
        order: NDArray[np.int64] = torch.randperm(self.size, generator=generator).numpy()
        return order[: len(self) * self.world][self.rank :: self.world]

    def _before(self, mine: NDArray[np.int64]) -> None:
        """These rows are about to be drawn."""

    def _at(self, place: int) -> None:
        """The row at this place among them is about to be drawn."""


class ExactSampler(Sampler[Draw]):
    """Every sample exactly once over all processes: never padded, so no image counts twice.

    Torch's DistributedSampler repeats samples until every process has equally many; means over processes are
    then wrong. Processes may get one batch more or less than others, so nothing may reduce per batch in
    evaluation.
    """

    def __init__(self, size: int, *, rank: int = 0, world: int = 1, contiguous: bool = False) -> None:
        """Deal `size` samples out to `world` processes, of which this is number `rank`.

        With `contiguous` each gets one stretch, otherwise they take turns.
        """
        stretch = range(size * rank // world, size * (rank + 1) // world)
        self.indices = stretch if contiguous else range(rank, size, world)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[Draw]:
        return (Draw(index, None) for index in self.indices)
