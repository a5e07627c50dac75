"""The LightningDataModule: labels in, batches out."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
from PIL import Image
from torch.utils.data import DataLoader, default_collate

from locnet.config.schema import DataSettings, ShardsSettings
from locnet.data.augment import Augment
from locnet.data.cache import CachedImages, cached, keep_for
from locnet.data.cutouts import Cutouts
from locnet.data.dataset import LabelledImages, Sample
from locnet.data.images import load_image
from locnet.data.labels.assemble import Reading
from locnet.data.loader import TimedLoader
from locnet.data.pixels import as_image
from locnet.data.reading import read_data
from locnet.data.records import SPLITS, Records
from locnet.data.resize import ResizeMode
from locnet.data.samplers import ExactSampler, TrainSampler
from locnet.data.shards.index import ShardIndex
from locnet.data.shards.opening import as_reading, open_index
from locnet.data.shards.source import ShardImages, ShardSampler, images_of
from locnet.data.shards.store import is_url
from locnet.data.sources import ImageFiles, ImageSource, OriginalSource
from locnet.data.workers import prepare_worker, worker_count
from locnet.errors import DataError

log = logging.getLogger(__name__)

PICTURE = 512
"""Both sides of an image in a report are decoded to at least this many pixels: large photos much faster than whole."""


class LabelledImagesModule(pl.LightningDataModule):
    """Serves the splits at the network's size: training augmented and shuffled, evaluation exactly once each."""

    def __init__(
        self,
        data: DataSettings,
        *,
        image_size: tuple[int, int],
        augment: Augment | None = None,
        seed: int = 0,
        classes: tuple[str, ...] | None = None,
        resize: ResizeMode | None = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        """Keep the settings; nothing is opened yet.

        Args:
            data: where the labels are and how they are served.
            image_size: (height, width) of the network's input in pixels.
            augment: of the training split; None serves it as it is.
            seed: of the training order and the augmentation.
            classes: names that a trained model has, in its order; None takes those of the data.
            resize: how a trained model's images meet its input; None takes what `data` says.
            cache_dir: of drawn scenes and decoded images; not needed where the settings ask for neither.
        """
        super().__init__()
        self.data, self.augment, self.seed, self.classes = data, augment, seed, classes
        self.image_size = image_size
        self.resize: ResizeMode = resize or data.resize
        self.cache_dir = None if cache_dir is None else Path(cache_dir).expanduser().absolute()
        self._reading: Reading | None = None
        self._shards: ShardIndex | None = None
        self._found_cutouts: Cutouts | None = None
        self._cached: dict[tuple[str, bool], CachedImages] = {}
        self._resumed = (0, 0)

    @property
    def reading(self) -> Reading:
        """All labels and what became of them, read (the streets: drawn) at the first use.

        Raises:
            DataError: the labels cannot be used.
        """
        if self._reading is None:
            shards = self.shards
            self._reading = as_reading(shards) if shards else read_data(self.data, self.classes, self.cache_dir)
        return self._reading

    @property
    def shards(self) -> ShardIndex | None:
        """The index of packed images; None where the images are files.

        Raises:
            DataError: it cannot be used.
        """
        if self._shards is None and isinstance(self.data, ShardsSettings):
            self._shards = open_index(self.data, self.classes)
        return self._shards

    @property
    def records(self) -> Records:
        """The usable labels; see `reading`."""
        return self.reading.records

    def dataset(self, split: str, *, augmented: bool = False) -> LabelledImages:
        """The images of one split.

        Raises:
            DataError: the split is empty.
        """
        records = self.records.select(split)
        if not len(records):
            others = {name: len(self.records.select(name)) for name in SPLITS if name != split}
            rest = ", ".join(f"{name} has {count}" for name, count in others.items())
            raise DataError(f"data: the split {split} of {self.records.root} has no images ({rest})")
        height, width = self.image_size
        augment = self.augment if augmented else None
        source = self._source(split, records, augment)
        cutouts = self._cutouts(records, source, augment) if augment and augment.pastes else None
        return LabelledImages(
            records,
            height=height,
            width=width,
            resize=self.resize,
            augment=augment,
            source=source,
            cutouts=cutouts,
        )

    def _cutouts(self, records: Records, source: ImageSource, augment: Augment) -> Cutouts:
        """The training split's objects that can be pasted; found once."""
        if self._found_cutouts is None:
            side = max(self.image_size)
            started = time.perf_counter()
            found = Cutouts.of(records, source, seed=self.seed, at_least=augment.source_side(side), most_side=side)
            self._found_cutouts = found
            each = ", ".join(
                f"{name} {len(found.by_label.get(label, ()))}" for label, name in enumerate(records.classes)
            )
            log.info(
                "%-14s of %d objects, %d have an outline that fits their box (%s), %.0f s",
                "cutouts",
                found.tried,
                len(found.all),
                each,
                time.perf_counter() - started,
            )
        return self._found_cutouts

    def _source(self, split: str, records: Records, augment: Augment | None) -> ImageSource:
        """Where the images of a split come from."""
        source = self._originals(split, records)
        if self.data.cache == "none":
            return source
        key = (split, augment is not None)
        if key not in self._cached:
            self._cached[key] = cached(
                source,
                name=f"{records.root} {split}",
                sizes=records.sizes,
                keep=keep_for(self.image_size, self.resize, augment),
                where=self.data.cache,
                folder=_needed(self.cache_dir),
                workers=worker_count("auto"),
            )
        return self._cached[key]

    def _originals(self, split: str, records: Records) -> OriginalSource:
        """The images of a split, not cached."""
        if self.shards is None:
            return ImageFiles(records)
        assert isinstance(self.data, ShardsSettings)
        local = self.cache_dir if self.cache_dir or is_url(self.data.root) else Path()
        return images_of(self.shards, split, records, self.data, _needed(local))

    def picture(self, file: str) -> Image.Image:
        """The upright image of a file that the records name, for reports: at least `PICTURE` pixels where it has them.

        Raises:
            ImageError: it cannot be read.
        """
        if self.shards is None:
            return load_image(self.records.root / file, PICTURE).image
        row = self.records.files.index(file)
        split = str(self.records.splits[row])
        place = int((self.records.splits[:row] == split).sum())
        return as_image(self._originals(split, self.records.select(split)).load(place, PICTURE).picture)

    def train_dataloader(self) -> DataLoader[Sample]:
        """Shuffled, augmented, whole batches only."""
        dataset = self.dataset("train", augmented=True)
        sampler = self._train_sampler(dataset)
        if len(sampler) < self.data.batch_size:
            raise DataError(
                f"data.batch_size={self.data.batch_size} is more than the {len(sampler)} training images of a process"
            )
        epoch, batches = self._resumed
        sampler.resume(epoch, batches * self.data.batch_size)
        return self._loader(dataset, sampler, training=True)

    def _train_sampler(self, dataset: LabelledImages) -> TrainSampler:
        """An order that suits where the images come from."""
        options: dict[str, Any] = {"seed": self.seed, "rank": self._rank, "world": self._world}
        options["plain_from"] = self._plain_from
        source = dataset.source
        if not isinstance(source, ShardImages):
            return TrainSampler(len(dataset), **options)
        assert isinstance(self.data, ShardsSettings)
        ahead = source.store.fetch_ahead
        return ShardSampler(source.positions.shard, window=self.data.shuffle_shards, ahead=ahead, **options)

    def val_dataloader(self) -> DataLoader[Sample]:
        """Every validation image exactly once over all processes."""
        return self.exact_dataloader("val")

    def test_dataloader(self) -> DataLoader[Sample]:
        """Every test image exactly once over all processes."""
        return self.exact_dataloader("test")

    def exact_dataloader(self, split: str) -> DataLoader[Sample]:
        """Every image of a split exactly once over all processes, as it is."""
        dataset = self.dataset(split)
        stretches = isinstance(dataset.source, ShardImages)  # so that no process needs all shards
        sampler = ExactSampler(len(dataset), rank=self._rank, world=self._world, contiguous=stretches)
        return self._loader(dataset, sampler) if len(sampler) else _no_image(dataset)

    def state_dict(self) -> dict[str, Any]:
        """Where training is in its data: goes into every checkpoint."""
        assert self.trainer is not None
        loop = self.trainer.fit_loop
        epochs: Any = loop.epoch_progress.current
        finished = epochs.processed
        inside = epochs.ready > finished  # the epoch of this number has begun
        return {
            "epoch": finished,
            "batches": loop.epoch_loop.batch_progress.current.ready if inside else 0,
            "processes": self._world,
            "fingerprint": self.records.fingerprint(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on in the middle of an epoch (Lightning counts the batches, but does not skip any).

        Raises:
            DataError: the labels are not those that the run began with, or other processes share them.
        """
        if state_dict["fingerprint"] != self.records.fingerprint():
            raise DataError(
                f"{self.records.root}: the labels have changed since the run began, so it cannot go on as it began; "
                "init_from=RUN_DIR starts a new one from its weights"
            )
        if state_dict["processes"] != self._world:
            raise DataError(
                f"the run began with {state_dict['processes']} processes and goes on with as many, not with "
                f"{self._world}; init_from=RUN_DIR starts a new one from its weights"
            )
        self._resumed = (state_dict["epoch"], state_dict["batches"])

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _world(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    @property
    def _plain_from(self) -> float:
        """The epoch from which on mosaics and pasted objects are left out."""
        epochs = self.trainer.max_epochs if self.trainer else None
        if self.augment is None or not epochs or epochs < 0:
            return math.inf
        return epochs - self.augment.plain_epochs

    def _loader(self, dataset: LabelledImages, sampler: Any, *, training: bool = False) -> DataLoader[Sample]:
        local = getattr(self.trainer, "num_devices", 1) if self.trainer else 1
        workers = worker_count(self.data.num_workers, local)
        return TimedLoader(
            dataset,
            batch_size=self.data.batch_size,
            sampler=sampler,
            drop_last=training,
            reuse=training,
            num_workers=workers,
            worker_init_fn=prepare_worker,
            persistent_workers=workers > 0,
            pin_memory=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
        )


def _needed(cache_dir: Path | None) -> Path:
    if cache_dir is None:
        raise ValueError("these data settings need a cache_dir")
    return cache_dir


def _no_image(dataset: LabelledImages) -> DataLoader[Sample]:
    """One batch of no images, for a process that a split has none for.

    Without any batch Lightning (2.6, `_EvaluationLoop.skip`) leaves out the end of the evaluation too, where the
    other processes then wait for this one.
    """

    def nothing(_: list[Sample]) -> Sample:
        whole = default_collate([dataset[0]])
        return cast(Sample, {name: value[:0] for name, value in whole.items()})

    return DataLoader(dataset, batch_sampler=[[]], collate_fn=nothing)
