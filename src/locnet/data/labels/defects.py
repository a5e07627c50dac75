"""What can be wrong with labels and images, and the rule for each: left out, repaired, or only told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from locnet.config.messages import one_line

_LONGEST = 600  # characters of a message
Action = Literal["left out", "repaired", "reported", "noted"]
"""left out: the image is not used. repaired: it is used, changed by the stated rule. reported: it is used as it is,
and somebody should look. noted: nothing is wrong, it is only good to know."""


@dataclass(frozen=True)
class Rule:
    """What happens to one kind of defect.

    Attributes:
        action: see `Action`.
        words: the kind in words, as the summary has it.
        rule: what is done, in the words of the documentation.
    """

    action: Action
    words: str
    rule: str


KINDS: dict[str, Rule] = {
    # label files and rows
    "unreadable_labels": Rule("left out", "label file unreadable", "the image of that label file is left out"),
    "wrong_cells": Rule("left out", "wrong number of cells", "the row is left out"),
    "empty_filename": Rule("left out", "no file name", "the row is left out"),
    "empty_class": Rule("left out", "empty class", "the image is left out"),
    "unknown_class": Rule("left out", "unknown class", "the image is left out"),
    "unknown_split": Rule("left out", "unknown split", "the image is left out"),
    "not_a_number": Rule("left out", "not a number", "the image is left out"),
    "decimal_comma": Rule("repaired", "decimal comma", "read as a decimal point (1,234 could be either: left out)"),
    "no_box": Rule("left out", "no box", "the image is left out"),
    "background_with_box": Rule("left out", "background with a box", "the image is left out"),
    "background_with_object": Rule("left out", "background and object", "the image is left out"),
    "swapped_edges": Rule("left out", "edges swapped", "the image is left out: it may be the columns that are swapped"),
    "zero_area": Rule("left out", "box without area", "the image is left out"),
    "outside": Rule("left out", "box outside the image", "the image is left out"),
    "beyond_edge": Rule("repaired", "box beyond the edge", "at most one pixel beyond: clipped to the image"),
    "duplicate_row": Rule("repaired", "same object twice", "one of the equal rows is kept"),
    "conflicting_rows": Rule("reported", "object labelled twice", "same class, IoU >= 0.9: data.multiple chooses one"),
    "conflicting_splits": Rule("left out", "in two splits", "the image is left out"),
    "ambiguous_image": Rule("left out", "two images of one name", "both are left out"),
    # image files
    "missing_image": Rule("left out", "image missing", "the label is left out"),
    "undecodable_name": Rule("left out", "file name is not UTF-8", "left out; rename it"),
    "empty_image": Rule("left out", "image of 0 bytes", "left out"),
    "lfs_pointer": Rule("left out", "Git LFS pointer", "left out; run `git lfs pull`"),
    "not_an_image": Rule("left out", "not an image", "left out"),
    "damaged_image": Rule("left out", "image cut short or damaged", "left out"),
    "too_many_pixels": Rule(
        "left out", "too many pixels", "above Pillow's limit of 89 million: left out, never decoded"
    ),
    "unreadable_image": Rule("left out", "image unreadable", "no permission, or a loop of links: left out"),
    "size_disagrees": Rule(
        "left out", "size is another", "width and height of the label fit the image in no way: left out"
    ),
    "size_before_rotation": Rule(
        "repaired",
        "size before EXIF rotation",
        "the box was drawn on the unrotated image: it is rotated with the image",
    ),
    "size_scaled": Rule(
        "repaired", "labelled at another scale", "same aspect ratio: the box is taken in fractions of the stated size"
    ),
    "bad_orientation": Rule("noted", "nonsense EXIF orientation", "taken as upright"),
    "rotated": Rule("noted", "EXIF rotation", "turned upright; boxes are those of the upright image"),
    "wrong_extension": Rule("noted", "extension that lies", "the content decides"),
    "grey": Rule("noted", "grey", "made RGB"),
    "palette": Rule("noted", "palette", "made RGB"),
    "transparent": Rule("noted", "transparent", "laid over white"),
    "cmyk": Rule("noted", "CMYK", "made RGB"),
    "deep": Rule("noted", "more than 8 bits a channel", "scaled to 8 bits"),
    "animated": Rule("noted", "animated", "the first frame is taken"),
    # between images
    "duplicate_across_splits": Rule(
        "reported", "same file in two splits", "both are used; data.duplicates=strict refuses"
    ),
    "near_duplicate_across_splits": Rule(
        "reported", "same picture in two splits", "both are used; data.duplicates=strict refuses"
    ),
    "contradicting_labels": Rule(
        "reported", "contradicting labels", "same picture, another class, or boxes with IoU < 0.5: both are used"
    ),
    "near_duplicate_in_split": Rule("noted", "near-duplicate in its split", "all are used, and each counts"),
}


@dataclass(frozen=True)
class Defect:
    """One thing found.

    Attributes:
        kind: of `KINDS`.
        message: one line: where, what, and the way out.
        file: the image, relative to the data's root; empty where a row names none.
        source: the label file; empty where it is the image itself.
        line: of the label file from 1 on, or number of the row or the annotation; 0 where there is none.
        value: the offending value as it stands in the file.
    """

    kind: str
    message: str
    file: str = ""
    source: str = ""
    line: int = 0
    value: str = ""

    def __post_init__(self) -> None:
        text = self.message.encode("utf-8", "backslashreplace").decode()  # lone surrogates: names that are not UTF-8
        object.__setattr__(self, "message", one_line(text, _LONGEST))

    @property
    def action(self) -> Action:
        """What became of it."""
        return KINDS[self.kind].action


def place(source: str, line: int, unit: str = "line") -> str:
    """`FILE:LINE`, `FILE: annotation 7` where it is not lines that count, `FILE` where nothing does."""
    if not line:
        return source
    return f"{source}:{line}" if unit == "line" else f"{source}: {unit} {line}"


def counted(defects: Iterable[Defect], *actions: Action) -> str:
    """`2 image missing, 1 unknown class`: the kinds in words, the commonest first."""
    counts = Counter(defect.kind for defect in defects if defect.action in actions)
    return ", ".join(f"{count} {KINDS[kind].words}" for kind, count in counts.most_common())


def write_defects(path: Path, defects: Sequence[Defect]) -> None:
    """One JSON object a line: action and all fields. Names that are not UTF-8 are escaped."""
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for defect in defects:
            file.write(json.dumps({"action": defect.action, **asdict(defect)}, ensure_ascii=False) + "\n")
