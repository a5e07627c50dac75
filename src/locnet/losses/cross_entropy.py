"""The loss of the two softmax systems."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from locnet import target
from locnet.losses.base import Loss, Term, needed, where_object
from locnet.losses.box import BoxTerm, box_term
from locnet.models.heads import Output


class CrossEntropyLoss(Loss):
    """Cross-entropy over C + 1 outputs, background among them, plus a box term where the head has a box."""

    def __init__(self, *, box: float = 0.0, box_term: BoxTerm = "smooth_l1", label_smoothing: float = 0.0) -> None:
        """Set the weights.

        Args:
            box: weight of the box term over images with an object; 0 for a head without box.
            box_term: `l1`, `smooth_l1`, `iou`, `giou`, `diou` or `ciou`.
            label_smoothing: share of the target spread over all C + 1 outputs (Szegedy et al., 2016).
        """
        super().__init__()
        self.box = box
        self.box_term: BoxTerm = box_term
        self.label_smoothing = label_smoothing

    def terms(self, output: Output, y: Tensor) -> dict[str, Term]:
        """See `Loss.terms`."""
        logits = needed(output.softmax_logits, "softmax logits", "cross_entropy", "classifier or head=softmax_box")
        truth = target.split(y)
        present = truth.objectness > 0.5
        label = torch.where(present, truth.classes.argmax(-1), logits.shape[-1] - 1)  # background is the last output
        entropy = F.cross_entropy(logits.float(), label, reduction="none", label_smoothing=self.label_smoothing)
        terms = {"classes": Term(entropy)}
        if self.box:
            box = where_object(present, truth.box, truth.box.new_tensor((0.25, 0.25, 0.75, 0.75)))
            predicted = where_object(present, target.split(output.y.float()).box, box)
            terms["box"] = Term(self.box * box_term(self.box_term, predicted, box), present)
        return terms
