"""Oxford-IIIT Pet: breeds from file names, head boxes from `annotations/xmls`; only images with a box."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from locnet.config.schema import PetsSettings
from locnet.data.files import ImageIndex, stem_of, walk
from locnet.data.labels.tables import Labels, LabelsBuilder
from locnet.data.readers.voc import add_files
from locnet.errors import DataError

XMLS = "annotations/xmls"


def read_pets(settings: PetsSettings) -> Labels:
    """Read the boxes. Only images of the official trainval list have one, so splits are made by hash.

    Raises:
        DataError: there are no XML files where they should be; single files become defects.
    """
    root = Path(settings.root).expanduser()
    files = walk(root, XMLS, (".xml",))
    if not files:
        raise DataError(f"{root}/{XMLS}: there are no XML files in it; it is no Oxford-IIIT Pet")
    builder = LabelsBuilder(root)
    images = ImageIndex(root, "images")
    add_files(builder, files, images, {})
    unboxed = len(images.files) - len(builder)
    if unboxed > 0:
        builder.notes.append(f"{unboxed:,} images have no box (those of the official test split) and are not used")
    labels = builder.build(box_origin=settings.box_origin)
    return labels if settings.target == "species" else _by_breed(labels)


def _by_breed(labels: Labels) -> Labels:
    """The same with breeds for classes: `great_pyrenees_12.jpg` is a `great_pyrenees`."""
    breeds = [stem_of(file).rpartition("_")[0] for file in labels.files]
    names = sorted(set(breeds))
    index = {name: number for number, name in enumerate(names)}
    of_image = np.array([index[breed] for breed in breeds], dtype=np.int32)
    return replace(labels, names=tuple(names), name=of_image[labels.image])
