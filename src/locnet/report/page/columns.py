"""The table of answers as compact columns that a page's script reads: 50,000 answers take about 5 MB."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locnet.checkup.suspects import Suspect
from locnet.page.parts import printable
from locnet.predictions import Predictions
from locnet.report.kinds import GOOD_IOU

_TYPES = {"float64": "f8", "float32": "f4", "uint16": "u2", "int32": "i4", "uint32": "u4"}
_FULL = 65535  # a fraction of the image as 16 bits: a twentieth of a pixel in a photo of 3,000


def embedded(
    p: Predictions,
    *,
    pictures: Mapping[int, str],
    suspects: Sequence[Suspect],
    groups: Mapping[str, Sequence[str]],
    link: str | None,
) -> dict[str, Any]:
    """What `report.js` works on. p_c and IoU are exact, so that its counts are those of the metrics.

    Args:
        p: truth and answer for N images.
        pictures: JPEG in base64 by row.
        suspects: labels that the answers contradict.
        groups: as `locnet.report.groups.groups` gives them.
        link: URL of the folder that file names are relative to; None for no links.
    """
    return {
        "classes": [printable(name) for name in p.classes],
        "threshold": p.threshold,
        "goodIou": GOOD_IOU,
        "hasBoxes": p.has_boxes,
        "columns": {
            "p_c": column(p.p_c, "float64"),
            "iou": column(p.ious, "float64"),
            "score": column(p.class_scores.max(axis=1) if p.classes else np.zeros(len(p)), "float32"),
            "label": column(p.labels, "int32"),
            "best": column(p.predicted_labels if p.classes else p.labels, "int32"),
            "size": column(p.sizes.ravel(), "uint32"),
            "box": column(_sixteen_bits(p.boxes), "uint16"),
            "found": column(_sixteen_bits(p.predicted_boxes), "uint16"),
        },
        "files": p.files,
        "groups": {name: _codes(values) for name, values in groups.items()},
        "suspects": [suspect.row for suspect in suspects],
        "pictures": {str(row): picture for row, picture in pictures.items()},
        "link": link,
    }


def column(values: NDArray[Any], kind: str) -> dict[str, str]:
    """Numbers as base64, with the type that a script reads them as (little endian, as all browsers have it)."""
    content = values.astype(np.dtype(kind).newbyteorder("<")).tobytes()
    return {"type": _TYPES[kind], "data": base64.b64encode(content).decode()}


def _sixteen_bits(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(np.clip(np.nan_to_num(boxes), 0, 1) * _FULL).ravel()


def _codes(values: Sequence[str]) -> dict[str, Any]:
    names = sorted(set(values))
    number = {name: index for index, name in enumerate(names)}
    return {
        "names": [printable(name) for name in names],
        "codes": column(np.array([number[v] for v in values]), "int32"),
    }
