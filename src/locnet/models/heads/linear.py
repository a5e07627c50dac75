"""The source text's head: the 5 + C elements of y as linear units on pooled features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from locnet import target
from locnet.boxes import xyhw_to_xyxy
from locnet.models.heads.base import Head, Output


class LinearHead(Head):
    """Global average pooling, then 5 + C linear output units."""

    def __init__(
        self,
        channels: Sequence[int],
        num_classes: int,
        *,
        activation: Literal["none", "probability"] = "none",
        dropout: float = 0.0,
    ) -> None:
        """Build the head.

        Args:
            channels: channels of the feature maps; the last (coarsest) one is read.
            num_classes: C.
            activation: `none` gives the units as they are, the source text to the letter (for the squared error);
                `probability` puts a sigmoid on p_c and the box and a softmax on the classes (for the multipart loss).
            dropout: share of pooled features that training drops.
        """
        super().__init__()
        self.activation = activation
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.units = nn.Linear(channels[-1], target.length(num_classes))

    def forward(self, maps: list[Tensor]) -> Output:
        """See `Head.forward`."""
        # in float32 from here on: edges need more than bf16's 8 bits
        units = self.units(self.dropout(self.pool(maps[-1]).flatten(1))).float()
        if self.activation == "none":
            return Output(y=units)
        objectness, classes = units[:, 0], units[:, 5:]
        box = xyhw_to_xyxy(units[:, 1:5].sigmoid())
        y = target.join(objectness.sigmoid(), box, classes.softmax(-1))
        return Output(y=y, objectness_logits=objectness, class_logits=classes)
