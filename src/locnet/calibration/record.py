"""What was learned on `val`, as plain numbers that live in the checkpoint and work inside the network."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from locnet import target
from locnet.calibration import temperature
from locnet.calibration.conformal import Residuals
from locnet.predictions import Predictions


@dataclass(frozen=True)
class Calibration:
    """Everything but the threshold, which a user may override.

    Attributes:
        objectness_temperature: p_c's logit is divided by it; None leaves p_c as the head gives it.
        class_temperature: the class logits are divided by it; None leaves the class scores as the head gives them.
        probabilities: whether the head's p_c and class scores are probabilities (see `temperature`).
        residuals: for the crop; None from a system without boxes.
    """

    objectness_temperature: float | None = None
    class_temperature: float | None = None
    probabilities: bool = True
    residuals: Residuals | None = None

    def apply(self, y: Tensor) -> Tensor:
        """The answer with its temperatures; order of scores and box stay as they are.

        Args:
            y: `(B, 5 + C)` float, what the head said.

        Returns:
            `(B, 5 + C)` float32, p_c and class scores calibrated.
        """
        y = y.float()
        p_c, _, classes = target.split(y)
        if self.objectness_temperature is not None:
            logits = torch.logit(p_c, eps=temperature.LEAST_P_C) if self.probabilities else p_c.clamp(0, 1) - 0.5
            p_c = torch.sigmoid(logits / self.objectness_temperature)
        if self.class_temperature is not None:
            logits = classes.clamp(min=temperature.LEAST_SCORE).log() if self.probabilities else classes
            classes = torch.softmax(logits / self.class_temperature, dim=-1)
        return target.replace(y, objectness=p_c, classes=classes)

    def applied_to(self, p: Predictions) -> Predictions:
        """The same in NumPy, for a table of uncalibrated answers."""
        if self.objectness_temperature is not None:
            logits = temperature.objectness_logits(p.p_c, probabilities=self.probabilities)
            p = dataclasses.replace(p, p_c=temperature.sigmoid(logits / self.objectness_temperature))
        if self.class_temperature is not None:
            logits = temperature.class_logits(p.class_scores, probabilities=self.probabilities)
            p = dataclasses.replace(p, class_scores=temperature.softmax(logits / self.class_temperature))
        return p

    def plain(self) -> dict[str, Any]:
        """As plain Python, for the checkpoint."""
        content = dataclasses.asdict(self)
        if self.residuals is not None:
            content["residuals"] = {"count": self.residuals.count, "scores": list(self.residuals.scores)}
        return content
