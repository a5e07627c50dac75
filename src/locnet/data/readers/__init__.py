"""One file a label format; each makes the same tables of what its files say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from locnet.data.labels.tables import Labels
from locnet.data.readers.coco import read_coco
from locnet.data.readers.csv import read_csv
from locnet.data.readers.cub import read_cub
from locnet.data.readers.folders import read_folders
from locnet.data.readers.imagenet import read_imagenet
from locnet.data.readers.parquet import read_parquet
from locnet.data.readers.pets import read_pets
from locnet.data.readers.tiny_imagenet import read_tiny_imagenet
from locnet.data.readers.voc import read_voc
from locnet.data.readers.yolo import read_yolo

READERS: dict[str, Callable[[Any], Labels]] = {
    "coco": read_coco,
    "csv": read_csv,
    "cub": read_cub,
    "folders": read_folders,
    "imagenet": read_imagenet,
    "parquet": read_parquet,
    "pets": read_pets,
    "tiny_imagenet": read_tiny_imagenet,
    "voc": read_voc,
    "yolo": read_yolo,
}
"""By the name that `data=NAME` chooses."""
