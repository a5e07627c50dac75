"""A network that is right: it finds red boxes on blue images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from locnet import target
from locnet.models.heads.base import Output

BLUE, RED = (0, 0, 255), (255, 0, 0)


class RedFinder(nn.Module):
    """A network that is right: the box around the red pixels, p_c 0 where there are none."""

    has_box = True
    classes = ("car", "dog", "person")

    def __init__(self, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.image_size = image_size

    def forward(self, images: Tensor) -> Output:
        return Output(y=torch.stack([self.answer(image) for image in images]))

    def answer(self, image: Tensor) -> Tensor:
        height, width = self.image_size
        assert image.shape == (3, height, width)
        red = (image[0].float() - image[1].float()) > 127
        rows, columns = red.any(1).nonzero().flatten().tolist(), red.any(0).nonzero().flatten().tolist()
        if not rows:
            return torch.zeros(8)
        edges = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
        return target.join(torch.tensor(0.9), torch.tensor(edges), torch.tensor((0.1, 0.7, 0.2)))


def paint(path: Path, size: tuple[int, int], box: tuple[int, int, int, int] | None, **save: Any) -> Path:
    """A blue image of (width, height) with a red box, whose edges survive being scaled down by 2 or 4."""
    picture = Image.new("RGB", size, BLUE)
    if box is not None:
        picture.paste(RED, box)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **save)
    return path
