"""Windows around boxes, scaled to them, and how the edges of a box are read off one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locnet.models.heads.base import Refined

REACH = 0.5  # a window reaches this share of the box's side beyond it
LEAST_SIDE = 0.03  # of a window's box, in fractions of the input
_EDGES = (-0.5, -0.5, 0.5, 0.5)  # the left, top, right and bottom edge of the box, in sides from its midpoint
_PRIOR = 0.12  # an edge is expected where the box has it, give or take this share of the side


class EdgeReader(nn.Module):
    """Reads the edges of a box off scores of `samples` x `samples` places in its window.

    Each edge is a distribution over places (Wang et al., Side-Aware Boundary Localization, 2020; Li et al., Generalized
    Focal Loss, 2020), whose mean is read off. An upright edge is looked for in the columns, by the mean of all
    rows that cross the box; a level one likewise.

    Attributes:
        places: `(S,)` float, of the samples, in sides of the box from its midpoint: its edges are at -0.5 and 0.5.
        lines: `(4, S * S, S)` float: how the cells of a window are read for the left, top, right and bottom edge.
    """

    places: Tensor
    lines: Tensor

    def __init__(self, samples: int) -> None:
        """Set the places.

        Args:
            samples: across a window, in each direction.
        """
        super().__init__()
        places = torch.linspace(-0.5 - REACH, 0.5 + REACH, samples)
        self.prior = nn.Parameter(-((places - places.new_tensor(_EDGES)[:, None]) / _PRIOR).square() / 2)
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("lines", _lines(places), persistent=False)

    def read(self, scores: Tensor, box: Tensor, middle: Tensor, sides: Tensor) -> Refined:
        """The boxes that scores say.

        Args:
            scores: `(B * J, 4, S, S)` float, for the left, top, right and bottom edge.
            box: `(B, 4)` float, as `Refined.first`.
            middle: `(B, J, 2)` float, midpoint of each window's box.
            sides: `(B, J, 2)` float, likewise.
        """
        # one product: exported files spend their time on the number of small steps
        logits = (scores.flatten(2)[:, :, None] @ self.lines.to(scores.dtype)).float()
        logits = logits.view(*middle.shape[:2], 4, len(self.places)) + self.prior
        offset = (logits.softmax(-1) * self.places).sum(-1)
        boxes = torch.cat((middle, middle), dim=-1) + torch.cat((sides, sides), dim=-1) * offset
        return Refined(first=box, proposals=corners(middle, sides), boxes=boxes, logits=logits)


def score_convolution(channels: int) -> nn.Conv2d:
    """Scores of the four edges, all 0 at first: training begins with boxes as they are."""
    scores = nn.Conv2d(channels, 4, 1)
    nn.init.zeros_(scores.weight)
    nn.init.zeros_(scores.bias)  # type: ignore[arg-type]
    return scores


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


def window(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Midpoint and sides, at least `LEAST_SIDE`, of `(..., 4)` boxes: `(..., 2)` each, x and y."""
    corner, opposite = boxes[..., :2], boxes[..., 2:]
    return (corner + opposite) / 2, (opposite - corner).clamp(min=LEAST_SIDE)


def corners(middle: Tensor, sides: Tensor) -> Tensor:
    """The `(..., 4)` boxes of `window`, xyxy."""
    return torch.cat((middle - sides / 2, middle + sides / 2), dim=-1)


def sample(grid: Tensor, at: Tensor) -> Tensor:
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


def _lines(places: Tensor) -> Tensor:
    """`EdgeReader.lines` of windows sampled at these places."""
    within = (places.abs() <= 0.5).to(places.dtype)
    within = within / within.sum()
    same = torch.eye(len(places))
    upright = within[:, None, None] * same  # (rows, columns, S)
    level = same[:, None] * within[:, None]
    return torch.stack((upright, level, upright, level)).flatten(1, 2)
