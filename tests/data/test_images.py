"""Every way an image file can be odd: still upright, still RGB, or one clear line about why not."""

import io
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from locnet.data.images import TRANSPARENT_OVER, image_size, load_image
from locnet.errors import DataError

ORIENTATION = 0x0112


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Colours just inside the upper left, upper right, lower left and lower right corner."""
    array = np.asarray(image).astype(int)
    return [tuple(array[y, x]) for y in (2, -3) for x in (2, -3)]


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()}


def scene(width: int = 40, height: int = 24) -> Image.Image:
    """Red, green, blue and white quarters, in reading order."""
    image = Image.new("RGB", (width, height))
    half = (width // 2, height // 2)
    for (x, y), colour in zip(
        [(0, 0), (half[0], 0), (0, half[1]), half],
        [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)],
        strict=True,
    ):
        image.paste(colour, (x, y, width, height))
    return image


def is_scene(image: Image.Image, tolerance: int = 12) -> bool:
    expected = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    return bool(np.abs(np.array(corners(image)) - np.array(expected)).max() <= tolerance)


def exif_with(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


STORED_AS = {  # how the upright scene lies in a file of each orientation
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"photo.{suffix}"
    method = STORED_AS[orientation]
    stored = scene() if method is None else scene().transpose(method)
    stored.save(path, exif=exif_with(orientation), quality=95)
    loaded = load_image(path)
    assert loaded.image.size == (40, 24)
    assert (loaded.height, loaded.width) == (24, 40)
    assert image_size(path) == (24, 40)
    assert is_scene(loaded.image, tolerance=30)


@pytest.mark.parametrize("orientation", [0, 9, 255, 65537, 2**31])
def test_nonsense_orientation_is_taken_as_upright(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "photo.jpg"
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, ORIENTATION, 4, 1, orientation, 0)
    scene().save(path, quality=95, exif=b"Exif\0\0" + tiff)
    assert is_scene(load_image(path).image, tolerance=30)
    assert image_size(path) == (24, 40)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Tag data larger than file")
@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0",
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\xff\x7f",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, ORIENTATION, 2, 400, 90000, 0),  # text beyond the end
        b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, ORIENTATION, 5, 1, 8, 0),  # a fraction
    ],
)
def test_broken_exif_does_not_matter(tmp_path: Path, block: bytes) -> None:
    path = tmp_path / "photo.jpg"
    scene().save(path, quality=95, exif=block)
    assert is_scene(load_image(path).image, tolerance=30)
    assert image_size(path) == (24, 40)


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    buffer = io.BytesIO()
    scene().transpose(Image.Transpose.ROTATE_90).save(buffer, "PNG")
    body, end = buffer.getvalue()[:-12], buffer.getvalue()[-12:]
    payload = b"eXIf" + exif_with(6).tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(payload) - 4) + payload + struct.pack(">I", zlib.crc32(payload))
    path.write_bytes(body + chunk + end)
    assert is_scene(load_image(path).image)
    assert image_size(path) == (24, 40)


def test_the_size_of_a_png_is_read_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PngInfo()
    text.add_text("Comment", "before the pixels")
    scene().save(tmp_path / "plain.png", pnginfo=text)
    scene().save(tmp_path / "turned.png", exif=exif_with(6))
    scene().save(tmp_path / "photo.jpg")

    def decoded(self: Image.Image) -> None:
        pytest.fail("the pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    assert image_size(tmp_path / "plain.png") == (24, 40)
    assert image_size(tmp_path / "turned.png") == (40, 24)
    assert image_size(tmp_path / "photo.jpg") == (24, 40)


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [(suffix, mode) for suffix in ("png", "tif", "gif") for mode in ("RGB", "RGBA", "P")]
    + [("jpg", "RGB"), ("jpg", "CMYK"), ("jpg", "YCbCr"), ("tif", "CMYK")],
)
def test_colour_modes_become_the_same_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"scene.{suffix}"
    scene().convert(mode).save(path, quality=100, subsampling=0)
    loaded = load_image(path)
    assert loaded.image.mode == "RGB"
    assert is_scene(loaded.image)


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_modes(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "grey.png"
    Image.new("L", (8, 8), 255).convert(mode).save(path)
    assert colours(load_image(path).image) == {(255, 255, 255)}
    Image.new("L", (8, 8), 0).convert(mode).save(path)
    assert colours(load_image(path).image) == {(0, 0, 0)}


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P with one transparent colour", "P with alpha", "RGB with a key"])
def test_transparency_lies_over_white(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "cutout.png"
    if kind in ("RGBA", "LA"):
        Image.new(kind, (4, 4), (0,) * len(kind)).save(path)
    elif kind == "RGB with a key":
        Image.new("RGB", (4, 4), (9, 9, 9)).save(path, transparency=(9, 9, 9))
    else:
        palette = Image.new("P", (4, 4), 0)
        palette.putpalette([10, 20, 30, 1, 2, 3])
        palette.save(path, transparency=0 if "one" in kind else b"\x00\xff")
    assert colours(load_image(path).image) == {TRANSPARENT_OVER}


def test_half_transparent_pixels_are_mixed(tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    Image.new("RGBA", (4, 4), (255, 0, 0, 128)).save(path)
    red, green, blue = np.asarray(load_image(path).image)[0, 0].tolist()
    assert red == 255
    assert green == blue
    assert abs(green - 127) <= 1


RAMP = [0, 128, 257, 32896, 65535]


@pytest.mark.parametrize("name", ["grey.png", "grey.tif", "grey.pgm", "big_endian.tif"])
def test_16_bit_is_scaled_not_clipped(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    values = np.array([RAMP], dtype=np.uint16)
    if name == "grey.pgm":
        path.write_bytes(b"P5 5 1 65535\n" + values.astype(">u2").tobytes())
    elif name == "big_endian.tif":
        Image.frombytes("I;16B", (5, 1), values.astype(">u2").tobytes()).save(path)
    else:
        Image.fromarray(values).save(path)
    assert np.asarray(load_image(path).image)[0, :, 1].tolist() == [0, 0, 1, 128, 255]
    assert image_size(path) == (1, 5)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 128, 65535]], dtype=np.int32), [0, 0, 255]),
        (np.array([[0, 128, 255]], dtype=np.int32), [0, 128, 255]),
        (np.array([[-100, 0, 100]], dtype=np.int32), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[0.0, 127.6, 255.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[-1.0, 0.0, 1.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[np.nan, np.inf, 1.0]], dtype=np.float32), [0, 0, 255]),
        (np.array([[np.nan, np.nan]], dtype=np.float32), [0, 0]),
        (np.array([[7.0, 7.0]], dtype=np.float32), [7, 7]),
    ],
)
def test_wide_types_are_scaled_by_their_range(
    tmp_path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], expected: list[int]
) -> None:
    path = tmp_path / "wide.tif"
    Image.fromarray(values).save(path)
    image = load_image(path).image
    assert image.mode == "RGB"
    assert np.asarray(image)[0, :, 0].tolist() == expected


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_of_an_animation_the_first_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film.{suffix}"
    later = Image.new("RGB", (40, 24), (3, 3, 3))
    scene().save(path, save_all=True, append_images=[later, later], lossless=True)
    assert is_scene(load_image(path).image)
    assert image_size(path) == (24, 40)


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
@pytest.mark.parametrize("size", [(800, 480), (803, 477), (1600, 961)])
def test_large_jpegs_are_decoded_smaller_but_remember_their_size(
    tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    path = tmp_path / "large.jpg"
    method = STORED_AS[orientation]
    stored = scene(*size) if method is None else scene(*size).transpose(method)
    stored.save(path, quality=95, exif=exif_with(orientation))
    loaded = load_image(path, at_least=100)
    assert (loaded.width, loaded.height) == size
    assert min(loaded.image.size) >= 100
    assert loaded.image.width <= size[0] / 2
    assert is_scene(loaded.image, tolerance=30)
    scale = (size[0] / loaded.image.width, size[1] / loaded.image.height)
    assert scale == pytest.approx((round(scale[0]), round(scale[1])), rel=0.5 / 100)


def test_small_images_are_never_decoded_smaller(tmp_path: Path) -> None:
    path = tmp_path / "small.jpg"
    scene().save(path)
    assert load_image(path, at_least=24).image.size == (40, 24)
    assert load_image(path, at_least=1000).image.size == (40, 24)
    scene(400, 240).convert("CMYK").save(path, quality=95)
    assert is_scene(load_image(path, at_least=60).image, tolerance=30)


def test_the_image_outlives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    scene().save(path, quality=95)
    image = load_image(path).image
    path.unlink()
    assert is_scene(pickle.loads(pickle.dumps(image)), tolerance=30)


def jpeg_bytes() -> bytes:
    buffer = io.BytesIO()
    scene(400, 300).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty (0 bytes)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "run `git lfs pull`"),
        (b"<!DOCTYPE html><html>404</html>", "is a web page"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "convert it to JPEG"),
        (b"filename,class,xmin\n", "is not an image that Pillow can read"),
        (b"\xff\xd8\xff\xe0", "is not an image that Pillow can read"),
        (jpeg_bytes()[:2000], "damaged or cut short"),
    ],
)
def test_unusable_files_are_explained_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_image(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "\n" not in message


def test_missing_files_and_folders_are_explained(tmp_path: Path) -> None:
    for read in (load_image, image_size):
        with pytest.raises(DataError, match=r"gone\.jpg: no such image; check the file name in the labels"):
            read(tmp_path / "gone.jpg")
        with pytest.raises(DataError, match="cannot be read"):
            read(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "gif", "tif", "webp", "bmp"])
def test_truncated_files_of_other_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf"cut\.{suffix}: .*fetch the file again|.*Pillow can read"):
        load_image(path)


def test_a_damaged_png_chunk_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    scene().save(path)
    content = bytearray(path.read_bytes())
    content[45:50] = b"\xff\xff\xff\xff\xff"
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"broken\.png: "):
        load_image(path)


def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.png"
    scene().save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for read in (load_image, image_size):
        with pytest.raises(DataError, match=r"bomb\.png: too many pixels to decode safely"):
            read(path)
