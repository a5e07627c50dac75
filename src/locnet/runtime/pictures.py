"""Pictures that predict writes on request: copies with the answer drawn on them, and crops."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from locnet.data.images import load_image
from locnet.inference.result import Box, Crop, Result
from locnet.report.caption import Prediction
from locnet.report.overlay import annotate
from locnet.sources.urls import is_url, read_url

ANNOTATED, CROPS = "annotated", "crops"


@dataclass(frozen=True)
class Pictures:
    """What to write for each answer, and where.

    Attributes:
        output: the folder that `annotated/` and `crops/` lie in.
        annotate: write copies with the answer drawn on them.
        crops: write what is inside the crop (the box where no coverage is asked for), where there is an object.
        coverage: that the crops have, for the caption.
    """

    output: Path
    annotate: bool
    crops: bool
    coverage: float | None

    def __bool__(self) -> bool:
        return self.annotate or self.crops

    @property
    def folders(self) -> list[Path]:
        """That pictures may lie in, of this run or of an earlier one."""
        return [self.output / ANNOTATED, self.output / CROPS]

    def write(self, result: Result, name: str, load: Callable[[], Image.Image]) -> None:
        """Write the pictures of an answer.

        Args:
            result: the answer.
            name: relative path for the pictures.
            load: gives the whole image, upright; called if something is to be written.

        Raises:
            DataError: the image cannot be read.
        """
        crop = crop_of(result) if self.crops else None
        if not (self.annotate or crop):
            return
        image = load()
        if self.annotate:
            _save(annotate(image, prediction=self._prediction(result)), _place(self.output / ANNOTATED, name, ".jpg"))
        if crop:
            _save(image.crop(crop), _place(self.output / CROPS, name, ".png"))

    def _prediction(self, result: Result) -> Prediction:
        crop = _fractions(result.crop, result) if result.present and result.crop else None
        box = result.box_fractions if result.present else None
        return Prediction(box, result.verdict, result.p_c, crop=crop, coverage=self.coverage)


def full_size(file: str) -> Image.Image:
    """The whole image behind a path or a URL, upright.

    Raises:
        DataError: it cannot be read.
    """
    return load_image(read_url(file) if is_url(file) else Path(file)).image


def crop_of(result: Result) -> Crop | None:
    """Whole pixels to cut out, at least one; None where no object is present, or no box is given."""
    if not result.present or result.box is None:
        return None
    if result.crop is not None:
        left, top, right, bottom = result.crop
    else:
        left, top = (math.floor(edge) for edge in result.box[:2])
        right, bottom = (math.ceil(edge) for edge in result.box[2:])
    left, top = min(left, result.width - 1), min(top, result.height - 1)
    return Crop(left, top, max(min(right, result.width), left + 1), max(min(bottom, result.height), top + 1))


def _place(folder: Path, name: str, ending: str) -> Path:
    """Under its own name where that ends as the picture will, else with the ending added; two stay two."""
    path = PurePosixPath(name)
    keeps = path.suffix.lower() in (".jpg", ".jpeg", ending)
    return folder / (path if keeps else path.with_name(path.name + ending))


def _save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=92)


def _fractions(crop: Crop, result: Result) -> Box:
    """The crop in fractions of the image."""
    return Box(crop.xmin / result.width, crop.ymin / result.height, crop.xmax / result.width, crop.ymax / result.height)
