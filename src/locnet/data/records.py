"""Records: the labels of a data set as columns, whatever format they came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Records:
    """One row an image. Columns are fixed-width arrays, so that worker processes share them without copies.

    Attributes:
        root: folder that `files` are relative to.
        classes: the C class names; background is not one of them.
        files: `(N,)` str, image paths relative to root.
        splits: `(N,)` str, one of train, val, test.
        labels: `(N,)` int64, class index, -1 for background.
        boxes: `(N, 4)` float64, xyxy in fractions of the upright image; NaN for background.
        sizes: `(N, 2)` int64, height and width of the upright image in pixels.
    """

    root: Path
    classes: tuple[str, ...]
    files: NDArray[np.str_]
    splits: NDArray[np.str_]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float64]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.files)

    def select(self, split: str) -> Records:
        """The rows of one split, in file order."""
        rows = np.flatnonzero(self.splits == split)
        return Records(
            self.root,
            self.classes,
            self.files[rows],
            self.splits[rows],
            self.labels[rows],
            self.boxes[rows],
            self.sizes[rows],
        )

    def path(self, index: int) -> Path:
        """Full path of the image in row `index`."""
        return self.root / str(self.files[index])

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
        digest = hashlib.sha256()
        for column in (self.files, self.splits, self.labels, self.boxes):
            digest.update(np.ascontiguousarray(column).tobytes())
        digest.update("\0".join(self.classes).encode())
        return digest.hexdigest()[:12]
