"""How far calibration and crops hold on a split: flat values for metrics.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from locnet.calibration.conformal import Residuals, areas, grow, nonconformity
from locnet.calibration.record import Calibration
from locnet.calibration.reliability import class_bins, objectness_bins
from locnet.predictions import Predictions
from locnet.report.intervals import wilson

LEVELS = (0.80, 0.90, 0.95)
"""The coverages that every report has."""


class Held(NamedTuple):
    """How a crop did on the objects of a split.

    Attributes:
        coverage: share of objects that lie wholly in their crop.
        low: lower end of its 95 % interval (Wilson).
        high: upper end.
        area: mean share of the image that the crop takes.
    """

    coverage: float
    low: float
    high: float
    area: float


def held(p: Predictions, residuals: Residuals, coverage: float) -> Held | None:
    """What became of an asked coverage; None without boxes or objects."""
    objects = p.has_object
    if not p.has_boxes or not objects.any():
        return None
    margin = residuals.margin(coverage)
    boxes = p.predicted_boxes[objects]
    inside = nonconformity(boxes, p.boxes[objects]) <= margin
    low, high = wilson(int(inside.sum()), len(inside))
    return Held(float(inside.mean()), low, high, float(areas(grow(boxes, margin)).mean()))


def trust_scores(p: Predictions, calibration: Calibration | None, raw: Predictions | None = None) -> dict[str, float]:
    """Calibration errors, and how the crops did.

    Args:
        p: truth and answer for N images.
        calibration: that the answers have been through.
        raw: the answers before it, where there is one.

    Returns:
        Of the following keys those that are defined:
        `objectness_ece`: expected calibration error of p_c, over all images.
        `class_ece`: that of the highest class score, over the object images.
        `objectness_ece_uncalibrated`, `class_ece_uncalibrated`: the same of what the head itself said.
        `coverage_80`, `_90`, `_95`: share of objects that lie wholly in the crop of that coverage; with `_low` and
        `_high` behind it the ends of the 95 % interval.
        `crop_area_80`, `_90`, `_95`: mean share of the image that these crops take (of object images).
        `object_area`: mean share of the image that the true box takes.
    """
    values: dict[str, float] = {}
    for suffix, table in (("", p), ("_uncalibrated", raw if calibration is not None else None)):
        for name, of in (("objectness", objectness_bins), ("class", class_bins)):
            found = of(table) if table is not None else None
            if found is not None:
                values[f"{name}_ece{suffix}"] = found.ece
    if calibration is None or calibration.residuals is None:
        return values
    for level in LEVELS:
        crop = held(p, calibration.residuals, level)
        if crop is not None:
            name = f"{100 * level:.0f}"
            values |= {f"coverage_{name}": crop.coverage, f"crop_area_{name}": crop.area}
            values |= {f"coverage_{name}_low": crop.low, f"coverage_{name}_high": crop.high}
            values["object_area"] = float(areas(p.boxes[p.has_object]).mean())
    return values


def trust_line(values: Mapping[str, float]) -> str:
    """What `trust_scores` found, in one line for people; empty where there is nothing to say."""
    parts = []
    for name, title in (("objectness", "p_c"), ("class", "class")):
        before, after = values.get(f"{name}_ece_uncalibrated"), values.get(f"{name}_ece")
        if before is not None and after is not None:
            parts.append(f"calibration error of {title} {after:.3f} (uncalibrated {before:.3f})")
    names = [name for name in (f"{100 * level:.0f}" for level in LEVELS) if f"coverage_{name}" in values]
    if names:
        reached = "/".join(f"{100 * values[f'coverage_{name}']:.1f}" for name in names)
        area = "/".join(f"{values[f'crop_area_{name}']:.2f}" for name in names)
        parts.append(
            f"crops for {'/'.join(names)} % hold {reached} % of the objects in {area} of the image (true boxes "
            f"{values['object_area']:.2f})"
        )
    return "; ".join(parts)
