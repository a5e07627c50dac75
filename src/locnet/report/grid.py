"""Contact sheets: many test images with truth and prediction on one page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from locnet.errors import LocnetError
from locnet.predictions import BACKGROUND, Predictions
from locnet.report import style
from locnet.report.caption import Box, Prediction, Truth, caption
from locnet.report.overlay import draw_boxes

LoadImage = Callable[[str], Image.Image]
"""From a path relative to the data root to the upright RGB image."""

_TILE = (330, 248)
_GAP = 18
_COLUMNS = 6
_MAT = "#F1F1F1"

_log = logging.getLogger(__name__)


def worst_first(p: Predictions) -> NDArray[np.int64]:
    """All images, those with the worst answers first: a wrong verdict, a low IoU, and most of all both.

    The order is by IoU, to which a right verdict adds 0.5. Background has no IoU; there it is 1 where the
    verdict is right, else 0. Where that is the same, the surer mistake and the less sure success come first.

    Args:
        p: truth and answer for N images.

    Returns:
        `(N,)` int64 row numbers.
    """
    right = p.verdicts == p.labels
    ious = np.where(p.has_object, np.nan_to_num(p.ious), right)
    quality = (ious if p.has_boxes else 0.0) + 0.5 * right
    certainty = np.where(p.verdicts == BACKGROUND, 1 - p.p_c, p.p_c)
    return np.lexsort((np.where(right, certainty, -certainty), quality)).astype(np.int64)


def random_rows(p: Predictions, count: int) -> NDArray[np.int64]:
    """Up to `count` different images, the same ones for every run on the same split.

    Args:
        p: truth and answer for N images.
        count: how many at most.

    Returns:
        `(min(N, count),)` int64 row numbers, increasing.
    """
    chosen = np.random.default_rng(0).permutation(len(p))[:count]
    return np.sort(chosen).astype(np.int64)


def prediction_grid(p: Predictions, rows: Sequence[int], load_image: LoadImage, title: str) -> Image.Image:
    """The images of some rows with boxes and captions, in reading order.

    An image that cannot be read becomes a grey tile that says so, and a warning in the log: one lost file
    must not cost the report of a long run.

    Args:
        p: truth and answer for N images.
        rows: row numbers, at least one.
        load_image: gives the RGB image of a path relative to the data root.
        title: written above.

    Returns:
        RGB, up to six tiles wide.
    """
    tiles = [_tile(p, int(row), load_image) for row in rows]
    columns = min(_COLUMNS, len(tiles))
    lines = -(-len(tiles) // columns)
    width, height = tiles[0].size
    head = 64
    page_width = max(columns * (width + _GAP) + _GAP, 3 * width)
    page = Image.new("RGB", (page_width, head + lines * (height + _GAP)), "white")
    draw = ImageDraw.Draw(page)
    draw.text((_GAP, head / 2), style.plain(title), fill=style.INK, font=ImageFont.load_default(24), anchor="lm")
    for index, tile in enumerate(tiles):
        line, column = divmod(index, columns)
        page.paste(tile, (_GAP + column * (width + _GAP), head + line * (height + _GAP)))
    return page


def answer(p: Predictions, row: int) -> tuple[Truth, Prediction]:
    """Truth and prediction of one row as they are drawn: no box where background is rightly seen."""
    label, iou = int(p.labels[row]), float(p.ious[row])
    verdict = int(p.verdicts[row])
    box = None if label == verdict == BACKGROUND else _box(p.predicted_boxes[row])
    known = None if np.isnan(iou) else iou
    truth = Truth(_box(p.boxes[row]), p.name(label))
    return truth, Prediction(box, p.name(verdict), float(p.p_c[row]), known)


def _box(values: NDArray[np.float64]) -> Box | None:
    if not np.isfinite(values).all():
        return None
    left, top, right, bottom = values.tolist()
    return left, top, right, bottom


def _tile(p: Predictions, row: int, load_image: LoadImage) -> Image.Image:
    truth, prediction = answer(p, row)
    mat = Image.new("RGB", _TILE, _MAT)
    try:
        image = ImageOps.contain(load_image(p.files[row]).convert("RGB"), _TILE, Image.Resampling.LANCZOS)
    except (OSError, LocnetError) as error:
        _log.warning("%s: cannot be drawn in the report: %s", p.files[row], error)
        font = ImageFont.load_default(14)
        place = (_TILE[0] / 2, _TILE[1] / 2)
        ImageDraw.Draw(mat).text(place, "image cannot be read", fill=style.GREY, font=font, anchor="mm")
    else:
        image = draw_boxes(image, truth=truth, prediction=prediction, line=2)
        mat.paste(image, ((_TILE[0] - image.width) // 2, (_TILE[1] - image.height) // 2))
    bar = caption(_TILE[0], truth=truth, prediction=prediction, font_size=13)
    tile = Image.new("RGB", (_TILE[0], _TILE[1] + bar.height), "white")
    tile.paste(mat, (0, 0))
    tile.paste(bar, (0, _TILE[1]))
    return tile
