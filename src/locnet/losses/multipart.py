"""The default loss: each part of y gets the term that suits it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from locnet import target
from locnet.losses.base import Loss, Term, needed, where_object
from locnet.losses.box import BoxTerm, box_term
from locnet.losses.cells import cells_loss
from locnet.losses.edges import edges_loss
from locnet.models.heads import Output


class MultipartLoss(Loss):
    """Binary cross-entropy for p_c, cross-entropy for the class, a box term and L1 for the box, dense terms for cells.

    All but the objectness and heat terms look at images with an object only.
    """

    def __init__(
        self,
        *,
        objectness: float = 1.0,
        classes: float = 1.0,
        box: float = 2.0,
        box_term: BoxTerm = "giou",
        l1: float = 1.0,
        cells: float = 1.0,
        edges: float = 2.0,
        label_smoothing: float = 0.0,
    ) -> None:
        """Set the weights.

        Args:
            objectness: weight of the binary cross-entropy of p_c.
            classes: weight of the cross-entropy of c_1..c_C.
            box: weight of the box term.
            box_term: `l1`, `smooth_l1`, `iou`, `giou`, `diou` or `ciou`.
            l1: weight of the plain L1 distance of the four edges beside it.
            cells: weight of the dense terms, for heads with cells.
            edges: weight of the windows of the second look and of the zoom, for networks that have them. The box before
                them is then trained like the answer.
            label_smoothing: share of the class target spread over all classes (Szegedy et al., 2016).
        """
        super().__init__()
        self.weights = {
            "objectness": objectness,
            "classes": classes,
            "box": box,
            "l1": l1,
            "cells": cells,
            "edges": edges,
        }
        self.box_term: BoxTerm = box_term
        self.label_smoothing = label_smoothing

    def terms(self, output: Output, y: Tensor) -> dict[str, Term]:
        """See `Loss.terms`."""
        heads = "grid, or head=linear head.activation=probability"
        objectness = needed(output.objectness_logits, "logits of p_c", "multipart", heads)
        logits = needed(output.class_logits, "class logits", "multipart", heads)
        truth = target.split(y)
        present = truth.objectness > 0.5
        # any valid box will do where there is none: those rows are constants
        box = where_object(present, truth.box, truth.box.new_tensor((0.25, 0.25, 0.75, 0.75)))
        predicted = where_object(present, target.split(output.y.float()).box, box)
        entropy = F.cross_entropy(
            where_object(present, logits.float(), logits.new_zeros((), dtype=y.dtype)),
            truth.classes.argmax(-1),
            reduction="none",
            label_smoothing=self.label_smoothing,
        )
        presence = F.binary_cross_entropy_with_logits(objectness.float(), truth.objectness, reduction="none")
        parts = {
            "objectness": Term(presence),
            "classes": Term(entropy, present),
            "box": Term(box_term(self.box_term, predicted, box), present),
            "l1": Term(box_term("l1", predicted, box), present),
        }
        weights = self.weights
        overlap: BoxTerm = "giou" if self.box_term in ("l1", "smooth_l1") else self.box_term
        looks = {name: look for name, look in (("edges", output.refined), ("zoom", output.zoomed)) if look is not None}
        if looks:
            first = where_object(present, next(iter(looks.values())).first, box)
            parts |= {
                "first_box": Term(box_term(self.box_term, first, box), present),
                "first_l1": Term(box_term("l1", first, box), present),
            }
            parts |= {name: edges_loss(look, box, present, overlap) for name, look in looks.items()}
            weights = weights | {"first_box": weights["box"], "first_l1": weights["l1"]}
            weights = weights | dict.fromkeys(looks, weights["edges"])
        if output.cells is not None and weights["cells"]:
            dense = cells_loss(output.cells, box, present, overlap)
            parts |= dense
            weights = weights | dict.fromkeys(dense, weights["cells"])
        return {name: Term(weights[name] * term.values, term.counted) for name, term in parts.items() if weights[name]}
