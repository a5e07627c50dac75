"""Images that are in the data twice: equal files by their bytes, alike ones by a perceptual hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from locnet.data.inspection import THUMBNAIL, Facts
from locnet.data.labels.defects import Defect
from locnet.data.records import Records

_BAND = 16  # bits; two hashes that differ in fewer bits than there are bands agree in one band
_BANDS = 8
_REACH = 64  # neighbours within a band that are compared; more of one value are featureless pictures
_BITS_APART = 10
_GREY_APART = 6.0  # mean over the thumbnail, of 255
_FEATURELESS = 4.0  # standard deviation of a thumbnail that says nothing


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


def alike(thumbnails: Sequence[bytes]) -> list[tuple[int, int]]:
    """Pairs of pictures that look the same: scaled, compressed again, a little brighter.

    A difference hash of 128 bits proposes pairs (all that differ in 7 bits at most are proposed), the thumbnails
    decide. Featureless pictures (fog, a black frame) are like no other.

    Args:
        thumbnails: grey pixels, `THUMBNAIL` squared; an empty one is like no other.
    """
    rows = np.array([row for row, pixels in enumerate(thumbnails) if pixels], dtype=np.int64)
    grey = np.frombuffer(b"".join(thumbnails), dtype=np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL)
    telling = grey.std(axis=(1, 2)) > _FEATURELESS
    rows, grey = rows[telling], grey[telling]
    if len(rows) < 2:
        return []
    hashes = difference_hash(grey)
    found = {pair for band in range(_BANDS) for pair in _near_in_band(hashes, band)}
    return sorted(
        (int(rows[first]), int(rows[second]))
        for first, second in found
        if np.abs(grey[first].astype(np.int16) - grey[second]).mean() <= _GREY_APART
    )


def difference_hash(grey: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Is it brighter to the right, is it brighter below: 8 x 8 questions each.

    Args:
        grey: `(N, THUMBNAIL, THUMBNAIL)` uint8.

    Returns:
        `(N, 8)` uint16, 128 bits.
    """
    cells = grey.reshape(-1, 9, THUMBNAIL // 9, 9, THUMBNAIL // 9).astype(np.int32).sum(axis=(2, 4))
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


def _near_in_band(hashes: NDArray[np.uint16], band: int) -> Iterator[tuple[int, int]]:
    """Pairs of rows that agree in a band and differ in few bits altogether, the smaller row first."""
    order = np.argsort(hashes[:, band], kind="stable")
    ordered = hashes[order]
    for step in range(1, min(_REACH, len(order) - 1) + 1):
        places = np.flatnonzero(ordered[step:, band] == ordered[:-step, band])
        if not len(places):
            break
        bits = _BITS[ordered[places] ^ ordered[places + step]].sum(axis=1)  # uint8: 128 at most
        near = places[bits <= _BITS_APART]
        yield from zip(order[near].tolist(), order[near + step].tolist(), strict=True)


_BITS = np.array([number.bit_count() for number in range(1 << _BAND)], dtype=np.uint8)
"""Bits that are set in each number of 16 bits."""
