"""Objects cut out of their photos along their outline, as far as a box and the colours tell where that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locnet.data.augment.windows import Rect, clip, rect_area
from locnet.data.pixels import Pixels
from locnet.errors import ConfigError

_AROUND = 0.35  # of the object's sides: what is certainly not the object is learned from so far around its box
_LOOKED_AT = 200  # longer side of what the outline is looked for in, pixels
_ROUNDS = 4
_LEAST_FIT = 0.85  # IoU of the box and the hull of what was found; below, it is part of the object or another thing
_FILLED = (0.2, 0.93)  # share of the box inside the outline: fewer are scraps, more is the box itself
_SOFT = 1.0  # standard deviation of the outline's blur, pixels
_AT_EDGE = 0.01  # of the photo's sides
_LEAST_SIDE = 12  # of the object, pixels


@dataclass(frozen=True)
class Cutout:
    """An object without its surroundings.

    Attributes:
        pixels: `(h, w, 4)` uint8, RGB and how much of each pixel is the object; it reaches all four sides.
        label: class index.
        cut_off: whether the left, top, right and bottom edge of the photo cuts it off.
    """

    pixels: NDArray[np.uint8]
    label: int
    cut_off: tuple[bool, bool, bool, bool]


def cut_out(photo: Pixels, box: Rect, label: int, most_side: int = 512) -> Cutout | None:
    """The object in a box, by its colours and those around it (Rother et al., GrabCut, 2004).

    Args:
        photo: `(height, width, 3)` uint8, RGB.
        box: the object, fractions of the photo.
        label: its class index.
        most_side: a larger cut-out is made smaller, until its longer side has so many pixels.

    Returns:
        None where no outline was found that fits the box: one in three fits well, and those are good enough to learn
        from. The same each time for the same photo.

    Raises:
        ConfigError: OpenCV is not installed.
    """
    height, width = photo.shape[:2]
    box = clip(box)
    left, top, right, bottom = (round(edge * side) for edge, side in zip(box, (width, height) * 2, strict=True))
    if min(right - left, bottom - top) < _LEAST_SIDE:
        return None
    across, down = round(_AROUND * (right - left)) + 4, round(_AROUND * (bottom - top)) + 4
    x, y = max(0, left - across), max(0, top - down)
    part = np.ascontiguousarray(photo[y : bottom + down, x : right + across])
    soft = _outline(part, (left - x, top - y, right - x, bottom - y))
    if soft is None:
        return None
    rows, columns = np.nonzero((soft > 127).any(1))[0], np.nonzero((soft > 127).any(0))[0]
    if not len(rows):
        return None
    hull = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    cut_off = (box[0] <= _AT_EDGE, box[1] <= _AT_EDGE, box[2] >= 1 - _AT_EDGE, box[3] >= 1 - _AT_EDGE)
    pixels = np.dstack((part[hull], soft[hull]))
    return Cutout(_resized(pixels, _scale(pixels, most_side)), label, cut_off)


def _outline(part: Pixels, box: tuple[int, int, int, int]) -> NDArray[np.uint8] | None:
    """How much of each pixel `(h, w)`, 0 to 255, is the object in a box of whole pixels; None where it does not fit."""
    cv2 = _opencv()
    height, width = part.shape[:2]
    scale = _scale(part, _LOOKED_AT)
    small = _resized(part, scale)
    left, top, right, bottom = (round(edge * scale) for edge in box)
    mask = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    mask[top:bottom, left:right] = cv2.GC_PR_FGD
    if (mask == cv2.GC_BGD).all() or (mask != cv2.GC_BGD).all():
        return None  # nothing to tell it from
    cv2.setRNGSeed(0)  # it begins with clusters at random
    try:
        cv2.grabCut(small, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # of one colour
        return None
    found = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, parts, statistics, _ = cv2.connectedComponentsWithStats(found)
    if count < 2:
        return None
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    found = (parts == largest).astype(np.uint8)
    x, y, w, h = (int(value) for value in statistics[largest, :4])
    area = (right - left) * (bottom - top)
    common = rect_area(clip((x, y, x + w, y + h), (left, top, right, bottom)))
    fits = common / (area + w * h - common) >= _LEAST_FIT
    if not fits or not _FILLED[0] <= int(found.sum()) / area <= _FILLED[1]:
        return None
    large = cv2.resize(found * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    soft: NDArray[np.uint8] = cv2.GaussianBlur(large, (0, 0), _SOFT)
    return soft


def _scale(pixels: NDArray[np.uint8], most_side: int) -> float:
    """What makes `(h, w, channels)` smaller until its longer side has `most_side` pixels or the shorter one has one."""
    sides: tuple[int, ...] = pixels.shape[:2]
    return min(1.0, max(most_side / max(sides), 1 / min(sides)))


def _resized(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    cv2 = _opencv()
    small: NDArray[np.uint8] = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small


def _opencv() -> Any:
    """OpenCV, which takes a while to import and only those who cut out need."""
    try:
        import cv2
    except ImportError as error:
        raise ConfigError(
            f"augment.paste and augment.paste_beside need a package: pip install 'locnet[paste]' ({error})"
        ) from error
    cv2.setNumThreads(1)  # its threads would stand in the way of those that train
    return cv2
