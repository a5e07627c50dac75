"""How others would load the same photos: torchvision's ImageFolder with transforms.v2, and OpenCV as detectors use it.

Both make the same kinds of changes as `augment=photos` and give uint8 batches, so that what is compared is the work
of decoding and changing an image.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from locnet.data.records import Records

AFFINE_SCALE, AFFINE_SHIFT = 0.5, 0.1  # Ultralytics' defaults of scale, translate, hsv_h, hsv_s, hsv_v, fliplr
HSV = (0.015, 0.7, 0.4)
GREY = 114


def image_folder(records: Records, folder: Path, side: int) -> ImageFolder:
    """Torchvision's way: no box follows, the image alone is changed."""
    for row in range(len(records)):
        label = int(records.labels[row])
        place = folder / (records.classes[label] if label >= 0 else "background")
        place.mkdir(exist_ok=True)
        (place / f"{row:06}{records.path(row).suffix}").symlink_to(records.path(row).absolute())
    changes = v2.Compose(
        [
            v2.PILToTensor(),
            v2.RandomResizedCrop(side, scale=(0.3, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.3, 0.3, 0.3, 0.03),
            v2.RandomGrayscale(0.05),
            v2.RandomApply([v2.GaussianBlur(5, (0.1, 1.5))], p=0.1),
            v2.RandomErasing(0.2, scale=(0.02, 0.15)),
        ]
    )
    return ImageFolder(str(folder), changes)


class OpenCvImages(Dataset[tuple[Tensor, Tensor]]):
    """What Ultralytics does to an image without a mosaic: read, scale, letterbox, affine, HSV, flip, planes.

    Its defaults include a mosaic, of which every image needs three more images; without it this is the faster.
    """

    def __init__(self, records: Records, side: int) -> None:
        import cv2

        cv2.setNumThreads(0)
        self.cv2: Any = cv2
        self.records, self.side = records, side

    def __getstate__(self) -> dict[str, Any]:
        return {"records": self.records, "side": self.side}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        image = self.cv2.imread(str(self.records.path(row)))
        height, width = image.shape[:2]
        ratio = self.side / max(height, width)
        size = (min(math.ceil(width * ratio), self.side), min(math.ceil(height * ratio), self.side))
        image = self.cv2.resize(image, size, interpolation=self.cv2.INTER_LINEAR)
        left, top = (self.side - size[0]) // 2, (self.side - size[1]) // 2
        image = self.cv2.copyMakeBorder(
            image,
            top,
            self.side - size[1] - top,
            left,
            self.side - size[0] - left,
            self.cv2.BORDER_CONSTANT,
            value=(GREY,) * 3,
        )
        box = self.records.boxes[row] * (*size, *size) + (left, top, left, top)
        image, box = self._affine(image, box)
        image = self._hsv(image)
        if random.random() < 0.5:
            image = np.fliplr(image)
            box = np.array([self.side - box[2], box[1], self.side - box[0], box[3]])
        planes = np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))
        return torch.from_numpy(planes), torch.from_numpy(box)

    def _affine(self, image: NDArray[Any], box: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        middle = self.side / 2
        scale = random.uniform(1 - AFFINE_SCALE, 1 + AFFINE_SCALE)
        shift = [random.uniform(0.5 - AFFINE_SHIFT, 0.5 + AFFINE_SHIFT) * self.side for _ in range(2)]
        matrix = np.array([[scale, 0, shift[0] - scale * middle], [0, scale, shift[1] - scale * middle]])
        image = self.cv2.warpAffine(image, matrix, dsize=(self.side, self.side), borderValue=(GREY,) * 3)
        corners = np.array([[box[0], box[1], 1], [box[2], box[1], 1], [box[0], box[3], 1], [box[2], box[3], 1]])
        moved = corners @ matrix.T
        return image, np.concatenate((moved.min(0), moved.max(0))).clip(0, self.side)

    def _hsv(self, image: NDArray[Any]) -> NDArray[Any]:
        gains = np.random.uniform(-1, 1, 3) * HSV + 1  # noqa: NPY002 - as they do
        hue, saturation, value = self.cv2.split(self.cv2.cvtColor(image, self.cv2.COLOR_BGR2HSV))
        levels = np.arange(256, dtype=np.float64)
        tables = [
            ((levels * gains[0]) % 180).astype(np.uint8),
            np.clip(levels * gains[1], 0, 255).astype(np.uint8),
            np.clip(levels * gains[2], 0, 255).astype(np.uint8),
        ]
        channels = (hue, saturation, value)
        changed = [self.cv2.LUT(channel, table) for channel, table in zip(channels, tables, strict=True)]
        result: NDArray[Any] = self.cv2.cvtColor(self.cv2.merge(changed), self.cv2.COLOR_HSV2BGR)
        return result
