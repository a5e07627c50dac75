"""A second look at the edges of a box, close up: the same at every place and size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locnet.models.heads.base import ACTIVATIONS, Refined

REACH = 0.5  # a window reaches this share of the box's side beyond it
JITTERED = 3  # further windows an image that training looks at
_SHIFT, _STRETCH = 0.25, 0.5  # theirs: up to so many sides off, and exp(-0.5) to exp(0.5) times as large
_LEAST_SIDE = 0.03  # of a window's box, in fractions of the input
_EDGES = (-0.5, -0.5, 0.5, 0.5)  # the left, top, right and bottom edge of the box, in sides from its midpoint
_PRIOR = 0.12  # an edge is expected where the box has it, give or take this share of the side


class EdgeRefiner(nn.Module):
    """Samples a window around a box and says where in it each edge really lies.

    A cell far from an edge has to guess a distance in fractions of the image; in a window that is scaled to the box the
    question is the same for every object, near or far (a second stage without a second network: He et al., Mask R-CNN,
    2017; Cai & Vasconcelos, Cascade R-CNN, 2018). Each edge is a distribution over places (Wang et al., Side-Aware
    Boundary Localization, 2020; Li et al., Generalized Focal Loss, 2020), whose mean is read off. Training looks at
    jittered windows besides, so that one labelled box teaches many corrections.

    Attributes:
        places: `(S,)` float, of the samples, in sides of the box from its midpoint: its edges are at -0.5 and 0.5.
        lines: `(4, S * S, S)` float: how the cells of a window are read for the left, top, right and bottom edge. An
            upright edge is looked for in the columns, by the mean of all rows that cross the box; a level one likewise.
    """

    places: Tensor
    lines: Tensor

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
        super().__init__()
        taken = [hidden if number == 0 else hidden // 2 for number in range(len(channels))]
        self.reduce = nn.ModuleList(
            _reduced(inputs, outputs, activation) for inputs, outputs in zip(channels, taken, strict=True)
        )
        scores = nn.Conv2d(hidden, 4, 1)  # for the left, top, right and bottom edge
        self.look = nn.Sequential(
            nn.Conv2d(sum(taken), hidden, 3, padding=1),
            ACTIVATIONS[activation](),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            ACTIVATIONS[activation](),
            scores,
        )
        nn.init.zeros_(scores.weight)  # training begins with boxes as they are
        nn.init.zeros_(scores.bias)  # type: ignore[arg-type]
        places = torch.linspace(-0.5 - REACH, 0.5 + REACH, samples)
        self.prior = nn.Parameter(-((places - places.new_tensor(_EDGES)[:, None]) / _PRIOR).square() / 2)
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("lines", _lines(places), persistent=False)

    def forward(self, maps: Sequence[Tensor], box: Tensor) -> Refined:
        """Look around each box.

        Args:
            maps: `(B, channels[i], h_i, w_i)` float each, at any strides.
            box: `(B, 4)` float32, xyxy in fractions of the input; taken as it is, without a gradient.
        """
        middle, sides = _window(box.detach()[:, None])
        if self.training:
            middle, sides = _with_jittered(middle, sides)
        at = middle[..., None, None] + sides[..., None, None] * self.places[:, None]  # (B, J, 2, S, 1)
        samples = [_sample(reduce(grid), at) for reduce, grid in zip(self.reduce, maps, strict=True)]
        scores = self.look(torch.cat(samples, dim=2).flatten(0, 1))  # (B * J, 4, S, S)
        # one product: exported files spend their time on the number of small steps
        logits = (scores.flatten(2)[:, :, None] @ self.lines.to(scores.dtype)).float()
        logits = logits.view(*middle.shape[:2], 4, len(self.places)) + self.prior
        offset = (logits.softmax(-1) * self.places).sum(-1)
        boxes = torch.cat((middle, middle), dim=-1) + torch.cat((sides, sides), dim=-1) * offset
        return Refined(first=box, proposals=_corners(middle, sides), boxes=boxes, logits=logits)


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


def _reduced(inputs: int, outputs: int, activation: str) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), ACTIVATIONS[activation]())


def _lines(places: Tensor) -> Tensor:
    """`EdgeRefiner.lines` of windows sampled at these places."""
    within = (places.abs() <= 0.5).to(places.dtype)
    within = within / within.sum()
    same = torch.eye(len(places))
    upright = within[:, None, None] * same  # (rows, columns, S)
    level = same[:, None] * within[:, None]
    return torch.stack((upright, level, upright, level)).flatten(1, 2)


def _window(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Midpoint and sides, at least `_LEAST_SIDE`, of `(..., 4)` boxes: `(..., 2)` each, x and y."""
    corner, opposite = boxes[..., :2], boxes[..., 2:]
    return (corner + opposite) / 2, (opposite - corner).clamp(min=_LEAST_SIDE)


def _corners(middle: Tensor, sides: Tensor) -> Tensor:
    """The `(..., 4)` boxes of `_window`, xyxy."""
    return torch.cat((middle - sides / 2, middle + sides / 2), dim=-1)


def _with_jittered(middle: Tensor, sides: Tensor) -> tuple[Tensor, Tensor]:
    """`(B, 1 + JITTERED, 2)` each: windows `(B, 1, 2)`, and the same moved and stretched at random."""
    random = torch.rand(len(middle), JITTERED, 4, device=middle.device) * 2 - 1
    moved = middle + _SHIFT * sides * random[..., :2]
    stretched = (sides * (_STRETCH * random[..., 2:]).exp()).clamp(min=_LEAST_SIDE)
    return torch.cat((middle, moved), dim=1), torch.cat((sides, stretched), dim=1)


def _sample(grid: Tensor, at: Tensor) -> Tensor:
    """Bilinear samples of `(B, C, h, w)` at `(B, J, 2, S, 1)` x and y in fractions of the input: `(B, J, C, S, S)`.

    Windows are upright, so two small matrix products do it, which every engine has; beyond the map its border goes on.
    """
    rows, columns = grid.shape[-2:]
    if rows == columns:  # one for both: fewer small steps
        across, down = _hat(at, rows).to(grid.dtype).split(1, dim=2)  # (B, J, 1, S, rows)
    else:
        across, down = _hat(at[:, :, :1], columns).to(grid.dtype), _hat(at[:, :, 1:], rows).to(grid.dtype)
    wide: Tensor = grid[:, None] @ across.transpose(-2, -1)  # (B, J, C, h, S)
    samples: Tensor = down @ wide
    return samples


def _hat(at: Tensor, count: int) -> Tensor:
    """Weights `(..., S, count)` of cells for samples at `(..., S, 1)`, which sum to 1."""
    place = (at * count - 0.5).clamp(0, count - 1)
    return F.relu(1 - (place - torch.arange(count, device=at.device)).abs())
