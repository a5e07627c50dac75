"""What a dashboard can show besides numbers, in no dashboard's own terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from PIL import Image

Edges = tuple[float, float, float, float]
"""xyxy in fractions of the image."""


class LabelledBox(NamedTuple):
    """A box with its class: `label` is the class index, `p_c` None for the truth."""

    edges: Edges
    label: int
    name: str
    p_c: float | None = None
    iou: float | None = None


@dataclass(frozen=True)
class Picture:
    """An image with what is on it and what the network says.

    Attributes:
        image: RGB.
        caption: truth, verdict, p_c and IoU in words.
        truth: None for background.
        prediction: None from a system without boxes.
        classes: all class names.
    """

    image: Image.Image
    caption: str
    classes: Sequence[str]
    truth: LabelledBox | None = None
    prediction: LabelledBox | None = None


@dataclass(frozen=True)
class Lines:
    """Curves over one axis.

    Attributes:
        title: of the chart.
        x: name of the axis.
        y: name of the other one.
        series: x and y of each curve by its name.
    """

    title: str
    x: str
    y: str
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]]


@dataclass(frozen=True)
class Bars:
    """One number a bin or class.

    Attributes:
        title: of the chart.
        x: what the bars are.
        y: what their height is.
        bars: heights by name, in order.
    """

    title: str
    x: str
    y: str
    bars: Mapping[str, float]


@dataclass(frozen=True)
class Matrix:
    """Counts of truth (rows) against verdict (columns), both in the order of `names`."""

    title: str
    names: Sequence[str]
    counts: Sequence[Sequence[int]]


Chart = Lines | Bars | Matrix


@dataclass(frozen=True)
class PredictionTable:
    """One row an image.

    Attributes:
        columns: values by column name, all of the same length.
        pictures: of some of the rows, by row number.
    """

    columns: Mapping[str, Sequence[Any]]
    pictures: Mapping[int, Picture]


@dataclass(frozen=True)
class DataSet:
    """What a run learned from, without its images.

    Attributes:
        fingerprint: hash of all labels.
        about: counts, classes and place.
    """

    fingerprint: str
    about: Mapping[str, Any]
