"""What a system reaches that never looks at the image; a model is worth what it gains over these.

Three constant answers are scored on the same split as the model:

- `mean_box`: the mean box of the training objects, edge by edge.
- `centre_box`: the box around the image's middle with half its height and half its width. It knows nothing of
  the data set. (The centre baseline of the weakly supervised literature is a Gaussian whose box is tuned on
  labelled images; that is what `mean_box` is for here.)
- `majority`: the most frequent answer of the training split. For `accuracy` that is the most frequent of the
  C classes and background; for `class_accuracy` and `top1_loc`, which count object images only, the most
  frequent class, with the mean box. Its p_c is the same everywhere, so its `objectness_ap` is the share of
  object images.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from locnet.predictions import BACKGROUND, Predictions
from locnet.report.scores import scores

CENTRE_BOX: NDArray[np.float64] = np.array([0.25, 0.25, 0.75, 0.75])
"""`(4,)` float64, xyxy fractions: centred, half the image's height and half its width."""

_BOX_SCORES = ("iou", "gt_known_loc", "max_box_acc_v2")


def baselines(
    train_labels: NDArray[np.int64], train_boxes: NDArray[np.float64], test: Predictions
) -> dict[str, dict[str, float]]:
    """Scores of the constant answers on the split of `test`, of which only the truth is used.

    Args:
        train_labels: `(N,)` int64, class index of each training image, -1 for background.
        train_boxes: `(N, 4)` float64, xyxy fractions; NaN for background.
        test: the split to score on.

    Returns:
        `mean_box` and `centre_box`, each with `iou`, `gt_known_loc`, `max_box_acc_v2`, and `majority` with
        `accuracy`, `class_accuracy`, `top1_loc`, `objectness_ap`; scores that are not defined are missing.
    """
    box = mean_box(train_boxes)
    return {
        "mean_box": {} if box is None else _only(scores(_constant(test, box=box)), *_BOX_SCORES),
        "centre_box": _only(scores(_constant(test, box=CENTRE_BOX)), *_BOX_SCORES),
        "majority": _majority(train_labels, box, test),
    }


def mean_box(train_boxes: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The mean of each edge over the training objects.

    Args:
        train_boxes: `(N, 4)` float64, xyxy fractions; NaN for background.

    Returns:
        `(4,)` float64, xyxy fractions; None if no training image has a box.
    """
    boxes = train_boxes[np.isfinite(train_boxes).all(axis=1)]
    return boxes.mean(axis=0) if len(boxes) else None


def constant_ious(box: NDArray[np.float64], test: Predictions) -> NDArray[np.float64]:
    """IoU of one box with the truth of every image.

    Args:
        box: `(4,)` float64, xyxy fractions.
        test: the split whose true boxes are meant.

    Returns:
        `(N,)` float64; NaN for background.
    """
    return _constant(test, box=box).ious


def _majority(train_labels: NDArray[np.int64], box: NDArray[np.float64] | None, test: Predictions) -> dict[str, float]:
    if len(train_labels) == 0:
        return {}
    # One count per class, background last: a draw goes to the lower class index and never to background.
    counts = np.bincount(train_labels % (len(test.classes) + 1), minlength=len(test.classes) + 1)
    answer = int(counts.argmax())
    verdict = BACKGROUND if answer == len(test.classes) else answer
    result = _only(scores(_constant(test, label=verdict)), "accuracy", "objectness_ap")
    if counts[:-1].any():
        with_object = scores(_constant(test, label=int(counts[:-1].argmax()), box=box))
        result |= _only(with_object, "class_accuracy", "top1_loc")
    return result


def _constant(test: Predictions, *, label: int = BACKGROUND, box: NDArray[np.float64] | None = None) -> Predictions:
    """The split with the same answer for every image."""
    n, c = len(test), len(test.classes)
    class_scores = np.zeros((n, c))
    if label != BACKGROUND:
        class_scores[:, label] = 1.0
    return dataclasses.replace(
        test,
        p_c=np.full(n, 0.0 if label == BACKGROUND else 1.0),
        threshold=0.5,
        class_scores=class_scores,
        predicted_boxes=np.tile(np.full(4, np.nan) if box is None else box, (n, 1)),
    )


def _only(values: dict[str, float], *keys: str) -> dict[str, float]:
    return {key: values[key] for key in keys if key in values}
