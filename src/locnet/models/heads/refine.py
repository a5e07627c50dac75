"""A second look at the edges of a box, close up: the same at every place and size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from locnet.models.heads.base import Refined

SAMPLES = 16  # across a window, in each direction
REACH = 0.5  # a window reaches this share of the box's side beyond it
JITTERED = 3  # further windows an image that training looks at
_SHIFT, _STRETCH = 0.25, 0.5  # theirs: up to so many sides off, and exp(-0.5) to exp(0.5) times as large
_LEAST_SIDE = 0.03  # of a window's box, in fractions of the input
_PRIOR = 0.12  # an edge is expected where the box has it, give or take this share of the side


class EdgeRefiner(nn.Module):
    """Samples a window around a box and says where in it each edge really lies.

    A cell far from an edge has to guess a distance in fractions of the image; in a window that is scaled to the box the
    question is the same for every object, near or far (a second stage without a second network: He et al., Mask R-CNN,
    2017; Cai & Vasconcelos, Cascade R-CNN, 2018). Each edge is a distribution over places (Wang et al., Side-Aware
    Boundary Localization, 2020; Li et al., Generalized Focal Loss, 2020), whose mean is read off. Training looks at
    jittered windows besides, so that one labelled box teaches many corrections.

    Attributes:
        places: `(S,)` float, in sides of the box; 0 is its left or upper edge and 1 the right or lower one.
    """

    places: Tensor
    within: Tensor

    def __init__(self, channels: Sequence[int], *, hidden: int = 32) -> None:
        """Build it.

        Args:
            channels: of the maps that are sampled; half as many of each further map as of the first go into a window.
            hidden: channels inside a window.
        """
        super().__init__()
        taken = [hidden if number == 0 else hidden // 2 for number in range(len(channels))]
        self.reduce = nn.ModuleList(_reduced(inputs, outputs) for inputs, outputs in zip(channels, taken, strict=True))
        scores = nn.Conv2d(hidden, 4, 1)  # for the left, top, right and bottom edge
        self.look = nn.Sequential(
            nn.Conv2d(sum(taken), hidden, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.SiLU(),
            scores,
        )
        nn.init.zeros_(scores.weight)  # training begins with boxes as they are
        nn.init.zeros_(scores.bias)  # type: ignore[arg-type]
        places = torch.linspace(-REACH, 1 + REACH, SAMPLES)
        expected = torch.tensor((0.0, 0.0, 1.0, 1.0))
        self.prior = nn.Parameter(-((places - expected[:, None]) / _PRIOR).square() / 2)
        within = ((places >= 0) & (places <= 1)).float()
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("within", within / within.sum(), persistent=False)

    def forward(self, maps: Sequence[Tensor], box: Tensor) -> Refined:
        """Look around each box.

        Args:
            maps: `(B, channels[i], h_i, w_i)` float each, at any strides.
            box: `(B, 4)` float32, xyxy in fractions of the input; taken as it is, without a gradient.
        """
        proposals = _ordered(box.detach()[:, None])
        if self.training:
            proposals = torch.cat((proposals, _jittered(proposals)), dim=1)
        corner, sides = proposals[..., :2], proposals[..., 2:] - proposals[..., :2]
        at = corner[..., None] + sides[..., None] * self.places  # (B, J, 2, S)
        samples = [_sample(reduce(grid), at) for reduce, grid in zip(self.reduce, maps, strict=True)]
        scores = self.look(torch.cat(samples, dim=2).flatten(0, 1)).float()
        scores = scores.view(*at.shape[:2], 2, 2, SAMPLES, SAMPLES)
        # an upright edge is looked for in the columns, by all rows that cross the box; a level one likewise
        upright = (scores[:, :, :, 0] * self.within[:, None]).sum(-2)
        level = (scores[:, :, :, 1] * self.within).sum(-1)
        logits = torch.stack((upright, level), dim=3).flatten(2, 3) + self.prior  # (B, J, 4, S)
        offset = (logits.softmax(-1) * self.places).sum(-1)
        boxes = torch.cat((corner, corner), dim=-1) + torch.cat((sides, sides), dim=-1) * offset
        return Refined(first=box, proposals=proposals, boxes=boxes, logits=logits)


def places_in_window(boxes: Tensor, proposals: Tensor) -> Tensor:
    """Where edges lie in the windows of proposals, as shares of the window: what the distributions are about.

    Args:
        boxes: `(..., 4)` float, xyxy.
        proposals: `(..., 4)` float, xyxy of positive sides.

    Returns:
        `(..., 4)` float; 0 and 1 are the window's ends, beyond them lies what it does not show.
    """
    corner, sides = proposals[..., :2], proposals[..., 2:] - proposals[..., :2]
    offset = (boxes - torch.cat((corner, corner), dim=-1)) / torch.cat((sides, sides), dim=-1)
    return (offset + REACH) / (1 + 2 * REACH)


def _reduced(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.SiLU())


def _ordered(boxes: Tensor) -> Tensor:
    """Boxes `(..., 4)` with sides of at least `_LEAST_SIDE` about the same midpoints."""
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    half = (boxes[..., 2:] - boxes[..., :2]).clamp(min=_LEAST_SIDE) / 2
    return torch.cat((middle - half, middle + half), dim=-1)


def _jittered(boxes: Tensor) -> Tensor:
    """`(B, JITTERED, 4)`: boxes `(B, 1, 4)` moved and stretched at random."""
    random = torch.rand(len(boxes), JITTERED, 4, device=boxes.device) * 2 - 1
    sides = boxes[..., 2:] - boxes[..., :2]
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2 + _SHIFT * sides * random[..., :2]
    half = sides * (_STRETCH * random[..., 2:]).exp() / 2
    return _ordered(torch.cat((middle - half, middle + half), dim=-1))


def _sample(grid: Tensor, at: Tensor) -> Tensor:
    """Bilinear samples of `(B, C, h, w)` at `(B, J, 2, S)` x and y in fractions of the input: `(B, J, C, S, S)`.

    Windows are upright, so two small matrix products do it, which every engine has; beyond the map its border goes on.
    """
    rows, columns = grid.shape[-2:]
    if rows == columns:  # one for both: exported files spend their time on the number of small steps
        across, down = _hat(at, rows).to(grid.dtype).unbind(2)
    else:
        across, down = _hat(at[:, :, 0], columns).to(grid.dtype), _hat(at[:, :, 1], rows).to(grid.dtype)
    wide = grid[:, None] @ across.transpose(-2, -1)[:, :, None]  # (B, J, C, h, S)
    return down[:, :, None] @ wide


def _hat(at: Tensor, count: int) -> Tensor:
    """Weights `(..., S, count)` of cells for samples at `(..., S)`, which sum to 1."""
    place = (at * count - 0.5).clamp(0, count - 1)
    return (1 - (place[..., None] - torch.arange(count, device=at.device)).abs()).clamp(min=0)
