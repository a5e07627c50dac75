"""YOLO: `class x y width height` in fractions, a text file for each image; an empty one says background."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from locnet.writers.base import Answers, whole_folder
from locnet.writers.labels import write_labels


def write_yolo(answers: Answers, folder: Path) -> list[str]:
    """Write `yolo/labels/**.txt` and `yolo/data.yaml`; a writer of `WRITERS`. The images belong into `yolo/images`."""

    def text_of(row: dict[str, Any]) -> str:
        found = answers.found(row)
        if found is None:
            return ""
        label, (left, top, right, bottom) = found
        width, height = row["width"], row["height"]
        middle = ((left + right) / 2 / width, (top + bottom) / 2 / height)
        return " ".join(map(_short, (label, *middle, (right - left) / width, (bottom - top) / height))) + "\n"

    with whole_folder(folder / "yolo") as place:
        write_labels(answers, place / "labels", ".txt", text_of)
        names = dict(enumerate(answers.classes))
        described = {"path": ".", "train": "images", "val": "images", "names": names}
        text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True)
        (place / "data.yaml").write_text(text, encoding="utf-8")
    return ["yolo/"]


def _short(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
