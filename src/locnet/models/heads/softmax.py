"""One softmax over the C classes and background: plain classification, and the same with 4 box outputs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from locnet import target
from locnet.boxes import xyhw_to_xyxy
from locnet.models.heads.base import Head, Output


class ClassifierHead(Head):
    """Image classification: global average pooling, then a softmax over C + 1 outputs; the box of y is 0.

    In y, p_c = 1 - P(background) and c_i = P(i | not background), so that threshold 0.5 and the highest class score
    give nearly the softmax's own choice, and `accuracy` means the same as for the other systems.
    """

    has_box: ClassVar[bool] = False

    def __init__(self, channels: Sequence[int], num_classes: int, *, dropout: float = 0.0) -> None:
        """Build the head.

        Args:
            channels: channels of the feature maps; the last (coarsest) one is read.
            num_classes: C, without background.
            dropout: share of pooled features that training drops.
        """
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.logits = nn.Linear(channels[-1], num_classes + 1)

    def forward(self, maps: list[Tensor]) -> Output:
        """See `Head.forward`."""
        features = self.dropout(self.pool(maps[-1]).flatten(1))
        # in float32 from here on: edges need more than bf16's 8 bits
        return self._answer(self.logits(features).float(), self._box(features))

    def _box(self, features: Tensor) -> Tensor:
        """`(B, 4)` float, xyxy."""
        return features.new_zeros(features.shape[0], 4, dtype=torch.float32)

    def _answer(self, logits: Tensor, box: Tensor) -> Output:
        classes, background = logits[:, :-1], logits[:, -1]
        # 1 - softmax(background), written so that it stays exact where background's share is close to 1
        objectness = (torch.logsumexp(classes, dim=-1) - background).sigmoid()
        y = target.join(objectness, box, classes.softmax(-1))
        return Output(y=y, softmax_logits=logits)


class SoftmaxBoxHead(ClassifierHead):
    """Classification with localization: the same softmax plus 4 more outputs (b_x, b_y, b_h, b_w) for the box."""

    has_box: ClassVar[bool] = True

    def __init__(self, channels: Sequence[int], num_classes: int, *, dropout: float = 0.0) -> None:
        """See `ClassifierHead`."""
        super().__init__(channels, num_classes, dropout=dropout)
        self.box = nn.Linear(channels[-1], 4)

    def _box(self, features: Tensor) -> Tensor:
        return xyhw_to_xyxy(self.box(features).float().sigmoid())
