"""What makes an answer trustworthy, learned on `val` after training: temperatures, the threshold, the crop's margin."""

from __future__ import annotations

from locnet.calibration.conformal import Residuals
from locnet.calibration.record import Calibration

__all__ = ["Calibration", "Residuals"]
