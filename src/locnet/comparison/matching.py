"""Bring the answers of several runs into one order, and refuse what cannot be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from locnet.config.messages import join_some
from locnet.errors import DataError
from locnet.predictions import BACKGROUND, Predictions

_SAME_BOX = 1e-3  # in fractions of the image: readers round to pixels


class Matched(NamedTuple):
    """Tables with the same images in the same order, and what was left out, in words."""

    tables: list[Predictions]
    note: str


def match(names: Sequence[str], tables: Sequence[Predictions], *, common: bool) -> Matched:
    """The same images of every run, with the same truth.

    Args:
        names: of the runs.
        tables: their answers.
        common: whether images that not all have, or whose labels differ, are left out.

    Raises:
        DataError: the classes differ; or the images or labels do, without `common`; or nothing is left.
    """
    first = tables[0]
    for name, table in zip(names[1:], tables[1:], strict=True):
        if set(table.classes) != set(first.classes):
            strange = sorted(set(table.classes) ^ set(first.classes))
            raise DataError(
                f"{names[0]} and {name} have different classes ({join_some(strange)} of one of them only): "
                "their answers cannot be compared"
            )
    tables = [first, *(_with_classes(table, first.classes) for table in tables[1:])]
    rows = [{file: row for row, file in enumerate(table.files)} for table in tables]
    shared = [file for file in first.files if all(file in of for of in rows[1:])]
    counts = ", ".join(f"{name} {len(table):,}" for name, table in zip(names, tables, strict=True))
    same_images = all(len(of) == len(shared) for of in rows)
    if not shared:
        raise DataError(f"the runs have no test image in common ({counts}): nothing can be compared")
    if not same_images and not common:
        raise DataError(
            f"the runs were not tested on the same images ({counts}, {len(shared):,} in all of them); common=true "
            "compares those"
        )
    tables = [table.take(np.array([of[file] for file in shared])) for table, of in zip(tables, rows, strict=True)]
    changed = np.zeros(len(shared), dtype=bool)
    for table in tables[1:]:
        changed |= _truth_differs(tables[0], table)
    if changed.any() and not common:
        example = shared[int(np.flatnonzero(changed)[0])]
        raise DataError(
            f"{int(changed.sum()):,} of {len(shared):,} images have other labels in one run, such as {example}; "
            "common=true leaves them out, or evaluate the checkpoints again on the same labels"
        )
    kept = np.flatnonzero(~changed)
    if not len(kept):
        raise DataError("no image has the same label in all runs: nothing can be compared")
    parts = [] if same_images else [f"{len(shared):,} images are in all runs ({counts})"]
    parts += [f"{int(changed.sum()):,} with different labels are left out"] if changed.any() else []
    return Matched([table.take(kept) for table in tables], "; ".join(parts))


def _with_classes(table: Predictions, classes: tuple[str, ...]) -> Predictions:
    """The table with its classes in another order."""
    if table.classes == classes:
        return table
    old = [table.classes.index(name) for name in classes]
    new = np.array([classes.index(name) for name in table.classes], dtype=np.int64)
    labels = np.where(table.labels == BACKGROUND, BACKGROUND, new[table.labels])
    return dataclasses.replace(table, classes=classes, labels=labels, class_scores=table.class_scores[:, old])


def _truth_differs(one: Predictions, other: Predictions) -> NDArray[np.bool_]:
    """`(N,)` bool: another class, or another box where both have one."""
    with np.errstate(invalid="ignore"):
        moved = (np.abs(one.boxes - other.boxes) > _SAME_BOX).any(axis=1)
    differs: NDArray[np.bool_] = (one.labels != other.labels) | moved
    return differs
