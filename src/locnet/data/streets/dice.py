"""The random numbers of one scene, known from the scene's name alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
_BLOCK = 256


class Dice:
    """Cheap scalar draws from a NumPy generator, which is slow to call for one number at a time.

    The stream depends on the key's text only: not on the process, the order of calls elsewhere, or
    Python's per-process string hash.

    Args:
        key: what the scene is called, for example `(seed, split, index)`.
    """

    def __init__(self, *key: object) -> None:
        digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
        words = np.frombuffer(digest, dtype="<u4").tolist()
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
        self._pool: list[float] = []

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number in [low, high)."""
        if not self._pool:
            self._pool = self._generator.random(_BLOCK).tolist()
        return low + (high - low) * self._pool.pop()

    def log_uniform(self, low: float, high: float) -> float:
        """A number in [low, high) whose logarithm is uniform; both ends are positive."""
        return low * math.exp(math.log(high / low) * self.uniform())

    def normal(self, mean: float = 0.0, deviation: float = 1.0) -> float:
        """A number from a normal distribution."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform()))
        return mean + deviation * radius * math.cos(math.tau * self.uniform())

    def integer(self, low: int, high: int) -> int:
        """A whole number in [low, high], both ends included."""
        return low + int(self.uniform() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True in that share of the calls."""
        return self.uniform() < probability

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[int(self.uniform() * len(items))]

    def weighted(self, items: dict[T, float]) -> T:
        """One of the keys, as likely as its weight says."""
        rest = self.uniform() * sum(items.values())
        for item, weight in items.items():
            rest -= weight
            if rest < 0:
                return item
        return next(iter(items))

    def noise(self, *shape: int) -> NDArray[np.float32]:
        """Standard normal noise as float32 of that shape."""
        return self._generator.standard_normal(shape, dtype=np.float32)
