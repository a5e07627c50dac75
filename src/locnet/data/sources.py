"""Where the images of a data set's rows come from: files, shards, or a cache of either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from locnet.data.images import ImageError, load_image
from locnet.data.pixels import Picture
from locnet.data.records import Records


class SourceImage(NamedTuple):
    """An image, and the size that its labels speak of.

    Attributes:
        picture: upright RGB; may be smaller than the image in its file.
        height: of the upright image in its file, pixels.
        width: likewise.
    """

    picture: Picture
    height: int
    width: int


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
        loaded = load_image(self.records.path(row), at_least)
        return SourceImage(loaded.image, loaded.height, loaded.width)

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
