"""Cells of text to numbers, all at once; only cells that are no plain number are looked at one by one."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3},\d{3}", re.ASCII)


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Attributes:
        values: `(R,)` float64; NaN where a cell is empty or no number.
        empty: `(R,)` bool.
        commas: rows with a decimal comma, which was read as a point.
    """

    values: NDArray[np.float64]
    empty: NDArray[np.bool_]
    commas: tuple[int, ...]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """`(R,)` bool: cells that hold something else than a finite number."""
        return ~self.empty & ~np.isfinite(self.values)


def to_numbers(column: pa.Array, *, comma_is_decimal: bool = False) -> Numbers:
    """Read a column.

    Args:
        column: R trimmed strings, or numbers (null where empty).
        comma_is_decimal: `1,234` is 1.234, as in files whose cells are divided by semicolons; otherwise it may be
            a thousand as well, and is no number.
    """
    if pa.types.is_floating(column.type):
        values = np.array(column.to_numpy(zero_copy_only=False), dtype=np.float64)
        return Numbers(values, np.array(pc.is_null(column).to_numpy(zero_copy_only=False)), ())
    empty = pc.equal(column, "").to_numpy(zero_copy_only=False)
    try:
        plain = pc.if_else(pc.equal(column, ""), None, column).cast(pa.float64())
        return Numbers(np.array(plain.to_numpy(zero_copy_only=False), dtype=np.float64), empty, ())
    except pa.ArrowInvalid:
        pass
    found = [number(text, comma_is_decimal=comma_is_decimal) for text in column.to_pylist()]
    commas = tuple(row for row, one in enumerate(found) if one.comma)
    return Numbers(np.array([one.value for one in found], dtype=np.float64), empty, commas)


class Number(NamedTuple):
    """One number that was written as text.

    Attributes:
        value: NaN where it is none.
        comma: it had a decimal comma.
    """

    value: float
    comma: bool = False

    @property
    def finite(self) -> bool:
        """Whether it is a number that can be counted with."""
        return math.isfinite(self.value)


def number(text: str, *, comma_is_decimal: bool = False) -> Number:
    """Read one number; see `to_numbers`. What other languages write as numbers (1_000, ٣) is none."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return Number(float(text))
    if _COMMA.fullmatch(text) and (comma_is_decimal or not _THOUSANDS.fullmatch(text)):
        return Number(float(text.replace(",", ".")), comma=True)
    return Number(math.nan)
