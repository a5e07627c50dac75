"""Pictures that one split has more than once: bursts, copies, the same file under two names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from locnet.data.duplicates import Twins
from locnet.data.labels.defects import Defect
from locnet.data.records import Records


def pairs_in_splits(splits: NDArray[np.str_], twins: Twins) -> NDArray[np.int64]:
    """Pairs of one split.

    Args:
        splits: `(N,)` str.
        twins: what was found in all splits.

    Returns:
        `(P, 2)` int64, the smaller row first, in order: pictures that look the same, and each of equal files with
        the first of them.
    """
    firsts: dict[tuple[int, str], int] = {}
    equal = [
        (firsts.setdefault((number, str(splits[row])), row), row)
        for number, group in enumerate(twins.equal)
        for row in group
    ]
    pairs = np.concatenate((twins.alike, np.array(equal, dtype=np.int64).reshape(-1, 2)))
    apart = (pairs[:, 0] != pairs[:, 1]) & (splits[pairs[:, 0]] == splits[pairs[:, 1]])
    return np.unique(pairs[apart], axis=0)


def near_duplicates(pairs: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Groups of rows that hang together by pairs, each in the order of the data, the largest group first.

    In a burst the first and the last picture may differ: each looks like its neighbour.

    Args:
        pairs: `(P, 2)` int64.
    """
    rows, places = np.unique(pairs, return_inverse=True)
    first, second = places.reshape(-1, 2).T
    group = np.arange(len(rows))
    while True:  # every row takes the smallest number among its neighbours', and then that one's
        low = np.minimum(group[first], group[second])
        smaller = group.copy()
        np.minimum.at(smaller, first, low)
        np.minimum.at(smaller, second, low)
        smaller = smaller[smaller]
        if (smaller == group).all():
            break
        group = smaller
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order])) + 1
    groups = np.split(rows[order], starts) if len(rows) else []
    return sorted(groups, key=lambda members: (-len(members), members[0]))


def listed(records: Records, groups: Sequence[NDArray[np.int64]]) -> list[Defect]:
    """A line for each picture but the first of its group; `value` is the first, and so names the group."""
    found = []
    for group in groups:
        first, *others = group.tolist()
        twin = records.files[first]
        for row in others:
            file = records.files[row]
            text = f"{records.root}: {file} looks like {twin} ({records.splits[row]}, {len(group):,} pictures alike)"
            found.append(Defect("near_duplicate_in_split", text, file, value=twin))
    return found
