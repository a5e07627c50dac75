"""How long near-duplicates among very many pictures take to be found, and how many of them are.

    python benchmarks/duplicates.py [--rows 1000000] [--again 0.1]

Thumbnails of soft random pictures under a common sky; a share of them (`--again`) are noisy, brighter versions of
others that lie anywhere among them. Gives the share of these pairs that was found and how many other pairs were,
seconds and the largest memory of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np
from numpy.typing import NDArray

from locnet.checkup.near_duplicates import near_duplicates
from locnet.data.duplicates import alike
from locnet.data.inspection import THUMBNAIL

_COARSE = 5  # independent patches along each side of a picture


def thumbnails(rows: int, again: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures, and the pairs of rows of which one is a version of the other: `(again, 2)` int64."""
    places = np.linspace(0, _COARSE - 1, THUMBNAIL)
    weights = np.clip(1 - np.abs(places[:, None] - np.arange(_COARSE)), 0, 1).astype(np.float32)  # bilinear
    pictures = np.empty((rows, THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    sky = np.linspace(60, 0, THUMBNAIL, dtype=np.float32)[:, None]
    for start in range(0, rows, 100_000):
        part = pictures[start : start + 100_000]
        patches = rng.normal(100, 40, (len(part), _COARSE, _COARSE)).astype(np.float32)
        patches[:, 0] = 150  # the sky
        part[:] = (weights @ patches @ weights.T + sky).clip(0, 255)
    order = rng.permutation(rows)
    pairs = np.sort(np.stack((order[:again], order[again : 2 * again]), axis=1), axis=1)
    for start in range(0, again, 100_000):
        first, second = pairs[start : start + 100_000].T
        noise = rng.normal(2, 2, (len(first), THUMBNAIL, THUMBNAIL))
        pictures[second] = (pictures[first] + noise).clip(0, 255).astype(np.uint8)
    return pictures, pairs


def main() -> None:
    """Print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--again", type=float, default=0.1)
    arguments = parser.parse_args()
    rows = arguments.rows
    pictures, pairs = thumbnails(rows, int(rows * arguments.again), np.random.default_rng(0))
    stored = [picture.tobytes() for picture in pictures]
    del pictures
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock, cpu = time.perf_counter(), time.process_time()
    found = alike(stored)
    groups = near_duplicates(found)
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    hits = int(np.isin(pairs[:, 0] * rows + pairs[:, 1], found[:, 0] * rows + found[:, 1]).sum())
    result = {
        "rows": rows,
        "pairs": len(pairs),
        "pairs_found": hits,
        "others_found": len(found) - hits,
        "groups": len(groups),
        "seconds": round(clock, 1),
        "processor_seconds": round(cpu, 1),
        "rss_mb_before": round(before / 1e3),
        "rss_mb_largest": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
