"""The choices for the box term: one function of two tensors of boxes each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

from locnet.boxes import paired_iou

BoxTerm = Literal["l1", "smooth_l1", "iou", "giou", "diou", "ciou"]
BOX_TERMS: tuple[BoxTerm, ...] = get_args(BoxTerm)

_OVERLAPS: dict[BoxTerm, Callable[[Tensor, Tensor], Tensor]] = {
    "iou": lambda predicted, truth: 1 - paired_iou(predicted, truth),
    "giou": generalized_box_iou_loss,  # Rezatofighi et al., 2019
    "diou": distance_box_iou_loss,  # Zheng et al., Distance-IoU Loss, 2020
    "ciou": complete_box_iou_loss,  # Zheng et al., 2020
}
_LEAST_SIDE = 1e-4  # of a predicted box, in fractions of the image
_SMOOTH_BELOW = 0.05  # smooth L1 is quadratic for errors below 5 % of the image


def box_term(name: BoxTerm, predicted: Tensor, truth: Tensor) -> Tensor:
    """Loss of each predicted box.

    Args:
        name: which term. `l1` and `smooth_l1` are summed over the four edges.
        predicted: `(N, 4)` float32, xyxy in fractions of the image.
        truth: `(N, 4)` float32, likewise, with positive width and height.

    Returns:
        `(N,)` float32, >= 0.
    """
    if name == "l1":
        return (predicted - truth).abs().sum(-1)
    if name == "smooth_l1":
        return F.smooth_l1_loss(predicted, truth, reduction="none", beta=_SMOOTH_BELOW).sum(-1)
    # Heads may give edges in the wrong order early in training; overlap losses are defined for ordered edges only,
    # and CIoU's aspect ratio for boxes that are not empty.
    ordered = torch.cat(
        (predicted[..., :2], torch.maximum(predicted[..., :2] + _LEAST_SIDE, predicted[..., 2:])), dim=-1
    )
    return _OVERLAPS[name](ordered, truth)
