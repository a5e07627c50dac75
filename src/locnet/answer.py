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
    """

    p_c: Tensor
    boxes: Tensor
    scores: Tensor


def read_off(y: Tensor, placements: Tensor) -> Answer:
    """Read the answer off y and map the box back to the original image.

    Args:
        y: `(B, 5 + C)` float, what the head said about the network's input.
        placements: `(B, 4)` float, where each image lies in the input (see `locnet.data.resize.Placement`).
    """
    parts = target.split(y.float())
    boxes = clip_to_image(boxes_to_image(parts.box, placements))
    # plain linear units may leave [0, 1]
    return Answer(parts.objectness.clamp(0, 1), boxes, parts.classes)
