"""95 % intervals of scores: how much of a number is luck of the images that it was measured on.

Shares have Wilson's interval, which is right for few images and near 0 and 1 too. Means and average precision, and
all differences between two systems, have the percentiles of a bootstrap over images (Efron, 1979): the same
resampled images for every system, so that what is hard for all of them cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from locnet.predictions import Predictions
from locnet.report.scores import IOU_THRESHOLDS, P_C_LEVELS, scores

_WORK = 20_000_000  # resampled images altogether, of which follows how often a large split is resampled
_AT_ONCE = 2_000_000
_MOST, _LEAST = 1000, 200
_LOW_HIGH = (2.5, 97.5)
_SHARES_OF_OBJECTS = ("gt_known_loc", "top1_loc", "class_accuracy")

Resampled = dict[str, NDArray[np.float64]]
"""Each score of `scores` in every resample, `(R,)` float64; NaN where a resample has no value."""


class Interval(NamedTuple):
    """A number with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def intervals(p: Predictions, *, seed: int = 0) -> dict[str, Interval]:
    """All scores of a split with their intervals.

    Args:
        p: truth and answer for N images.
        seed: of the bootstrap.

    Returns:
        By the keys of `scores`, those that are defined.
    """
    values = scores(p)
    objects = int(p.has_object.sum())
    images = {"accuracy": len(p), **dict.fromkeys(_SHARES_OF_OBJECTS, objects)}
    drawn: Resampled = {}
    if set(values) - set(images):
        [drawn] = resample([p], seed=seed)
    found = {}
    for key, value in values.items():
        ends = wilson(round(value * images[key]), images[key]) if key in images else _ends(drawn[key])
        found[key] = Interval(value, *ends)
    return found


def differences(first: Predictions, second: Predictions, *, seed: int = 0) -> dict[str, Interval]:
    """How much better the second is than the first on the same images: each score's difference and its interval.

    Args:
        first: truth and answer for N images.
        second: the same truth, other answers.
        seed: of the bootstrap.

    Returns:
        By the keys of `scores`, those that both have.
    """
    one, other = scores(first), scores(second)
    drawn_one, drawn_other = resample([first, second], seed=seed)
    return {
        key: Interval(other[key] - one[key], *_ends(drawn_other[key] - drawn_one[key])) for key in one if key in other
    }


def replicates(images: int) -> int:
    """How often a split of so many images is resampled: 1,000 times, less often above 20,000 images."""
    return int(np.clip(_WORK // max(images, 1), _LEAST, _MOST))


def resample(tables: Sequence[Predictions], *, seed: int = 0) -> list[Resampled]:
    """Scores of resampled images, drawn with replacement; the same images for every table.

    Args:
        tables: truth and answer for the same N images each.
        seed: of the draw.

    Returns:
        For each table the scores that it has.
    """
    keys = [list(scores(p)) for p in tables]
    parts: list[list[Resampled]] = [[] for _ in tables]
    prepared = [(_sums(p), _ranking(p)) for p in tables]
    for counts in _draws(len(tables[0]), seed):
        for (sums, ranking), part in zip(prepared, parts, strict=True):
            part.append(_scores(counts, sums, ranking))
    return [
        {key: np.concatenate([found[key] for found in part]) for key in names}
        for names, part in zip(keys, parts, strict=True)
    ]


def wilson(hits: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """The interval of a share (Wilson, 1927); 95 % by default, and never outside [0, 1].

    Args:
        hits: how many.
        count: of how many, above 0.
        z: half width in standard errors.
    """
    share, unit = hits / count, z * z / count
    middle = (share + unit / 2) / (1 + unit)
    half = z / (1 + unit) * math.sqrt(share * (1 - share) / count + unit / count / 4)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _draws(images: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each image was drawn, `(R, N)` float64, a few resamples at a time."""
    generator = np.random.default_rng(seed)
    left = replicates(images) if images else 0
    while left:
        rows = min(left, max(1, _AT_ONCE // images))
        drawn = generator.integers(0, images, (rows, images)) + np.arange(rows)[:, None] * images
        yield np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images).astype(np.float64)
        left -= rows


def _sums(p: Predictions) -> dict[str, NDArray[np.float64]]:
    """What each image adds to the scores that are means, `(N,)` float64; `objects` counts object images."""
    objects, right, ious = p.has_object, p.verdicts == p.labels, np.nan_to_num(p.ious)
    columns = {
        "objects": objects,
        "accuracy": right,
        "class_accuracy": objects & (p.predicted_labels == p.labels),
        "iou": np.where(objects, ious, 0.0),
        "gt_known_loc": objects & (ious >= 0.5),
        "top1_loc": objects & right & (ious >= 0.5),
        "max_box_acc_v2": objects * np.mean([ious >= threshold for threshold in IOU_THRESHOLDS], axis=0),
    }
    return {name: column.astype(np.float64) for name, column in columns.items()}


def _ranking(p: Predictions) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Images from high to low p_c, the last place of each tie, and which of the images have an object."""
    levels = np.round(p.p_c * P_C_LEVELS)
    order = np.argsort(-levels, kind="stable").astype(np.int64)
    ends = np.append(np.flatnonzero(np.diff(levels[order])), len(order) - 1).astype(np.int64)
    return order, ends, p.has_object[order].astype(np.float64)


def _scores(
    counts: NDArray[np.float64],
    sums: dict[str, NDArray[np.float64]],
    ranking: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
) -> Resampled:
    totals = dict(zip(sums, (counts @ np.stack(list(sums.values()), axis=1)).T, strict=True))
    objects = totals.pop("objects")
    order, ends, positive = ranking
    ranked = counts[:, order]
    images = np.cumsum(ranked, axis=1)[:, ends]
    hits = np.cumsum(ranked * positive, axis=1)[:, ends]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {name: total / (counts.shape[1] if name == "accuracy" else objects) for name, total in totals.items()}
        precision = np.where(images > 0, hits / images, 0.0)
        steps = np.diff(hits, axis=1, prepend=0.0) * precision
        found["objectness_ap"] = steps.sum(axis=1) / objects
    return found


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, _LOW_HIGH)
    return float(low), float(high)
