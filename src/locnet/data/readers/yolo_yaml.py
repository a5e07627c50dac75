"""`data.yaml` of YOLO data sets: class names, and paths that often were right on another machine only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml  # type: ignore[import-untyped]

from locnet.data.readers.text import read_text
from locnet.data.splits import parse_split
from locnet.errors import DataError

_LARGEST = 1 << 20


@dataclass(frozen=True)
class YoloYaml:
    """What the file says.

    Attributes:
        names: class names by number.
        splits: paths of image folders or of lists of images, by split.
        path: the folder that they are relative to, as the file has it.
        folder: that the file lies in, relative to the root.
    """

    names: dict[int, str]
    splits: dict[str, list[str]]
    path: str
    folder: str = ""

    def images(self, root: Path, entry: str, images: Sequence[str]) -> list[str] | None:
        """The images that a path means; None where it leads nowhere below the root.

        Tried in turn: relative to `path` and to the file, and then without the leading parts that belong to
        another machine (`../`, `/content/dataset/`).
        """
        parts = [part for part in PurePosixPath(entry.replace("\\", "/")).parts if part not in ("/", ".", "..")]
        tries = ["/".join(parts[start:]) for start in range(len(parts))]
        base = "/".join(part for part in PurePosixPath(self.path).parts if part not in ("/", ".", ".."))
        bases = dict.fromkeys(("/".join(filter(None, (self.folder, base))), base, self.folder, ""))
        for attempt in tries:
            for prefix in bases:
                place = f"{prefix}/{attempt}" if prefix else attempt
                if attempt.endswith(".txt"):
                    found = _listed(root, place, images)
                else:
                    found = [image for image in images if image.startswith(f"{place}/")]
                if found:
                    return found
        return None


def find_yaml(root: Path, name: str | None) -> Path | None:
    """The file that describes a data set: as set, `data.yaml`, or the only one that names classes.

    Raises:
        DataError: the set one is missing, or there are several.
    """
    if name is not None:
        path = root / name
        if not path.is_file():
            raise DataError(f"data.yaml={name}: there is no such file in {root}")
        return path
    for usual in ("data.yaml", "dataset.yaml", "data.yml"):
        if (root / usual).is_file():
            return root / usual
    found = sorted(path for folder in (root, *_folders(root)) for path in folder.glob("*.y*ml") if _names_classes(path))
    if len(found) > 1:
        shown = ", ".join(str(path.relative_to(root)) for path in found[:4])
        raise DataError(f"{root}: which file describes the data? {shown}; say data.yaml=NAME")
    return found[0] if found else None


def read_yaml(path: Path) -> YoloYaml:
    """Read the file.

    Raises:
        DataError: it is no YAML, or names no classes.
    """
    content = _load(path)
    names = content.get("names")
    if isinstance(names, Mapping):
        pairs = list(names.items())
    elif isinstance(names, list):
        pairs = list(enumerate(names))
    else:
        raise DataError(
            f"{path}: names is {names!r:.60}; it must be a list of class names, or a mapping from numbers to names"
        )
    numbered: dict[int, str] = {}
    for key, name in pairs:
        if not str(key).isdecimal():
            raise DataError(f"{path}: names: {key!r:.60} is not a class number")
        numbered[int(key)] = str(name).strip() or str(key)
    twice = next((name for name in numbered.values() if list(numbered.values()).count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path}: two classes are called {twice}; rename one")
    splits: dict[str, list[str]] = {}
    for key, value in content.items():
        split = parse_split(key)
        if split and isinstance(value, (str, list)):
            splits.setdefault(split, []).extend([value] if isinstance(value, str) else [str(item) for item in value])
    return YoloYaml(
        numbered,
        {split: [p for p in paths if p.strip()] for split, paths in splits.items()},
        str(content.get("path") or ""),
    )


def _load(path: Path) -> dict[str, Any]:
    text = read_text(path)
    if len(text) > _LARGEST:
        raise DataError(f"{path}: more than 1 MB; it is no data.yaml")
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: a date that is none
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not YAML ({reason})") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: it must hold keys such as names, train and val")
    return {str(key): value for key, value in content.items()}


def _names_classes(path: Path) -> bool:
    try:
        return "names" in _load(path)
    except DataError:
        return False


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _listed(root: Path, place: str, images: Sequence[str]) -> list[str]:
    """Images of a list of paths; by their last parts, since the first may be another machine's."""
    if not (root / place).is_file():
        return []
    by_name: dict[str, list[str]] = {}
    for image in images:
        by_name.setdefault(image.rpartition("/")[2], []).append(image)
    found = []
    for line in read_text(root / place).splitlines():
        parts = line.strip().replace("\\", "/").split("/")
        candidates = by_name.get(parts[-1], [])
        found += max(
            ([c for c in candidates if c.split("/")[-n:] == parts[-n:]] for n in range(len(parts), 0, -1)), key=bool
        )[:1]
    return found
