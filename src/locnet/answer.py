"""From y to the answer about the original image: the one reading that metrics, predictions and exports share."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from locnet import target
from locnet.boxes import clip_to_image
from locnet.data.resize import boxes_to_image


class Answer(NamedTuple):
    """What the network says about a batch.

    Attributes:
        p_c: `(B,)` float in [0, 1].
        boxes: `(B, 4)` float, xyxy in fractions of the original image, inside it.
        scores: `(B, C)` float, class scores.
        raw: p_c and scores as the head said them, where they have been calibrated.
    """

    p_c: Tensor
    boxes: Tensor
    scores: Tensor
    raw: tuple[Tensor, Tensor] | None = None


def read_off(y: Tensor, placements: Tensor, raw_y: Tensor | None = None) -> Answer:
    """Read the answer off y and map the box back to the original image.

    Args:
        y: `(B, 5 + C)` float, what the network said about its input.
        placements: `(B, 4)` float, where each image lies in the input (see `locnet.data.resize.Placement`).
        raw_y: `(B, 5 + C)` float, y before the calibration, for those who want to compare.
    """
    parts = target.split(y.float())
    boxes = clip_to_image(boxes_to_image(parts.box, placements))
    raw = None if raw_y is None else read_off(raw_y, placements)
    # plain linear units may leave [0, 1]
    return Answer(parts.objectness.clamp(0, 1), boxes, parts.classes, None if raw is None else (raw.p_c, raw.scores))
