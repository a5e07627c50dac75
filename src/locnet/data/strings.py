"""A column of strings that takes the memory of its characters, and that processes share without copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class Strings:
    """Read-only strings in one Arrow buffer.

    A list of a million `str` is a million objects whose reference counts every loader process writes to; a NumPy
    array of strings is as wide as its longest. This is neither.
    """

    def __init__(self, values: Iterable[str] | NDArray[np.str_] | pa.Array | pa.ChunkedArray = ()) -> None:
        """Keep `values`, in their order."""
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if not isinstance(values, pa.Array):
            # 64-bit offsets: a hundred million paths are more than 2 GB. Lone surrogates are bytes that are no UTF-8.
            values = pa.array([str(v).encode("utf-8", "surrogateescape") for v in values], pa.large_binary())
        self.arrow: pa.Array = values.cast(pa.large_binary())

    def __len__(self) -> int:
        return len(self.arrow)

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> str: ...
    @overload
    def __getitem__(self, index: NDArray[Any] | slice) -> Strings: ...
    def __getitem__(self, index: int | np.integer[Any] | NDArray[Any] | slice) -> str | Strings:
        if isinstance(index, slice):
            return Strings(self.arrow[index])
        if isinstance(index, np.ndarray):
            rows = np.flatnonzero(index) if index.dtype == np.bool_ else index
            return Strings(self.arrow.take(pa.array(rows, pa.int64())))
        value: bytes = self.arrow[int(index)].as_py()
        return value.decode("utf-8", "surrogateescape")

    def index(self, value: str) -> int:
        """The first place of a string, -1 where it is not among them."""
        found: int = pc.index(self.arrow, value.encode("utf-8", "surrogateescape")).as_py()
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Strings) and self.arrow.equals(other.arrow)

    __hash__ = None  # type: ignore[assignment]  # as for every container that compares by content

    def __repr__(self) -> str:
        shown = ", ".join(repr(text) for text in self[:3])
        return f"Strings([{shown}{', ...' if len(self) > 3 else ''}], {len(self)})"

    def tolist(self) -> list[str]:
        """All of them as Python strings."""
        return [value.decode("utf-8", "surrogateescape") for value in self.arrow.to_pylist()]

    def undecodable(self) -> list[int]:
        """Rows that are not UTF-8, such as file names of another age."""
        try:
            self.arrow.cast(pa.large_string())
        except pa.ArrowInvalid:
            return [
                row for row, text in enumerate(self) if any("\ud800" <= character <= "\udfff" for character in text)
            ]
        return []

    def tobytes(self) -> bytes:
        """Lengths and characters, for a hash: different columns give different bytes."""
        _, offsets, characters = self.arrow.buffers()
        if offsets is None or characters is None:
            return np.zeros(len(self), np.int64).tobytes()
        start = self.arrow.offset
        ends = np.frombuffer(offsets, dtype=np.int64)[start : start + len(self) + 1]
        return np.diff(ends).tobytes() + memoryview(characters)[int(ends[0]) : int(ends[-1])].tobytes()
