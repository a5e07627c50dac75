"""The default head: keeps the spatial grid until the one box is read off."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locnet import target
from locnet.models.heads.base import Cells, Head, Output

_INITIAL_DISTANCE = 0.2  # each edge starts this share of the image away from the cell: about a mean box


class GridHead(Head):
    """Every cell proposes a box and a heat; the answer is the heat-weighted mean of the boxes.

    Feature maps of several strides are fused top-down into the finest grid (Lin et al., Feature Pyramid Networks,
    2017). Each cell gives a heat logit, trained towards a Gaussian at the object's midpoint (Zhou et al., Objects as
    Points, 2019), and its distances to the four edges of the box (Tian et al., FCOS, 2019). A softmax over the heat
    is the attention under which the boxes are averaged (a soft-argmax; Sun et al., Integral Human Pose Regression,
    2018): one differentiable answer, no anchors, no NMS. Objectness and class are read from features pooled under the
    same attention, beside the global mean.
    """

    def __init__(
        self,
        channels: Sequence[int],
        num_classes: int,
        *,
        width: int = 128,
        depth: int = 2,
        dropout: float = 0.0,
    ) -> None:
        """Build the head.

        Args:
            channels: channels of the feature maps, fine to coarse.
            num_classes: C.
            width: channels of the fused grid.
            depth: separable 5 x 5 convolutions on the fused grid.
            dropout: share of the pooled features that training drops.
        """
        super().__init__()
        self.lateral = nn.ModuleList(_pointwise(c, width) for c in channels)
        self.context = nn.Linear(channels[-1], width)
        self.blocks = nn.Sequential(*(_separable(width) for _ in range(depth)))
        self.cells = nn.Conv2d(width, 5, 1)  # heat, then the distances to the left, top, right and bottom edge
        self.sharpness = nn.Parameter(torch.zeros(()))  # log of the factor from heat to attention
        self.dropout = nn.Dropout(dropout)
        features = width + 2 * channels[-1]
        self.objectness = nn.Linear(features + 1, 1)
        self.classes = nn.Linear(features, num_classes)
        nn.init.normal_(self.cells.weight, std=0.01)
        with torch.no_grad():
            edge = math.log(_INITIAL_DISTANCE / (1 - _INITIAL_DISTANCE))
            bias = torch.tensor((-2.0, edge, edge, edge, edge))  # most cells are not the midpoint
            self.cells.bias = nn.Parameter(bias)

    def forward(self, maps: list[Tensor]) -> Output:
        """See `Head.forward`."""
        coarse = maps[-1]
        pooled = coarse.mean((2, 3))
        grid = self._fuse(maps, self.context(pooled))
        cells = self._read_cells(self.cells(grid))
        attention = (cells.heat * self.sharpness.exp()).softmax(-1)
        # not einsum: autocast would run it in bf16, and edges need more than its 8 bits
        box = (attention.unsqueeze(-1) * cells.boxes).sum(1)

        attention = attention.to(coarse.dtype)
        here = torch.einsum("bk,bdk->bd", attention, grid.flatten(2))
        shape = grid.shape[-2:]
        here_coarse = torch.einsum("bk,bdk->bd", _pool_to(attention, shape, coarse.shape[-2:]), coarse.flatten(2))
        features = self.dropout(torch.cat((here, here_coarse, pooled), dim=-1))
        peak = cells.heat.amax(-1, keepdim=True).to(features.dtype)
        objectness = self.objectness(torch.cat((features, peak), dim=-1)).squeeze(-1).float()
        classes = self.classes(features).float()
        y = target.join(objectness.sigmoid(), box, classes.softmax(-1))
        return Output(y=y, objectness_logits=objectness, class_logits=classes, cells=cells)

    def _fuse(self, maps: list[Tensor], context: Tensor) -> Tensor:
        """`(B, width, h, w)` at the finest stride, every cell knowing the whole image through `context` (B, width)."""
        grid = self.lateral[-1](maps[-1]) + context[:, :, None, None]
        for lateral, finer in zip(reversed(self.lateral[:-1]), reversed(maps[:-1]), strict=True):
            grid = F.interpolate(grid, size=finer.shape[-2:], mode="nearest") + lateral(finer)
        fused: Tensor = self.blocks(F.silu(grid))
        return fused

    def _read_cells(self, raw: Tensor) -> Cells:
        """Heat and boxes of `(B, 5, h, w)` raw outputs; in float32, since edges need more than bf16's 8 bits."""
        centres = cell_centres(raw.shape[-2], raw.shape[-1], raw.device)
        heat, *distances = raw.float().flatten(2).unbind(1)
        left, top, right, bottom = (d.sigmoid() for d in distances)
        x, y = centres.unbind(-1)
        boxes = torch.stack((x - left, y - top, x + right, y + bottom), dim=-1)
        return Cells(heat=heat, boxes=boxes, centres=centres)


def cell_centres(rows: int, columns: int, device: torch.device | None = None) -> Tensor:
    """`(rows * columns, 2)` float: x and y of each cell's centre in fractions of the image, row by row."""
    y = (torch.arange(rows, device=device, dtype=torch.float32) + 0.5) / rows
    x = (torch.arange(columns, device=device, dtype=torch.float32) + 0.5) / columns
    return torch.stack((x.repeat(rows), y.repeat_interleave(columns)), dim=-1)


def _pool_to(attention: Tensor, fine: torch.Size, coarse: torch.Size) -> Tensor:
    """Attention `(B, K)` on the fine grid as attention on the coarse grid, both summing to 1."""
    if fine == coarse:
        return attention
    grid = attention.view(-1, 1, fine[0], fine[1])
    pooled = F.adaptive_avg_pool2d(grid, (coarse[0], coarse[1])).flatten(1)
    return pooled / pooled.sum(-1, keepdim=True)


def _pointwise(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


def _separable(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.SiLU(),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.SiLU(),
    )
