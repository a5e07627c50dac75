"""The crop that a user asks for by its coverage."""

from __future__ import annotations

import logging

from locnet.calibration.conformal import needed
from locnet.calibration.record import Calibration
from locnet.errors import ConfigError

log = logging.getLogger(__name__)


def crop_margin(calibration: Calibration | None, coverage: float) -> float:
    """By how much boxes must grow to hold the whole object with a probability of `coverage`.

    Returns:
        What `locnet.calibration.conformal.grow` takes; infinity (the whole image) after one line in the log that
        says so where `val` had too few objects to promise so much.

    Raises:
        ConfigError: the checkpoint has no residuals.
    """
    residuals = calibration.residuals if calibration is not None else None
    if residuals is None:
        raise ConfigError(
            f"coverage={coverage:g}: this checkpoint holds no conformal residuals; `python -m locnet.evaluate "
            "checkpoint=... calibrate=true` makes a copy that does, where the system has a box and val has objects; or "
            "set coverage=null"
        )
    if residuals.count < needed(coverage):
        log.warning(
            "coverage=%g: the crops are whole images, because %d val objects cannot promise so much (%d can)",
            coverage,
            residuals.count,
            needed(coverage),
        )
    return residuals.margin(coverage)
