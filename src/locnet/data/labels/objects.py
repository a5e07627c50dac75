"""The objects that count: of a wanted class, not flagged away, large enough, with a box that can be right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locnet.config.schema import LabelSettings
from locnet.data.labels.boxes import check_boxes
from locnet.data.labels.choose import repeats
from locnet.data.labels.classes import IGNORED, ClassMap, unknown_classes
from locnet.data.labels.defects import Defect
from locnet.data.labels.findings import Findings
from locnet.data.labels.image_files import Seen
from locnet.data.labels.sizes import reconcile, turn
from locnet.data.labels.tables import FLAGS, Labels


@dataclass(frozen=True)
class Objects:
    """What counts.

    Attributes:
        kept: `(K,)` bool, objects that count.
        classes: `(K,)` int64, class index.
        boxes: `(K, 4)` float64, xyxy in fractions of the upright image.
        sizes: `(I, 2)` int64, height and width of the upright images.
        ignored: number of objects that do not count, by the reason in words.
    """

    kept: NDArray[np.bool_]
    classes: NDArray[np.int64]
    boxes: NDArray[np.float64]
    sizes: NDArray[np.int64]
    ignored: dict[str, int]


def usable_objects(
    labels: Labels, findings: Findings, seen: Seen, classes: ClassMap, settings: LabelSettings
) -> Objects:
    """Decide which objects count; `findings` gets everything that is wrong with them."""
    frames, turned, defects = reconcile(labels, seen.upright, seen.orientation)
    findings.add(defects)
    findings.add(_contradictions(labels))
    sizes = np.where(seen.upright > 0, seen.upright, frames)
    index = classes.index[labels.name] if len(labels.name) else np.zeros(0, dtype=np.int64)
    findings.add(unknown_classes(labels, classes))
    kept = ~findings.bad[labels.image]
    ignored: dict[str, int] = {}

    def ignore(reason: str, rows: NDArray[np.bool_]) -> None:
        ignored[reason] = int((kept & rows).sum())
        kept[rows] = False

    ignore("of no wanted class", index == IGNORED)
    for flag in settings.ignore_flags:
        ignore(flag, (labels.flags & (1 << FLAGS.index(flag))) > 0)
    if not labels.has_boxes:
        whole = np.tile(np.array([0.0, 0.0, 1.0, 1.0]), (len(index), 1))
        return Objects(kept, index, whole, sizes, ignored)
    boxes, defects = check_boxes(labels, frames, kept)
    findings.add(defects)
    boxes = turn(boxes, turned[labels.image])
    kept &= ~findings.bad[labels.image]
    sides = ((boxes[:, 2:] - boxes[:, :2]) * sizes[labels.image][:, ::-1]).min(axis=1, initial=np.inf)
    ignore(f"smaller than {settings.min_box:g} px", kept & (sides < settings.min_box))
    kept, defects = repeats(labels, kept, index, boxes)
    findings.add(defects)
    return Objects(kept, index, boxes, sizes, ignored)


def _contradictions(labels: Labels) -> list[Defect]:
    """Images that are background by one row and have an object by another."""
    if not labels.background.any():
        return []
    defects = []
    for image in np.unique(labels.image[labels.background[labels.image]]).tolist():
        file = labels.files[image]
        text = f"{labels.where(image)}: {file} is background here and has an object elsewhere; keep one of the two"
        source, line = labels.source_of(image), int(labels.line[image])
        defects.append(Defect("background_with_object", text, file, source, line))
    return defects
