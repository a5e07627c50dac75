"""Parquet with the columns of the manifest; numbers may be numbers or text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from locnet.config.schema import ParquetSettings
from locnet.data.labels.tables import Labels
from locnet.data.readers.csv import image_folder
from locnet.data.readers.rows import rows_to_labels
from locnet.data.readers.table import Table
from locnet.errors import DataError


def read_parquet(settings: ParquetSettings) -> Labels:
    """Read a Parquet file.

    Raises:
        DataError: it is missing, is none, or lacks a column; single rows become defects.
    """
    root = Path(settings.root).expanduser()
    path = root / settings.annotations
    if not path.is_file():
        raise DataError(
            f"data.root={root}: there is no {settings.annotations} in it (data.annotations names another file)"
        )
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a Parquet file ({reason})") from error
    columns = {}
    for name in table.column_names:
        try:
            column = _column(table[name])
        except (pa.ArrowException, KeyError) as error:  # KeyError: two columns of one name
            reason = " ".join(str(error).split())[:120]
            raise DataError(f"{path}: column {name!r:.60} cannot be read ({reason})") from error
        if column is not None:
            columns[name] = column
    lines = np.arange(1, table.num_rows + 1, dtype=np.int64)
    return rows_to_labels(
        root,
        [Table(path, columns, lines, ",", ())],
        folder=image_folder(root, settings.images),
        box_origin=settings.box_origin,
        line_unit="row",
    )


def _column(column: pa.ChunkedArray) -> pa.Array | None:
    """Text, trimmed, or numbers as they are; None for a column of anything else (bytes, lists)."""
    values = column.combine_chunks()
    if isinstance(values, pa.ChunkedArray):  # of no rows or too many
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], column.type)
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return values.cast(pa.float64(), safe=False)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        text = values.cast(pa.string())
        text.validate(full=True)  # is it UTF-8?
        return pc.utf8_trim_whitespace(pc.fill_null(text, ""))
    return None
