"""Image files in, upright 8-bit RGB out, whatever the camera, scanner or annotation tool has written."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, Literal, Protocol

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from locnet.errors import DataError

TRANSPARENT_OVER = (255, 255, 255)
"""The colour behind transparent pixels: white, as a page or a browser shows them."""

_TO_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDES_SWAPPED = (5, 6, 7, 8)
_WIDTH_TAG, _HEIGHT_TAG = 256, 257  # of a TIFF file, before its orientation


class ImageError(DataError):
    """An image cannot be read.

    From a loader's worker process torch hands an error over as its type, called with a whole traceback as
    text (torch 2.14, `ExceptionWrapper` in _utils.py); what was said is in the last line.
    """

    def __init__(self, message: str) -> None:
        last = message.strip().rpartition("\n")[2]
        super().__init__(last.removeprefix(f"{__name__}.{type(self).__name__}: "))


class Openable(Protocol):
    """What an image is read from: a `Path`, or an `Encoded` image in memory. As text it names itself."""

    def open(self, mode: Literal["rb"]) -> IO[Any]:
        """Its bytes, from the first on."""


@dataclass(frozen=True)
class Limits:
    """What a stranger's file may be.

    Attributes:
        formats: names of Pillow's decoders that may look at it.
        pixels: that its header may state; more are not decoded.
    """

    formats: tuple[str, ...]
    pixels: int


@dataclass(frozen=True)
class Encoded:
    """An image file that is in memory already.

    Attributes:
        name: for messages.
        content: the bytes of the file.
        limits: None for a file that may be anything that Pillow reads.
    """

    name: str
    content: bytes
    limits: Limits | None = None

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        """Its bytes, from the first on."""
        return BytesIO(self.content)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class LoadedImage:
    """A decoded image and the size that its labels speak of.

    Attributes:
        image: upright, mode RGB; smaller than the file's image where `at_least` allowed a faster decoding.
        height: of the upright image in the file, pixels.
        width: of the upright image in the file, pixels.
    """

    image: Image.Image
    height: int
    width: int


def load_image(path: Openable, at_least: int | None = None) -> LoadedImage:
    """Decode an image file: upright (EXIF orientation applied), RGB, first frame.

    Transparency is laid over `TRANSPARENT_OVER`. 16-bit grey is scaled from 0..65535, and other wide types as
    `_wide_to_grey` says. Colour profiles are ignored: numbers are taken as they stand.

    Args:
        path: of the file; or the file's bytes (`Encoded`).
        at_least: both sides of the decoded image stay at least this many pixels, where the file has them; a
            JPEG two, four or eight times larger is decoded at 1/2, 1/4 or 1/8 of its size, much faster.
            That moves its right and lower edge by half a pixel of the smaller image at most.

    Returns:
        The image and its full upright size.

    Raises:
        ImageError: the file is missing, empty, truncated, too large, or no image.
    """
    with opened(path) as image:
        width, height = image.size
        drafted = image.draft(None, (at_least, at_least)) if at_least else None
        image.load()
        if drafted is None:
            width, height = image.size  # some formats know their size, and TIFF its orientation, after loading
        orientation = orientation_of(image)
        rgb = _to_rgb(image)
        if drafted is not None:
            # libjpeg rounds the smaller size up; the true edge lies inside the last pixel, so keep it or not.
            rgb = _crop_to(rgb, round(drafted[1][2]), round(drafted[1][3]))
        if orientation in _SIDES_SWAPPED:
            width, height = height, width
        return LoadedImage(_turned(rgb, orientation), height, width)


def upright(image: Image.Image) -> Image.Image:
    """An image that somebody has opened, as `load_image` would have given it at its full size.

    Args:
        image: any mode; its EXIF orientation, where it still has one, is applied.

    Returns:
        Upright, mode RGB.
    """
    return _turned(_to_rgb(image), orientation_of(image))


def image_size(path: Openable) -> tuple[int, int]:
    """Size of the upright image, read from the file's header without decoding pixels.

    Args:
        path: of the file.

    Returns:
        Height and width in pixels, the same that `load_image` gives.

    Raises:
        ImageError: the file is missing, empty, too large, or no image. Truncated pixels are not noticed.
    """
    with opened(path) as image:
        return upright_size(path, image)


def upright_size(path: Openable, image: Image.Image) -> tuple[int, int]:
    """`image_size` of a file that is open already."""
    width, height = image.size
    if image.format == "TIFF":
        # Pillow swaps the size of a rotated TIFF when opening or when loading, depending on its version.
        tags = image.tag_v2  # type: ignore[attr-defined]
        width, height = int(tags[_WIDTH_TAG]), int(tags[_HEIGHT_TAG])
    # Pillow decodes a PNG without early EXIF to look for a late one; the list of chunks tells cheaper.
    header_says_all = image.format == "PNG" and not _has_late_metadata(path)
    if orientation_of(image, header_only=header_says_all) in _SIDES_SWAPPED:
        width, height = height, width
    return height, width


@contextmanager
def opened(path: Openable) -> Iterator[Image.Image]:
    """The file as a Pillow image; whatever goes wrong inside the block leaves as an ImageError."""
    try:
        limits = path.limits if isinstance(path, Encoded) else None
        with path.open("rb") as stream, Image.open(stream, formats=limits.formats if limits else None) as image:
            if limits is not None:
                _refuse_large(image, limits.pixels)
            yield image
    except Exception as error:
        # Decoders raise nearly anything for damaged files: OSError, SyntaxError, ValueError, struct.error.
        raise ImageError(_explain(path, error)) from error


def _refuse_large(image: Image.Image, pixels: int) -> None:
    if image.width * image.height > pixels:
        raise Image.DecompressionBombError(f"more than {pixels} pixels")


def _explain(path: Openable, error: Exception) -> str:
    """One line: the file, what is wrong with it, and the way out."""
    if isinstance(error, FileNotFoundError):
        return f"{path}: no such image; check the file name in the labels and data.root"
    if isinstance(error, (IsADirectoryError, PermissionError)) or getattr(error, "errno", None) == errno.ELOOP:
        assert isinstance(error, OSError)
        return f"{path}: cannot be read ({error.strerror}); it must be a readable file"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"{path}: too many pixels to decode safely (a decompression bomb?); scale the image down"
    if isinstance(error, MemoryError):
        return f"{path}: not enough memory to decode it; scale the image down"
    return f"{path}: {_explain_content(path, error)}"


def _explain_content(path: Openable, error: Exception) -> str:
    """What the first bytes of an undecodable file give away."""
    with path.open("rb") as stream:
        head = stream.read(256)
    problem = "is not an image that Pillow can read; convert it to JPEG or PNG, or remove it from the labels"
    if not head:
        problem = "is empty (0 bytes); fetch the file again, or remove it from the labels"
    elif head.startswith(b"version https://git-lfs"):
        problem = "is a Git LFS pointer, not the image; run `git lfs pull`"
    elif head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        problem = "is a web page, not an image (a failed download?); fetch the file again"
    elif head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        problem = "is a HEIC image, which Pillow cannot read; convert it to JPEG or PNG"
    elif not isinstance(error, UnidentifiedImageError):
        reason = " ".join(str(error).split()) or type(error).__name__
        problem = f"damaged or cut short ({reason}); fetch the file again, or remove it from the labels"
    return problem


def orientation_of(image: Image.Image, *, header_only: bool = False) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) where it is missing, nonsense or unreadable."""
    try:
        exif = Image.Image.getexif(image) if header_only else image.getexif()
        value = exif.get(ExifTags.Base.Orientation)
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _has_late_metadata(path: Openable) -> bool:
    """Whether a PNG file has text or EXIF chunks behind its pixels; hops from chunk to chunk."""
    with path.open("rb") as stream:
        stream.seek(8)
        pixels_seen = False
        while len(header := stream.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            pixels_seen = pixels_seen or kind == b"IDAT"
            if pixels_seen and kind in (b"eXIf", b"iTXt", b"zTXt", b"tEXt"):
                return True
            stream.seek(length + 4, 1)
    return False


def _crop_to(image: Image.Image, width: int, height: int) -> Image.Image:
    """The upper left part of the image; the image itself where that is all of it."""
    return image if image.size == (width, height) else image.crop((0, 0, width, height))


def _turned(rgb: Image.Image, orientation: int) -> Image.Image:
    return rgb.transpose(_TO_UPRIGHT[orientation]) if orientation in _TO_UPRIGHT else rgb


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any loaded Pillow mode to RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_wide_to_grey(image)).convert("RGB")
    if image.has_transparency_data:
        opaque = Image.new("RGB", image.size, TRANSPARENT_OVER)
        layer = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        opaque.paste(layer, mask=layer.getchannel("A"))
        return opaque
    return image if image.mode == "RGB" else image.convert("RGB")


def _wide_to_grey(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """16- and 32-bit integer or float pixels to 8 bit; Pillow's own conversion would clip them.

    16-bit files count from 0 to 65535. Wider types do not state their range, so it is taken from the values:
    floats within 0..1 are fractions of white, values within 0..255 and 0..65535 are 8 and 16 bit, anything
    else is stretched from its least to its greatest value. Values that are not finite become black.
    """
    pixels = np.asarray(image)
    finite = np.isfinite(pixels)
    values = np.where(finite, pixels, 0).astype(np.float64)
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0.0, 0.0)
    # Pillow before 11.3 opens 16-bit PNG, and every version 16-bit PGM, as 32-bit integers.
    if image.mode.startswith("I;16") or image.format in ("PNG", "PPM"):
        black, white = 0.0, 65535.0
    elif low < 0 or high > 65535:
        black, white = low, high
    elif high > 255:
        black, white = 0.0, 65535.0
    else:
        black, white = 0.0, 1.0 if image.mode == "F" and high <= 1 else 255.0
    scaled = np.where(finite, (values - black) / max(white - black, np.finfo(np.float64).tiny) * 255.0, 0.0)
    return np.rint(scaled).astype(np.uint8)
