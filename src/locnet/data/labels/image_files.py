"""The image files that labels name: are they there, how large are they, can they be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locnet.data.files import exist
from locnet.data.inspection import Facts
from locnet.data.labels.defects import KINDS, Defect
from locnet.data.labels.findings import Findings
from locnet.data.labels.tables import Labels

Look = Callable[[Sequence[str]], list[Facts]]
"""Looks at image files, given by their full paths, and returns what they are in the same order."""


@dataclass(frozen=True)
class Seen:
    """What the files say.

    Attributes:
        upright: `(I,)` x 2 int64, height and width of the upright image; 0 where it was not looked at.
        orientation: `(I,)` int64, EXIF orientation 1 to 8.
        facts: by image row, those that were looked at.
    """

    upright: NDArray[np.int64]
    orientation: NDArray[np.int64]
    facts: dict[int, Facts]


def look_at_images(labels: Labels, findings: Findings, look: Look, *, all_of_them: bool) -> Seen:
    """Find missing files, and look at all others or at those whose size no label states.

    Args:
        labels: that name the images.
        findings: gets what is wrong with them.
        look: reads headers, or whole files.
        all_of_them: otherwise only files whose size is needed.
    """
    findings.add(_undecodable(labels))
    findings.add(_missing(labels, ~exist(labels.root, labels.files) & ~findings.bad))
    wanted = ~findings.bad & (all_of_them | (labels.sizes <= 0).any(axis=1))
    rows = np.flatnonzero(wanted).tolist()
    names = labels.files[wanted].tolist()
    seen = Seen(
        upright=np.zeros((len(labels.files), 2), dtype=np.int64),
        orientation=np.ones(len(labels.files), dtype=np.int64),
        facts={},
    )
    facts = look([f"{labels.root}/{name}" for name in names])
    for row, name, fact in zip(rows, names, facts, strict=True):
        seen.upright[row], seen.orientation[row] = (fact.height, fact.width), fact.orientation
        seen.facts[row] = fact
        if fact.problem or fact.notes:
            findings.add(_of_file(labels, row, name, fact))
    return seen


def _undecodable(labels: Labels) -> list[Defect]:
    """Names that no report, table or page could hold."""
    defects = []
    for row in labels.files.undecodable():
        file = labels.files[row]
        name = file.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        text = f"{labels.root}: the name of {name} is not UTF-8; rename the file"
        defects.append(Defect("undecodable_name", text, file, labels.source_of(row), int(labels.line[row]), name))
    return defects


def _missing(labels: Labels, missing: NDArray[np.bool_]) -> list[Defect]:
    defects = []
    for row in np.flatnonzero(missing).tolist():
        file = labels.files[row]
        hint = "; write / between folders" if "\\" in file else ""
        text = f"{labels.where(row)}: filename={file}: there is no such image in {labels.root}{hint}"
        defects.append(Defect("missing_image", text, file, labels.source_of(row), int(labels.line[row]), file))
    return defects


def _of_file(labels: Labels, row: int, name: str, fact: Facts) -> list[Defect]:
    if fact.problem:
        source, line = labels.source_of(row), int(labels.line[row])
        where = f"{labels.where(row)}: " if source else ""
        return [Defect(fact.problem, where + fact.message, name, source, line)]
    path = f"{labels.root}/{name}"
    return [
        Defect(kind, f"{path}: {KINDS[kind].words}; {KINDS[kind].rule}", name, value=fact.mode) for kind in fact.notes
    ]
