"""From the settings of `data` to records: read the labels, look at the images, refuse what is too bad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from locnet.config.defaults import data_settings
from locnet.config.schema import AutoSettings, CsvSettings, DataSettings, LabelSettings, ShardsSettings, StreetsSettings
from locnet.data.duplicates import Twins, across_splits, find_twins
from locnet.data.inspection import Facts, inspect_all
from locnet.data.labels.assemble import Reading, assemble
from locnet.data.labels.classes import BACKGROUND
from locnet.data.labels.image_files import Look
from locnet.data.labels.tables import Labels
from locnet.data.readers import READERS
from locnet.data.recognise import recognise
from locnet.data.shards.opening import as_reading, open_index
from locnet.data.workers import cores
from locnet.errors import DataError

MOST_HEADERS = 20_000
"""Images up to which `data.check_images=auto` reads every header: seconds."""
_MOST_WORKERS = 8


def read_data(settings: DataSettings, trained: Sequence[str] | None = None, cache_dir: Path | None = None) -> Reading:
    """The labels that the settings name, fit to train on.

    Args:
        settings: of the data.
        trained: classes of a trained model, in its order; None takes those of the settings or of the labels.
        cache_dir: where drawn scenes lie; only `data=streets` needs it.

    Raises:
        DataError: they cannot be used, or too many of them cannot.
    """
    if isinstance(settings, StreetsSettings):
        return _read(_drawn(settings, cache_dir), trained)
    if isinstance(settings, ShardsSettings):
        return as_reading(open_index(settings, trained))
    return _read(settings, trained)


def read_labels(settings: LabelSettings) -> Labels:
    """What the label files say, before anything is checked or chosen.

    Raises:
        DataError: they cannot be read at all.
    """
    root = Path(settings.root).expanduser()
    if not root.is_dir():
        there = "is a file, not a folder; unpack it if it is an archive" if root.exists() else "there is no such folder"
        raise DataError(f"data.root={settings.root}: {there}")
    if isinstance(settings, AutoSettings):
        concrete, said = recognise(settings)
        labels = read_labels(concrete)
        return replace(labels, notes=(said, *labels.notes))
    reader: Callable[[Any], Labels] = READERS[settings.name]  # type: ignore[attr-defined]  # every format has a name
    return reader(settings)


def refuse_above(reading: Reading, share: float) -> None:
    """Refuse labels of which too many are left out.

    Raises:
        DataError: names the first, and how to see all; or nothing is left to learn from.
    """
    if reading.bad > share * reading.total:
        first = next(defect for defect in reading.defects if defect.action == "left out")
        more = (
            f" ({reading.bad:,} of {reading.total:,} images are left out, data.max_bad_fraction={share:g} allows "
            f"{int(share * reading.total):,}; `python -m locnet.doctor` lists them)"
            if reading.bad > 1
            else ""
        )
        raise DataError(first.message + more)
    records = reading.records
    if len(records) and not records.classes:
        assert records.origin is not None
        where = records.origin.sources[0] if len(records.origin.sources) == 1 else records.root
        raise DataError(f"{where}: every row is {BACKGROUND}; there is no object class to learn")
    if not len(records):
        groups = ", ".join(f"{count} {words}" for words, count in reading.paths.items()) or "it has none"
        raise DataError(f"{records.root}: no image can be used: {groups}")


def _read(settings: LabelSettings, trained: Sequence[str] | None) -> Reading:
    labels = read_labels(settings)
    check = settings.check_images
    headers = check is True or (check == "auto" and len(labels.files) <= MOST_HEADERS)
    whole = settings.duplicates in ("near", "strict")
    reading = assemble(labels, settings, look=look(whole=whole), look_at_all=headers or whole, trained=trained)
    if reading.facts is None and settings.duplicates != "off":
        text = f"image files are not looked at, nor compared between splits ({len(labels.files):,} of them)"
        reading = replace(reading, notes=(*reading.notes, f"{text}: python -m locnet.doctor does"))
    refuse_above(reading, settings.max_bad_fraction)
    if settings.duplicates != "off" and reading.facts is not None:
        reading = with_duplicates(reading, find_twins(reading.records, reading.facts, near=whole))
        twins = [defect for defect in reading.defects if defect.kind.endswith("duplicate_across_splits")]
        if twins and settings.duplicates == "strict":
            raise DataError(f"{twins[0].message} (data.duplicates=strict; {len(twins)} such pairs)")
    return reading


def with_duplicates(reading: Reading, twins: Twins) -> Reading:
    """The reading, with images that are in two splits among its defects."""
    records = reading.records
    defects = across_splits(records, twins.equal, kind="duplicate_across_splits")
    told = {frozenset((defect.file, defect.value)) for defect in defects}
    apart = records.splits[twins.alike[:, 0]] != records.splits[twins.alike[:, 1]]
    found = across_splits(records, twins.alike[apart].tolist(), kind="near_duplicate_across_splits")
    defects += [defect for defect in found if frozenset((defect.file, defect.value)) not in told]
    return replace(reading, defects=(*reading.defects, *defects))


def look(*, whole: bool) -> Look:
    """Looks at headers in threads, or at whole files in processes."""

    def with_workers(paths: Sequence[str]) -> list[Facts]:
        return inspect_all(paths, whole=whole, workers=min(_MOST_WORKERS, len(cores())))

    return with_workers


def _drawn(settings: StreetsSettings, cache_dir: Path | None) -> CsvSettings:
    """The manifest of the drawn scenes; they are right by construction, nobody needs to look at each."""
    from locnet.data.streets import generate

    if cache_dir is None:
        raise ValueError("drawn scenes need a cache_dir")
    root = generate(
        cache_dir.expanduser(),
        seed=settings.seed,
        size=settings.size,
        train=settings.train,
        val=settings.val,
        test=settings.test,
        workers=len(cores()),
    )
    return cast(CsvSettings, data_settings("csv", root=str(root), check_images=False, duplicates="off"))
