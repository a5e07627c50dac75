"""YOLO: `class x y width height` in fractions, a text file for each image, classes and folders in `data.yaml`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from locnet.config.schema import YoloSettings
from locnet.data.files import ImageIndex, stem_of, walk
from locnet.data.labels.tables import Labels, LabelsBuilder
from locnet.data.readers.numbers import number
from locnet.data.readers.text import read_bytes
from locnet.data.readers.yolo_yaml import YoloYaml, find_yaml, read_yaml
from locnet.data.splits import parse_split
from locnet.errors import DataError

_NO_LABELS = {"classes", "train", "val", "valid", "test", "trainval", "obj", "readme", "requirements", "license"}


def read_yolo(settings: YoloSettings) -> Labels:
    """Read a folder of YOLO labels.

    An empty label file says that the image is background; an image without a label file says nothing. Rows of a
    polygon (`class x1 y1 x2 y2 ...`) become the box around it.

    Raises:
        DataError: `data.yaml` cannot be read, or there are no label files; single files and rows become defects.
    """
    root = Path(settings.root).expanduser()
    path = find_yaml(root, settings.yaml)
    described = read_yaml(path) if path else YoloYaml({}, {}, "")
    images = ImageIndex(root)
    chosen, notes = _by_split(root, described, images.files, path)
    labels = _label_files(root)
    if not labels:
        raise DataError(f"{root}: there are no YOLO label files (.txt) beside its images or in labels/")
    builder = LabelsBuilder(root, [described.names[key] for key in sorted(described.names)])
    builder.notes += notes
    if not described.names:
        builder.notes.append("there is no data.yaml that names the classes: they are called by their numbers")
    for image, split in chosen.items():
        label = next((place for place in _places(image) if place in labels), None)
        if label is None:
            builder.add_image(image, split=split)
        else:
            labels[label] += 1
            _read_one(builder, image, split, label, described.names)
    if len(builder):
        _orphans(builder, labels, set(chosen), images.files)
    return builder.build(form="cxcywh", unit="fractions")


def _by_split(
    root: Path, described: YoloYaml, images: Sequence[str], path: Path | None
) -> tuple[dict[str, str], list[str]]:
    """Images with their split, as `data.yaml` says; by the folders where its paths lead nowhere."""
    found: dict[str, str] = {}
    lost = []
    for split, entries in described.splits.items():
        for entry in entries:
            of_entry = described.images(root, entry, images)
            if of_entry is None and split != "test":
                lost.append(f"{split}: {entry}")
            found |= {image: split for image in of_entry or () if image not in found}
    if found and not lost:
        return found, []
    by_folder = {image: next(filter(None, map(parse_split, image.split("/")[:-1])), "") for image in images}
    labelled = _label_files(root)
    used = {image: split for image, split in by_folder.items() if any(place in labelled for place in _places(image))}
    folders = {image.rpartition("/")[0] for image in used}
    used = {image: split for image, split in by_folder.items() if image.rpartition("/")[0] in folders}
    if not all(used.values()):
        used = dict.fromkeys(used, "")
    notes = []
    if lost:
        where = ", ".join(sorted(folders)[:4]) or "none"
        notes.append(f"{path}: {', '.join(lost)} lead to no images; found by their labels instead, in {where}")
    return used, notes


def _label_files(root: Path) -> dict[str, int]:
    """All text files that may be labels, each with the number of images that took it."""
    files = walk(root, "", (".txt",))
    return {file: 0 for file in files if "labels" in file.split("/") or stem_of(file).lower() not in _NO_LABELS}


def _places(image: str) -> list[str]:
    """Where the label file of an image may lie: the last folder `images` becomes `labels`, or beside the image."""
    folder, _, _ = image.rpartition("/")
    label = f"{stem_of(image)}.txt"
    parts = folder.split("/") if folder else []
    deepest_first = [i for i in reversed(range(len(parts))) if parts[i].lower() in ("images", "jpegimages", "imgs")]
    places = ["/".join([*parts[:index], "labels", *parts[index + 1 :], label]) for index in deepest_first]
    beside = [f"{folder}/{label}", f"{folder}/labels/{label}"] if folder else [label, f"labels/{label}"]
    return [*places, *beside]


def _read_one(builder: LabelsBuilder, image: str, split: str, label: str, names: dict[int, str]) -> None:
    source = f"{builder.root}/{label}"
    try:
        content = read_bytes(builder.root / label).decode("utf-8-sig")
    except (DataError, UnicodeDecodeError) as error:
        text = str(error).removeprefix(f"{source}: ") if isinstance(error, DataError) else f"not UTF-8 ({error.reason})"
        builder.defect("unreadable_labels", text, file=image, source=source)
        return
    lines = [(line, text.split()) for line, text in enumerate(content.splitlines(), start=1) if text.strip()]
    row = builder.add_image(image, split=split, background=not lines, source=source)
    for line, cells in lines:
        _read_row(builder, cells, names, image=image, row=row, source=source, line=line)


def _read_row(
    builder: LabelsBuilder, cells: list[str], names: dict[int, str], *, image: str, row: int, source: str, line: int
) -> None:
    where = {"file": image, "source": source, "line": line}
    polygon = len(cells) >= 7 and len(cells) % 2 == 1
    if len(cells) != 5 and not polygon:
        words = f"{len(cells)} numbers where `class x y width height` (or a polygon) should be"
        builder.defect("wrong_cells", words, value=" ".join(cells)[:200], **where)  # type: ignore[arg-type]
        return
    numbers = [number(cell) for cell in cells]
    wrong = next((cell for cell, found in zip(cells, numbers, strict=True) if not found.finite), None)
    if wrong is not None:
        builder.defect("not_a_number", f"{wrong} is not a number", value=wrong, **where)  # type: ignore[arg-type]
        return
    if any(found.comma for found in numbers):
        builder.defect("decimal_comma", "decimal commas; read as points", value=" ".join(cells)[:200], **where)  # type: ignore[arg-type]
    index, values = numbers[0].value, [found.value for found in numbers[1:]]
    if index != int(index) or index < 0 or (names and int(index) not in names):
        known = f"data.yaml names {len(names)}" if names else "a class is a number from 0 on"
        builder.defect("unknown_class", f"class={cells[0]}: {known}", value=cells[0], **where)  # type: ignore[arg-type]
        return
    if polygon:
        left, right, top, bottom = min(values[::2]), max(values[::2]), min(values[1::2]), max(values[1::2])
        values = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    builder.add_object(row, names.get(int(index), str(int(index))), values, line=line)


def _orphans(builder: LabelsBuilder, labels: dict[str, int], chosen: set[str], images: Sequence[str]) -> None:
    """Label files that no image took: their image is missing, unless it is one that `data.yaml` leaves out."""
    folders = {label.rpartition("/")[0] for label, count in labels.items() if count}
    others = {place for image in images if image not in chosen for place in _places(image)}
    for label, count in labels.items():
        if label.rpartition("/")[0] in folders and count != 1 and label not in others:
            source = f"{builder.root}/{label}"
            if count == 0:
                words = f"there is no image called {stem_of(label)} for it in {builder.root}"
                builder.defect("missing_image", words, file=label, source=source)
    twice = {label for label, count in labels.items() if count > 1}
    for image in chosen if twice else ():
        label = next((place for place in _places(image) if place in labels), "")
        if label in twice:
            words = f"{image} is one of {labels[label]} images that this file may be about"
            builder.defect("ambiguous_image", words, file=image, source=f"{builder.root}/{label}")
