"""Numbers about usable labels: where boxes are, how large, of which shape, in what images."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locnet.data.labels.assemble import Reading

GRID = 24
"""Cells along each side of a heat map."""
_RATIOS = (0.1, 0.2, 1 / 3, 0.5, 0.75, 1, 4 / 3, 2, 3, 5, 10)


@dataclass(frozen=True)
class Statistics:
    """What the page draws.

    Attributes:
        centres: `(GRID, GRID)` int64, boxes by their midpoint; rows from top to bottom.
        coverage: `(GRID, GRID)` float64, mean share of boxes that cover the middle of each cell.
        shapes: `(GRID, GRID)` int64, boxes by height (rows, small ones at the bottom) and width (columns), in
            fractions of the image.
        areas: share of the image that boxes take, `(10,)` int64 in tenths.
        ratios: boxes by width / height in pixels: words and count.
        sizes: images by width x height, the commonest first.
        modes: images by Pillow's mode.
        bytes_total: of all image files.
    """

    centres: NDArray[np.int64]
    coverage: NDArray[np.float64]
    shapes: NDArray[np.int64]
    areas: NDArray[np.int64]
    ratios: list[tuple[str, int]]
    sizes: list[tuple[str, int]]
    modes: list[tuple[str, int]]
    bytes_total: int


def statistics(reading: Reading) -> Statistics:
    """Count."""
    records, facts = reading.records, reading.facts or ()
    has_box = (records.labels >= 0) & records.has_boxes
    boxes, sizes = records.boxes[has_box], records.sizes[has_box]
    middle, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    edges = np.linspace(0, 1, GRID + 1)
    centres, _, _ = np.histogram2d(middle[:, 1], middle[:, 0], bins=(edges, edges))
    shapes, _, _ = np.histogram2d(size[:, 1], size[:, 0], bins=(edges, edges))
    cells = (edges[1:] + edges[:-1]) / 2
    inside = [(boxes[:, [i]] <= cells) & (cells < boxes[:, [i + 2]]) for i in (0, 1)]
    coverage = np.einsum("nx,ny->yx", *(part.astype(np.float64) for part in inside)) / max(len(boxes), 1)
    areas, _ = np.histogram(size.prod(axis=1), bins=np.linspace(0, 1, 11))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = size[:, 0] * sizes[:, 1] / (size[:, 1] * sizes[:, 0])
    counts, _ = np.histogram(ratio, bins=(0, *_RATIOS, np.inf))
    names = [f"< {_RATIOS[0]:.2g}", *(f"{a:.2g} to {b:.2g}" for a, b in itertools.pairwise(_RATIOS))]
    by_size = Counter(f"{width} x {height}" for height, width in records.sizes.tolist())
    return Statistics(
        centres=centres.astype(np.int64),
        coverage=coverage,
        shapes=shapes.astype(np.int64)[::-1],
        areas=areas.astype(np.int64),
        ratios=list(zip([*names, f"> {_RATIOS[-1]:.2g}"], counts.tolist(), strict=True)),
        sizes=by_size.most_common(12),
        modes=Counter(fact.mode for fact in facts).most_common(),
        bytes_total=sum(fact.size for fact in facts),
    )
