"""Where the images of a data set's rows come from: files, shards, or a cache of either."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from torch import Tensor

from locnet.data.decode import load_picture
from locnet.data.images import ImageError
from locnet.data.pixels import Picture, size_of
from locnet.data.records import Records


class SourceImage(NamedTuple):
    """An image, and the size that its labels speak of.

    Attributes:
        picture: upright RGB; may be smaller than the image in its file.
        height: of the upright image in its file, pixels.
        width: likewise.
        fitted: `(3, height, width)` uint8, the whole image at the size that it has in the network's input, where a
            cache holds it; not to be written to.
    """

    picture: Picture
    height: int
    width: int
    fitted: Tensor | None = None


class ImageSource(Protocol):
    """Gives the image of a row. It travels to worker processes, whatever their start method."""

    def load(self, row: int, at_least: int | None = None) -> SourceImage:
        """The upright RGB image of a row.

        Args:
            row: of the data set.
            at_least: as `load_image` has it.

        Raises:
            ImageError: it cannot be read.
        """

    def near(self, row: int) -> range:
        """Rows whose images are had at little cost once that of `row` is needed; it is among them."""


class OriginalSource(ImageSource, Protocol):
    """A source that a cache can be made of."""

    def stamps(self) -> Iterator[str]:
        """One text a row that changes with the content of its image, without reading that.

        Raises:
            ImageError: an image is missing.
        """


@dataclass(frozen=True)
class ImageFiles:
    """The files that the labels name."""

    records: Records

    def load(self, row: int, at_least: int | None = None) -> SourceImage:
        """The image of a row; see `ImageSource`."""
        return SourceImage(*load_picture(self.records.path(row), at_least))

    def near(self, row: int) -> range:
        """All: a file costs the same as another."""
        return range(len(self.records))

    def stamps(self) -> Iterator[str]:
        """Name, size and time of last change."""
        for row in range(len(self.records)):
            path = self.records.path(row)
            try:
                status = path.stat()
            except OSError as error:
                raise ImageError(f"{path}: cannot be read ({error.strerror})") from error
            yield f"{path}\0{status.st_size}\0{status.st_mtime_ns}"


class RecentImages:
    """The images of another source; those that were loaded last stay decoded, as far as they fit.

    For images that are wanted again and again, such as the backgrounds of mosaics.
    """

    def __init__(self, source: ImageSource, most_bytes: int) -> None:
        """Keep up to `most_bytes` in each process."""
        self.source, self.most_bytes = source, most_bytes
        self._kept: OrderedDict[tuple[int, int | None], SourceImage] = OrderedDict()
        self._bytes = 0

    def __getstate__(self) -> dict[str, Any]:
        return {"source": self.source, "most_bytes": self.most_bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # another process begins with none

    def load(self, row: int, at_least: int | None = None) -> SourceImage:
        """The image of a row; see `ImageSource`."""
        kept = self._kept.get((row, at_least))
        if kept is not None:
            self._kept.move_to_end((row, at_least))
            return kept
        loaded = self.source.load(row, at_least)
        self._kept[row, at_least] = loaded
        self._bytes += _bytes(loaded)
        while self._bytes > self.most_bytes:
            self._bytes -= _bytes(self._kept.popitem(last=False)[1])
        return loaded


def _bytes(image: SourceImage) -> int:
    width, height = size_of(image.picture)
    return width * height * (3 if isinstance(image.picture, np.ndarray) else 4)  # Pillow keeps four a pixel
