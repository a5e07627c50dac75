"""The metrics of classification with localization, exact on any number of processes.

States are sums over images, so that one all-reduce gives every process the value that a single process would get.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from locnet.boxes import paired_iou
from locnet.losses import Term
from locnet.report.scores import IOU_THRESHOLDS, P_C_LEVELS

IOU_LEVELS = 2**30
"""IoU is summed in units of 1 / IOU_LEVELS: sums of integers do not depend on the order of images or processes."""

SUM_DTYPE = torch.float32 if torch.backends.mps.is_available() else torch.float64
"""Of sums over a whole split or epoch: wide enough that their rounding does not show. Apple's GPUs have no float64."""


class LocalizationMetrics(Metric):
    """IoU, GT-known Loc, Top-1 Loc, MaxBoxAccV2 (Choe et al., 2020), accuracy, class accuracy, objectness AP.

    Box metrics are means over images with an object and score the box as predicted, whatever p_c is; a background
    verdict is a wrong class. Values that have no images to be computed from are left out.
    """

    full_state_update = False
    higher_is_better = True
    images: Tensor
    objects: Tensor
    iou_sum: Tensor
    located: Tensor
    right: Tensor
    class_right: Tensor
    top1_located: Tensor
    histogram: Tensor

    def __init__(self, *, has_box: bool = True, **kwargs: Any) -> None:
        """Start from zero.

        Args:
            has_box: leave out the box metrics where the system has no box.
            kwargs: of `torchmetrics.Metric`.
        """
        super().__init__(**kwargs)
        self.has_box = has_box
        for name in ("images", "objects", "right", "class_right", "top1_located", "iou_sum"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("located", torch.zeros(len(IOU_THRESHOLDS), dtype=torch.int64), dist_reduce_fx="sum")
        # row 0: background images, row 1: images with an object; columns: rounded p_c
        self.add_state("histogram", torch.zeros(2, P_C_LEVELS + 1, dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self, p_c: Tensor, boxes: Tensor, scores: Tensor, labels: Tensor, true_boxes: Tensor, threshold: float
    ) -> None:
        """Add a batch.

        Args:
            p_c: `(B,)` float in [0, 1], predicted objectness.
            boxes: `(B, 4)` float, predicted, xyxy in fractions of the image.
            scores: `(B, C)` float, predicted class scores.
            labels: `(B,)` int64, true class index, -1 for background.
            true_boxes: `(B, 4)` float, xyxy; background rows are not read.
            threshold: the verdict is background where p_c < threshold.
        """
        present = labels >= 0
        best = scores.argmax(-1)
        verdict = torch.where(p_c < threshold, -1, best)
        self.images += labels.numel()
        self.objects += present.sum()
        self.right += (verdict == labels).sum()
        self.class_right += (present & (best == labels)).sum()
        level = (p_c.float() * P_C_LEVELS).round().long().clamp(0, P_C_LEVELS)
        self.histogram += torch.stack(
            [torch.bincount(level[mask], minlength=P_C_LEVELS + 1) for mask in (~present, present)]
        )
        if self.has_box:
            iou = paired_iou(boxes[present].float(), true_boxes[present].float())
            thresholds = torch.tensor(IOU_THRESHOLDS, dtype=iou.dtype, device=iou.device)
            self.iou_sum += (iou * IOU_LEVELS).long().sum()
            self.located += (iou[:, None] >= thresholds).sum(0)
            self.top1_located += ((verdict == labels)[present] & (iou >= 0.5)).sum()

    def compute(self) -> dict[str, float]:
        """The values as plain floats by their log names (without split), and `images`, how many were counted."""
        images, objects = int(self.images), int(self.objects)
        values: dict[str, float] = {"images": float(images)}
        if images:
            values["accuracy"] = int(self.right) / images
        if objects:
            values["class_accuracy"] = int(self.class_right) / objects
            values["objectness_ap"] = average_precision(self.histogram)
        if objects and self.has_box:
            located = [int(count) / objects for count in self.located]
            values["iou"] = int(self.iou_sum) / IOU_LEVELS / objects
            values["gt_known_loc"] = located[IOU_THRESHOLDS.index(0.5)]
            values["top1_loc"] = int(self.top1_located) / objects
            values["max_box_acc_v2"] = sum(located) / len(located)
        return values


class MeanLoss(Metric):
    """The loss of a whole split, as if it were one batch: whatever shares a batch or a process, the value is the same.

    A mean of the losses of batches is not that: terms of images with an object are means over those, and batches have
    unequally many.
    """

    full_state_update = False
    higher_is_better = False
    sums: Tensor
    counts: Tensor

    def __init__(self, **kwargs: Any) -> None:
        """Start from zero."""
        super().__init__(**kwargs)
        # of terms over all images, and of terms over images with an object
        self.add_state("sums", torch.zeros(2, dtype=SUM_DTYPE), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, terms: Mapping[str, Term], present: Tensor) -> None:
        """Add a batch.

        Args:
            terms: of the loss, as `Loss.terms` gives them.
            present: `(B,)` bool, the image has an object.
        """
        zero = self.sums.new_zeros(())
        over_images = sum((t.total().to(SUM_DTYPE) for t in terms.values() if t.counted is None), zero)
        over_objects = sum((t.total().to(SUM_DTYPE) for t in terms.values() if t.counted is not None), zero)
        self.sums += torch.stack((over_images, over_objects))
        self.counts += torch.stack((present.new_tensor(present.numel(), dtype=torch.int64), present.sum()))

    def compute(self) -> float:
        """The loss; nan where no image was counted."""
        images, objects = self.counts.tolist()
        over_images, over_objects = self.sums.tolist()
        return over_images / images + over_objects / max(objects, 1) if images else float("nan")


def average_precision(histogram: Tensor) -> float:
    """Step-wise average precision from counts by score.

    Args:
        histogram: `(2, L)` int64: negatives and positives by score, lowest score first; at least one positive.

    Returns:
        Sum over scores of precision at that score times the recall gained there; ties count together.
    """
    false, true = histogram.flip(-1).double().cumsum(-1)
    precision = true / (true + false).clamp(min=1)
    gained = histogram[1].flip(-1).double() / true[-1]
    return float((precision * gained).sum())
