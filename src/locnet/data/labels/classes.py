"""Class names of the labels to class indices: an order, a mapping with merging, or a trained model's classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locnet.config.messages import nearest, suggest
from locnet.data.labels.defects import Defect
from locnet.data.labels.tables import Labels
from locnet.errors import ConfigError, DataError

BACKGROUND = "background"
IGNORED, UNKNOWN = -1, -2
ClassesSetting = Sequence[str] | Mapping[str, str | Sequence[str]] | None


@dataclass(frozen=True)
class ClassMap:
    """What becomes of the names of the labels.

    Attributes:
        classes: the C class names.
        index: `(len(labels.names),)` int64: class index of each name, `IGNORED` or `UNKNOWN`.
        strangers: names that the setting maps and no label has.
    """

    classes: tuple[str, ...]
    index: NDArray[np.int64]
    strangers: tuple[str, ...] = ()


def map_classes(labels: Labels, setting: ClassesSetting, trained: Sequence[str] | None) -> ClassMap:
    """Decide which names count as which class.

    Args:
        labels: whose names are to be mapped.
        setting: `data.classes`. A list gives the order, and another name is a defect. A mapping
            `{pedestrian: [person, rider]}` merges, and other names are ignored. None takes the names that occur.
        trained: classes of a trained model, in its order; they win, and the mapping leads to them.

    Raises:
        DataError: the setting contradicts itself or the labels.
    """
    merged = _merged(setting)
    used = {labels.names[index] for index in np.unique(labels.name)}
    order = [str(name) for name in setting] if setting else []
    if trained is not None:
        classes = tuple(trained)
    elif setting is not None:
        classes = tuple(order)
    else:
        # names are sorted, so that their order depends on the data alone and not on the order of files
        classes = tuple(sorted(used))
    if setting is not None and trained is None:
        _refuse_nonsense(setting, classes)
    places = {name: index for index, name in enumerate(classes)}
    strangers = () if merged is None else _strangers(merged, labels)
    if merged is None:
        index = [places.get(name, UNKNOWN) for name in labels.names]
    else:
        index = [places.get(merged[name], UNKNOWN) if name in merged else IGNORED for name in labels.names]
    return ClassMap(classes, np.array(index, dtype=np.int64), strangers)


def unknown_classes(labels: Labels, classes: ClassMap) -> list[Defect]:
    """A defect for each object whose class is none of the wanted ones."""
    if not len(labels.name):
        return []
    defects = []
    hints: dict[str, str] = {}
    for row in np.flatnonzero(classes.index[labels.name] == UNKNOWN):
        image, line, name = int(labels.image[row]), int(labels.object_line[row]), labels.names[labels.name[row]]
        hint = hints.setdefault(name, suggest(name, classes.classes))
        text = (
            f"{labels.where(image, line)}: class={name} is none of the {len(classes.classes)} of data.classes "
            f"or of the checkpoint; {hint}"
        )
        defects.append(Defect("unknown_class", text, labels.files[image], labels.source_of(image), line, name))
    return defects


def _merged(setting: ClassesSetting) -> dict[str, str] | None:
    """Class by name of the labels; None where the setting is no mapping."""
    if not isinstance(setting, Mapping):
        return None
    merged: dict[str, str] = {}
    for wanted, names in setting.items():
        for name in [names] if isinstance(names, str) else names:
            if merged.setdefault(name, wanted) != wanted:
                raise ConfigError(f"data.classes: {name} is in {merged[name]} and in {wanted}; put it in one of them")
    return merged


def _refuse_nonsense(setting: ClassesSetting, classes: Sequence[str]) -> None:
    if not classes or len(set(classes)) < len(classes) or BACKGROUND in classes:
        shown = dict(setting) if isinstance(setting, Mapping) else list(setting or [])
        raise DataError(f"data.classes={shown} must be different names, at least one; {BACKGROUND} is no class")


def _strangers(merged: Mapping[str, str], labels: Labels) -> tuple[str, ...]:
    """Names of the mapping that no label has; one that is nearly the name of a label is a typing mistake."""
    strangers = tuple(name for name in merged if name not in labels.names)
    for name in strangers:
        if nearest(name, labels.names):
            raise DataError(f"data.classes: no label is called {name}; {suggest(name, labels.names)}")
    return strangers
