"""Images that are in the data twice: equal files by their bytes, alike ones by a perceptual hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locnet.data.inspection import THUMBNAIL, Facts
from locnet.data.labels.defects import Defect
from locnet.data.records import Records

_BAND = 16  # bits; two hashes that differ in fewer bits than there are bands agree in one band
_BANDS = 8
_REACH = 64  # neighbours within a band that are compared
_CHUNK = 1 << 16  # pairs of thumbnails that are compared at a time
_BITS_APART = 10
_GREY_APART = 6.0  # mean over the thumbnail, of 255
_FEATURELESS = 4.0  # standard deviation of a thumbnail that says nothing


@dataclass(frozen=True)
class Twins:
    """Images that are in the data twice, in one split or in two.

    Attributes:
        equal: rows whose files are equal byte by byte, two and more each.
        alike: `(P, 2)` int64, pairs of rows that look the same, the smaller row first, in order.
    """

    equal: list[list[int]]
    alike: NDArray[np.int64]


def find_twins(records: Records, facts: Sequence[Facts], *, near: bool) -> Twins:
    """Look for equal files and, where `near` says so, for pictures that look the same."""
    none = np.empty((0, 2), dtype=np.int64)
    return Twins(equal_files(records, facts), alike([fact.thumbnail for fact in facts]) if near else none)


def equal_files(records: Records, facts: Sequence[Facts]) -> list[list[int]]:
    """Rows whose files are equal byte by byte, two and more each.

    Only files of equal size are read, and of these only those without a digest yet.
    """
    by_size: dict[int, list[int]] = {}
    for row, fact in enumerate(facts):
        by_size.setdefault(fact.size, []).append(row)
    by_content: dict[str, list[int]] = {}
    for rows in by_size.values():
        for row in rows if len(rows) > 1 else ():
            digest = facts[row].digest or hashlib.sha256(records.path(row).read_bytes()).hexdigest()
            by_content.setdefault(digest, []).append(row)
    return [rows for rows in by_content.values() if len(rows) > 1]


def alike(thumbnails: Sequence[bytes]) -> NDArray[np.int64]:
    """Pairs of pictures that look the same: scaled, compressed again, a little brighter.

    A difference hash of 128 bits proposes pairs, the thumbnails decide. Two hashes that differ in fewer bits than
    there are bands agree in one band; sorting brings them together. Of pictures that share a band with more than
    `_REACH` others (one sky over all of them), each is compared with those next to it in the order of the data and
    with those next to it by the hash. So the work grows with the number of pictures, not with its square.
    Featureless pictures (fog, a black frame) are like no other.

    Args:
        thumbnails: grey pixels, `THUMBNAIL` squared; an empty one is like no other.

    Returns:
        `(P, 2)` int64, the smaller row first, in order.
    """
    rows = np.array([row for row, pixels in enumerate(thumbnails) if pixels], dtype=np.int64)
    grey = np.frombuffer(b"".join(thumbnails), dtype=np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL)
    telling = _telling(grey)
    rows, grey = rows[telling], grey[telling]
    if len(rows) < 2:
        return np.empty((0, 2), dtype=np.int64)
    hashes = difference_hash(grey)
    found = np.empty(0, dtype=np.int64)  # first * count + second: a pair in a number
    for band in range(_BANDS):
        found = np.unique(np.concatenate((found, *_near_in_band(hashes, band))))
    first, second = np.divmod(found, len(rows))
    same = [
        np.abs(grey[first[part]].astype(np.int16) - grey[second[part]]).mean(axis=(1, 2)) <= _GREY_APART
        for part in _chunks(len(found))
    ]
    pairs: NDArray[np.int64] = rows[np.stack((first, second), axis=1)]
    return pairs[np.concatenate(same)] if same else pairs


def _telling(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """`(N,)` bool: the thumbnail shows something."""
    parts = [grey[part].std(axis=(1, 2)) > _FEATURELESS for part in _chunks(len(grey))]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.bool_)


def _chunks(count: int) -> Iterator[slice]:
    """Stretches of 0 to count that fit into memory many times over."""
    return (slice(start, start + _CHUNK) for start in range(0, count, _CHUNK))


def difference_hash(grey: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Is it brighter to the right, is it brighter below: 8 x 8 questions each.

    Args:
        grey: `(N, THUMBNAIL, THUMBNAIL)` uint8.

    Returns:
        `(N, 8)` uint16, 128 bits.
    """
    cells = grey.reshape(-1, 9, THUMBNAIL // 9, 9, THUMBNAIL // 9).sum(axis=(2, 4), dtype=np.uint16)
    right = cells[:, :8, 1:] > cells[:, :8, :-1]
    below = cells[:, 1:, :8] > cells[:, :-1, :8]
    bits = np.concatenate((right, below), axis=1).reshape(len(grey), -1)
    return np.packbits(bits, axis=1).view(np.uint16)


def across_splits(records: Records, groups: Iterable[Sequence[int]], *, kind: str) -> list[Defect]:
    """A defect for each image that another split has too."""
    words = {
        "duplicate_across_splits": "are the same file",
        "near_duplicate_across_splits": "look the same",
    }[kind]
    defects = []
    for group in groups:
        first = group[0]
        for row in group[1:]:
            one, other = records.splits[first], records.splits[row]
            if one != other:
                file, twin = records.files[row], records.files[first]
                text = f"{records.root}: {twin} ({one}) and {file} ({other}) {words}; put both into one split"
                defects.append(Defect(kind, text, file, value=twin))
    return defects


def _near_in_band(hashes: NDArray[np.uint16], band: int) -> Iterator[NDArray[np.int64]]:
    """Pairs of rows that agree in a band and differ in few bits altogether, as `first * count + second`."""
    count = len(hashes)
    following = np.roll(hashes, -band, axis=1)[:, :4].astype(np.uint64)  # this band, and the next three
    by_hash = following @ (np.uint64(1) << np.arange(3 * _BAND, -1, -_BAND, dtype=np.uint64))
    by_row = hashes[:, band]
    crowded = np.bincount(by_row).max() > _REACH
    for keys in (by_row, by_hash) if crowded else (by_row,):
        order = np.argsort(keys, kind="stable")
        ordered = hashes[order]
        values = ordered[:, band].copy()
        for step in range(1, min(_REACH, count - 1) + 1):
            places = np.flatnonzero(values[step:] == values[:-step])
            if not len(places):
                break
            bits = _BITS[ordered[places] ^ ordered[places + step]].sum(axis=1, dtype=np.uint8)  # 128 at most
            near = places[bits <= _BITS_APART]
            one, other = order[near], order[near + step]
            yield np.minimum(one, other) * count + np.maximum(one, other)


_BITS = np.array([number.bit_count() for number in range(1 << _BAND)], dtype=np.uint8)
"""Bits that are set in each number of 16 bits."""
