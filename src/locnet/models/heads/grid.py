"""The default head: keeps the spatial grid until the one box is read off."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locnet import target
from locnet.models.heads.base import ACTIVATIONS, Cells, Head, Output
from locnet.models.heads.refine import EdgeRefiner

_FAR = 1e12  # times the least difference of two float32 coordinates is still far beyond any logit
_INITIAL_DISTANCE = 0.2  # each edge starts this share of the image away from the cell: about a mean box


class GridHead(Head):
    """Every cell proposes a box and a heat; the answer is the heat-weighted mean of the boxes.

    Feature maps of several strides are fused top-down into the finest grid (Lin et al., Feature Pyramid Networks,
    2017). Each cell gives a heat logit, trained towards a Gaussian at the object's midpoint (Zhou et al., Objects as
    Points, 2019), and its distances to the four edges of the box (Tian et al., FCOS, 2019). A softmax over the heat
    is the attention under which the boxes are averaged (a soft-argmax; Sun et al., Integral Human Pose Regression,
    2018): one differentiable answer, no anchors, no NMS. Objectness and class are read from features pooled under the
    same attention, beside the global mean.

    Attributes:
        outward: `(4, 1)` float, the direction from a cell to the left, top, right and bottom edge.
    """

    outward: Tensor

    def __init__(
        self,
        channels: Sequence[int],
        num_classes: int,
        *,
        strides: Sequence[int] = (),
        grid_stride: int = 8,
        width: int = 128,
        depth: int = 2,
        activation: str = "silu",
        bins: int = 0,
        read_off: str = "local",
        edge_attention: bool = True,
        refine: bool = True,
        refine_samples: int = 16,
        dropout: float = 0.0,
    ) -> None:
        """Build the head.

        Args:
            channels: channels of the feature maps, fine to coarse.
            num_classes: C.
            strides: of the feature maps, in pixels a cell; without them all maps are fused.
            grid_stride: maps of at least this stride are fused into the grid, the finest of them being its own; finer
                ones are for the second look at the edges alone.
            width: channels of the fused grid.
            depth: separable 5 x 5 convolutions on the fused grid.
            activation: `silu`, or `relu`, which engines fuse into the convolution before it.
            bins: each distance is the mean of a distribution over 0, 1/bins, ..., 1 of the input (Li et al.,
                Generalized Focal Loss, 2020); 0: it is one number.
            read_off: `global`: the attention is spread over all cells; `local`: over the peak and the cells inside
                the box that the peak proposes, so that a second object does not pull the answer between the two.
            edge_attention: each edge has an attention of its own, beside the heat: the cells close to an edge see
                it best (as in Wang et al., Side-Aware Boundary Localization, 2020).
            refine: the edges of the box are looked at once more, close up (see `EdgeRefiner`).
            refine_samples: places across that window, in each direction.
            dropout: share of the pooled features that training drops.
        """
        super().__init__()
        # a backbone whose maps are all finer has to make do with its coarsest
        self.finer = min(sum(stride < grid_stride for stride in strides), len(channels) - 1)
        own, channels = channels[: self.finer], channels[self.finer :]
        self.lateral = nn.ModuleList(_pointwise(c, width) for c in channels)
        self.context = nn.Linear(channels[-1], width)
        self.activation = ACTIVATIONS[activation]()
        self.blocks = nn.Sequential(*(_separable(width, activation) for _ in range(depth)))
        self.bins, self.local, self.edge_attention = bins, read_off == "local", edge_attention
        # heat, then the distances to the left, top, right and bottom edge, then the attention of each edge
        self.cells = nn.Conv2d(width, 1 + 4 * (bins + 1) + 4 * edge_attention, 1)
        looks = [width, *own]
        self.refiner = EdgeRefiner(looks, samples=refine_samples, activation=activation) if refine else None
        self.sharpness = nn.Parameter(torch.zeros(()))  # log of the factor from heat to attention
        self.register_buffer("outward", torch.tensor((-1.0, -1.0, 1.0, 1.0)).unsqueeze(-1), persistent=False)
        self.dropout = nn.Dropout(dropout)
        features = width + 2 * channels[-1]
        self.objectness = nn.Linear(features + 1, 1)
        self.classes = nn.Linear(features, num_classes)
        nn.init.normal_(self.cells.weight, std=0.01)
        with torch.no_grad():
            most = torch.tensor((-2.0,))  # cells are not the midpoint
            bias = torch.cat((most, _initial_distances(bins), torch.zeros(4 * edge_attention)))
            self.cells.bias = nn.Parameter(bias)

    def forward(self, maps: list[Tensor]) -> Output:
        """See `Head.forward`."""
        own, maps = maps[: self.finer], maps[self.finer :]
        coarse = maps[-1]
        whole = F.avg_pool2d(coarse, coarse.shape[-2:])  # (B, channels, 1, 1)
        grid = self._fuse(maps, whole)
        raw = self.cells(grid).float().flatten(2)  # float32: bf16 is too coarse for edges
        centres = cell_centres(grid.shape[-2], grid.shape[-1], raw.device)
        cells, edges = self._read_cells(raw, centres)
        focus = cells.heat * self.sharpness.exp()
        if self.local:
            focus = focus - _FAR * _beyond_the_peak(cells.heat, edges.detach(), centres, self.outward)
        attention = focus.softmax(-1)
        # not einsum: autocast would run it in bf16
        if self.edge_attention:
            of_edges = (focus.unsqueeze(1) + raw[:, -4:]).softmax(-1)
            box = (of_edges * edges).sum(-1)
        else:
            box = (attention.unsqueeze(1) * edges).sum(-1)
        refined = None
        if self.refiner is not None:
            refined = self.refiner([grid, *own], box)
            box = refined.boxes[:, 0]

        attention = attention.to(coarse.dtype)
        here = _under(attention, grid)
        here_coarse = _under(_pool_to(attention, grid.shape[-2:], coarse.shape[-2:]), coarse)
        features = [self.dropout(feature) for feature in (here, here_coarse, whole.flatten(1))]
        peak = cells.heat.amax(-1, keepdim=True).to(here.dtype)
        objectness, classes = self._judge(torch.cat((*features, peak), dim=-1))
        y = target.join(objectness.sigmoid(), box, classes.softmax(-1))
        return Output(y=y, objectness_logits=objectness, class_logits=classes, cells=cells, refined=refined)

    def _fuse(self, maps: list[Tensor], whole: Tensor) -> Tensor:
        """`(B, width, h, w)` at the finest stride; all cells know `whole` (B, channels, 1, 1), the last map's mean."""
        # convolutions and sums of equal shapes only: engines run each sum and activation within the convolution before
        context = F.conv2d(whole, self.context.weight[:, :, None, None], self.context.bias)
        grid = _enlarged(context, maps[-1].shape[-2:]) + self.lateral[-1](maps[-1])
        for lateral, finer in zip(reversed(self.lateral[:-1]), reversed(maps[:-1]), strict=True):
            grid = _enlarged(grid, finer.shape[-2:]) + lateral(finer)
        fused: Tensor = self.blocks(self.activation(grid))
        return fused

    def _judge(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of p_c `(B,)` and of the classes `(B, C)`, float32, of `(B, F + 1)` features, the heat's peak last."""
        weight = torch.cat((self.objectness.weight, F.pad(self.classes.weight, (0, 1))))  # classes don't see the peak
        bias = torch.cat((self.objectness.bias, self.classes.bias))
        logits = F.linear(features, weight, bias).float()  # one product: exported files spend their time on small steps
        return logits[:, 0], logits[:, 1:]

    def _read_cells(self, raw: Tensor, centres: Tensor) -> tuple[Cells, Tensor]:
        """What `(B, 1 + 4 (bins + 1) + ..., K)` raw outputs say, and its boxes as `(B, 4, K)`."""
        logits = raw[:, 1 : 1 + 4 * (self.bins + 1)]
        if self.bins:
            logits = logits.unflatten(1, (4, self.bins + 1))
            places = torch.linspace(0, 1, self.bins + 1, device=raw.device)
            distances = (logits.softmax(2) * places[:, None]).sum(2)
        else:
            distances = logits.sigmoid()
        edges = _twice(centres) + self.outward * distances
        of_bins = logits.permute(0, 3, 1, 2) if self.bins else None
        return Cells(heat=raw[:, 0], boxes=edges.transpose(1, 2), centres=centres, distances=of_bins), edges


def _beyond_the_peak(heat: Tensor, edges: Tensor, centres: Tensor, outward: Tensor) -> Tensor:
    """`(B, K)` float: how far a cell lies outside of the box that the hottest cell proposes; 0 inside.

    Args:
        heat: `(B, K)` float.
        edges: `(B, 4, K)` float, the boxes of all cells.
        centres: `(K, 2)` float.
        outward: `(4, 1)` float, the direction from a cell to each edge.
    """
    peak = heat.argmax(-1, keepdim=True).unsqueeze(1)
    box = edges.gather(-1, peak.expand(-1, 4, -1))
    return F.relu(((_twice(centres) - box) * outward).amax(1))  # 0 for the peak itself: no distance is below 0


def _twice(centres: Tensor) -> Tensor:
    """`(4, K)`: x, y, x, y of `(K, 2)` centres, beside the edges of boxes."""
    return centres.T.repeat(2, 1)


def _initial_distances(bins: int) -> Tensor:
    """`(4 * (bins + 1),)` float: biases that put each edge `_INITIAL_DISTANCE` away."""
    if not bins:
        return torch.full((4,), math.log(_INITIAL_DISTANCE / (1 - _INITIAL_DISTANCE)))
    places = torch.linspace(0, 1, bins + 1)
    return (-places / _INITIAL_DISTANCE).repeat(4)  # an exponential distribution has that mean, about


def cell_centres(rows: int, columns: int, device: torch.device | None = None) -> Tensor:
    """`(rows * columns, 2)` float: x and y of each cell's centre in fractions of the image, row by row."""
    y = (torch.arange(rows, device=device, dtype=torch.float32) + 0.5) / rows
    x = (torch.arange(columns, device=device, dtype=torch.float32) + 0.5) / columns
    return torch.stack((x.repeat(rows), y.repeat_interleave(columns)), dim=-1)


def _enlarged(grid: Tensor, size: torch.Size) -> Tensor:
    """The grid at a larger size, each cell repeated."""
    factors = [new // old for new, old in zip(size, grid.shape[-2:], strict=True)]
    if all(new == factor * old for new, factor, old in zip(size, factors, grid.shape[-2:], strict=True)):
        # exported, a size takes the batch's shape apart
        return F.interpolate(grid, scale_factor=[float(factor) for factor in factors], mode="nearest")
    return F.interpolate(grid, size=size, mode="nearest")


def _under(attention: Tensor, grid: Tensor) -> Tensor:
    """Mean of the features `(B, D, h, w)` under attention `(B, h * w)`: `(B, D)`."""
    return (grid.flatten(2) @ attention.unsqueeze(-1)).squeeze(-1)


def _pool_to(attention: Tensor, fine: torch.Size, coarse: torch.Size) -> Tensor:
    """Attention `(B, K)` on the fine grid as attention on the coarse grid, both summing to 1."""
    if fine == coarse:
        return attention
    grid = attention.view(-1, 1, fine[0], fine[1])
    pooled = F.adaptive_avg_pool2d(grid, (coarse[0], coarse[1])).flatten(1)
    if fine[0] % coarse[0] == 0 and fine[1] % coarse[1] == 0:  # then each cell counts once
        return pooled * (fine.numel() / coarse.numel())
    return pooled / pooled.sum(-1, keepdim=True)


def _pointwise(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


def _separable(width: int, activation: str) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
        nn.BatchNorm2d(width),
        ACTIVATIONS[activation](),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        ACTIVATIONS[activation](),
    )
