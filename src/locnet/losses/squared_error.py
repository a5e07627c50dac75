"""The source text's loss."""

from __future__ import annotations

from torch import Tensor

from locnet.losses.base import Loss, Term
from locnet.models.heads import Output


class SquaredErrorLoss(Loss):
    """Sum of squared errors over all elements of y where there is an object, over p_c alone where there is none.

    `sum_i (yhat_i - y_i)^2` if `y_1 = 1`, `(yhat_1 - y_1)^2` if `y_1 = 0`; the mean over the batch.
    """

    def terms(self, output: Output, y: Tensor) -> dict[str, Term]:
        """See `Loss.terms`."""
        return {"squared_error": Term(squared_error(output.y.float(), y))}


def squared_error(predicted: Tensor, y: Tensor) -> Tensor:
    """The loss of each image.

    Args:
        predicted: `(B, 5 + C)` float.
        y: `(B, 5 + C)` float, the target.

    Returns:
        `(B,)` float. The gradient of don't-care elements is exactly 0.
    """
    cared_for = y[:, :1].bool().expand_as(y).clone()
    cared_for[:, 0] = True
    # replacing before squaring (not multiplying after) keeps inf and NaN of don't-care elements out
    return (predicted.where(cared_for, y) - y).square().sum(-1)
