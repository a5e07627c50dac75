"""A finished split as pictures, charts and a table, in bounded size whatever the split's."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from locnet.calibration.reliability import class_bins, objectness_bins
from locnet.data.records import Records
from locnet.errors import LocnetError
from locnet.loggers.base import Dashboard
from locnet.loggers.content import Bars, Chart, Edges, LabelledBox, Lines, Matrix, Picture, PredictionTable
from locnet.predictions import BACKGROUND, EXTRA, Predictions
from locnet.report.baselines import constant_ious, mean_box
from locnet.report.grid import LoadImage, random_rows, worst_first
from locnet.report.localization import success
from locnet.report.scores import confusion, precision_recall

log = logging.getLogger(__name__)

_POINTS = 200  # of a curve: more cannot be seen
_IOU_BINS = 20
_MOST_CLASSES = 50  # of a confusion matrix, and of the columns of class scores
_SIDE = 512  # of a picture on its own


@dataclass(frozen=True)
class Limits:
    """How much of a split is shown, so that a million images do not upload gigabytes.

    Attributes:
        images: on each sheet.
        rows: of the table.
        thumbnails: rows of the table that have a picture.
        thumbnail_side: the longer side of those in pixels.
    """

    images: int = 16
    rows: int = 10_000
    thumbnails: int = 100
    thumbnail_side: int = 160


def show_results(
    dashboards: Sequence[Dashboard],
    p: Predictions,
    records: Records,
    load_image: LoadImage,
    *,
    split: str,
    step: int,
    limits: Limits,
) -> None:
    """Show what came of a split.

    Args:
        dashboards: those that can.
        p: truth and answer of the split.
        records: of all splits.
        load_image: gives the upright RGB image of a path relative to the data root.
        split: its name, the first part of all names.
        step: the last one of training.
        limits: how much to show.
    """
    if not len(p) or not dashboards:
        return
    images = Images(load_image)
    sheets = {
        name: [made for row in rows if (made := images.picture(p, int(row), _SIDE)) is not None]
        for name, rows in chosen_rows(p, limits.images).items()
    }
    constant = mean_box(records.select("train").boxes)
    charts = dict(charts_of(p, constant))
    table = prediction_table(p, records.select(split), images, limits)
    for dashboard in dashboards:
        for name, sheet in sheets.items():
            dashboard.show_pictures(f"{split}/{name}", sheet, step)
        for name, chart in charts.items():
            dashboard.show_chart(f"{split}/{name}", chart, step)
        dashboard.show_table(f"{split}/predictions", table, step)


def chosen_rows(p: Predictions, count: int) -> dict[str, NDArray[np.int64]]:
    """Rows for the sheets: the worst answers, a random choice, and background taken for an object, surest first."""
    false = np.flatnonzero((p.labels == BACKGROUND) & (p.verdicts != BACKGROUND))
    return {
        "worst": worst_first(p)[:count],
        "random": random_rows(p, count),
        "false_positives": false[np.argsort(-p.p_c[false], kind="stable")][:count],
    }


def picture(p: Predictions, row: int, image: Image.Image) -> Picture:
    """One row with its image; the predicted box is there whatever the verdict is."""
    label, best = int(p.labels[row]), int(p.predicted_labels[row])
    p_c, iou = float(p.p_c[row]), float(p.ious[row])
    known = None if np.isnan(iou) else iou
    truth = None if label == BACKGROUND else LabelledBox(_edges(p.boxes[row]), label, p.name(label))
    predicted = p.predicted_boxes[row]
    said = LabelledBox(_edges(predicted), best, p.name(best), p_c, known) if np.isfinite(predicted).all() else None
    caption = f"{p.name(label)} -> {p.name(int(p.verdicts[row]))}, p_c {p_c:.2f}"
    caption += f", IoU {known:.2f}" if known is not None else ""
    return Picture(image, caption, p.classes, truth, said)


def charts_of(p: Predictions, constant: NDArray[np.float64] | None) -> Iterable[tuple[str, Chart]]:
    """The charts of a split by name; those that have nothing to draw are left out."""
    names = [*p.classes, "background"]
    if len(names) <= _MOST_CLASSES:
        yield "confusion", Matrix("truth and verdict, images", names, confusion(p).tolist())
    objects = p.has_object
    if objects.any() and np.isfinite(p.p_c).all():
        _, precision, recall = precision_recall(objects, p.p_c)
        yield (
            "precision_recall",
            Lines("precision and recall of p_c", "recall", "precision", {"p_c": _thin(recall, precision)}),
        )
    reliability = {name: bins for name, bins in (("p_c", objectness_bins(p)), ("class", class_bins(p))) if bins}
    if reliability:
        curves: dict[str, Any] = {name: (bins.confidence, bins.share) for name, bins in reliability.items()}
        yield "reliability", Lines("share that is right", "confidence", "share", curves | {"ideal": ([0, 1], [0, 1])})
    if objects.any() and p.has_boxes:
        ious = p.ious[objects]
        counts, edges = np.histogram(ious, bins=_IOU_BINS, range=(0, 1))
        bars = {f"{low:.2f}": float(count) for low, count in zip(edges[:-1], counts, strict=True)}
        yield "iou_histogram", Bars("IoU of object images", "IoU", "images", bars)
        shares = {"model": _thin(*success(ious))}
        if constant is not None:
            shares["mean box"] = _thin(*success(constant_ious(constant, p)[objects]))
        yield "success", Lines("share of object images with IoU >= t", "t", "share", shares)


def prediction_table(p: Predictions, of_split: Records, images: Images, limits: Limits) -> PredictionTable:
    """The worst answers first; of a large split the worst half of what fits and a random choice of the rest."""
    total = len(p)
    p = p.take(_half_worst(p, limits.rows))
    if len(p) < total:
        log.info("dashboard      the table of predictions holds %d of %d images, worst first", len(p), total)
    # the labels' further columns come under their own names below
    columns: dict[str, Sequence[Any]] = {n: v for n, v in p.columns().items() if not n.startswith(EXTRA)}
    if len(p.classes) > _MOST_CLASSES:
        columns = {name: values for name, values in columns.items() if not name.startswith("score_")}
    columns["right"] = (p.verdicts == p.labels).tolist()
    columns["class_score"] = p.class_scores.max(axis=1).tolist()
    places = {file: row for row, file in enumerate(of_split.files)}
    rows = np.array([places[file] for file in p.files])
    columns |= {name: list(column[rows]) for name, column in of_split.extra.items() if name not in columns}
    shown = _places_with_picture(len(p), limits.thumbnails)
    pictures = {place: images.picture(p, place, limits.thumbnail_side) for place in shown}
    return PredictionTable(columns, {place: made for place, made in pictures.items() if made is not None})


class Images:
    """Loads images once; one that is lost costs its picture, not the run."""

    def __init__(self, load_image: LoadImage) -> None:
        """Take images from `load_image`."""
        self._load_image = load_image
        self._loaded: dict[str, Image.Image | None] = {}

    def picture(self, p: Predictions, row: int, side: int) -> Picture | None:
        """One row, its image at most `side` pixels long; None where it cannot be read."""
        image = self._image(p.files[row])
        if image is None:
            return None
        small = image.copy()
        small.thumbnail((side, side), Image.Resampling.BILINEAR)
        return picture(p, row, small)

    def _image(self, file: str) -> Image.Image | None:
        if file not in self._loaded:
            self._loaded[file] = None
            try:
                image = self._load_image(file).convert("RGB")
                image.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR)
                self._loaded[file] = image
            except (OSError, LocnetError) as error:
                log.warning("%s: cannot be shown in the dashboard: %s", file, error)
        return self._loaded[file]


def _half_worst(p: Predictions, count: int) -> NDArray[np.int64]:
    order = worst_first(p)
    if len(order) <= count:
        return order
    worst, rest = order[: count // 2], order[count // 2 :]
    chosen = np.random.default_rng(0).permutation(len(rest))[: count - len(worst)]
    return np.concatenate((worst, rest[np.sort(chosen)]))


def _places_with_picture(rows: int, count: int) -> list[int]:
    """The first half of `count` at the top of the table, the others spread over all of it."""
    top = np.arange(min(count // 2, rows))
    over_all = np.linspace(0, rows - 1, min(count - count // 2, rows)).round().astype(np.int64)
    return [int(place) for place in np.union1d(top, over_all)]


def _thin(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    places = np.unique(np.linspace(0, len(x) - 1, min(_POINTS, len(x))).round().astype(np.int64))
    return x[places].tolist(), y[places].tolist()


def _edges(box: NDArray[np.float64]) -> Edges:
    left, top, right, bottom = (float(edge) for edge in box)
    return left, top, right, bottom
