"""What every writer of answers is given, and files and folders that are whole or not there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from locnet.inference.result import CROP, FIELDS
from locnet.page.parts import printable
from locnet.predictions import EDGES
from locnet.runtime.files import beside


@dataclass(frozen=True)
class Answers:
    """All answers of a run, streamed from its journal as often as a format needs.

    Attributes:
        rows: begins the stream anew. Boxes in pixels of the upright image, edges of a continuous plane.
        classes: the C class names.
        columns: keys of the rows, in their order.
        relative: gives the path of a file below the source.
    """

    rows: Callable[[], Iterator[dict[str, Any]]]
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    relative: Callable[[str], str]

    def name(self, row: dict[str, Any]) -> str:
        """Where the picture of a row lies below the source; a frame of a video gets a name of its own."""
        return frame_name(printable(self.relative(row["file"])), row.get("frame"))

    def found(self, row: dict[str, Any]) -> tuple[int, list[float]] | None:
        """Class index and box of a row; None where the verdict is background or the system gives no boxes."""
        if row["verdict"] == "background" or row["xmin"] is None:
            return None
        return self.classes.index(row["class"]), [row[edge] for edge in EDGES]


def columns(classes: tuple[str, ...], *, crops: bool, frames: bool) -> tuple[str, ...]:
    """Keys of the rows that predict writes, in their order."""
    return (
        *(FIELDS[0], *(("frame", "time") if frames else ()), *FIELDS[1:]),
        *(CROP if crops else ()),
        *(f"score_{name}" for name in classes),
    )


def frame_name(file: str, frame: int | None) -> str:
    """What the picture of a frame is called; the file itself where there is none."""
    return file if frame is None else f"{file}-{frame:06}.jpg"


def score(row: dict[str, Any]) -> float:
    """What detectors call the score of a box: p_c times the score of its class, not below 0 or above 1."""
    product: float = row["p_c"] * row[f"score_{row['class']}"]
    return min(max(product, 0.0), 1.0)


@contextmanager
def whole_text(path: Path) -> Iterator[TextIO]:
    """A text file that takes its place when the block ends; bytes of names that are not UTF-8 are escaped."""
    partial = beside(path)
    with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        yield file
    partial.replace(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder that takes its place, and that of an older one, when the block ends."""
    partial = beside(path)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    shutil.rmtree(path, ignore_errors=True)
    partial.replace(path)
