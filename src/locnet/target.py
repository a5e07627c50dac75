"""The target vector `y = [p_c, b_x, b_y, b_h, b_w, c_1, ..., c_C]`: the one module that knows its layout.

- `p_c` is 1 if the image has an object and 0 for background.
- `b_x, b_y` is the box's midpoint, `b_h, b_w` its height and width (height first), as fractions of the height and
  width of the image that the network sees; (0, 0) is its upper left corner and (1, 1) its lower right.
- `c_i` is 1 for the object's class, else 0. Background is not a class.
- With `p_c = 0` every other element is "don't care": it is stored as 0 and must reach neither loss nor metric.

Source: the "object localization" formulation of Ng, Convolutional Neural Networks, week 3 (deeplearning.ai, 2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from locnet.boxes import xyhw_to_xyxy, xyxy_to_xyhw

_HEAD = ("p_c", "b_x", "b_y", "b_h", "b_w")


class Parts(NamedTuple):
    """The three parts of y.

    Attributes:
        objectness: `(...)` float, p_c.
        box: `(..., 4)` float, xyxy in fractions of the network's input (not b_x, b_y, b_h, b_w).
        classes: `(..., C)` float, c_1..c_C.
    """

    objectness: Tensor
    box: Tensor
    classes: Tensor


def length(num_classes: int) -> int:
    """Number of elements of y for C classes: 5 + C."""
    return len(_HEAD) + num_classes


def names(classes: Sequence[str]) -> tuple[str, ...]:
    """The name of each element of y, in order, e.g. `('p_c', 'b_x', 'b_y', 'b_h', 'b_w', 'car', ...)`."""
    return (*_HEAD, *classes)


def join(objectness: Tensor, box: Tensor, classes: Tensor) -> Tensor:
    """Put the parts together; the inverse of `split`.

    Args:
        objectness: `(...)` float, p_c.
        box: `(..., 4)` float, xyxy.
        classes: `(..., C)` float.

    Returns:
        `(..., 5 + C)` float, y.
    """
    return torch.cat((objectness.unsqueeze(-1), xyxy_to_xyhw(box), classes), dim=-1)


def split(y: Tensor) -> Parts:
    """Take y apart.

    Args:
        y: `(..., 5 + C)` float.

    Returns:
        Objectness, box as xyxy, class elements.
    """
    return Parts(y[..., 0], xyhw_to_xyxy(y[..., 1:5]), y[..., 5:])


def replace(y: Tensor, *, objectness: Tensor, classes: Tensor) -> Tensor:
    """Another p_c and other class elements for y; the box stays the same to the last bit.

    Args:
        y: `(..., 5 + C)` float.
        objectness: `(...)` float, p_c.
        classes: `(..., C)` float.

    Returns:
        `(..., 5 + C)` float.
    """
    return torch.cat((objectness.unsqueeze(-1), y[..., 1:5], classes), dim=-1)


def encode(labels: Tensor, boxes: Tensor, num_classes: int) -> Tensor:
    """The target of labelled images.

    Args:
        labels: `(...)` int64, class index, -1 for background.
        boxes: `(..., 4)` float, xyxy in fractions of the network's input; ignored (NaN is fine) for background.
        num_classes: C.

    Returns:
        `(..., 5 + C)` float of the boxes' dtype; don't-care elements are 0.

    Raises:
        ValueError: a label is not in -1..C-1, or an object's box holds NaN.
    """
    if labels.numel() and not (int(labels.min()) >= -1 and int(labels.max()) < num_classes):
        raise ValueError(f"labels must lie in -1..{num_classes - 1}, got {labels.min()}..{labels.max()}")
    present = labels >= 0
    if bool(torch.isnan(boxes[present]).any()):
        raise ValueError("an image with an object has a box with NaN")
    mask = present.unsqueeze(-1)
    box = torch.where(mask, boxes, torch.zeros_like(boxes))
    one_hot = torch.nn.functional.one_hot(labels.clamp(min=0), num_classes).to(boxes.dtype)
    return join(present.to(boxes.dtype), box, one_hot * mask)


def encode_one(label: int, box: Sequence[float] | None, num_classes: int) -> Tensor:
    """`encode` of one image from plain numbers, many times as fast: loaders do it for every sample.

    Args:
        label: class index, -1 for background.
        box: left, top, right, bottom in fractions of the network's input; not looked at for background.
        num_classes: C.

    Returns:
        `(5 + C,)` float32.

    Raises:
        ValueError: the label is not in -1..C-1, or an object has no box.
    """
    if not -1 <= label < num_classes:
        raise ValueError(f"labels must lie in -1..{num_classes - 1}, got {label}")
    y = torch.zeros(5 + num_classes)
    if label >= 0:
        if box is None or any(math.isnan(edge) for edge in box):
            raise ValueError("an image with an object has no box")
        left, top, right, bottom = box
        y[:5] = torch.tensor((1.0, (left + right) / 2, (top + bottom) / 2, bottom - top, right - left))
        y[5 + label] = 1.0
    return y
