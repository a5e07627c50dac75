"""All pictures of a run, written to its `plots` folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from locnet.calibration import Calibration
from locnet.predictions import Predictions
from locnet.report import style
from locnet.report.confusion import plot_confusion
from locnet.report.grid import LoadImage, prediction_grid, random_rows, worst_first
from locnet.report.history import plot_history
from locnet.report.localization import plot_iou
from locnet.report.objectness import plot_objectness
from locnet.report.trust import plot_crops, plot_reliability


def draw_figures(
    *,
    history: Sequence[Mapping[str, Any]],
    monitor: str,
    predictions: Predictions,
    mean_box: NDArray[np.float64] | None = None,
    mode: str | None = None,
    calibration: Calibration | None = None,
    raw: Predictions | None = None,
) -> dict[str, Figure]:
    """Every figure for which there is something to draw.

    Args:
        history: flat rows of `history.jsonl`; may be empty.
        monitor: the key of the history that decides on the best epoch.
        predictions: truth and answer on the test split.
        mean_box: `(4,)` float64, xyxy fractions, as from `locnet.report.baselines.mean_box`, or None.
        mode: `max` or `min` of the monitor; by default `min` if its name has `loss` in it.
        calibration: that the answers have been through, or None.
        raw: the answers before it, or None.

    Returns:
        Of `curves`, `confusion`, `iou`, `objectness`, and with a calibration `reliability` and `crops`, in this order.
    """
    figures = {
        "curves": plot_history(history, monitor, mode),
        "confusion": plot_confusion(predictions),
        "iou": plot_iou(predictions, mean_box),
        "objectness": plot_objectness(predictions),
    }
    if calibration is not None:
        figures["reliability"] = plot_reliability(predictions, raw)
        if calibration.residuals is not None:
            figures["crops"] = plot_crops(predictions, calibration.residuals)
    return {name: figure for name, figure in figures.items() if figure is not None}


def write_plots(
    folder: Path,
    figures: Mapping[str, Figure],
    *,
    predictions: Predictions,
    load_image: LoadImage,
    images: int = 24,
) -> list[Path]:
    """Write the figures and the contact sheets as PNG.

    Args:
        folder: where to; made if missing, files of the same name are replaced.
        figures: by the name of their file.
        predictions: truth and answer on the test split.
        load_image: gives the upright RGB image of a path relative to the data root.
        images: how many images the contact sheets show at most.

    Returns:
        The files written: those of the figures, then `predictions.png` and `predictions_random.png`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [style.save(figure, folder / f"{name}.png") for name, figure in figures.items()]
    return paths + (_sheets(folder, predictions, load_image, images) if len(predictions) else [])


def _sheets(folder: Path, p: Predictions, load_image: LoadImage, images: int) -> list[Path]:
    count = min(images, len(p))
    wrong = int((p.verdicts != p.labels).sum())
    choices = (
        (
            "predictions",
            worst_first(p)[:count],
            f"{count} of {len(p)} images, worst answers first; {wrong} verdicts wrong",
        ),
        ("predictions_random", random_rows(p, count), f"{count} of {len(p)} images, chosen at random"),
    )
    paths = []
    for name, rows, title in choices:
        path = folder / f"{name}.png"
        prediction_grid(p, rows.tolist(), load_image, title).save(path)
        paths.append(path)
    return paths
