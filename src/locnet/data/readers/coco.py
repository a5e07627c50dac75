"""COCO: one JSON file a split, boxes `[left, top, width, height]` in pixels of a continuous plane."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from locnet.config.schema import CocoSettings
from locnet.data.files import walk
from locnet.data.labels.tables import Labels, LabelsBuilder
from locnet.data.readers.text import read_text
from locnet.data.splits import parse_split
from locnet.errors import DataError

_KEYS = ("images", "annotations", "categories")


def read_coco(settings: CocoSettings) -> Labels:
    """Read one file for each split, or one without splits.

    Crowd annotations carry the flag `crowd`. An image without annotations says nothing (`data.without_object`).

    Raises:
        DataError: a file is no COCO file; single annotations become defects.
    """
    root = Path(settings.root).expanduser()
    given = settings.annotations
    files = cast("dict[str, str]", {"": given} if isinstance(given, str) else given or find_files(root))
    builder = LabelsBuilder(root, line_unit="annotation")
    present = frozenset(walk(root))
    for split, file in files.items():
        if not (root / file).is_file():
            raise DataError(f"data.annotations={file}: there is no such file in {root}")
        _OneFile(builder, root / file, split, _folders(root, file, settings.images), present).read()
    return builder.build(form="xywh")


def find_files(root: Path) -> dict[str, str]:
    """COCO files by the split that their name or their folder means; `instances_*.json` before all others.

    Raises:
        DataError: there are none, or it cannot be decided which.
    """
    found = [file for file in walk(root, "", (".json",)) if _looks_like_coco(root / file)]
    instances = [file for file in found if file.rpartition("/")[2].startswith("instances")]
    found = instances or found
    by_split: dict[str, list[str]] = {}
    for file in found:
        by_split.setdefault(split_of(file), []).append(file)
    if not found:
        raise DataError(f"{root}: there is no COCO file (JSON with {', '.join(_KEYS)}) in it")
    twice = next((files for files in by_split.values() if len(files) > 1), None)
    if twice or ("" in by_split and len(by_split) > 1):
        shown = ", ".join((twice or found)[:4])
        raise DataError(f"{root}: which of {shown}? say data.annotations={{train: FILE, val: FILE}}")
    return {split: files[0] for split, files in by_split.items()}


def split_of(file: str) -> str:
    """The split that `annotations/instances_val2017.json` or `valid/_annotations.coco.json` means; empty for none."""
    folder, _, name = file.rpartition("/")
    words = [*name.partition(".")[0].split("_"), *reversed(folder.split("/"))]
    return next(filter(None, map(parse_split, words)), "")


class _OneFile:
    """Adds the images and the objects of one file."""

    def __init__(
        self, builder: LabelsBuilder, path: Path, split: str, folders: Sequence[str], present: frozenset[str]
    ) -> None:
        self.builder, self.path, self.split = builder, path, split
        self.folders, self.present = folders, present
        self.source = str(path)
        self.content = _load(path)

    def read(self) -> None:
        names = {}
        for category in _dicts(self.content["categories"], self.path):
            names[_key(category.get("id"))] = str(category.get("name", "")).strip()
        self.builder.know(filter(None, names.values()))
        by_image: dict[Any, list[dict[str, Any]]] = {}
        for annotation in _dicts(self.content["annotations"], self.path):
            by_image.setdefault(_key(annotation.get("image_id")), []).append(annotation)
        known = set(self.builder.files)
        for image in _dicts(self.content["images"], self.path):
            annotations = by_image.pop(_key(image.get("id")), [])
            file = self._file(image)
            if not file:
                self._defect("empty_filename", f"image {image.get('id')!r:.60} has no file_name", {})
                continue
            if file in known:
                self._defect("ambiguous_image", f"{file} is in the labels twice; keep one", {}, file)
                continue
            known.add(file)
            row = self.builder.add_image(file, size=_size(image), split=self.split, source=self.source)
            for annotation in annotations:
                self._object(annotation, row, file, names)
        for image_id, annotations in by_image.items():
            words = f"image_id={image_id!r:.60}: there is no such image in the file"
            self._defect(
                "missing_image", f"{words} ({len(annotations)} annotations)", annotations[0], f"image_id {image_id}"
            )

    def _file(self, image: Mapping[str, Any]) -> str:
        """Path of the image relative to the root: in the first folder that has it."""
        name = image.get("file_name")
        if not isinstance(name, str) or not name.strip():
            return ""
        name = name.strip().replace("\\", "/")
        paths = [f"{folder}/{name}" if folder else name for folder in self.folders]
        return next((path for path in paths if path in self.present), paths[0])

    def _object(self, annotation: Mapping[str, Any], row: int, file: str, names: Mapping[Any, str]) -> None:
        category, box = annotation.get("category_id"), annotation.get("bbox")
        name = names.get(_key(category))
        if name is None:
            self._defect("unknown_class", f"category_id={category!r:.60} is none of the categories", annotation, file)
            return
        if not name:
            self._defect("empty_class", f"category {category!r:.60} has no name", annotation, file)
            return
        if not isinstance(box, list) or len(box) != 4:
            self._defect("no_box", f"bbox={box!r:.60} is no list of 4 numbers", annotation, file)
            return
        if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in box):
            self._defect("not_a_number", f"bbox={box!r:.60} is no list of 4 numbers", annotation, file)
            return
        flags = ["crowd"] if annotation.get("iscrowd") else []
        edges = [float(value) if abs(value) < 1e15 else float("inf") for value in box]
        self.builder.add_object(row, name, edges, line=_number(annotation), flags=flags)

    def _defect(self, kind: str, words: str, annotation: Mapping[str, Any], file: str = "") -> None:
        self.builder.defect(kind, words, file=file, source=self.source, line=_number(annotation))


def _folders(root: Path, file: str, images: str | None) -> list[str]:
    """Folders that the images of a file may lie in, the likeliest first."""
    if images is not None:
        return [images.strip("/")]
    folder, _, name = file.rpartition("/")
    word = name.partition(".")[0].rpartition("_")[2]  # train2017 of instances_train2017.json
    split = split_of(file)
    names = [word, split, {"val": "valid"}.get(split, ""), f"images/{word}", f"images/{split}", "images", folder, ""]
    base = folder.rpartition("/")[0]  # beside annotations/
    found = dict.fromkeys("/".join(filter(None, (place, name))) for name in names for place in ("", base))
    return [place for place in found if (root / place).is_dir()] or [""]


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({' '.join(str(error).split())[:120]})") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in _KEYS):
        raise DataError(f"{path}: no COCO file; it must hold the lists {', '.join(_KEYS)}")
    return content


def _looks_like_coco(path: Path) -> bool:
    try:
        _load(path)
    except DataError:
        return False
    return True


def _dicts(items: list[Any], path: Path) -> list[dict[str, Any]]:
    wrong = next((item for item in items if not isinstance(item, dict)), None)
    if wrong is not None:
        raise DataError(f"{path}: no COCO file; {wrong!r:.60} stands where an object should")
    return items


def _size(image: Mapping[str, Any]) -> tuple[int, int]:
    height, width = image.get("height"), image.get("width")
    plain = isinstance(height, int) and isinstance(width, int)
    return (height, width) if plain and 0 < height < 2**31 and 0 < width < 2**31 else (0, 0)  # type: ignore[return-value, operator]


def _key(value: Any) -> Any:
    return value if isinstance(value, (int, str)) else repr(value)


def _number(annotation: Mapping[str, Any]) -> int:
    value = annotation.get("id")
    return value if isinstance(value, int) and 0 < value < 2**62 else 0
