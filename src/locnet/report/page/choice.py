"""Which images have their picture in the page, and the pictures."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from io import BytesIO

from PIL import Image

from locnet.checkup.suspects import Suspect
from locnet.errors import LocnetError
from locnet.predictions import Predictions
from locnet.report.grid import LoadImage, random_rows, worst_first
from locnet.report.kinds import KINDS, kinds

SIDE = 256
_QUALITY = 74

log = logging.getLogger(__name__)


def chosen_rows(p: Predictions, suspects: Sequence[Suspect], count: int) -> list[int]:
    """Up to `count` rows: the worst, every kind of mistake, suspect labels and random ones take turns.

    Args:
        p: truth and answer for N images.
        suspects: labels that the answers contradict.
        count: how many at most.
    """
    worst, kind = worst_first(p), kinds(p)
    queues = [worst.tolist(), random_rows(p, len(p) if count >= len(p) else count).tolist()]
    queues += [worst[kind[worst] == number].tolist() for number in range(1, len(KINDS))]
    queues.append([suspect.row for suspect in suspects])
    queues = [queue[::-1] for queue in queues]
    chosen: dict[int, None] = {}
    while len(chosen) < min(count, len(p)) and any(queues):
        for queue in queues:
            while queue and queue[-1] in chosen:
                queue.pop()
            if queue and len(chosen) < count:
                chosen[queue.pop()] = None
    return list(chosen)


def pictures(
    p: Predictions, rows: Sequence[int], load_image: LoadImage, megabytes: float
) -> tuple[dict[int, str], int]:
    """Small JPEGs of some rows, in base64.

    Args:
        p: truth and answer for N images.
        rows: the most important ones first.
        load_image: gives the upright RGB image of a path relative to the data root.
        megabytes: the page takes no more of them.

    Returns:
        Pictures by row, and how many could not be read.
    """
    found: dict[int, str] = {}
    left, unreadable, first = megabytes * 1e6, 0, ""
    for row in rows:
        try:
            encoded = thumbnail(load_image(p.files[row]))
        except (OSError, LocnetError, ValueError) as error:
            unreadable, first = unreadable + 1, first or f"{p.files[row]}: {error}"
            continue
        left -= len(encoded)
        if left < 0:
            break
        found[row] = encoded
    if unreadable:
        log.warning("report.html: %d of %d images cannot be shown, such as %s", unreadable, len(rows), first)
    return found, unreadable


def thumbnail(image: Image.Image, side: int = SIDE) -> str:
    """A JPEG in base64, its longer side `side` pixels at most."""
    image = image.convert("RGB")
    image.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    stream = BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return base64.b64encode(stream.getvalue()).decode()
