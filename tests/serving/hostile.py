"""Files that a stranger may send in place of a photo, to try what reads them."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

from PIL import Image

_PLAIN = [
    b"",
    b"\0" * 1000,
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    b"<html><script>alert(1)</script></html>",
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) (r) file\n",
    b"file:///etc/passwd",
    b"P6 999999999 999999999 255\n",
    b"P5 1 1 65536\n\0",
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><svg>&b;</svg>',
    b"RIFF\xff\xff\xff\xffWEBPVP8 \0\0\0\0",
    b"GIF89a\xff\xff\xff\xff\xf7\0\0" + b"\0" * 800 + b";",
]


def hostile_images(generator: random.Random, count: int) -> Iterator[bytes]:
    """As many as asked for: plain rubbish, bombs, broken EXIF, polyglots, and damaged images of every kind."""
    whole = list(_whole())
    special = [
        *_PLAIN,
        bomb(30_000, 30_000),
        bomb(2**31 - 1, 2**31 - 1),
        text_bomb(),
        *_nonsense_exif(whole[0]),
        polyglot(),
    ]
    for number in range(count):
        if number < len(special):
            yield special[number]
        else:
            yield _damaged(generator, generator.choice(whole))


def bomb(width: int, height: int) -> bytes:
    """A small PNG file that says it is huge, and mostly is."""
    lines = zlib.compress(b"\0" * 1_000_000, 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", lines) + _chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG whose comment is a hundred megabytes when it is unpacked."""
    comment = b"a\0\0" + zlib.compress(b"\0" * 100_000_000, 9)
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = _chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"zTXt", comment) + pixels + _chunk(b"IEND", b"")


def polyglot() -> bytes:
    """A GIF that is a zip file and a script too."""
    stream = BytesIO()
    Image.new("P", (8, 8)).save(stream, "GIF")
    return stream.getvalue() + b"*/=1;alert(1)//PK\x03\x04" + b"\0" * 26 + b"PK\x05\x06" + b"\0" * 18


def _nonsense_exif(jpeg: bytes) -> Iterator[bytes]:
    for content in (
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 5000,
    ):
        yield jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def _whole() -> Iterator[bytes]:
    picture = Image.effect_noise((48, 40), 80).convert("RGB")
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"):
        stream = BytesIO()
        picture.save(stream, kind)
        yield stream.getvalue()


def _damaged(generator: random.Random, content: bytes) -> bytes:
    """Cut short, bytes changed, or a piece repeated."""
    damaged = bytearray(content)
    how = generator.randrange(3)
    if how == 0:
        return bytes(damaged[: generator.randrange(len(damaged))])
    for _ in range(generator.randrange(1, 20)):
        place = generator.randrange(min(len(damaged), 400) if generator.random() < 0.7 else len(damaged))
        damaged[place] = generator.randrange(256)
    if how == 2:
        start = generator.randrange(len(damaged))
        damaged[start:start] = damaged[start : start + generator.randrange(200)]
    return bytes(damaged)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
