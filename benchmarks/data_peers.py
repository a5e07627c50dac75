"""How others would load the same photos: torchvision's ImageFolder with transforms.v2, and OpenCV as detectors use it.

All give uint8 planes of the same size after the same kinds of changes as locnet's `augment`, so that what is compared
is the work of decoding and changing an image. What each does is in docs/benchmarks.md.
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

from locnet.data.augment import Augment
from locnet.data.records import Records

AFFINE_SCALE, AFFINE_SHIFT = 0.5, 0.1  # Ultralytics' defaults of scale, translate, hsv_h, hsv_s, hsv_v, fliplr
HSV = (0.015, 0.7, 0.4)
GREY = 114
BUFFER = 256  # images that stay decoded for mosaics; theirs is 8 batches of 32


def image_folder(records: Records, folder: Path, side: int, augment: Augment | None) -> ImageFolder:
    """Torchvision's way: no box follows, the image alone is changed. It has no mosaic.

    Without `augment` images are decoded and scaled only.
    """
    for row in range(len(records)):
        label = int(records.labels[row])
        place = folder / (records.classes[label] if label >= 0 else "background")
        place.mkdir(exist_ok=True)
        (place / f"{row:06}{records.path(row).suffix}").symlink_to(records.path(row).absolute())
    return ImageFolder(str(folder), v2.Compose([v2.PILToTensor(), *_changes(side, augment)]))


def _changes(side: int, augment: Augment | None) -> list[Any]:
    """Those of `augment` that have a strength, at the same strength; the crop is always theirs."""
    if augment is None:
        return [v2.Resize((side, side), antialias=True)]
    jitter = (augment.brightness, augment.contrast, augment.saturation, augment.hue)
    blur = v2.GaussianBlur(5, (0.1, max(augment.blur_sigma, 0.2)))
    changes: tuple[tuple[float, Any], ...] = (
        (1.0, v2.RandomResizedCrop(side, scale=(augment.zoom_in_area, 1.0), antialias=True)),
        (augment.flip, v2.RandomHorizontalFlip(augment.flip)),
        (max(jitter), v2.ColorJitter(*jitter)),
        (augment.grayscale, v2.RandomGrayscale(augment.grayscale)),
        (augment.blur, v2.RandomApply([blur], p=augment.blur)),
        (augment.erase, v2.RandomErasing(augment.erase, scale=(0.02, augment.erase_area))),
    )
    return [change for strength, change in changes if strength]


class OpenCvImages(Dataset[tuple[Tensor, Tensor]]):
    """What Ultralytics does to an image: read, scale, mosaic or letterbox, affine, HSV, flip, planes.

    The other three images of a mosaic come from those that were decoded lately, as theirs do.
    """

    def __init__(self, records: Records, side: int, *, mosaic: float, changes: bool = True) -> None:
        """Serve `records` at `side` pixels; `mosaic` is the share of mosaics, without `changes` there are none."""
        import cv2

        cv2.setNumThreads(0)
        self.cv2: Any = cv2
        self.settings = {"records": records, "side": side, "mosaic": mosaic, "changes": changes}
        self.records, self.side, self.mosaic, self.changes = records, side, mosaic, changes
        self.decoded: dict[int, NDArray[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.settings

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        image = self._load(row)
        if not self.changes:
            return _planes(*self._letterbox(row, image))
        if random.random() < self.mosaic:
            image, boxes = self._mosaic(row)
        else:
            image, boxes = self._letterbox(row, image)
        image, boxes = self._affine(image, boxes)
        image = self._hsv(image)
        if random.random() < 0.5:
            image = np.fliplr(image)
            boxes[:, [0, 2]] = self.side - boxes[:, [2, 0]]
        return _planes(image, boxes[:1])

    def _load(self, row: int) -> NDArray[Any]:
        """An image whose longer side is that of the input; the latest of them are kept."""
        image = self.cv2.imread(str(self.records.path(row)))
        height, width = image.shape[:2]
        ratio = self.side / max(height, width)
        size = (min(math.ceil(width * ratio), self.side), min(math.ceil(height * ratio), self.side))
        self.decoded[row] = self.cv2.resize(image, size, interpolation=self.cv2.INTER_LINEAR)
        if len(self.decoded) > BUFFER:
            del self.decoded[next(iter(self.decoded))]
        return self.decoded[row]

    def _letterbox(self, row: int, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        height, width = image.shape[:2]
        left, top = (self.side - width) // 2, (self.side - height) // 2
        edges = (top, self.side - height - top, left, self.side - width - left)
        image = self.cv2.copyMakeBorder(image, *edges, self.cv2.BORDER_CONSTANT, value=(GREY,) * 3)
        return image, (self.records.boxes[row] * (width, height, width, height) + (left, top, left, top))[None]

    def _mosaic(self, row: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Four images that meet in a point of a canvas of twice the side; the first lies in the upper left."""
        side = self.side
        x, y = (int(random.uniform(side / 2, side * 3 / 2)) for _ in range(2))
        canvas = np.full((2 * side, 2 * side, 3), GREY, dtype=np.uint8)
        boxes = []
        for place, other in enumerate([row, *random.choices(list(self.decoded), k=3)]):
            tile = self.decoded[other]
            height, width = tile.shape[:2]
            left, top = (x if place % 2 else x - width), (y if place > 1 else y - height)
            first, last = (max(left, 0), max(top, 0)), (min(left + width, 2 * side), min(top + height, 2 * side))
            part = tile[first[1] - top : last[1] - top, first[0] - left : last[0] - left]
            canvas[first[1] : last[1], first[0] : last[0]] = part
            boxes.append(self.records.boxes[other] * (width, height, width, height) + (left, top, left, top))
        return canvas, np.array(boxes).clip(0, 2 * side)

    def _affine(self, image: NDArray[Any], boxes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        middle = image.shape[0] / 2
        scale = random.uniform(1 - AFFINE_SCALE, 1 + AFFINE_SCALE)
        shift = [random.uniform(0.5 - AFFINE_SHIFT, 0.5 + AFFINE_SHIFT) * self.side for _ in range(2)]
        matrix = np.array([[scale, 0, shift[0] - scale * middle], [0, scale, shift[1] - scale * middle]])
        image = self.cv2.warpAffine(image, matrix, dsize=(self.side, self.side), borderValue=(GREY,) * 3)
        corners = np.ones((len(boxes) * 4, 3))
        corners[:, :2] = boxes[:, [0, 1, 2, 3, 0, 3, 2, 1]].reshape(-1, 2)
        moved = (corners @ matrix.T).reshape(len(boxes), 4, 2)
        return image, np.concatenate((moved.min(1), moved.max(1)), axis=1).clip(0, self.side)

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


def _planes(image: NDArray[Any], boxes: NDArray[Any]) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))), torch.from_numpy(boxes)
