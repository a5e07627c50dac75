"""How many images may be in the house: the one bound on memory and on waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class FullError(Exception):
    """There is no room."""


class Gate:
    """Counts images from the arrival of their request to the end of its answer.

    Attributes:
        inside: images that are in the house.
    """

    def __init__(self, most: int) -> None:
        self.most, self.inside = most, 0

    @contextmanager
    def enter(self) -> Iterator[Visit]:
        """Room for one image, as long as the block lasts; more can be asked for inside.

        Raises:
            FullError: there is none.
        """
        visit = Visit(self)
        visit.more(1)
        try:
            yield visit
        finally:
            self.inside -= visit.images


class Visit:
    """One request inside the gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate, self.images = gate, 0

    def more(self, images: int) -> None:
        """Room for further images of the same request.

        Raises:
            FullError: there is not.
        """
        if self._gate.inside + images > self._gate.most:
            raise FullError
        self._gate.inside += images
        self.images += images
