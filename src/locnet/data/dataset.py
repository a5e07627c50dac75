"""A map-style data set: one labelled image as the network takes it."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor
from torch.utils.data import Dataset

from locnet import target
from locnet.data.augment import Augment
from locnet.data.records import Records
from locnet.data.resize import ResizeMode, fit
from locnet.data.samplers import Draw
from locnet.data.sources import ImageFiles, ImageSource


class Sample(TypedDict):
    """One image; a batch has the same keys with a leading dimension B."""

    image: Tensor  # (3, H, W) uint8, RGB
    target: Tensor  # (5 + C,) float32, y in fractions of the network's input
    label: Tensor  # () int64, class index, -1 for background
    box_xyxy: Tensor  # (4,) float32, true box in fractions of the original image, NaN for background
    placement: Tensor  # (4,) float32, where the image lies in the input (xyxy); unused where augmented
    size: Tensor  # (2,) int64, height and width of the original image in pixels
    index: Tensor  # () int64, row of the data set


class LabelledImages(Dataset[Sample]):
    """The images of one split, resized to the network's input, augmented where the draw carries a seed."""

    def __init__(
        self,
        records: Records,
        *,
        height: int,
        width: int,
        resize: ResizeMode,
        augment: Augment | None = None,
        source: ImageSource | None = None,
    ) -> None:
        """Serve `records` at `height` x `width` pixels.

        Args:
            records: the labels.
            height: of the network input, pixels.
            width: of the network input, pixels.
            resize: how images meet it.
            augment: without it, images come as they are.
            source: of the images; None reads the files that the records name.
        """
        self.records = records
        self.source = source or ImageFiles(records)
        self.height, self.width, self.resize = height, width, resize
        self.augment = augment

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, draw: Draw | int) -> Sample:
        """Load one image: a `Draw` of our samplers, or a row number (Lightning's own samplers give these).

        Raises:
            ImageError: the image cannot be read.
        """
        draw = Draw(draw, None) if isinstance(draw, int) else draw
        records, index = self.records, draw.index
        side = max(self.height, self.width)
        wanted = self.augment.source_side(side) if self.augment is not None else side
        loaded = self.source.load(index, wanted)
        label = int(records.labels[index])
        truth = torch.from_numpy(records.boxes[index])
        box: Tensor | None = truth.float() if label >= 0 else None
        placement = torch.tensor((0.0, 0.0, 1.0, 1.0))
        if self.augment is not None and draw.seed is not None:
            generator = torch.Generator().manual_seed(draw.seed)
            image, box = self.augment(loaded.image, box, self.height, self.width, self.resize, generator)
            label = label if box is not None else -1  # a crop without the object is background, on purpose
        else:
            image, where = fit(loaded.image, self.height, self.width, self.resize)
            placement = where.as_tensor().float()
            box = where.to_input(box) if box is not None else None
        label_tensor = torch.tensor(label)
        y = target.encode(label_tensor, box if box is not None else torch.full((4,), torch.nan), len(records.classes))
        return Sample(
            image=image,
            target=y,
            label=label_tensor,
            box_xyxy=truth.float(),
            placement=placement,
            size=torch.tensor((loaded.height, loaded.width)),
            index=torch.tensor(index),
        )
