"""Labels to records: check, repair by the stated rules, map the classes, take one object an image, split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locnet.config.messages import join_some
from locnet.config.schema import LabelSettings
from locnet.data.inspection import Facts
from locnet.data.labels.boxes import origin_hint
from locnet.data.labels.choose import choose, count_objects
from locnet.data.labels.classes import map_classes
from locnet.data.labels.defects import Defect
from locnet.data.labels.findings import Findings
from locnet.data.labels.image_files import Look, look_at_images
from locnet.data.labels.objects import usable_objects
from locnet.data.labels.tables import Labels
from locnet.data.records import Origin, Records
from locnet.data.splits import complete, split_keys


@dataclass(frozen=True)
class Reading:
    """Records, and what became of everything that is not in them.

    Attributes:
        records: one row a usable image.
        defects: everything found, in the order of the label files.
        bad: images, and rows that name none, that are left out because of a defect.
        total: images and such rows altogether.
        paths: number of images by what became of them, in words.
        ignored: number of objects that do not count, by the reason in words.
        facts: of the records' image files, in their order; None where they were not all looked at.
        notes: what a user should know, a line each.
    """

    records: Records
    defects: tuple[Defect, ...]
    bad: int
    total: int
    paths: dict[str, int]
    ignored: dict[str, int]
    facts: tuple[Facts, ...] | None
    notes: tuple[str, ...]


def assemble(
    labels: Labels, settings: LabelSettings, *, look: Look, look_at_all: bool, trained: Sequence[str] | None = None
) -> Reading:
    """One object an image, in fractions of the upright image, and everything else accounted for.

    Args:
        labels: as a reader gives them.
        settings: of the data.
        look: how image files are looked at.
        look_at_all: otherwise only at files whose size no label states.
        trained: classes of a trained model, in its order; None takes those of the settings or of the labels.

    Raises:
        DataError: the settings and the labels do not go together.
    """
    findings = Findings(labels)
    seen = look_at_images(labels, findings, look, all_of_them=look_at_all)
    classes = map_classes(labels, settings.classes, trained)
    objects = usable_objects(labels, findings, seen, classes, settings)
    kept = objects.kept & ~findings.bad[labels.image]
    chosen = choose(labels, kept, objects.boxes, settings.multiple)
    counts = count_objects(labels, kept)
    groups = _what_becomes(labels, findings.bad, counts, settings)
    rows = np.flatnonzero(sum(mask for mask, used in groups.values() if used))
    extra = {name: column[rows] for name, column in labels.extra.items()}
    given = labels.splits[rows]
    names, said = complete(
        given,
        lambda: split_keys(labels.files[rows], settings.split.group, extra, ignore=labels.folder),
        val=settings.split.val,
        test=settings.split.test,
        seed=settings.split.seed,
    )
    records = Records(
        root=labels.root,
        classes=classes.classes,
        files=labels.files[rows],
        splits=names,
        labels=_of_chosen(objects.classes, chosen[rows], np.int64(-1)),
        boxes=_of_chosen(objects.boxes, chosen[rows], np.float64(np.nan)),
        sizes=objects.sizes[rows],
        extra=extra,
        origin=Origin(labels.sources, labels.source[rows], _lines(labels, chosen)[rows], labels.line_unit),
        has_boxes=labels.has_boxes,
    )
    return Reading(
        records=records,
        defects=findings.in_order(),
        bad=findings.bad_count,
        total=findings.total,
        paths={words: int(mask.sum()) for words, (mask, _) in groups.items() if mask.any()},
        ignored={reason: count for reason, count in objects.ignored.items() if count},
        facts=tuple(seen.facts[row] for row in rows.tolist()) if look_at_all else None,
        notes=(
            *labels.notes,
            *filter(None, (said, origin_hint(labels), _unused(records), _strange(classes.strangers))),
        ),
    )


def _what_becomes(
    labels: Labels, bad: NDArray[np.bool_], counts: NDArray[np.int64], settings: LabelSettings
) -> dict[str, tuple[NDArray[np.bool_], bool]]:
    """Every image in exactly one group: what becomes of it in words, which images, and whether they are used."""
    several = {
        "largest": "several objects, the largest taken",
        "first": "several objects, the first taken",
        "skip": "several objects, skipped",
        "background": "several objects, taken as background",
        "error": "",
    }
    without = {"skip": "without object, skipped", "background": "without object, taken as background"}
    good = ~bad
    stated = labels.background
    return {
        "one object": (good & (counts == 1), True),
        several[settings.multiple]: (good & (counts > 1), settings.multiple != "skip"),
        "background": (good & (counts == 0) & stated, True),
        without[settings.without_object]: (good & (counts == 0) & ~stated, settings.without_object == "background"),
        "left out": (bad, False),
    }


def _strange(names: Sequence[str]) -> str:
    """A line where `data.classes` maps names that no label has; empty otherwise."""
    return f"data.classes: no label is called {join_some(names)}" if names else ""


def _unused(records: Records) -> str:
    """A line where classes have no image, as the lesser ones of images with several objects; empty otherwise."""
    used = set(np.unique(records.labels).tolist())
    unused = [name for label, name in enumerate(records.classes) if label not in used]
    if not unused or not len(records):
        return ""
    return f"{len(unused)} of {len(records.classes)} classes are no image's object: {join_some(unused)}"


def _of_chosen(values: NDArray, chosen: NDArray[np.int64], missing: np.generic) -> NDArray:  # type: ignore[type-arg]
    """The value of each image's object; `missing` for images without."""
    result = np.full((len(chosen), *values.shape[1:]), missing, dtype=values.dtype)
    has = chosen >= 0
    result[has] = values[chosen[has]]
    return result


def _lines(labels: Labels, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """The line of each image's object, or of the image where it has none."""
    result = labels.line.copy()
    has = chosen >= 0
    result[has] = labels.object_line[chosen[has]]
    return result
