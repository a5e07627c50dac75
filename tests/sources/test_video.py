"""Frames come upright, as a player shows them."""

from __future__ import annotations

import struct
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from locnet.errors import DataError
from locnet.sources.video import frames

av = pytest.importorskip("av", reason="pip install 'locnet[video]'")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two frames of 64 x 48; left half red, upper right quarter green, the rest black: no turn of it is the same."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pixels = np.zeros((48, 64, 3), np.uint8)
        pixels[:, :32], pixels[:24, 32:] = (255, 0, 0), (0, 255, 0)
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def turned(clip: bytes, a: int, b: int, c: int, d: int) -> bytes:
    """The clip as a phone writes it: a pixel at (x, y) is to be shown at (ax + cy, bx + dy)."""
    start = clip.index(b"tkhd") + 44  # behind the name, version, flags, times, duration, layer and volume
    matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    return clip[:start] + matrix + clip[start + len(matrix) :]


def corners(image: Image.Image) -> str:
    """Colours of the upper left, upper right, lower left and lower right quarter."""
    points = [(x, y) for y in (1 / 4, 3 / 4) for x in (1 / 4, 3 / 4)]
    seen = [image.getpixel((round(image.width * x), round(image.height * y))) for x, y in points]
    return "".join("rg_"[next((i for i in (0, 1) if color[i] > 128), 2)] for color in seen)  # type: ignore[index]


@pytest.mark.parametrize(
    ("matrix", "size", "colors"),
    [
        ((1, 0, 0, 1), (64, 48), "rgr_"),
        ((0, 1, -1, 0), (48, 64), "rr_g"),  # a quarter clockwise, as an upright phone films
        ((-1, 0, 0, -1), (64, 48), "_rgr"),
        ((0, -1, 1, 0), (48, 64), "g_rr"),
        ((-1, 0, 0, 1), (64, 48), "gr_r"),  # mirrored
        ((1, 0, 0, -1), (64, 48), "r_rg"),
        ((0, 1, 1, 0), (48, 64), "rrg_"),
        ((0, -1, -1, 0), (48, 64), "_grr"),
    ],
)
def test_turned_as_the_container_says(
    clip: bytes, tmp_path: Path, matrix: tuple[int, int, int, int], size: tuple[int, int], colors: str
) -> None:
    (tmp_path / "clip.mp4").write_bytes(turned(clip, *matrix))
    images = [image for _, _, image in frames(str(tmp_path / "clip.mp4"))]
    assert [image.size for image in images] == [size] * 2
    assert [corners(image) for image in images] == [colors] * 2


def test_behind_a_url(clip: bytes) -> None:
    fsspec.filesystem("memory").pipe("/films/clip.mp4", clip)
    assert [number for number, _, _ in frames("memory://films/clip.mp4")] == [0, 1]
    for url, reason in (
        ("memory://films/none.mp4", "there is no such file"),
        ("nope://films/clip.mp4", "Protocol not known: nope"),
    ):
        with pytest.raises(DataError) as error:
            next(frames(url))
        assert str(error.value) == f"{url}: cannot be read as a video ({reason})"
