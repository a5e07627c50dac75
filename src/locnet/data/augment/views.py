"""What of an image a training sample shows: one affine map for its pixels and its box."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from locnet.data.augment.colors import mean_color
from locnet.data.augment.windows import FULL, Rect, clip, rect_area
from locnet.data.pixels import Picture, filled, resample, size_of, to_image, to_tensor


def snap(window: Rect, size: tuple[int, int]) -> Rect:
    """The window moved by less than a pixel so that the image's edges inside it fall between whole pixels.

    Args:
        window: fractions of the image.
        size: width and height in pixels that the window is drawn at.

    Returns:
        The window, unchanged where it lies inside the image.
    """
    edges = [_snap_axis(window[axis], window[axis + 2], size[axis]) for axis in (0, 1)]
    return edges[0][0], edges[1][0], edges[0][1], edges[1][1]


def _snap_axis(low: float, high: float, pixels: int) -> tuple[float, float]:
    if low >= 0 and high <= 1:
        return low, high
    first, last = max(low, 0.0), min(high, 1.0)
    start = min(round((first - low) / (high - low) * pixels), pixels - 1)
    end = max(round((last - low) / (high - low) * pixels), start + 1)
    per_pixel = (last - first) / (end - start)
    low = first - start * per_pixel
    return low, low + pixels * per_pixel


@dataclass(frozen=True)
class View:
    """The affine map from the image to a patch that shows it: a window, mirrored, then turned and sheared.

    Attributes:
        window: what is shown, fractions of the image.
        flip: left and right are swapped.
        linear: the matrix of rows (a, b) and (c, d), about the patch's middle and in fractions of the patch.
    """

    window: Rect = FULL
    flip: bool = False
    linear: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 1.0)

    @property
    def turns(self) -> bool:
        """Whether the view is more than a window and a mirror."""
        return self.linear != (1.0, 0.0, 0.0, 1.0)

    def map(self, box: Rect) -> Rect:
        """A box of the image to the patch, in fractions, not clipped.

        Turned and sheared, it is the hull of the ellipse inside the box: what objects that do not reach into
        the box's corners fill. The hull of the corners would be too large for all but drawn rectangles.
        """
        width, height = self.window[2] - self.window[0], self.window[3] - self.window[1]
        x = ((box[0] + box[2]) / 2 - self.window[0]) / width - 0.5
        y = ((box[1] + box[3]) / 2 - self.window[1]) / height - 0.5
        half_width, half_height = (box[2] - box[0]) / width / 2, (box[3] - box[1]) / height / 2
        x = -x if self.flip else x
        a, b, c, d = self.linear
        x, y = 0.5 + a * x + b * y, 0.5 + c * x + d * y
        half_width, half_height = (
            math.hypot(a * half_width, b * half_height),
            math.hypot(c * half_width, d * half_height),
        )
        return x - half_width, y - half_height, x + half_width, y + half_height

    def show(self, box: Rect) -> Rect:
        """The part of a box of the image that the patch shows, fractions of the patch, within 0..1."""
        return clip(self.map(clip(box, self.window)))

    def visible(self, box: Rect) -> float:
        """The share of a box's area that the patch shows, 0 to 1."""
        inside = clip(box, self.window)
        if rect_area(inside) <= 0:
            return 0.0
        return rect_area(inside) / rect_area(box) * rect_area(self.show(box)) / rect_area(self.map(inside))


def turn(degrees: float, shear_degrees: float, window_size: tuple[float, float]) -> tuple[float, float, float, float]:
    """The matrix of a rotation after a horizontal shear, for `View.linear`.

    Args:
        degrees: of rotation, clockwise as seen.
        shear_degrees: by which upright lines lean.
        window_size: width and height of the window in pixels of the image, so that right angles stay right.

    Returns:
        a, b, c, d in fractions of the patch.
    """
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    lean = math.tan(math.radians(shear_degrees))
    shape = window_size[1] / window_size[0]
    return cos, (cos * lean - sin) * shape, sin / shape, sin * lean + cos


def whole_pixels(window: Rect, image_size: tuple[int, int], *, outward: bool) -> Rect:
    """The window moved by less than a pixel so that its edges inside the image fall between pixels of the image.

    Args:
        window: fractions of the image.
        image_size: width and height of the image, pixels.
        outward: it grows, and shows all that it showed; otherwise it shrinks, and shows nothing more. It keeps
            at least a pixel.

    Returns:
        The window; edges on or beyond those of the image stay.
    """
    edges = [_whole_axis(window[axis], window[axis + 2], image_size[axis], outward) for axis in (0, 1)]
    return edges[0][0], edges[1][0], edges[0][1], edges[1][1]


def _whole_axis(low: float, high: float, pixels: int, outward: bool) -> tuple[float, float]:
    down, up = (math.floor, math.ceil) if outward else (math.ceil, math.floor)
    slack = -1e-6 if outward else 1e-6  # of a pixel: an edge between pixels stays there whatever the rounding
    first = down(low * pixels - slack) if low > 0 else 0
    last = up(high * pixels + slack) if high < 1 else pixels
    if last <= first:  # narrower than a pixel: the one around its middle
        first = min(int((low + high) / 2 * pixels), pixels - 1)
        last = first + 1
    return (first / pixels if low > 0 else low), (last / pixels if high < 1 else high)


def render(image: Picture, view: View, size: tuple[int, int], fitted: Tensor | None = None) -> Tensor:
    """Draw a view of an image.

    Args:
        image: RGB.
        view: what to show; its window lies on whole pixels of the image and is snapped to `size`.
        size: width and height of the patch, pixels.
        fitted: the whole image as a patch, where somebody has that; used where it has the size of this one.

    Returns:
        `(3, height, width)` uint8, RGB; the image's mean colour where the view reaches beyond the image.
    """
    width, height = size_of(image)
    shown = clip(view.window)
    scale = (size[0] / (view.window[2] - view.window[0]), size[1] / (view.window[3] - view.window[1]))
    left, top = round((shown[0] - view.window[0]) * scale[0]), round((shown[1] - view.window[1]) * scale[1])
    inner_size = (round((shown[2] - shown[0]) * scale[0]), round((shown[3] - shown[1]) * scale[1]))
    source = (round(shown[0] * width), round(shown[1] * height), round(shown[2] * width), round(shown[3] * height))
    if fitted is not None and source == (0, 0, width, height) and fitted.shape[:0:-1] == inner_size:
        patch = fitted.clone()
    else:
        patch = resample(image, source, inner_size)
    if inner_size != size:
        canvas = filled(mean_color(patch), size)
        canvas[:, top : top + inner_size[1], left : left + inner_size[0]] = patch
        patch = canvas
    if view.flip:
        patch = patch.flip(-1)
    return _turned(patch, view) if view.turns else patch


def _turned(patch: Tensor, view: View) -> Tensor:
    """The patch after the view's linear map about its middle; Pillow wants the inverse, in pixels."""
    a, b, c, d = view.linear
    height, width = patch.shape[1:]
    determinant = a * d - b * c
    across, down = (
        (d / determinant, -b / determinant * width / height),
        (
            -c / determinant * height / width,
            a / determinant,
        ),
    )
    middle = (width / 2, height / 2)
    data = (
        *across,
        middle[0] - across[0] * middle[0] - across[1] * middle[1],
        *down,
        middle[1] - down[0] * middle[0] - down[1] * middle[1],
    )
    image, fill = to_image(patch), mean_color(patch)
    return to_tensor(
        image.transform(image.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=fill)
    )
