"""The metrics in plain NumPy: the reference that the training metrics are checked against.

Every function is pure. A score without a defined value (no object image, no boxes) is left out, never NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from locnet.predictions import BACKGROUND, Predictions

P_C_LEVELS = 10_000
"""Steps of p_c that `objectness_ap` tells apart: a histogram of them is a sum over images, exact on many processes."""
IOU_THRESHOLDS = (0.3, 0.5, 0.7)
"""The IoU thresholds of `max_box_acc_v2`; `gt_known_loc` and `top1_loc` use the middle one."""

SCORE_TITLES = {
    "iou": "IoU",
    "gt_known_loc": "GT-known Loc",
    "top1_loc": "Top-1 Loc",
    "max_box_acc_v2": "MaxBoxAccV2",
    "accuracy": "accuracy",
    "class_accuracy": "class accuracy",
    "objectness_ap": "objectness AP",
}
"""Key of each score, in the order in which they are shown, and how it is written for people."""


def scores(p: Predictions) -> dict[str, float]:
    """All scores of a split.

    Args:
        p: truth and answer for N images.

    Returns:
        Values in [0, 1], of those of the following keys that are defined:
        `iou`: mean IoU over the object images, the box scored as predicted whatever p_c is.
        `gt_known_loc`: share of object images with IoU >= 0.5.
        `top1_loc`: share of object images with the right verdict, so not background, and IoU >= 0.5.
        `max_box_acc_v2`: mean share of object images with IoU >= 0.3, 0.5, 0.7.
        `accuracy`: share of all images with the right verdict, background being one of the C + 1.
        `class_accuracy`: share of object images whose highest class score is that of their class.
        `objectness_ap`: average precision of p_c, rounded to 1 / P_C_LEVELS, as a detector of object images.
        Without boxes the first four are missing, without object images all but `accuracy`.
    """
    if len(p) == 0:
        return {}
    objects = p.has_object
    right = p.verdicts == p.labels
    result = {"accuracy": _share(right)}
    if objects.any():
        result["class_accuracy"] = _share((p.predicted_labels == p.labels)[objects])
        result["objectness_ap"] = average_precision(objects, np.round(p.p_c * P_C_LEVELS))
        if p.has_boxes:
            result |= _box_scores(p.ious[objects], right[objects])
    return {key: result[key] for key in SCORE_TITLES if key in result}


def scores_per_class(p: Predictions) -> dict[str, dict[str, float]]:
    """The scores over the images of one true class at a time.

    Args:
        p: truth and answer for N images.

    Returns:
        By class name, in class order, `background` last. Each has `images`, their number, and the scores that
        are defined on them, without `objectness_ap`. `accuracy` within one class is its recall.
        `background` has `images` and `accuracy` only.
    """
    result = {}
    for label in (*range(len(p.classes)), BACKGROUND):
        own = scores(p.take(np.flatnonzero(p.labels == label)))
        own.pop("objectness_ap", None)  # 1 by definition where every image has an object
        result[p.name(label)] = {"images": float((p.labels == label).sum()), **own}
    return result


def confusion(p: Predictions) -> NDArray[np.int64]:
    """How often each truth got each verdict.

    Args:
        p: truth and answer for N images.

    Returns:
        `(C + 1, C + 1)` int64 counts that sum to N: rows truth, columns verdict, background last in both.
    """
    size = len(p.classes) + 1
    cells = (p.labels % size) * size + p.verdicts % size  # -1, the background, becomes C
    return np.bincount(cells, minlength=size * size).reshape(size, size).astype(np.int64)


def average_precision(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Area under the precision-recall curve as a sum of steps, one for each distinct score.

    Images with the same score enter together, so the value does not depend on the order of the images.

    Args:
        positive: `(N,)` bool, at least one of them true.
        score: `(N,)` float, higher means more certainly positive.

    Returns:
        The sum of (recall_k - recall_{k-1}) * precision_k over the distinct scores, highest first. In (0, 1].

    Raises:
        ValueError: if nothing is positive; recall has no value then.
    """
    _, precision, recall = precision_recall(positive, score)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def precision_recall(
    positive: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall of the rule "positive where the score is at least t", for every distinct score t.

    Args:
        positive: `(N,)` bool, at least one of them true.
        score: `(N,)` float.

    Returns:
        Three `(K,)` float64 columns: the distinct scores t from high to low, precision, recall.

    Raises:
        ValueError: if nothing is positive; recall has no value then.
    """
    if not positive.any():
        raise ValueError("precision and recall need at least one positive; got none")
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    hits = np.cumsum(positive[order])[last_of_tie]
    return ranked[last_of_tie], hits / (last_of_tie + 1), hits / hits[-1]


def _box_scores(ious: NDArray[np.float64], right: NDArray[np.bool_]) -> dict[str, float]:
    return {
        "iou": float(ious.mean()),
        "gt_known_loc": _share(ious >= 0.5),
        "top1_loc": _share(right & (ious >= 0.5)),
        "max_box_acc_v2": float(np.mean([_share(ious >= threshold) for threshold in IOU_THRESHOLDS])),
    }


def _share(true: NDArray[np.bool_]) -> float:
    return float(np.mean(true))
