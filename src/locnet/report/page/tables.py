"""The numbers of the page: beside the baselines, class by class, group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from locnet.page.parts import Html, printable, table
from locnet.predictions import BACKGROUND, Predictions
from locnet.report.intervals import Interval, intervals
from locnet.report.scores import SCORE_TITLES

_HEADLINES = ("top1_loc", "accuracy", "iou", "objectness_ap")
_BASELINES = {"mean_box": "mean box", "centre_box": "centre box", "majority": "majority"}
_COLUMNS = ("accuracy", "class_accuracy", "iou", "gt_known_loc", "top1_loc")
_MOST_ROWS = 40
_DASH = "\u2013"

EXPLAINED = {
    "iou": "mean overlap of the box with the true one, where there is an object",
    "gt_known_loc": "share of objects whose box has IoU >= 0.5",
    "top1_loc": "share of objects with the right class and a box with IoU >= 0.5",
    "max_box_acc_v2": "share of boxes with IoU >= 0.3, 0.5, 0.7, the mean of the three",
    "accuracy": "share of all images with the right answer, background being one",
    "class_accuracy": "share of objects with the right class, whatever p_c is",
    "objectness_ap": "how well p_c tells objects from background (average precision)",
}


def headline(p: Predictions, found: Mapping[str, Interval], baselines: Mapping[str, Mapping[str, float]]) -> str:
    """The most important numbers, large, then all of them beside the baselines.

    Args:
        p: truth and answer for N images.
        found: scores and their intervals.
        baselines: scores by baseline.
    """
    cards = [_card(key, found[key], _best(key, baselines)) for key in _HEADLINES if key in found]
    named = {name: title for name, title in _BASELINES.items() if name in baselines}
    rows = [
        (
            Html(f"{escape(title)}<div class=note>{escape(EXPLAINED[key])}</div>"),
            Html(f"<b>{found[key].value:.3f}</b>"),
            _range(found[key]),
            *(_number(baselines[name].get(key)) for name in named),
            _meter(found[key], _best(key, baselines)),
        )
        for key, title in SCORE_TITLES.items()
        if key in found
    ]
    header = ("score", "model", "95 % interval", *named.values(), "")
    caption = "All scores, beside what is reached without looking at the image"
    return f"<div class=headline>{''.join(cards)}</div>{table(header, rows, caption=caption, numbers=True)}"


def by_class(p: Predictions) -> str:
    """A row for each true class, background last."""
    rows = {p.name(label): np.flatnonzero(p.labels == label) for label in (*range(len(p.classes)), BACKGROUND)}
    return _subsets(p, {name: r for name, r in rows.items() if len(r)}, "class", "Scores by true class")


def by_group(p: Predictions, name: str, values: Sequence[str]) -> str:
    """A row for each group of images, the largest first.

    Args:
        p: truth and answer for N images.
        name: of the way to group them.
        values: the group of every image.
    """
    of = np.array(values, dtype=object)
    names, counts = np.unique(of.astype(str), return_counts=True)
    order = np.lexsort((names, -counts))
    rows = {str(names[i]): np.flatnonzero(of == names[i]) for i in order}
    return _subsets(p, rows, name, f"Scores by {name}")


def _subsets(p: Predictions, rows: Mapping[str, NDArray[np.int64]], what: str, caption: str) -> str:
    names = list(rows)
    if len(names) > _MOST_ROWS:
        accuracy = {name: float((p.verdicts == p.labels)[r].mean()) for name, r in rows.items()}
        names = sorted(names, key=lambda name: accuracy[name])[:_MOST_ROWS]
        caption = f"{caption}: the {_MOST_ROWS} of {len(rows)} rows with the lowest accuracy"
    lines = []
    for name in names:
        own = p.take(rows[name])
        found = intervals(own)
        cells = (_with_range(found.get(key)) for key in _COLUMNS)
        lines.append((name or "(empty)", len(own), int(own.has_object.sum()), *cells))
    header = (what, "images", "objects", *(SCORE_TITLES[key] for key in _COLUMNS))
    return table(header, lines, caption=printable(caption), numbers=True)


def _card(key: str, found: Interval, baseline: tuple[str, float] | None) -> str:
    beside = f"{baseline[0]}: {baseline[1]:.3f}" if baseline else "no baseline"
    return (
        f"<div class=big><div class=name>{escape(SCORE_TITLES[key])}</div><div class=value>{found.value:.3f}</div>"
        f"{_meter(found, baseline)}<div class=note>95 %: {_range(found)}<br>{escape(beside)}</div></div>"
    )


def _best(key: str, baselines: Mapping[str, Mapping[str, float]]) -> tuple[str, float] | None:
    known = [(values[key], _BASELINES.get(name, name)) for name, values in baselines.items() if key in values]
    return (max(known)[1], max(known)[0]) if known else None


def _meter(found: Interval, baseline: tuple[str, float] | None) -> Html:
    """A bar from 0 to 1: the value, its interval, and the best baseline."""
    base = f"<i class=base style=left:{_percent(baseline[1])}></i>" if baseline else ""
    return Html(
        f"<div class=meter aria-hidden=true><i class=to style=width:{_percent(found.value)}></i>"
        f"<i class=range style=left:{_percent(found.low)};width:{_percent(found.high - found.low)}></i>{base}</div>"
    )


def _percent(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.1f}%" if np.isfinite(share) else "0%"


def _range(found: Interval) -> str:
    return f"{found.low:.3f} to {found.high:.3f}" if np.isfinite(found.low) else _DASH


def _with_range(found: Interval | None) -> Html:
    if found is None:
        return Html(_DASH)
    ends = f"<div class=small>{found.low:.2f} to {found.high:.2f}</div>" if np.isfinite(found.low) else ""
    return Html(f"{found.value:.3f}{ends}")


def _number(value: float | None) -> str:
    return _DASH if value is None else f"{value:.3f}"
