"""Pixels straight from a file are those of `load_image`, and errors are its errors."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locnet.data.decode import load_picture
from locnet.data.images import ImageError, load_image
from locnet.data.sources import RecentImages, SourceImage


def photo(width: int = 203, height: int = 131) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    waves = [127 + 120 * np.sin(x / a + y / b) for a, b in ((7, 19), (23, 5), (11, 13))]
    return Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8))


@pytest.mark.parametrize("at_least", [None, 131, 66, 65, 33, 32, 9])
@pytest.mark.parametrize(
    "how",
    [
        {"subsampling": 0},
        {"subsampling": 1},
        {"subsampling": 2},
        {"progressive": True},
        {"keep_rgb": True},
        {"mode": "L"},
        {"mode": "CMYK"},
        {"orientation": 6},
        {"format": "PNG"},
    ],
    ids=str,
)
def test_pixels_are_those_of_load_image(tmp_path: Path, how: dict[str, object], at_least: int | None) -> None:
    exif = Image.Exif()
    exif[0x0112] = how.get("orientation", 1)
    options = {key: value for key, value in how.items() if key not in ("mode", "orientation", "format")}
    path = tmp_path / "photo.jpg"
    photo().convert(str(how.get("mode", "RGB"))).save(path, str(how.get("format", "JPEG")), exif=exif, **options)
    expected = load_image(path, at_least)
    picture, height, width = load_picture(path, at_least)
    assert (height, width) == (expected.height, expected.width)
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected.image))


@pytest.mark.parametrize("cut", [0, 1, 20, 700, -700, -2])
def test_damaged_files_are_refused_as_load_image_does(tmp_path: Path, cut: int) -> None:
    stream = io.BytesIO()
    photo().save(stream, "JPEG")
    path = tmp_path / "photo.jpg"
    path.write_bytes(stream.getvalue()[:cut])
    try:
        expected = np.asarray(load_image(path).image)
    except ImageError as error:
        with pytest.raises(ImageError) as raised:
            load_picture(path)
        assert str(raised.value) == str(error)
    else:
        np.testing.assert_array_equal(np.asarray(load_picture(path)[0]), expected)


class Counting:
    """A source that counts what it decodes."""

    def __init__(self) -> None:
        self.loaded: list[int] = []

    def load(self, row: int, at_least: int | None = None) -> SourceImage:
        self.loaded.append(row)
        return SourceImage(np.full((10, 10, 3), row, np.uint8), 10, 10)

    def near(self, row: int) -> range:
        return range(9)


def test_recent_images_are_decoded_once_as_long_as_they_fit() -> None:
    source = Counting()
    recent = RecentImages(source, most_bytes=2 * 300)
    for row in (0, 1, 0, 1, 2, 1, 0):
        assert int(np.asarray(recent.load(row).picture)[0, 0, 0]) == row
    assert source.loaded == [0, 1, 2, 0]  # 0 made room for 2: it had been wanted least lately
