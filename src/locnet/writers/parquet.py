"""Parquet: the same table as CSV with types, in row groups that pass through memory one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from locnet.inference.result import CROP
from locnet.page.parts import printable
from locnet.runtime.files import beside
from locnet.writers.base import Answers

_ROW_GROUP = 16_384
_TYPES = {
    "file": pa.string(),
    "frame": pa.int64(),
    "class": pa.string(),
    "verdict": pa.string(),
    "width": pa.int32(),
    "height": pa.int32(),
    **dict.fromkeys(CROP, pa.int32()),
}


def write_parquet(answers: Answers, folder: Path) -> list[str]:
    """Write `predictions.parquet`; a writer of `WRITERS`."""
    schema = pa.schema([(name, _TYPES.get(name, pa.float64())) for name in answers.columns])
    path = folder / "predictions.parquet"
    partial = beside(path)
    with pq.ParquetWriter(partial, schema) as writer:
        rows = answers.rows()
        while group := list(islice(_printable(rows), _ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
    partial.replace(path)
    return [path.name]


def _printable(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield row | {"file": printable(row["file"])}
