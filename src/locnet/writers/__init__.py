"""Answers as files: one module a format, each of them made from the journal of the run."""

from collections.abc import Callable, Mapping
from pathlib import Path

from locnet.writers.base import Answers, columns
from locnet.writers.coco import write_coco
from locnet.writers.parquet import write_parquet
from locnet.writers.table import write_csv
from locnet.writers.voc import write_voc
from locnet.writers.yolo import write_yolo

Write = Callable[[Answers, Path], list[str]]
"""Writes all answers into a folder and says what it has written."""

WRITERS: Mapping[str, Write] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "coco": write_coco,
    "yolo": write_yolo,
    "voc": write_voc,
}

__all__ = ["WRITERS", "Answers", "Write", "columns"]
