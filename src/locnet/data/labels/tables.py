"""Labels as a format states them: a table of images and a table of objects. Nothing is chosen or dropped yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from locnet.data.labels.defects import Defect, place
from locnet.data.strings import Strings

FLAGS = ("crowd", "difficult", "truncated")
"""Names of the bits of `Labels.flags`, from the lowest on."""
Form = Literal["xyxy", "xywh", "cxcywh"]
Unit = Literal["pixels", "fractions"]
LineUnit = Literal["line", "row", "annotation"]
BoxOrigin = Literal["continuous", "zero_inclusive", "one_inclusive"]
"""What pixel numbers mean. continuous: edges, 0 is the left edge of the image and its width the right one.
inclusive: numbers of the outermost pixels inside the box, the image's first one being number 0 or 1."""


@dataclass(frozen=True)
class Labels:
    """What one data set's label files say. I images and K objects; an image may have any number of objects.

    Attributes:
        root: folder that `files` are relative to.
        files: `(I,)` images, each once.
        sizes: `(I, 2)` int64, stated height and width in pixels; 0 where they are not stated.
        splits: `(I,)` str, train, val, test, or empty where none is stated.
        background: `(I,)` bool, the labels say that there is no object.
        source: `(I,)` int32, which of `sources` speaks of the image; -1 none does.
        line: `(I,)` int64, line in it; 0 where lines have no meaning.
        image: `(K,)` int64, row of the image that the object is in.
        name: `(K,)` int32, index into `names`.
        boxes: `(K, 4)` float64, the numbers as they stand in the file; NaN where there are none.
        flags: `(K,)` uint8, bits of `FLAGS`.
        object_line: `(K,)` int64, line in the image's source.
        names: class names that occur or that the data set lists, in its own order.
        sources: label files, as a message should name them.
        form: what the four numbers are.
        unit: pixels, or fractions of the image.
        box_origin: what pixel numbers mean; of no effect on fractions.
        has_boxes: False for formats that know classes only.
        line_unit: what `line` and `object_line` count.
        extra: further columns of the images.
        folder: what all paths begin with (`images/`); the split by hash does not look at it.
        defects: what was found while reading.
        notes: what a user should know about how the labels were read, a line each.
    """

    root: Path
    files: Strings
    sizes: NDArray[np.int64]
    splits: NDArray[np.str_]
    background: NDArray[np.bool_]
    source: NDArray[np.int32]
    line: NDArray[np.int64]
    image: NDArray[np.int64]
    name: NDArray[np.int32]
    boxes: NDArray[np.float64]
    flags: NDArray[np.uint8]
    object_line: NDArray[np.int64]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    form: Form = "xyxy"
    unit: Unit = "pixels"
    box_origin: BoxOrigin = "continuous"
    has_boxes: bool = True
    line_unit: LineUnit = "line"
    extra: Mapping[str, Strings] = field(default_factory=dict)
    folder: str = ""
    defects: tuple[Defect, ...] = ()
    notes: tuple[str, ...] = ()

    def where(self, image: int, line: int | None = None) -> str:
        """`FILE:LINE` that speaks of an image, or of one of its objects."""
        source = self.source_of(image)
        number = int(self.line[image]) if line is None else line
        return place(source, number, self.line_unit) if source else self.files[image]

    def source_of(self, image: int) -> str:
        """The label file that speaks of an image; empty where none does."""
        index = int(self.source[image])
        return self.sources[index] if index >= 0 else ""


class LabelsBuilder:
    """Collects labels image by image, for formats that keep a file for each."""

    def __init__(self, root: Path, names: Sequence[str] = (), *, line_unit: LineUnit = "line") -> None:
        """Start with no image; `names` are the classes that the data set lists, in its order."""
        self.root, self.line_unit = root, line_unit
        self.defects: list[Defect] = []
        self.notes: list[str] = []
        self._names = {name: index for index, name in enumerate(names)}
        self._sources: dict[str, int] = {}
        self._images: list[tuple[str, int, int, str, bool, int, int]] = []
        self._objects: list[tuple[int, int, int, int]] = []
        self._boxes: list[tuple[float, float, float, float]] = []
        self._extra: dict[str, dict[int, str]] = {}

    def __len__(self) -> int:
        return len(self._images)

    @property
    def files(self) -> list[str]:
        """The images so far."""
        return [image[0] for image in self._images]

    def know(self, names: Iterable[str]) -> None:
        """Add classes that the data set lists, whether an object has them or not."""
        for name in names:
            self._names.setdefault(name, len(self._names))

    def add_image(
        self,
        file: str,
        *,
        size: tuple[int, int] = (0, 0),
        split: str = "",
        background: bool = False,
        source: str = "",
        line: int = 0,
        extra: Mapping[str, str] | None = None,
    ) -> int:
        """Add an image; returns its row.

        Args:
            file: relative to the root.
            size: stated height and width in pixels; 0 where not stated.
            split: train, val, test or empty.
            background: the labels say that there is no object.
            source: the label file that speaks of it.
            line: in that file.
            extra: further columns.
        """
        index = self._sources.setdefault(source, len(self._sources)) if source else -1
        row = len(self._images)
        self._images.append((file, *size, split, background, index, line))
        for name, value in (extra or {}).items():
            self._extra.setdefault(name, {})[row] = value
        return row

    def add_object(
        self, image: int, name: str, box: Iterable[float] | None, *, line: int = 0, flags: Iterable[str] = ()
    ) -> None:
        """Add an object to an image; a box of None for formats without boxes."""
        bits = sum(1 << FLAGS.index(flag) for flag in flags)
        self._objects.append((image, self._names.setdefault(name, len(self._names)), bits, line))
        left, top, right, bottom = box if box is not None else (np.nan,) * 4
        self._boxes.append((left, top, right, bottom))

    def defect(
        self, kind: str, message: str, *, file: str = "", source: str = "", line: int = 0, value: str = ""
    ) -> None:
        """Note that something is wrong; `message` is completed with the place."""
        where = place(source, line, self.line_unit) if source else file
        self.defects.append(Defect(kind, f"{where}: {message}", file, source, line, value))

    def build(
        self,
        *,
        form: Form = "xyxy",
        unit: Unit = "pixels",
        box_origin: BoxOrigin = "continuous",
        has_boxes: bool = True,
    ) -> Labels:
        """The tables."""
        files, heights, widths, splits, background, source, line = (
            zip(*self._images, strict=True) if self._images else ((),) * 7
        )
        objects = np.array(self._objects, dtype=np.int64).reshape(-1, 4)
        rows = range(len(self._images))
        return Labels(
            root=self.root,
            files=Strings(files),
            sizes=np.array([heights, widths], dtype=np.int64).T.reshape(-1, 2),
            splits=np.array(splits, dtype="U5"),
            background=np.array(background, dtype=np.bool_),
            source=np.array(source, dtype=np.int32),
            line=np.array(line, dtype=np.int64),
            image=objects[:, 0],
            name=objects[:, 1].astype(np.int32),
            boxes=np.array(self._boxes, dtype=np.float64).reshape(-1, 4),
            flags=objects[:, 2].astype(np.uint8),
            object_line=objects[:, 3],
            names=tuple(self._names),
            sources=tuple(self._sources),
            form=form,
            unit=unit,
            box_origin=box_origin,
            has_boxes=has_boxes,
            line_unit=self.line_unit,
            extra={name: Strings([column.get(row, "") for row in rows]) for name, column in self._extra.items()},
            defects=tuple(self.defects),
            notes=tuple(self.notes),
        )
