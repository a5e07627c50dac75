"""Dense supervision: every cell inside the object learns to give its box, and its midpoint to be found."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from locnet.losses.base import Term, where_object
from locnet.losses.box import BoxTerm, box_term
from locnet.models.heads import Cells

_EDGES = 0.5  # beside the overlap term, as in Generalized Focal Loss (0.25 of it for each edge there)
_SPREAD = 6.0  # the Gaussian's standard deviation is the object's side over this, as in CenterNet


def heat_target(box: Tensor, centres: Tensor) -> Tensor:
    """A Gaussian at each object's midpoint, 1 in the cell that is nearest to it (Zhou et al., Objects as Points, 2019).

    Args:
        box: `(B, 4)` float, xyxy in fractions of the input.
        centres: `(K, 2)` float, x and y of the cells in fractions of the input.

    Returns:
        `(B, K)` float in [0, 1].
    """
    midpoint = (box[:, None, :2] + box[:, None, 2:]) / 2
    sides = (box[:, None, 2:] - box[:, None, :2]).clamp(min=1e-3)
    distance = ((centres[None] - midpoint) / (sides / _SPREAD)).square().sum(-1)
    # relative to the nearest cell, so that an object smaller than a cell has a cell with heat 1 too
    return torch.exp(-0.5 * (distance - distance.amin(-1, keepdim=True)))


def focal_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """Penalty-reduced focal loss of each image, over its cells (Law & Deng, CornerNet, 2018; alpha 2, beta 4).

    Args:
        logits: `(B, K)` float.
        heat: `(B, K)` float in [0, 1]; cells with heat 1 are the positives.

    Returns:
        `(B,)` float.
    """
    probability = logits.sigmoid()
    positive = -F.logsigmoid(logits) * (1 - probability).square()
    negative = -F.logsigmoid(-logits) * probability.square() * (1 - heat).pow(4)
    return torch.where(heat >= 1 - 1e-4, positive, negative).sum(-1)


def inside(box: Tensor, centres: Tensor, heat: Tensor) -> Tensor:
    """Weights, summing to 1, of the cells that answer for an object: those inside its box and the nearest one.

    Args:
        box: `(B, 4)` float, xyxy.
        centres: `(K, 2)` float.
        heat: `(B, K)` float, as `heat_target` gives it.

    Returns:
        `(B, K)` float.
    """
    within = (centres[None] > box[:, None, :2]) & (centres[None] < box[:, None, 2:])
    weights = (within.all(-1) | (heat >= 1 - 1e-4)).to(box.dtype)
    return weights / weights.sum(-1, keepdim=True)


def distribution_loss(logits: Tensor, distances: Tensor) -> Tensor:
    """Distribution focal loss: cross-entropy against the two places beside the true distance (Li et al., 2020).

    Args:
        logits: `(..., N + 1)` float, over the places 0, 1/N, ..., 1.
        distances: `(...)` float, the true distances; clipped to [0, 1].

    Returns:
        `(...)` float.
    """
    last = logits.shape[-1] - 1
    place = (distances * last).clamp(0, last)
    below = place.floor().clamp(max=last - 1)
    share = (place - below).unsqueeze(-1)
    index = below.long().unsqueeze(-1)
    entropy = -logits.log_softmax(-1)
    return (entropy.gather(-1, index) * (1 - share) + entropy.gather(-1, index + 1) * share).squeeze(-1)


def cells_loss(cells: Cells, box: Tensor, present: Tensor, term: BoxTerm) -> dict[str, Term]:
    """Dense losses of a batch, image by image.

    Args:
        cells: what the cells say.
        box: `(B, 4)` float32, the true boxes, xyxy; a valid box also in background rows (its value does not matter).
        present: `(B,)` bool, the image has an object.
        term: overlap loss of the cells' boxes; L1 stands beside it.

    Returns:
        `cells_heat`: focal loss of the heat, where background images want no heat anywhere; `cells_box`: loss of the
        boxes of the cells inside the object, 0 with gradient 0 for background images; `cells_edges`, likewise, where
        distances are distributions.
    """
    heat = heat_target(box, cells.centres)
    wanted = torch.where(present[:, None], heat, torch.zeros_like(heat))
    batch, count = heat.shape
    truth = box[:, None].expand(batch, count, 4).reshape(-1, 4)
    boxes = where_object(present, cells.boxes, box[:, None]).reshape(-1, 4)
    each = box_term("l1", boxes, truth) + (box_term(term, boxes, truth) if term != "l1" else 0.0)
    weights = inside(box, cells.centres, heat)
    losses = {
        "cells_heat": Term(focal_loss(cells.heat, wanted)),
        "cells_box": Term((each.view(batch, count) * weights).sum(-1), present),
    }
    if cells.distances is not None:
        logits = where_object(present, cells.distances, cells.distances.new_zeros(()))
        middle = cells.centres[None]
        distances = torch.cat((middle - box[:, None, :2], box[:, None, 2:] - middle), dim=-1)
        edges = distribution_loss(logits, distances).mean(-1)
        losses["cells_edges"] = Term(_EDGES * (edges * weights).sum(-1), present)
    return losses
