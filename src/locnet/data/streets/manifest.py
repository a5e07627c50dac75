"""The row that one drawn picture gets in `annotations.csv`."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from locnet.data.streets.scene import BACKGROUND, CLASSES
from locnet.data.streets.studio import render

HEADER = ("filename", "split", "class", "xmin", "ymin", "xmax", "ymax", "width", "height")
Row = list[str]
_QUALITY = 92


def file_name(split: str, index: int) -> str:
    """Name of a picture under `images/`."""
    return f"{split}_{index:06d}.jpg"


def draw_one(folder: Path, seed: int, size: int, split: str, index: int) -> Row:
    """Draw one scene, save it under `folder / "images"`, and return its row.

    The box is in pixels of the picture, right and bottom exclusive; a background row has empty cells for it.
    """
    scene = render(seed, split, index, size)
    name = file_name(split, index)
    Image.fromarray(scene.image).save(folder / "images" / name, quality=_QUALITY)
    label = "background" if scene.label == BACKGROUND else CLASSES[scene.label]
    edges = [""] * 4 if scene.box is None else [f"{edge:g}" for edge in scene.box]
    return [name, split, label, *edges, str(size), str(size)]
