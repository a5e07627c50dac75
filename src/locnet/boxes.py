"""Box formats and overlaps, as pure functions.

The canonical box inside locnet is `xyxy`: left, top, right, bottom edge as fractions of the image's width and
height, (0, 0) the upper left corner of the image and (1, 1) its lower right. They are edges of a continuous
plane, not pixel centres: a box over the whole image is exactly (0, 0, 1, 1). Other formats live at the borders
only: `xyhw` (midpoint x, midpoint y, height, width; the order of the target vector) and pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor


def xyxy_to_xyhw(boxes: Tensor) -> Tensor:
    """Edges to midpoint, height and width.

    Args:
        boxes: `(..., 4)` float, xyxy.

    Returns:
        `(..., 4)` float: b_x, b_y, b_h, b_w in the same unit. Height stands before width.
    """
    corner, opposite = boxes[..., :2], boxes[..., 2:]
    sides = opposite - corner
    return torch.cat(((corner + opposite) / 2, sides[..., 1:], sides[..., :1]), dim=-1)


def xyhw_to_xyxy(boxes: Tensor) -> Tensor:
    """Midpoint, height and width to edges; the inverse of `xyxy_to_xyhw`.

    Args:
        boxes: `(..., 4)` float: b_x, b_y, b_h, b_w.

    Returns:
        `(..., 4)` float, xyxy in the same unit.
    """
    midpoint = boxes[..., :2]
    half = torch.cat((boxes[..., 3:], boxes[..., 2:3]), dim=-1) / 2
    return torch.cat((midpoint - half, midpoint + half), dim=-1)


def area(boxes: Tensor) -> Tensor:
    """Area of each box; a box whose edges are in the wrong order has area 0.

    Args:
        boxes: `(..., 4)` float, xyxy.

    Returns:
        `(...)` float, in squared units of the box.
    """
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def paired_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of the boxes at the same place of both tensors (not all pairs).

    IoU is unchanged by scaling an axis, so fractions of the image give the same number as pixels.

    Args:
        first: `(..., 4)` float, xyxy.
        second: `(..., 4)` float, xyxy in the same unit.

    Returns:
        `(...)` float in [0, 1]; 0 where both boxes are empty.
    """
    corner = torch.maximum(first[..., :2], second[..., :2])
    opposite = torch.minimum(first[..., 2:], second[..., 2:])
    sides = (opposite - corner).clamp(min=0)
    intersection = sides[..., 0] * sides[..., 1]
    union = area(first) + area(second) - intersection
    return torch.where(union > 0, intersection / union.clamp(min=torch.finfo(union.dtype).tiny), 0.0)


def clip_to_image(boxes: Tensor) -> Tensor:
    """The part of each box that lies inside the image.

    Args:
        boxes: `(..., 4)` float, xyxy, fractions of the image.

    Returns:
        `(..., 4)` float, xyxy in [0, 1].
    """
    return boxes.clamp(0.0, 1.0)
