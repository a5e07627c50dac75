"""The objects of a training split that can be cut out, ready to be pasted."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from locnet.data.augment.cutout import Cutout, cut_out
from locnet.data.augment.paste import Recolour, draw_area, paste
from locnet.data.augment.windows import Rect, one_of, rect_area, uniform
from locnet.data.records import Records
from locnet.data.sources import ImageSource
from locnet.data.workers import cores
from locnet.seeds import mix

MOST = 1000
"""So many objects are looked at, chosen by the seed where there are more: about a minute of one core."""

_BEHIND, _SMALLER_BEHIND = (0, 0, 1, 2), (0.1, 0.6)  # how many, and the areas of their boxes in those of the object's
_BESIDE, _SMALLER_BESIDE = (1, 1, 2), (0.15, 0.65)
_LEAST_AREA = 0.004  # share of the image


class Cutouts:
    """Cut-out objects by class."""

    def __init__(self, found: Sequence[Cutout], tried: int) -> None:
        """Keep those that were found of those that were tried."""
        self.all, self.tried = tuple(found), tried
        self.by_label: dict[int, list[Cutout]] = {}
        for cutout in found:
            self.by_label.setdefault(cutout.label, []).append(cutout)

    @classmethod
    def of(cls, records: Records, source: ImageSource, *, seed: int, at_least: int, most_side: int) -> Cutouts:
        """Cut out the objects of a split, on all cores; the same ones for the same labels, images and seed.

        Args:
            records: of the split.
            source: of its images.
            seed: which objects, where there are more than `MOST`.
            at_least: as `ImageSource.load` has it.
            most_side: as `cut_out` has it.

        Raises:
            ImageError: an image cannot be read.
        """
        rows = _chosen(np.flatnonzero(records.labels >= 0), source, seed)

        def one(row: int) -> Cutout | None:
            photo = np.asarray(source.load(row, at_least).picture)
            left, top, right, bottom = records.boxes[row].tolist()
            return cut_out(photo, (left, top, right, bottom), int(records.labels[row]), most_side)

        with ThreadPoolExecutor(len(cores())) as pool:
            found = [cutout for cutout in pool.map(one, rows) if cutout is not None]
        return cls(found, len(rows))

    def onto(self, image: Tensor, label: int, generator: Random, recolour: Recolour) -> Rect:
        """Paste an object of a class onto an image, sometimes before smaller ones of any class.

        Args:
            image: `(3, height, width)` uint8, a background; written to.
            label: one of `by_label`.
            generator: source of randomness.
            recolour: of each object's pixels.

        Returns:
            Its box, fractions of the image.
        """
        area = draw_area(generator)
        for _ in range(one_of(generator, _BEHIND)):
            smaller = area * uniform(generator, *_SMALLER_BEHIND)
            paste(image, one_of(generator, self.all), smaller, generator, recolour)
        box = paste(image, one_of(generator, self.by_label[label]), area, generator, recolour)
        assert box is not None  # only beside another may there be no place
        return box

    def beside(self, image: Tensor, box: Rect, generator: Random, recolour: Recolour) -> None:
        """Paste one or two objects of any class beside the one of an image, smaller than that.

        Args:
            image: `(3, height, width)` uint8; written to.
            box: of its object, fractions of the image.
            generator: source of randomness.
            recolour: of each object's pixels.
        """
        for _ in range(one_of(generator, _BESIDE)):
            area = rect_area(box) * uniform(generator, *_SMALLER_BESIDE)
            if self.all and area >= _LEAST_AREA:
                paste(image, one_of(generator, self.all), area, generator, recolour, beside=box)


def _chosen(objects: NDArray[np.int64], source: ImageSource, seed: int) -> list[int]:
    """Up to `MOST` of these rows at random, in order; from as few shards as that takes."""
    order = np.random.default_rng(mix(seed, MOST)).permutation(objects)
    chosen: dict[int, None] = {}
    for row in order.tolist():
        if len(chosen) >= MOST:
            break
        if row not in chosen:
            near = source.near(row)
            chosen |= dict.fromkeys(order[(order >= near.start) & (order < near.stop)].tolist())
    return sorted(list(chosen)[:MOST])
