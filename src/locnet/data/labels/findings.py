"""What has been found so far, and which images are left out because of it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from locnet.data.labels.defects import Defect
from locnet.data.labels.tables import Labels


class Findings:
    """Defects, and the images that they leave out.

    Attributes:
        bad: `(I,)` bool, images that are left out.
        defects: in the order in which they were found.
    """

    def __init__(self, labels: Labels) -> None:
        """Start with what the reader has found."""
        self._labels = labels
        self._rows = {file: row for row, file in enumerate(labels.files)} if labels.defects else None
        self.bad = np.zeros(len(labels.files), dtype=np.bool_)
        self.defects: list[Defect] = []
        self._strangers: set[str] = set()
        self._nameless = 0
        self.add(labels.defects)

    def add(self, defects: Iterable[Defect]) -> None:
        """Note defects, and leave out the images of those that say so."""
        for defect in defects:
            self.defects.append(defect)
            if defect.action != "left out":
                continue
            if self._rows is None:  # a dictionary of a million names is made only when it is needed
                self._rows = {file: row for row, file in enumerate(self._labels.files)}
            row = self._rows.get(defect.file)
            if row is not None:
                self.bad[row] = True
            elif defect.file:
                self._strangers.add(defect.file)
            else:
                self._nameless += 1

    def in_order(self) -> tuple[Defect, ...]:
        """All defects in the order of the label files and their lines."""
        order = {source: index for index, source in enumerate(self._labels.sources)}
        return tuple(sorted(self.defects, key=lambda d: (order.get(d.source, len(order)), d.line, d.file)))

    @property
    def bad_count(self) -> int:
        """Images, and rows that name none, that are left out."""
        return int(self.bad.sum()) + len(self._strangers) + self._nameless

    @property
    def total(self) -> int:
        """Images, and rows that name none, altogether."""
        return len(self.bad) + len(self._strangers) + self._nameless
