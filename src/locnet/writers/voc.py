"""Pascal VOC: an XML file for each image; numbers of the outermost pixels inside the box, from 1."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from locnet.writers.base import Answers, whole_folder
from locnet.writers.labels import write_labels

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write_voc(answers: Answers, folder: Path) -> list[str]:
    """Write `voc/Annotations/**.xml`; a writer of `WRITERS`. The images belong into `voc/JPEGImages`."""

    def text_of(row: dict[str, Any]) -> str:
        name = _text(answers.name(row).rpartition("/")[2])
        size = f"<size><width>{row['width']}</width><height>{row['height']}</height><depth>3</depth></size>"
        found = answers.found(row)
        thing = ""
        if found is not None:
            edges = outermost_pixels(found[1], row["width"], row["height"])
            numbers = "".join(f"<{edge}>{value}</{edge}>" for edge, value in edges.items())
            thing = (
                f"  <object><name>{_text(row['class'])}</name><pose>Unspecified</pose><truncated>0</truncated>"
                f"<difficult>0</difficult><bndbox>{numbers}</bndbox></object>\n"
            )
        return f"<annotation>\n  <filename>{name}</filename>\n  {size}\n{thing}</annotation>\n"

    with whole_folder(folder / "voc") as place:
        write_labels(answers, place / "Annotations", ".xml", text_of)
    return ["voc/"]


def outermost_pixels(box: list[float], width: int, height: int) -> dict[str, int]:
    """The whole pixels that are nearest to a box, at least one, counted from 1 and both ends inside.

    Args:
        box: xyxy, edges in pixels of a continuous plane.
        width: of the image, pixels.
        height: of the image, pixels.
    """
    left, top = (min(max(round(edge), 0), side - 1) for edge, side in zip(box[:2], (width, height), strict=True))
    right, bottom = (min(max(round(edge), 1), side) for edge, side in zip(box[2:], (width, height), strict=True))
    return {"xmin": left + 1, "ymin": top + 1, "xmax": max(right, left + 1), "ymax": max(bottom, top + 1)}


def _text(value: str) -> str:
    return escape(_NOT_XML.sub("?", value))
