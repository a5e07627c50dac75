"""Which nonconformity score gives the smallest crops at the same coverage.

The objects of one or more `predictions.parquet` (of runs or evaluations) are split at random into halves, again and
again: one half calibrates, the other is cropped. Every score keeps its promise, so what differs is the area.

    python benchmarks/crops.py RUN [RUN ...] [--splits 200]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from locnet.calibration.conformal import OFFSET, Residuals, areas, grow, nonconformity
from locnet.calibration.scores import LEVELS

Array = NDArray[np.float64]
FAR = 1e6  # an offset beside which the box does not matter: all edges move alike
OFFSETS = {"relative to the box": 0.0, "box + 0.05": 0.05, "box + 0.1": 0.1, "box + 0.2": 0.2, "absolute": FAR}


def read(run: Path) -> tuple[Array, Array]:
    """`(N, 4)` predicted and true boxes of the objects, xyxy in fractions of the image."""
    file = run / "predictions.parquet" if run.is_dir() else run
    columns = pq.read_table(file, filters=[("class", "!=", "background")]).to_pydict()
    sides = np.array([columns[side] for side in ("width", "height", "width", "height")], dtype=np.float64)
    edges = ("xmin", "ymin", "xmax", "ymax")
    predicted, true = (np.array([columns[p + e] for e in edges], dtype=np.float64) for p in ("predicted_", ""))
    return (predicted / sides).T, (true / sides).T


def largest_need(offset: float, coverage: float, calibrate: tuple[Array, Array], predicted: Array) -> Array:
    """Crops from one score: the greatest of the four edges' needs."""
    margin = Residuals.of(nonconformity(*calibrate, offset), kept=10**9).margin(coverage)
    return grow(predicted, margin, offset)


def edge_by_edge(coverage: float, calibrate: tuple[Array, Array], predicted: Array) -> Array:
    """Crops from four scores, each edge at 1 - (1 - coverage) / 4 (Bonferroni; de Grancey et al., 2022)."""
    outward = np.array([-1.0, -1.0, 1.0, 1.0])
    needs = outward * (calibrate[1] - calibrate[0])
    margins = [Residuals.of(needs[:, edge], kept=10**9).margin(1 - (1 - coverage) / 4) for edge in range(4)]
    return np.clip(predicted + outward * margins, 0, 1)


def main() -> None:
    """Print a table for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--splits", type=int, default=200)
    arguments = parser.parse_args()
    for run in arguments.runs:
        predicted, true = read(run)
        print(
            f"\n{run}: {len(true)} objects, mean area {areas(true).mean():.3f}, predicted {areas(predicted).mean():.3f}"
        )
        print("| score | " + " | ".join(f"coverage {level:.0%} | area" for level in LEVELS) + " |")
        print("|---" * (2 * len(LEVELS) + 1) + "|")
        draw = np.random.default_rng(0)
        halves = [np.array_split(draw.permutation(len(true)), 2) for _ in range(arguments.splits)]
        for name in (*OFFSETS, "edge by edge, absolute"):
            cells = []
            for level in LEVELS:
                reached, area = [], []
                for first, second in halves:
                    known = predicted[first], true[first]
                    if name in OFFSETS:
                        crop = largest_need(OFFSETS[name], level, known, predicted[second])
                    else:
                        crop = edge_by_edge(level, known, predicted[second])
                    wanted = true[second]
                    inside = (crop[:, :2] <= wanted[:, :2]) & (crop[:, 2:] >= wanted[:, 2:])
                    reached.append(inside.all(axis=1).mean())
                    area.append(areas(crop).mean())
                cells.append(f"{np.mean(reached):.3f} | {np.mean(area):.4f}")
            mark = " (ours)" if OFFSETS.get(name) == OFFSET else ""
            print(f"| {name}{mark} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
