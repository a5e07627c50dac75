"""A map-style data set: one labelled image as the network takes it."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor
from torch.utils.data import Dataset

from locnet import target
from locnet.data.augment import Augment
from locnet.data.images import load_image
from locnet.data.records import Records
from locnet.data.resize import ResizeMode, fit
from locnet.data.samplers import Draw
from locnet.errors import DataError


class Sample(TypedDict):
    """One image; a batch has the same keys with a leading dimension B."""

    image: Tensor  # (3, H, W) uint8, RGB
    target: Tensor  # (5 + C,) float32, y in fractions of the network's input
    label: Tensor  # () int64, class index, -1 for background
    box_xyxy: Tensor  # (4,) float32, true box in fractions of the original image, NaN for background
    placement: Tensor  # (4,) float32, where the image lies in the input (xyxy); unused where augmented
    size: Tensor  # (2,) int64, height and width of the original image in pixels
    index: Tensor  # () int64, row of the data set


class ImageError(DataError):
    """An image of a data set cannot be read.

    From a loader's worker process torch hands an error over as its type, called with a whole traceback as
    text (torch 2.14, `ExceptionWrapper` in _utils.py); what was said is in the last line.
    """

    def __init__(self, message: str) -> None:
        last = message.strip().rpartition("\n")[2]
        super().__init__(last.removeprefix(f"{__name__}.{type(self).__name__}: "))


class LabelledImages(Dataset[Sample]):
    """The images of one split, resized to the network's input, augmented where the draw carries a seed."""

    def __init__(
        self, records: Records, *, height: int, width: int, resize: ResizeMode, augment: Augment | None = None
    ) -> None:
        """Serve `records` at `height` x `width` pixels; without `augment`, images come as they are."""
        self.records = records
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
        try:
            loaded = load_image(records.path(index), at_least=wanted)
        except DataError as error:
            raise ImageError(str(error)) from error
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
