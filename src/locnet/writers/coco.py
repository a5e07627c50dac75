"""COCO: the answers as a data set for labelling tools and our reader, and as a list of results for evaluators.

Boxes are `[left, top, width, height]` in pixels of a continuous plane. Images are numbered from 1 in the order of the
journal; the results speak of these numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from locnet.writers.base import Answers, score, whole_text


def write_coco(answers: Answers, folder: Path) -> list[str]:
    """Write `predictions.coco.json` and `predictions.coco_results.json`; a writer of `WRITERS`."""
    with whole_text(folder / "predictions.coco.json") as file:
        file.write('{"images": ')
        _write_list(file, _images(answers))
        file.write(',\n"annotations": ')
        _write_list(file, ({"id": i, **result} for i, result in enumerate(_results(answers, full=True), start=1)))
        categories = [{"id": index, "name": name} for index, name in enumerate(answers.classes, start=1)]
        file.write(f',\n"categories": {json.dumps(categories)}}}\n')
    with whole_text(folder / "predictions.coco_results.json") as file:
        _write_list(file, _results(answers, full=False))
        file.write("\n")
    return ["predictions.coco.json", "predictions.coco_results.json"]


def _images(answers: Answers) -> Iterable[dict[str, Any]]:
    for number, row in enumerate(answers.rows(), start=1):
        yield {"id": number, "file_name": answers.name(row), "width": row["width"], "height": row["height"]}


def _results(answers: Answers, *, full: bool) -> Iterable[dict[str, Any]]:
    for number, row in enumerate(answers.rows(), start=1):
        found = answers.found(row)
        if found is not None:
            label, (left, top, right, bottom) = found
            width, height = round(right - left, 3), round(bottom - top, 3)
            extra = {"area": round(width * height, 3), "iscrowd": 0} if full else {}
            box = [left, top, width, height]
            yield {"image_id": number, "category_id": label + 1, "bbox": box, "score": score(row), **extra}


def _write_list(file: TextIO, items: Iterable[dict[str, Any]]) -> None:
    separator = "[\n"
    for item in items:
        file.write(separator + json.dumps(item, ensure_ascii=False))
        separator = ",\n"
    file.write("[]" if separator == "[\n" else "\n]")
