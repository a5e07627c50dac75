"""The real images that an export is measured on, and those that int8 ranges are measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locnet.config.defaults import data_settings
from locnet.config.schema import DataSettings
from locnet.data.datamodule import LabelledImagesModule
from locnet.data.images import load_image
from locnet.data.records import Records
from locnet.data.resize import ResizeMode
from locnet.errors import ConfigError, DataError, LocnetError
from locnet.formats.parity import Answers
from locnet.predictions import Predictions
from locnet.runtime.remembered import trained_on
from locnet.sources.search import open_source
from locnet.sources.urls import is_url, read_url

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pictures:
    """Images of one split, or of no labelled data at all.

    Attributes:
        name: what they are, for people.
        files: where they are.
        data: opens them; None where they are plain files.
        truth: the labels of the same images, in the same order; None where there are none.
    """

    name: str
    files: list[str]
    data: LabelledImagesModule | None = None
    truth: Records | None = None

    def __iter__(self) -> Iterator[Pixels]:
        """`(height, width, 3)` uint8 RGB each, upright."""
        for file in self.files:
            if self.data is not None:
                yield np.asarray(self.data.picture(file))
            else:
                yield np.asarray(load_image(read_url(file) if is_url(file) else Path(file)).image)

    def __len__(self) -> int:
        return len(self.files)

    def predictions(self, answers: Answers, classes: Sequence[str], threshold: float) -> Predictions | None:
        """Truth and answers as a table; None without truth."""
        if self.truth is None or not self.truth.has_boxes:
            return None
        return Predictions(
            classes=tuple(classes),
            files=self.files,
            sizes=answers.sizes,
            labels=self.truth.labels,
            boxes=self.truth.boxes,
            p_c=answers.p_c,
            class_scores=answers.scores,
            predicted_boxes=answers.boxes,
            threshold=threshold,
        )


@dataclass(frozen=True)
class PictureSource:
    """Where both come from.

    Attributes:
        source: a file, folder or pattern of images, without labels; None takes the data.
        data: settings of labelled data; None takes those that the network was trained on, and where they are not
            there, drawn scenes.
        hparams: of the checkpoint.
        classes: of the network.
        image_size: of the network.
        resize: of the network.
        cache_dir: for drawn scenes.
    """

    source: str | None
    data: DataSettings | None
    hparams: dict[str, Any]
    classes: tuple[str, ...]
    image_size: tuple[int, int]
    resize: ResizeMode
    cache_dir: str

    def take(self, count: int, *, test: bool) -> Pictures:
        """At most so many images, spread evenly: of the test split (val where it is empty), or of train.

        Raises:
            DataError: the source or the data cannot be used.
        """
        if self.source is not None:
            files = list(open_source(self.source).names)
            return Pictures(self.source, [files[row] for row in spread(len(files), count)])
        try:
            return self._labelled(self.data or trained_on(self.hparams), self.classes, count, test)
        except (LocnetError, OSError):
            if self.data is not None:
                raise
        return self._labelled(_drawn(), None, count, test)

    def samples(self, count: int) -> Pictures:
        """Pictures to show to the world: of `source`, or drawn scenes, never the user's own data by accident."""
        return self.take(count, test=True) if self.source is not None else self._labelled(_drawn(), None, count, True)

    def _labelled(self, data: DataSettings, classes: tuple[str, ...] | None, count: int, test: bool) -> Pictures:
        module = LabelledImagesModule(
            data, image_size=self.image_size, classes=classes, resize=self.resize, cache_dir=self.cache_dir
        )
        records = module.records
        for split in ("test", "val", "train") if test else ("train",):
            chosen = records.select(split)
            if len(chosen):
                chosen = chosen.take(np.array(spread(len(chosen), count)))
                truth = None if classes is None else chosen
                return Pictures(f"{records.root} ({split})", [str(f) for f in chosen.files.tolist()], module, truth)
        raise DataError(f"{records.root}: there is no image in it")


def _drawn() -> DataSettings:
    return data_settings("streets", size=256, train=32, val=1, test=32, num_workers=0)


def spread(total: int, count: int) -> list[int]:
    """At most `count` of `total` numbers from 0 on, evenly spread."""
    if count < 1:
        raise ConfigError("there must be at least one image")
    return sorted(set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()))
