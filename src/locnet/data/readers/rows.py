"""Rows of a table, one an object, to labels: every check runs on whole columns, messages are made for bad rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from locnet.config.messages import suggest
from locnet.data.labels.classes import BACKGROUND
from locnet.data.labels.defects import Defect, place
from locnet.data.labels.tables import BoxOrigin, Labels, LineUnit
from locnet.data.readers.numbers import Numbers, to_numbers
from locnet.data.readers.table import Table
from locnet.data.records import SPLITS
from locnet.data.strings import Strings
from locnet.errors import DataError

EDGES = ("xmin", "ymin", "xmax", "ymax")
NEEDED = ("filename", "class", *EDGES)
KNOWN = (*NEEDED, "split", "width", "height")
_SPLITS = ("", *SPLITS)
_TEXT = ("filename", "class", "split")
_BACKGROUND = f"an image without an object has the class {BACKGROUND}"


@dataclass
class _Rows:
    """The rows of one table, and which of them are wrong."""

    table: Table
    file: pa.Array
    name: pa.Array
    split: pa.Array
    boxes: NDArray[np.float64]
    sizes: NDArray[np.int64]
    background: NDArray[np.bool_]
    good: NDArray[np.bool_]
    defects: list[Defect]
    line_unit: LineUnit

    def refuse(self, kind: str, rows: NDArray[np.bool_], words: Callable[[int], str], column: str = "") -> None:
        """A defect for each of the rows that is still good; it is not any more unless it was repaired."""
        for row in np.flatnonzero(rows & self.good).tolist():
            self.note(kind, row, words(row), column)
        if kind not in ("decimal_comma",):
            self.good &= ~rows

    def note(self, kind: str, row: int, words: str, column: str) -> None:
        source, line = str(self.table.path), int(self.table.lines[row])
        value = cell(self.table.columns[column], row) if column else ""
        text = f"{place(source, line, self.line_unit)}: {words}"
        self.defects.append(Defect(kind, text, str(self.file[row]), source, line, value))


def rows_to_labels(
    root: Path,
    tables: Sequence[Table],
    *,
    folder: str = "",
    box_origin: BoxOrigin = "continuous",
    line_unit: LineUnit = "line",
) -> Labels:
    """Labels from the rows of one or more tables.

    Args:
        root: folder of the data set.
        tables: with the columns `NEEDED` at least.
        folder: of the images, relative to the root.
        box_origin: what pixel numbers mean.
        line_unit: what `lines` of the tables count.

    Raises:
        DataError: a column is missing, or there are no rows.
    """
    parts = [_check_rows(table, line_unit) for table in tables]
    defects = [defect for part in parts for defect in part.defects]
    extra = _extra_columns(parts)
    good = [np.flatnonzero(part.good) for part in parts]
    file = _of_rows([part.file for part in parts], good)
    encoded = file.dictionary_encode()
    image = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    first = _first_rows(image, len(encoded.dictionary))
    source = np.repeat(np.arange(len(parts), dtype=np.int32), [len(rows) for rows in good])
    line = _of_rows([part.table.lines for part in parts], good)
    split = _split_codes(_of_rows([part.split for part in parts], good))
    background = _of_rows([part.background for part in parts], good)
    sizes = _of_rows([part.sizes for part in parts], good)
    boxes = _of_rows([part.boxes for part in parts], good)
    named = _of_rows([part.name for part in parts], good)
    objects = np.flatnonzero(~background)
    names = named.take(pa.array(objects)).dictionary_encode()
    is_background = np.zeros(len(first), dtype=np.bool_)
    is_background[image[background]] = True
    prefix = f"{folder}/" if folder else ""
    labels = Labels(
        root=root,
        files=Strings(pc.binary_join_element_wise(prefix, encoded.dictionary, "") if prefix else encoded.dictionary),
        sizes=sizes[first],
        splits=np.array(_SPLITS, dtype="U5")[split[first]],
        background=is_background,
        source=source[first],
        line=line[first],
        image=image[objects],
        name=names.indices.to_numpy(zero_copy_only=False).astype(np.int32),
        boxes=boxes[objects],
        flags=np.zeros(len(objects), dtype=np.uint8),
        object_line=line[objects],
        names=tuple(names.dictionary.to_pylist()),
        sources=tuple(str(table.path) for table in tables),
        box_origin=box_origin,
        line_unit=line_unit,
        extra={name: Strings(_of_rows([_of_rows(columns, good)], [first])) for name, columns in extra.items()},
        folder=prefix,
    )
    defects += _conflicting_splits(labels, image, split, first, line)
    return replace(labels, defects=tuple(replace(d, file=prefix + d.file if d.file else "") for d in defects))


def _check_rows(table: Table, line_unit: LineUnit) -> _Rows:
    path = table.path
    columns = {name: _as_text(column) if name in _TEXT else column for name, column in table.columns.items()}
    missing = next((column for column in NEEDED if column not in columns), None)
    if missing is not None:
        raise DataError(
            f"{path}: column {missing} is missing (columns: {', '.join(filter(None, columns)) or 'none'})"
            f"; {suggest(missing, columns)}".rstrip("; ")
        )
    count = len(table)
    if not count and not table.ragged:
        raise DataError(f"{path} has no rows under its header; it needs one for each image")
    blank = pa.array([""] * count, pa.string())
    rows = _Rows(
        table,
        file=columns["filename"],
        name=columns["class"],
        split=columns.get("split", blank),
        boxes=np.full((count, 4), np.nan),
        sizes=np.zeros((count, 2), dtype=np.int64),
        background=_equal(columns["class"], BACKGROUND),
        good=np.ones(count, dtype=np.bool_),
        defects=[_ragged(str(path), *row) for row in table.ragged],
        line_unit=line_unit,
    )
    rows.refuse("empty_filename", _equal(rows.file, ""), lambda _: "filename is empty")
    rows.refuse("empty_class", _equal(rows.name, ""), lambda _: f"class is empty; {_BACKGROUND}")
    _check_splits(rows)
    _check_sizes(rows, columns)
    _check_boxes(rows, columns)
    return rows


def _check_splits(rows: _Rows) -> None:
    empty = _equal(rows.split, "")
    valid = pc.is_in(rows.split, value_set=pa.array(SPLITS)).to_numpy(zero_copy_only=False)
    rows.refuse(
        "unknown_split",
        ~valid & ~empty,
        lambda row: f"split={rows.split[row]} is not one of {', '.join(SPLITS)}",
        "split",
    )
    if not empty.all():
        rows.refuse(
            "unknown_split",
            empty,
            lambda _: "split is empty here but not in all rows; fill it, or leave the column out",
        )


def _check_sizes(rows: _Rows, columns: dict[str, pa.Array]) -> None:
    if "width" not in columns or "height" not in columns:
        return
    sides = {side: _numbers(rows, columns, side) for side in ("height", "width")}
    stated = ~sides["height"].empty & ~sides["width"].empty
    for index, (side, numbers) in enumerate(sides.items()):
        _refuse_words(rows, numbers, side, stated)
        with np.errstate(invalid="ignore"):
            odd = stated & ((numbers.values % 1 != 0) | (numbers.values < 1) | (numbers.values > 2**31))
        rows.refuse("not_a_number", odd, _quoting(rows, side, "is not a number of pixels"), side)
        good = stated & rows.good
        rows.sizes[good, index] = numbers.values[good].astype(np.int64)


def _check_boxes(rows: _Rows, columns: dict[str, pa.Array]) -> None:
    edges = [_numbers(rows, columns, edge) for edge in EDGES]
    for edge, numbers in zip(EDGES, edges, strict=True):
        rows.refuse(
            "background_with_box",
            rows.background & ~numbers.empty,
            lambda row, edge=edge: f"{BACKGROUND} has a box ({edge}={cell(columns[edge], row)}); empty its box cells",  # type: ignore[misc]
            edge,
        )
    for edge, numbers in zip(EDGES, edges, strict=True):
        rows.refuse(
            "no_box",
            ~rows.background & numbers.empty,
            lambda _, edge=edge: f"{edge} is empty; {_BACKGROUND}",  # type: ignore[misc]
        )
    for index, (edge, numbers) in enumerate(zip(EDGES, edges, strict=True)):
        _refuse_words(rows, numbers, edge, ~rows.background)
        rows.boxes[:, index] = numbers.values


def _numbers(rows: _Rows, columns: dict[str, pa.Array], column: str) -> Numbers:
    return to_numbers(columns[column], comma_is_decimal=rows.table.delimiter == ";")


def _refuse_words(rows: _Rows, numbers: Numbers, column: str, where: NDArray[np.bool_]) -> None:
    rows.refuse("not_a_number", numbers.wrong & where, _quoting(rows, column, "is not a number"), column)
    commas = np.zeros(len(numbers.values), dtype=np.bool_)
    commas[list(numbers.commas)] = True
    rows.refuse("decimal_comma", commas & where, _quoting(rows, column, "has a decimal comma; read as a point"), column)


def _quoting(rows: _Rows, column: str, words: str) -> Callable[[int], str]:
    return lambda row: f"{column}={cell(rows.table.columns[column], row)} {words}"


def _ragged(source: str, line: int, text: str) -> Defect:
    words = "the row has another number of cells than the header; quote cells that hold a comma"
    return Defect("wrong_cells", f"{place(source, line)}: {words}", "", source, line, text[:200])


def _split_codes(splits: pa.Array) -> NDArray[np.int64]:
    """Places in `_SPLITS`: a million strings are compared once, not for each use."""
    return np.asarray(pc.index_in(splits, value_set=pa.array(_SPLITS)), dtype=np.int64)


def _conflicting_splits(
    labels: Labels,
    image: NDArray[np.int64],
    split: NDArray[np.int64],
    first: NDArray[np.int64],
    line: NDArray[np.int64],
) -> list[Defect]:
    """Images that one row puts into one split and another row into another."""
    defects = []
    for row in np.flatnonzero(split != split[first][image]).tolist():
        file = labels.files[int(image[row])].removeprefix(labels.folder)
        one, other = labels.splits[image[row]], _SPLITS[split[row]]
        where = labels.where(int(image[row]), int(line[row]))
        text = f"{where}: {file} is in split {other} here and in {one} by another row; keep it in one"
        source = labels.source_of(int(image[row]))
        defects.append(Defect("conflicting_splits", text, file, source, int(line[row]), other))
    return defects


def cell(column: pa.Array, row: int) -> str:
    """One cell as it would stand in a table."""
    value = column[row].as_py()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _extra_columns(parts: Sequence[_Rows]) -> dict[str, list[pa.Array]]:
    """Columns that all tables have and that have no meaning of their own."""
    shared = [name for name in parts[0].table.columns if all(name in part.table.columns for part in parts)]
    return {
        name: [_as_text(part.table.columns[name]) for part in parts] for name in shared if name and name not in KNOWN
    }


def _of_rows(columns: Sequence[Any], rows: Sequence[NDArray[np.int64]]) -> Any:
    """The wanted rows of each part of a column, as one: mostly all rows of one part, and then nothing is copied.

    Args:
        columns: Arrow or NumPy arrays of one kind.
        rows: of each of them, ascending and each once.
    """
    parts = [
        c if len(r) == len(c) else c.take(r, axis=0) if isinstance(c, np.ndarray) else c.take(pa.array(r))
        for c, r in zip(columns, rows, strict=True)
    ]
    if len(parts) == 1:
        return parts[0]
    return pa.chunked_array(parts).combine_chunks() if isinstance(parts[0], pa.Array) else np.concatenate(parts)


def _first_rows(image: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The first row of each image."""
    first = np.zeros(count, dtype=np.int64)
    first[image[::-1]] = np.arange(len(image), dtype=np.int64)[::-1]
    return first


def _as_text(column: pa.Array) -> pa.Array:
    """Text of a column that may hold numbers, as class names do now and then."""
    return column if pa.types.is_string(column.type) else pc.fill_null(column.cast(pa.string()), "")


def _equal(column: pa.Array, text: str) -> NDArray[np.bool_]:
    return np.array(pc.equal(column, text).to_numpy(zero_copy_only=False), dtype=np.bool_)
