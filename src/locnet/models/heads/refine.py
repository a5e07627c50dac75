"""A second look at the edges of a box, close up: the same at every place and size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from locnet.models.heads.base import ACTIVATIONS, Refined
from locnet.models.heads.windows import LEAST_SIDE, EdgeReader, sample, score_convolution, window

JITTERED = 3  # further windows an image that training looks at
_SHIFT, _STRETCH = 0.25, 0.5  # theirs: up to so many sides off, and exp(-0.5) to exp(0.5) times as large


class EdgeRefiner(EdgeReader):
    """Samples a window around a box from feature maps and says where in it each edge really lies.

    A cell far from an edge has to guess a distance in fractions of the image; in a window that is scaled to the box the
    question is the same for every object, near or far (a second stage without a second network: He et al., Mask R-CNN,
    2017; Cai & Vasconcelos, Cascade R-CNN, 2018). Training looks at jittered windows besides, so that one labelled box
    teaches many corrections.
    """

    def __init__(
        self, channels: Sequence[int], *, samples: int = 16, hidden: int = 32, activation: str = "silu"
    ) -> None:
        """Build it.

        Args:
            channels: of the maps that are sampled; half as many of each further map as of the first go into a window.
            samples: across a window, in each direction.
            hidden: channels inside a window.
            activation: as that of `GridHead`.
        """
        super().__init__(samples)
        taken = [hidden if number == 0 else hidden // 2 for number in range(len(channels))]
        self.reduce = nn.ModuleList(
            _reduced(inputs, outputs, activation) for inputs, outputs in zip(channels, taken, strict=True)
        )
        self.look = nn.Sequential(
            nn.Conv2d(sum(taken), hidden, 3, padding=1),
            ACTIVATIONS[activation](),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            ACTIVATIONS[activation](),
            score_convolution(hidden),
        )

    def forward(self, maps: Sequence[Tensor], box: Tensor) -> Refined:
        """Look around each box.

        Args:
            maps: `(B, channels[i], h_i, w_i)` float each, at any strides.
            box: `(B, 4)` float32, xyxy in fractions of the input; taken as it is, without a gradient.
        """
        middle, sides = window(box.detach()[:, None])
        if self.training:
            middle, sides = _with_jittered(middle, sides)
        at = middle[..., None, None] + sides[..., None, None] * self.places[:, None]  # (B, J, 2, S, 1)
        samples = [sample(reduce(grid), at) for reduce, grid in zip(self.reduce, maps, strict=True)]
        scores = self.look(torch.cat(samples, dim=2).flatten(0, 1))  # (B * J, 4, S, S)
        return self.read(scores, box, middle, sides)


def _reduced(inputs: int, outputs: int, activation: str) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), ACTIVATIONS[activation]())


def _with_jittered(middle: Tensor, sides: Tensor) -> tuple[Tensor, Tensor]:
    """`(B, 1 + JITTERED, 2)` each: windows `(B, 1, 2)`, and the same moved and stretched at random."""
    random = torch.rand(len(middle), JITTERED, 4, device=middle.device) * 2 - 1
    moved = middle + _SHIFT * sides * random[..., :2]
    stretched = (sides * (_STRETCH * random[..., 2:]).exp()).clamp(min=LEAST_SIDE)
    return torch.cat((middle, moved), dim=1), torch.cat((sides, stretched), dim=1)
