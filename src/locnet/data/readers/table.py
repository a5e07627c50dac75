"""Delimited text as columns of strings, parsed by Arrow without an object for each cell, with the line of every row."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from locnet.data.readers.text import read_text
from locnet.errors import DataError

csv.field_size_limit(sys.maxsize)  # a remark may be long
_DELIMITERS = (",", "\t", ";", "|")
_HEAD = 1 << 16  # characters that a header has at most, usually
_QUOTE = '"'
_OPEN_QUOTE = "is a quotation mark open?"


@dataclass(frozen=True)
class Table:
    """Cells without blanks around them, rows without the blank ones.

    Attributes:
        path: of the file.
        columns: by name, R strings each.
        lines: `(R,)` int64, line of each row in the file, from 1 on (its last, where a cell has line breaks).
        delimiter: between cells.
        ragged: line and text of the rows with another number of cells than the header.
    """

    path: Path
    columns: dict[str, pa.Array]
    lines: NDArray[np.int64]
    delimiter: str
    ragged: tuple[tuple[int, str], ...]

    def __len__(self) -> int:
        return len(self.lines)


def read_table(path: Path, columns: Sequence[str] | None = None) -> Table:
    """Parse a CSV or TSV file; the delimiter (comma, tab, semicolon or bar) is the commonest of its first line.

    Args:
        path: of the file.
        columns: names of the columns where the file has no header; None takes its first line.

    Raises:
        DataError: it cannot be read, is no text, or a quotation mark is not closed.
    """
    text = read_text(path)
    first, start = _first_line(text)
    delimiter = max(_DELIMITERS, key=first.count)
    names = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
    if columns is not None:
        names, start = list(columns), 0
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path}: two columns are called {twice!r}; rename one")
    body = text[start:]
    if not names or not body.strip():
        return Table(path, {name: pa.array([], pa.string()) for name in names}, np.zeros(0, np.int64), delimiter, ())
    ragged: list[tuple[int, str]] = []
    parsed = _parse(path, body, names, delimiter, ragged)
    numbers = _without(len(parsed) + len(ragged), [number for number, _ in ragged])
    line_of = _line_numbers(text, start, len(parsed) + len(ragged), delimiter)
    cells = {name: pc.utf8_trim_whitespace(parsed[name].combine_chunks()) for name in names}
    if _QUOTE in body:  # without one no cell has a line break
        _refuse_swallowed_rows(path, cells, ragged, line_of, numbers, delimiter)
    return Table(path, cells, line_of[numbers], delimiter, tuple((int(line_of[n]), row) for n, row in ragged))


def _first_line(text: str) -> tuple[str, int]:
    """The first line that is not blank, and where the next one begins."""
    start = 0
    head = text if len(text) < _HEAD or "\n" not in text[:_HEAD].strip() else text[:_HEAD]
    for line in io.StringIO(head, newline=""):
        start += len(line)
        if line.strip():
            return line.rstrip("\r\n"), start
    return "", start


def _parse(path: Path, body: str, names: list[str], delimiter: str, ragged: list[tuple[int, str]]) -> pa.Table:
    def keep(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append((row.number - 1, row.text))
        return "skip"

    content = body.encode()
    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(content),
            # one thread: only then Arrow knows the number of a row that it complains about
            pyarrow.csv.ReadOptions(column_names=names, use_threads=False, block_size=max(1 << 20, len(content))),
            pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=keep),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                check_utf8=False,  # it was text already
            ),
        )
    except pa.ArrowInvalid as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a table ({reason}); {_OPEN_QUOTE}") from error


def _without(count: int, numbers: list[int]) -> NDArray[np.int64]:
    """0 to count - 1 without some of them."""
    return np.setdiff1d(np.arange(count, dtype=np.int64), np.array(numbers, dtype=np.int64), assume_unique=True)


def _line_numbers(text: str, start: int, rows: int, delimiter: str) -> NDArray[np.int64]:
    """The line of each row, ragged ones included: `(rows,)` int64."""
    head = _count_lines(text[:start])
    if _count_lines(text[start:]) == rows:  # no blank lines, no line breaks inside cells
        return head + 1 + np.arange(rows, dtype=np.int64)
    reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=delimiter)
    lines = [head + reader.line_num for row in reader if row]
    lines += lines[-1:] * (rows - len(lines))  # of a mark that is open to the end of the file
    return np.array(lines[:rows], dtype=np.int64)


def _count_lines(text: str) -> int:
    ends = text.count("\n") or text.count("\r")
    return ends + (text != "" and text[-1] not in "\r\n")


def _refuse_swallowed_rows(
    path: Path,
    cells: dict[str, pa.Array],
    ragged: list[tuple[int, str]],
    line_of: NDArray[np.int64],
    numbers: NDArray[np.int64],
    delimiter: str,
) -> None:
    """An open quotation mark makes one cell of all rows up to the next mark: they would be lost in silence."""
    suspects = [(number, text) for number, text in ragged if _has_line_break(text)]
    for column in cells.values():
        rows = np.flatnonzero(pc.match_substring_regex(column, "[\r\n]").to_numpy(zero_copy_only=False))
        for row in rows.tolist():
            pieces = column[row].as_py().splitlines()
            if any(piece.count(delimiter) >= len(cells) - 1 > 0 for piece in pieces):
                suspects.append((int(numbers[row]), ""))
    if suspects:
        number = min(suspects)[0]
        line = int(line_of[number - 1]) + 1 if number else 1
        raise DataError(f"{path}:{line}: not a CSV row (it goes on over several lines); {_OPEN_QUOTE}")


def _has_line_break(text: str) -> bool:
    return "\n" in text or "\r" in text
