"""Tables of labels (CSV, TSV, Parquet): a row an object, boxes in pixels of the upright image.

    filename,split,class,xmin,ymin,xmax,ymax,width,height
    a.jpg,train,car,12,40,96,120,256,192
    b.jpg,train,background,,,,,256,192

`split` may be left out, `width` and `height` too (then each image's header is read). Rows of one file name are
objects of one image. Further columns are kept, for `data.split.group` and reports. TensorFlow's
`filename,width,height,class,xmin,ymin,xmax,ymax` is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from locnet.config.schema import CsvSettings
from locnet.data.labels.tables import Labels
from locnet.data.readers.rows import rows_to_labels
from locnet.data.readers.table import Table, read_table
from locnet.errors import DataError


def read_csv(settings: CsvSettings) -> Labels:
    """Read a table, or one for each split.

    Raises:
        DataError: the file cannot be used as a whole; single rows become defects.
    """
    root = Path(settings.root).expanduser()
    files = settings.annotations if isinstance(settings.annotations, dict) else {"": settings.annotations}
    tables = {split: _read_one(root, name, settings.columns) for split, name in files.items()}
    return rows_to_labels(
        root, _merge(tables), folder=image_folder(root, settings.images), box_origin=settings.box_origin
    )


def image_folder(root: Path, images: str | None) -> str:
    """The folder of the images relative to the root: as set, `images` where there is one, or the root itself.

    Raises:
        DataError: there is no such folder.
    """
    if images is not None:
        if not (root / images).is_dir():
            raise DataError(f"data.images={images}: there is no such folder in {root}")
        return "" if images in ("", ".") else images.strip("/")
    return "images" if (root / "images").is_dir() else ""


def _read_one(root: Path, name: str, columns: Sequence[str] | None) -> Table:
    path = root / name
    if not path.is_file():
        raise DataError(f"data.root={root}: there is no {name} in it (data.annotations names another file)")
    return read_table(path, columns)


def _merge(tables: Mapping[str, Table]) -> list[Table]:
    """The tables, each with the split that its file stands for."""
    merged = []
    for split, table in tables.items():
        columns = dict(table.columns)
        if split:
            columns["split"] = pa.array([split] * len(table), pa.string())
        merged.append(Table(table.path, columns, table.lines, table.delimiter, table.ragged))
    return merged
