"""The part of every exported file that torch traces: scaled images in, the answer about the original image out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from locnet.answer import read_off
from locnet.models.network import Network

OUTPUTS = ("p_c", "box", "scores", "label")
"""Names of the outputs of every exported file; a plain classifier's has no `box`."""


class Outputs(NamedTuple):
    """What an exported file says about a batch.

    Attributes:
        p_c: `(B,)` float32, calibrated.
        box: `(B, 4)` float32, xyxy in pixels of the image that was given; None from a plain classifier.
        scores: `(B, C)` float32, calibrated.
        label: `(B,)` int64, index of the highest score.
    """

    p_c: NDArray[np.float32]
    box: NDArray[np.float32] | None
    scores: NDArray[np.float32]
    label: NDArray[np.int64]


class Answering(nn.Module):
    """Network, calibration, and the way back to pixels of the original image."""

    def __init__(self, network: Network) -> None:
        """Take a trained network."""
        super().__init__()
        self.network = network.eval()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what `forward` gives."""
        return OUTPUTS if self.network.has_box else tuple(name for name in OUTPUTS if name != "box")

    def forward(self, pixels: Tensor, placement: Tensor, size: Tensor) -> tuple[Tensor, ...]:
        """Answer for a batch of images of one size.

        Args:
            pixels: `(B, 3, H, W)` uint8 or float in 0..255, RGB, of the network's size.
            placement: `(4,)` float32, where the images lie in them (see `locnet.data.resize.Placement`).
            size: `(2,)` float32, height and width of the original images in pixels.

        Returns:
            The tensors of `Outputs`, by `names`.
        """
        answer = read_off(self.network(pixels).y, placement)
        height, width = size.unbind(-1)
        box = answer.boxes * torch.stack((width, height, width, height))
        label = answer.scores.argmax(-1)
        if not self.network.has_box:
            return answer.p_c, answer.scores, label
        return answer.p_c, box, answer.scores, label
