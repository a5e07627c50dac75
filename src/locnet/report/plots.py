"""All pictures of a run, written to its `plots` folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
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


def write_plots(
    folder: Path,
    *,
    history: Sequence[Mapping[str, Any]],
    monitor: str,
    predictions: Predictions,
    load_image: LoadImage,
    mean_box: NDArray[np.float64] | None = None,
    mode: str | None = None,
    images: int = 24,
    calibration: Calibration | None = None,
    raw: Predictions | None = None,
) -> list[Path]:
    """Write every picture for which there is something to draw.

    Args:
        folder: where to; made if missing, files of the same name are replaced.
        history: flat rows of `history.jsonl`; may be empty.
        monitor: the key of the history that decides on the best epoch.
        predictions: truth and answer on the test split.
        load_image: gives the upright RGB image of a path relative to the data root.
        mean_box: `(4,)` float64, xyxy fractions, as from `locnet.report.baselines.mean_box`, or None.
        mode: `max` or `min` of the monitor; by default `min` if its name has `loss` in it.
        images: how many images the contact sheets show at most.
        calibration: that the answers have been through, or None.
        raw: the answers before it, or None.

    Returns:
        The files written, of `curves.png`, `predictions.png`, `predictions_random.png`, `confusion.png`,
        `iou.png`, `objectness.png`, and with a calibration `reliability.png` and `crops.png`, in this order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    curves = plot_history(history, monitor, mode)
    if curves is not None:
        paths.append(style.save(curves, folder / "curves.png"))
    if len(predictions):
        paths += _sheets(folder, predictions, load_image, images)
    figures = {
        "confusion.png": plot_confusion(predictions),
        "iou.png": plot_iou(predictions, mean_box),
        "objectness.png": plot_objectness(predictions),
    }
    if calibration is not None:
        figures["reliability.png"] = plot_reliability(predictions, raw)
        if calibration.residuals is not None:
            figures["crops.png"] = plot_crops(predictions, calibration.residuals)
    paths += [style.save(figure, folder / name) for name, figure in figures.items() if figure is not None]
    return paths


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
