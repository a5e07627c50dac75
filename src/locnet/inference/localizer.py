"""The Python API: load a trained localizer, give it images, get typed results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from os import PathLike
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from locnet.answer import Answer, read_off
from locnet.calibration.conformal import grow
from locnet.calibration.crop import crop_margin
from locnet.data.resize import ResizeMode
from locnet.errors import ConfigError
from locnet.inference.inputs import SINGLE, Batch, ImageLike, Input, prepare, stack
from locnet.inference.result import Box, Result, whole_pixels
from locnet.models.folding import folded
from locnet.models.network import Network
from locnet.runtime.checkpoints import find_checkpoint, load_trained
from locnet.runtime.device import pick_device


class Localizer:
    """A trained network with all that it takes to use it; may be called from several threads at once.

    Attributes:
        network: in evaluation mode, on `device`; from `load` with BatchNorm folded into its convolutions.
        device: that it runs on.
        classes: the C class names, in the order of the scores.
        image_size: (height, width) of the network's input, in pixels.
        resize: how images meet it.
        threshold: the verdict is background where p_c < threshold.
        has_box: False from a plain classifier.
    """

    def __init__(
        self,
        network: Network,
        *,
        resize: ResizeMode = "squash",
        threshold: float = 0.5,
        device: str = "auto",
    ) -> None:
        """Take a network that is in memory.

        Args:
            network: trained.
            resize: how images meet its input.
            threshold: the verdict is background where p_c < threshold.
            device: auto, cpu, cuda, cuda:1, mps.

        Raises:
            ConfigError: this machine does not have the device.
        """
        self.device = pick_device(device)
        self.network = network.eval().to(self.device)
        self.classes, self.image_size, self.has_box = network.classes, network.image_size, network.has_box
        self.resize, self.threshold = resize, threshold

    @classmethod
    def load(cls, place: str | PathLike[str], *, device: str = "auto", threshold: float | None = None) -> Localizer:
        """Load a run directory, a checkpoint, or one that wandb keeps; nothing in the file is executed.

        Args:
            place: of one of them; `artifact:ENTITY/PROJECT/NAME:ALIAS` is downloaded.
            device: auto, cpu, cuda, cuda:1, mps.
            threshold: None takes the one that was learned with the network.

        Raises:
            CheckpointError: there is none, or it cannot be used.
            ConfigError: this machine does not have the device, or the threshold is not in [0, 1].
        """
        pick_device(device)  # before anything is read
        network, resize, learned, _ = load_trained(find_checkpoint(str(place)))
        return cls(folded(network.eval()), resize=resize, threshold=_checked(threshold, learned), device=device)

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a str is a sequence too, and one image comes first
        self,
        images: ImageLike,
        *,
        threshold: float | None = ...,
        coverage: float | None = ...,
        batch_size: int = ...,
    ) -> Result: ...

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a sequence is iterable too, and comes first
        self,
        images: Sequence[ImageLike],
        *,
        threshold: float | None = ...,
        coverage: float | None = ...,
        batch_size: int = ...,
    ) -> list[Result]: ...

    @overload
    def __call__(
        self,
        images: Iterable[ImageLike],
        *,
        threshold: float | None = ...,
        coverage: float | None = ...,
        batch_size: int = ...,
    ) -> Iterator[Result]: ...

    def __call__(
        self,
        images: ImageLike | Iterable[ImageLike],
        *,
        threshold: float | None = None,
        coverage: float | None = None,
        batch_size: int = 32,
    ) -> Result | list[Result] | Iterator[Result]:
        """Answer for one image, a list of them, or any iterable, in their order.

        Args:
            images: one image (see `ImageLike`) gives one result; a list, tuple, or array with one more axis gives a
                list; another iterable gives an iterator, which reads a batch ahead and no more.
            threshold: for this call.
            coverage: above 0 and below 1: add a crop that holds the whole object with this probability.
            batch_size: images that go through the network at once.

        Raises:
            DataError: an image cannot be read.
            ConfigError: the threshold, coverage or batch size cannot be, or the crop cannot be had.
        """
        threshold = _checked(threshold, self.threshold)
        if batch_size < 1:
            raise ConfigError(f"batch_size={batch_size} must be 1 or more")
        margin = None if coverage is None else self.margin(coverage)
        pixels = isinstance(images, (np.ndarray, Tensor))
        if isinstance(images, SINGLE) or (pixels and images.ndim != 4):  # type: ignore[union-attr]
            one: Any = images
            return self.results(stack([self.prepare(one)]), threshold=threshold, margin=margin)[0]
        if not isinstance(images, Iterable) or isinstance(images, bytes):
            self.prepare(images)  # says what it is not
        answers = self._batches(iter(images), threshold, margin, batch_size)
        return list(answers) if pixels or isinstance(images, Sequence) else answers

    def prepare(self, image: ImageLike) -> Input:
        """Decode and scale one image; needs the network's size only, so that any thread may do it.

        Raises:
            DataError: it cannot be read.
        """
        return prepare(image, *self.image_size, self.resize)

    @torch.inference_mode()
    def answer(self, batch: Batch) -> Answer:
        """One forward pass; tensors on the CPU."""
        return read_off(self.network(batch.images.to(self.device)).y.cpu(), batch.placements)

    def results(self, batch: Batch, *, threshold: float | None = None, margin: float | None = None) -> list[Result]:
        """One forward pass, and its answers one by one.

        Args:
            batch: of prepared images.
            threshold: None takes the localizer's.
            margin: see the method of that name; None gives no crops.
        """
        answer = self.answer(batch)
        least = self.threshold if threshold is None else threshold
        boxes = answer.boxes.double().numpy()
        crops = grow(boxes, margin) if margin is not None else boxes
        p_c, scores = answer.p_c.tolist(), answer.scores.tolist()
        results = []
        for index, (height, width) in enumerate(batch.sizes):
            label = max(range(len(self.classes)), key=scores[index].__getitem__)
            edges = boxes[index]
            results.append(
                Result(
                    present=p_c[index] >= least,
                    p_c=p_c[index],
                    class_name=self.classes[label],
                    label=label,
                    scores=dict(zip(self.classes, scores[index], strict=True)),
                    box=Box(*(edges * (width, height, width, height)).tolist()) if self.has_box else None,
                    box_fractions=Box(*edges.tolist()) if self.has_box else None,
                    crop=None if margin is None else whole_pixels(crops[index], width, height),
                    width=width,
                    height=height,
                )
            )
        return results

    def margin(self, coverage: float) -> float:
        """By how much boxes must grow to hold the whole object with a probability of `coverage`.

        Raises:
            ConfigError: the coverage is not between 0 and 1, or the checkpoint has no residuals.
        """
        if not 0 < coverage < 1:
            raise ConfigError(f"coverage={coverage:g} must be above 0 and below 1")
        return crop_margin(self.network.calibration, coverage)

    def _batches(
        self, images: Iterator[ImageLike], threshold: float, margin: float | None, batch_size: int
    ) -> Iterator[Result]:
        while inputs := [self.prepare(image) for image in islice(images, batch_size)]:
            yield from self.results(stack(inputs), threshold=threshold, margin=margin)


def _checked(threshold: float | None, otherwise: float) -> float:
    if threshold is not None and not 0 <= threshold <= 1:
        raise ConfigError(f"threshold={threshold:g} must lie in [0, 1]")
    return otherwise if threshold is None else threshold
