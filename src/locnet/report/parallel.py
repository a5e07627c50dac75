"""Parallel coordinates of a sweep: one line a job, through its settings to its score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from locnet.report import style
from locnet.report.sweep import SweepRow, best_first, short, varied

_MAX_AXES = 10
_MAX_TICKS = 12
_MAX_WORD = 16
_WIDE_RANGE = 10.0  # a range of numbers so many times its smallest is seen on a logarithmic axis only


def plot_parallel(rows: Sequence[SweepRow], *, score: str = "score", mode: str = "max") -> Figure | None:
    """One vertical axis for each setting that differs, the score last; the line's colour is the score's.

    Args:
        rows: of a sweep; jobs without a score are counted in the title and not drawn.
        score: what the score is called.
        mode: `max` or `min`: which score is the best; it is drawn on top, and thick.

    Returns:
        The figure; None where there are fewer than two jobs with a score, or nothing that differs.
    """
    drawn = best_first([row for row in rows if row.score is not None and np.isfinite(row.score)], mode)
    keys = [key for key in varied(drawn) if len({row.settings.get(key, "") for row in drawn}) > 1][:_MAX_AXES]
    if len(drawn) < 2 or not keys:
        return None
    scores = np.array([float(row.score or 0) for row in drawn])
    figure = style.new_figure(1.2 + 1.75 * (len(keys) + 1), 4.4)
    axes = figure.add_subplot()
    heights = [_axis(axes, place, key, [row.settings.get(key, "") for row in drawn]) for place, key in enumerate(keys)]
    heights.append(_axis(axes, len(keys), score, [repr(value) for value in scores.tolist()], may_be_log=False))
    colour = ScalarMappable(Normalize(scores.min(), scores.max()), colormaps["viridis"])
    for index in reversed(range(len(drawn))):
        line = [height[index] for height in heights]
        best = index == 0
        axes.plot(line, color=colour.to_rgba(scores[index]), linewidth=3 if best else 1.3, alpha=1 if best else 0.75)
    _finish(axes, len(keys), drawn[0], len(drawn), len(rows) - len(drawn))
    return figure


def _axis(axes: Axes, place: int, title: str, values: Sequence[str], *, may_be_log: bool = True) -> NDArray[np.float64]:
    """Draw one vertical axis with its ticks; heights in 0 to 1 of the values on it."""
    numbers = _numbers(values)
    if numbers is None:
        words = sorted(set(values))
        ticks = {word: (index + 0.5) / len(words) for index, word in enumerate(words)}
        heights = np.array([ticks[value] for value in values])
        labels = {style.shorten(word or "-", _MAX_WORD): at for word, at in ticks.items()}
    else:
        log = bool(may_be_log and numbers.min() > 0 and numbers.max() > _WIDE_RANGE * numbers.min())
        scaled = np.log(numbers) if log else numbers
        low, high = float(scaled.min()), float(scaled.max())
        heights = (scaled - low) / (high - low) if high > low else np.full(len(scaled), 0.5)
        few = sorted(set(numbers.tolist()))
        marks = few if len(few) <= 5 else _evenly(low, high, log)
        labels = {
            f"{mark:.3g}": ((np.log(mark) if log else mark) - low) / (high - low) if high > low else 0.5
            for mark in marks
        }
    axes.axvline(place, color=style.GREY, linewidth=1, zorder=0)
    for text, height in list(labels.items())[:_MAX_TICKS]:
        style.write(axes, place, height, text, xytext=(4, 0), va="center", zorder=5)
    style.write(axes, place, 1.06, style.shorten(title, 26), ha="center", va="bottom")
    return heights


def _numbers(values: Sequence[str]) -> NDArray[np.float64] | None:
    try:
        found = np.array([float(value) for value in values])
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None


def _evenly(low: float, high: float, log: bool) -> list[float]:
    marks = np.linspace(low, high, 5)
    return [float(mark) for mark in (np.exp(marks) if log else marks)]


def _finish(axes: Axes, last: int, best: SweepRow, drawn: int, left_out: int) -> None:
    without = f", {left_out} without a score left out" if left_out else ""
    settings = ", ".join(f"{key}={short(value)}" for key, value in best.settings.items())
    title = style.shorten(f"{drawn} jobs{without}; thick: the best, job {best.number} ({settings})", 24 * (last + 2))
    style.tidy(axes, title)
    axes.title.set_position((0, 1))
    axes.title.set_fontsize(9)
    axes.set_xlim(-0.15, last + 0.45)
    axes.set_ylim(-0.04, 1.14)
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
