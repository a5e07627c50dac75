"""A map-style data set: one labelled image as the network takes it."""

from __future__ import annotations

from random import Random
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from locnet import target
from locnet.data.augment import Augment
from locnet.data.augment.mosaic import Tile, draw_tiles
from locnet.data.augment.windows import chance, one_of, uniform
from locnet.data.cache import CachedImages
from locnet.data.cutouts import Cutouts
from locnet.data.pixels import as_image
from locnet.data.records import Records
from locnet.data.resize import Placement, ResizeMode, fit, fit_scaled
from locnet.data.samplers import Draw
from locnet.data.sources import ImageFiles, ImageSource, RecentImages, SourceImage

KEPT_BYTES = 2**27
"""Decoded backgrounds for mosaics that each process keeps, where there is no cache: some 200 photos of 512 x 384."""


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
        cutouts: Cutouts | None = None,
    ) -> None:
        """Serve `records` at `height` x `width` pixels.

        Args:
            records: the labels.
            height: of the network input, pixels.
            width: of the network input, pixels.
            resize: how images meet it.
            augment: without it, images come as they are.
            source: of the images; None reads the files that the records name.
            cutouts: what `augment` pastes; without them it pastes nothing.
        """
        self.records = records
        self.source = source or ImageFiles(records)
        self.height, self.width, self.resize = height, width, resize
        self.augment, self.cutouts = augment, cutouts
        self.backgrounds = np.flatnonzero(records.labels < 0)  # in other tiles of a mosaic, behind pasted objects
        decodes = not isinstance(self.source, CachedImages)
        self.recent = RecentImages(self.source, KEPT_BYTES) if decodes else self.source

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, draw: Draw | int) -> Sample:
        """Load one image: a `Draw` of our samplers, or a row number (Lightning's own samplers give these).

        Raises:
            ImageError: the image cannot be read.
        """
        draw = Draw(draw, None) if isinstance(draw, int) else draw
        records, index = self.records, draw.index
        label = int(records.labels[index])
        loaded = self._load(index, background=label < 0)
        truth = torch.from_numpy(records.boxes[index])
        box: Tensor | None = truth.float() if label >= 0 else None
        placement = torch.tensor((0.0, 0.0, 1.0, 1.0))
        if self.augment is not None and draw.seed is not None:
            generator = Random(draw.seed)
            image, box = self._varied(self.augment, loaded, box, label, generator, draw)
            label = label if box is not None else -1  # a crop without the object is background, on purpose
        else:
            image, where = self._fitted(loaded)
            placement = where.as_tensor().float()
            box = where.to_input(box) if box is not None else None
        y = target.encode_one(label, None if box is None else box.tolist(), len(records.classes))
        return Sample(
            image=image,
            target=y,
            label=torch.tensor(label),
            box_xyxy=truth.float(),
            placement=placement,
            size=torch.tensor((loaded.height, loaded.width)),
            index=torch.tensor(index),
        )

    def _load(self, index: int, *, background: bool) -> SourceImage:
        """The image of a row, as large as it is needed."""
        side = max(self.height, self.width)
        wanted = self.augment.source_side(side) if self.augment is not None else side
        again = background and self.augment is not None and self.augment.mosaic + self.augment.paste > 0
        return (self.recent if again else self.source).load(index, wanted)

    def _fitted(self, loaded: SourceImage) -> tuple[Tensor, Placement]:
        """The image as it is, in the network's input."""
        if loaded.fitted is not None:
            return fit_scaled(loaded.fitted, self.height, self.width, self.resize)
        return fit(as_image(loaded.picture), self.height, self.width, self.resize)

    def _varied(
        self, augment: Augment, loaded: SourceImage, box: Tensor | None, label: int, generator: Random, draw: Draw
    ) -> tuple[Tensor, Tensor | None]:
        """A random variant of an image, or of another object of its class before another background."""
        if self.cutouts is None or box is None or draw.plain:
            return self._augmented(augment, loaded, box, generator, draw)
        kind = uniform(generator, 0.0, 1.0)
        backgrounds = self._backgrounds_near(draw.index)
        if kind < augment.paste and len(backgrounds) and label in self.cutouts.by_label:
            behind = self._load(int(one_of(generator, backgrounds)), background=True).picture
            image, _ = augment(behind, None, self.height, self.width, self.resize, generator)
            return image, box.new_tensor(self.cutouts.onto(image, label, generator, augment.recoloured))
        image, box = self._augmented(augment, loaded, box, generator, draw)
        if box is not None and augment.paste <= kind < augment.paste + augment.paste_beside:
            left, top, right, bottom = box.tolist()
            self.cutouts.beside(image, (left, top, right, bottom), generator, augment.recoloured)
        return image, box

    def _augmented(
        self, augment: Augment, loaded: SourceImage, box: Tensor | None, generator: Random, draw: Draw
    ) -> tuple[Tensor, Tensor | None]:
        """A random variant of an image, alone or in a mosaic with background images of the same split."""
        height, width = self.height, self.width
        backgrounds = self.backgrounds[:0] if draw.plain else self._backgrounds_near(draw.index)
        if not len(backgrounds) or not chance(generator, augment.mosaic):
            return augment(loaded.picture, box, height, width, self.resize, generator, loaded.fitted)
        pixels = torch.empty(3, height, width, dtype=torch.uint8)
        tiles = draw_tiles(generator, width, height)
        for number, (left, top, right, bottom) in enumerate(tiles):
            own = number == 0
            shown = loaded.picture if own else self._load(int(one_of(generator, backgrounds)), background=True).picture
            tile, in_tile = augment(shown, box if own else None, bottom - top, right - left, "squash", generator)
            pixels[:, top:bottom, left:right] = tile
            if own:
                box = None if in_tile is None else _from_tile(in_tile, tiles[0], height, width)
        return pixels, box

    def _backgrounds_near(self, row: int) -> NDArray[np.int64]:
        """Background images that are had at little cost once that of a row is needed: those of the same shard."""
        near = self.source.near(row)
        first, last = np.searchsorted(self.backgrounds, (near.start, near.stop))
        return self.backgrounds[first:last]


def _from_tile(box: Tensor, tile: Tile, height: int, width: int) -> Tensor:
    """A box `(4,)`, xyxy in fractions of a tile, in fractions of the whole input."""
    left, top, right, bottom = tile
    scale = box.new_tensor((right - left, bottom - top) * 2)
    return (box * scale + box.new_tensor((left, top) * 2)) / box.new_tensor((width, height) * 2)
