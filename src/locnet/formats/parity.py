"""Whether an exported file gives PyTorch's answers, image by image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locnet.errors import DataError
from locnet.formats.answering import Outputs
from locnet.formats.engines import Engine

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Answers:
    """Answers for N images.

    Attributes:
        p_c: `(N,)` float64.
        boxes: `(N, 4)` float64, xyxy in fractions of the images; NaN from a plain classifier.
        scores: `(N, C)` float64.
        labels: `(N,)` int64.
        sizes: `(N, 2)` int64, height and width of the images in pixels.
    """

    p_c: NDArray[np.float64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]
    sizes: NDArray[np.int64]


def ask(engine: Engine, images: Iterable[Pixels]) -> Answers:
    """What the engine says about images of any sizes, one by one.

    Raises:
        DataError: there is no image.
    """
    said: list[Outputs] = []
    sizes = []
    for image in images:
        said.append(engine(np.array(image[None])))  # a copy: torch wants to own what it reads
        sizes.append(image.shape[:2])
    if not said:
        raise DataError("there is no image to compare the exported file's answers on; give source=FOLDER")
    shapes = np.array(sizes, np.int64)
    boxes = np.full((len(said), 4), np.nan)
    if said[0].box is not None:
        boxes = np.concatenate([out.box for out in said if out.box is not None]) / shapes[:, [1, 0, 1, 0]]
    return Answers(
        p_c=np.concatenate([out.p_c for out in said]).astype(np.float64),
        boxes=boxes.astype(np.float64),
        scores=np.concatenate([out.scores for out in said]).astype(np.float64),
        labels=np.concatenate([out.label for out in said]).astype(np.int64),
        sizes=shapes,
    )


@dataclass(frozen=True)
class Parity:
    """How an engine's answers differ from PyTorch's.

    Attributes:
        images: that were compared.
        p_c: greatest difference.
        box: greatest difference of an edge in pixels of the images, where PyTorch says that there is an object.
        box_median: of the images' greatest differences, likewise.
        classes: share of images with the same class.
        agreement: share of images that keep to the tolerance in all three.
    """

    images: int
    p_c: float
    box: float
    box_median: float
    classes: float
    agreement: float


def compare(
    truth: Answers, other: Answers, *, threshold: float, input_size: tuple[int, int], p_c: float, box: float
) -> Parity:
    """Compare image by image. Where PyTorch sees no object, box and class mean nothing, and only p_c is compared.

    Args:
        truth: PyTorch's answers.
        other: the engine's, for the same images.
        threshold: there is an object where p_c reaches it; where none reaches it, all images are compared in all.
        input_size: (height, width) of the network's input: the tolerance of a box is in its pixels, because an image of
            4,000 pixels that is scaled to 224 cannot be told edges of one pixel.
        p_c: tolerance.
        box: tolerance of an edge in pixels of the network's input.
    """
    present = truth.p_c >= threshold
    if not present.any():
        present = np.ones_like(present)
    edges = np.nan_to_num(np.abs(truth.boxes - other.boxes))  # a classifier has none
    shares = edges * np.tile(np.array(input_size[::-1], np.float64), 2)
    pixels = (edges * truth.sizes[:, [1, 0, 1, 0]]).max(axis=1)
    closeness = np.abs(truth.p_c - other.p_c)
    same = truth.labels == other.labels
    agree = (closeness <= p_c) & (~present | (same & (shares.max(axis=1) <= box)))
    return Parity(
        images=len(truth.p_c),
        p_c=float(closeness.max()),
        box=float(pixels[present].max()),
        box_median=float(np.median(pixels[present])),
        classes=float(same[present].mean()),
        agreement=float(agree.mean()),
    )
