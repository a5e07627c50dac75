"""What the comparison says, as numbers: scores, paired differences, classes, settings, images that changed sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locnet.config.tree import dotted
from locnet.predictions import BACKGROUND, Predictions
from locnet.report.intervals import Interval, differences, intervals
from locnet.report.kinds import kinds

PER_CLASS = ("accuracy", "iou", "top1_loc")


@dataclass(frozen=True)
class Against:
    """One run beside the first.

    Attributes:
        scores: how much better than the first.
        classes: the same for each true class, `background` last.
        gained: rows that the first had wrong and this one has right, the greatest gain first.
        lost: rows that the first had right, the greatest loss first.
    """

    scores: dict[str, Interval]
    classes: dict[str, dict[str, Interval]]
    gained: NDArray[np.int64]
    lost: NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """Runs on the same images.

    Attributes:
        names: of the runs.
        tables: their answers, the same images in the same order.
        scores: of each run.
        against: each run but the first beside the first.
        settings: dotted keys whose values differ, with the value that each run has; None where it has none.
        note: what was left out, in words.
    """

    names: tuple[str, ...]
    tables: tuple[Predictions, ...]
    scores: tuple[dict[str, Interval], ...]
    against: tuple[Against, ...]
    settings: dict[str, list[Any]]
    note: str


def compared(
    names: Sequence[str], tables: Sequence[Predictions], configs: Sequence[Mapping[str, Any]], note: str = ""
) -> Comparison:
    """Compare.

    Args:
        names: of the runs.
        tables: their answers, as `match` gives them.
        configs: their configurations.
        note: what was left out.
    """
    return Comparison(
        names=tuple(names),
        tables=tuple(tables),
        scores=tuple(intervals(table) for table in tables),
        against=tuple(_against(tables[0], table) for table in tables[1:]),
        settings=different_settings(configs),
        note=note,
    )


def beyond_luck(difference: Interval) -> bool:
    """Whether the interval of a difference leaves out 0."""
    return difference.low > 0 or difference.high < 0


def different_settings(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Dotted keys whose values are not the same in all configurations, with each one's value."""
    flat = [{key: v for key, v in dotted(config) if not isinstance(v, Mapping)} for config in configs]
    keys = dict.fromkeys(key for config in flat for key in config)
    values = {key: [config.get(key) for config in flat] for key in keys}
    return {key: found for key, found in values.items() if any(value != found[0] for value in found[1:])}


def _against(first: Predictions, other: Predictions) -> Against:
    classes = {}
    for label in (*range(len(first.classes)), BACKGROUND):
        rows = np.flatnonzero(first.labels == label)
        if len(rows):
            found = differences(first.take(rows), other.take(rows))
            classes[first.name(label)] = {key: found[key] for key in PER_CLASS if key in found}
    before, after = kinds(first) == 0, kinds(other) == 0
    change = _quality(other) - _quality(first)
    order = np.argsort(-np.abs(change), kind="stable").astype(np.int64)
    return Against(
        scores=differences(first, other),
        classes=classes,
        gained=order[(~before & after)[order]],
        lost=order[(before & ~after)[order]],
    )


def _quality(p: Predictions) -> NDArray[np.float64]:
    """IoU, or whether background was seen rightly; 1 more for the right verdict."""
    right = p.verdicts == p.labels
    quality: NDArray[np.float64] = np.where(p.has_object, np.nan_to_num(p.ious), right) + right
    return quality
