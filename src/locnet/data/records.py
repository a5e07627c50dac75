"""Records: the labels of a data set as columns, whatever format they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locnet.data.labels.defects import place
from locnet.data.strings import Strings

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Origin:
    """Where each row of the records was said, for messages and reports.

    Attributes:
        sources: the label files.
        source: `(N,)` int32, which of them; -1 where a row comes from no file (a folder's name, say).
        line: `(N,)` int64, line in it from 1 on; 0 where lines have no meaning.
        unit: what `line` counts: line, row or annotation.
    """

    sources: tuple[str, ...]
    source: NDArray[np.int32]
    line: NDArray[np.int64]
    unit: str = "line"

    def where(self, index: int) -> str:
        """`FILE:LINE` of one row; empty where no file says it."""
        if self.source[index] < 0:
            return ""
        return place(self.sources[self.source[index]], int(self.line[index]), self.unit)


@dataclass(frozen=True)
class Records:
    """One row an image. Columns are flat buffers, so that worker processes share them without copies.

    Attributes:
        root: folder that `files` are relative to.
        classes: the C class names; background is not one of them.
        files: `(N,)` image paths relative to root.
        splits: `(N,)` str, one of train, val, test.
        labels: `(N,)` int64, class index, -1 for background.
        boxes: `(N, 4)` float64, xyxy in fractions of the upright image; NaN for background.
        sizes: `(N, 2)` int64, height and width of the upright image in pixels.
        extra: further columns of the label files by name, `(N,)` str each, such as `group` or `source`.
        origin: where each row was said; None where the records were not read from label files.
        has_boxes: False where the labels know classes only; the boxes of objects are then the whole image.
    """

    root: Path
    classes: tuple[str, ...]
    files: Strings
    splits: NDArray[np.str_]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float64]
    sizes: NDArray[np.int64]
    extra: Mapping[str, Strings] = field(default_factory=dict)
    origin: Origin | None = None
    has_boxes: bool = True

    def __len__(self) -> int:
        return len(self.files)

    def take(self, rows: NDArray[np.int64]) -> Records:
        """These rows, in this order."""
        origin = self.origin
        return replace(
            self,
            files=self.files[rows],
            splits=self.splits[rows],
            labels=self.labels[rows],
            boxes=self.boxes[rows],
            sizes=self.sizes[rows],
            extra={name: column[rows] for name, column in self.extra.items()},
            origin=origin and replace(origin, source=origin.source[rows], line=origin.line[rows]),
        )

    def select(self, split: str) -> Records:
        """The rows of one split, in file order."""
        return self.take(np.flatnonzero(self.splits == split))

    def path(self, index: int) -> Path:
        """Full path of the image in row `index`."""
        return self.root / self.files[index]

    def counts(self) -> dict[str, dict[str, int]]:
        """Images by split and class name (background among them), for the summary line."""
        names = (*self.classes, "background")
        return {
            split: {
                name: int(((self.splits == split) & (self.labels == label)).sum())
                for name, label in zip(names, (*range(len(self.classes)), -1), strict=True)
            }
            for split in SPLITS
        }

    def fingerprint(self) -> str:
        """A short hash of all labels: two runs with the same fingerprint saw the same labelled files."""
        digest = hashlib.sha256(self.files.tobytes())
        columns: tuple[NDArray[Any], ...] = (self.splits.astype("U5"), self.labels, self.boxes)
        for column in columns:
            digest.update(np.ascontiguousarray(column).tobytes())
        digest.update("\0".join(self.classes).encode())
        return digest.hexdigest()[:12]
