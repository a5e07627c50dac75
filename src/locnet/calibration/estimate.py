"""Learn temperatures, threshold and residuals from the answers on `val`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from locnet.calibration import temperature
from locnet.calibration.conformal import Residuals, nonconformity
from locnet.calibration.record import Calibration
from locnet.calibration.threshold import DEFAULT, best_threshold
from locnet.predictions import Predictions


class Estimate(NamedTuple):
    """What `val` said.

    Attributes:
        calibration: temperatures and residuals.
        threshold: of the calibrated p_c.
        before: accuracy on `val` with nothing calibrated and the threshold 0.5.
        after: the same with the calibration and the threshold.
    """

    calibration: Calibration
    threshold: float
    before: float
    after: float


def estimate(p: Predictions, *, probabilities: bool, temperatures: bool = True, threshold: bool = True) -> Estimate:
    """Learn from the uncalibrated answers on `val`; whatever it is too small or too uniform for stays as it was.

    Args:
        p: truth and uncalibrated answers, N > 0.
        probabilities: whether p_c and class scores are probabilities (see `temperature`).
        temperatures: learn them.
        threshold: learn it; otherwise it is 0.5.
    """
    objects = p.has_object
    finite = bool(np.isfinite(p.p_c).all() and np.isfinite(p.class_scores).all())  # of a run that diverged, not
    calibration = Calibration(probabilities=probabilities)
    if temperatures and finite:
        logits = temperature.class_logits(p.class_scores[objects], probabilities=probabilities)
        calibration = Calibration(
            objectness_temperature=temperature.fit_binary(
                temperature.objectness_logits(p.p_c, probabilities=probabilities), objects
            ),
            class_temperature=temperature.fit_classes(logits, p.labels[objects]),
            probabilities=probabilities,
        )
    calibrated = calibration.applied_to(p)
    chosen = best_threshold(calibrated.p_c, p.labels, p.predicted_labels) if threshold and finite else None
    residuals = None
    if p.has_boxes and objects.any():
        residuals = Residuals.of(nonconformity(p.predicted_boxes[objects], p.boxes[objects]))
    level = DEFAULT if chosen is None else chosen
    return Estimate(
        calibration=Calibration(
            calibration.objectness_temperature, calibration.class_temperature, probabilities, residuals
        ),
        threshold=level,
        before=_accuracy(p, DEFAULT),
        after=_accuracy(calibrated, level),
    )


def _accuracy(p: Predictions, threshold: float) -> float:
    return float(np.mean(np.where(p.p_c < threshold, -1, p.predicted_labels) == p.labels))
