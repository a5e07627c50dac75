"""Supervision of a second look: each window that shows the object learns where its edges are."""

from __future__ import annotations

from torch import Tensor

from locnet.losses.base import Term, where_object
from locnet.losses.box import BoxTerm, box_term
from locnet.losses.cells import distribution_loss
from locnet.models.heads import Refined
from locnet.models.heads.windows import places_in_window

_SHOWN = 0.3  # least IoU of a proposal with the object, for its window to be asked
_DISTRIBUTION = 0.25  # beside the overlap term, as in Generalized Focal Loss (Li et al., 2020)


def edges_loss(refined: Refined, box: Tensor, present: Tensor, term: BoxTerm) -> Term:
    """Loss of the refined boxes of all windows, a mean over those that show the object.

    Args:
        refined: what the second look says.
        box: `(B, 4)` float32, the true boxes, xyxy; a valid box also in background rows (its value does not matter).
        present: `(B,)` bool, the image has an object.
        term: overlap loss of the refined boxes.
    """
    truth = box[:, None].expand_as(refined.boxes)
    shape, proposals = refined.boxes.shape[:2], where_object(present, refined.proposals, box[:, None])
    overlap = 1 - box_term("iou", proposals.reshape(-1, 4), truth.reshape(-1, 4)).view(shape)
    shows = (overlap > _SHOWN).to(box.dtype)
    boxes = where_object(present, refined.boxes, box[:, None])
    logits = where_object(present, refined.logits, refined.logits.new_zeros(()))
    edges = distribution_loss(logits, places_in_window(truth, proposals)).mean(-1)
    each = box_term(term, boxes.reshape(-1, 4), truth.reshape(-1, 4)).view(shape) + _DISTRIBUTION * edges
    return Term((each * shows).sum(-1) / shows.sum(-1).clamp(min=1), present)
