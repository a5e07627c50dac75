"""`data=auto`: which format a folder of labels has, by what lies in it; never a guess between two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locnet.config.defaults import data_settings
from locnet.config.schema import AutoSettings, LabelSettings
from locnet.data.files import walk
from locnet.data.readers import coco, cub, pets, tiny_imagenet, voc, yolo_yaml
from locnet.data.readers.rows import NEEDED
from locnet.data.readers.table import read_table
from locnet.errors import DataError

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")


@dataclass(frozen=True)
class Recognised:
    """One format that a folder may have.

    Attributes:
        name: of the format, as in `data=NAME`.
        why: what was found, for people.
        options: settings that make the reader read just that.
        beside: formats whose traces this one has too, by its nature.
    """

    name: str
    why: str
    options: dict[str, Any]
    beside: tuple[str, ...] = ()


def recognise(settings: AutoSettings) -> tuple[LabelSettings, str]:
    """The settings of the format that the folder has, and a line that says which and why.

    Raises:
        DataError: there is none, or there are two.
    """
    root = Path(settings.root).expanduser()
    found = list(_candidates(root)) or list(filter(None, [_folders(root)]))
    implied = {name for candidate in found for name in candidate.beside}
    distinct = [candidate for candidate in found if candidate.name not in implied]
    if not distinct:
        raise DataError(f"data.root={settings.root}: {_nothing(root)}; choose a format: data=csv, voc, coco, yolo, ...")
    if len(distinct) > 1:
        shown = "; ".join(f"data={candidate.name} ({candidate.why})" for candidate in distinct)
        raise DataError(f"data.root={settings.root} may be read in {len(distinct)} ways: {shown}; choose one")
    chosen = distinct[0]
    shared = settings.model_dump(exclude={"name"})
    concrete = data_settings(chosen.name, **(shared | chosen.options))
    assert isinstance(concrete, LabelSettings)
    typed = " ".join(f"data.{key}={_typed(value)}" for key, value in chosen.options.items())
    return concrete, f"recognised data={chosen.name}{' ' if typed else ''}{typed}: {chosen.why}"


def _candidates(root: Path) -> Iterator[Recognised]:
    for look in (_tiny_imagenet, _imagenet, _cub, _pets, _yolo, _coco, _voc, _tables):
        candidate = look(root)
        if candidate is not None:
            yield candidate


def _tiny_imagenet(root: Path) -> Recognised | None:
    if (root / tiny_imagenet.VAL).is_file():
        return Recognised("tiny_imagenet", f"{tiny_imagenet.VAL} is there", {})
    return None


def _imagenet(root: Path) -> Recognised | None:
    for base in ("", "ILSVRC/"):
        if (root / f"{base}Annotations/CLS-LOC").is_dir():
            return Recognised("imagenet", f"{base}Annotations/CLS-LOC is there", {}, ("voc",))
    return None


def _cub(root: Path) -> Recognised | None:
    if all((root / name).is_file() for name in cub.LISTS):
        return Recognised("cub", f"{', '.join(cub.LISTS[:3])} are there", {}, ("yolo",))
    return None


def _pets(root: Path) -> Recognised | None:
    if (root / pets.XMLS).is_dir() and (root / "annotations/trainval.txt").is_file():
        return Recognised("pets", f"{pets.XMLS} and annotations/trainval.txt are there", {}, ("voc",))
    return None


def _yolo(root: Path) -> Recognised | None:
    path = yolo_yaml.find_yaml(root, None)
    if path is not None:
        return Recognised("yolo", f"{path.relative_to(root)} names the classes", {"yaml": str(path.relative_to(root))})
    labels = next((file for file in walk(root, "", (".txt",)) if "labels" in file.split("/")[:-1]), None)
    return Recognised("yolo", f"{labels} lies in a folder called labels", {}) if labels else None


def _coco(root: Path) -> Recognised | None:
    try:
        files = coco.find_files(root)
    except DataError as error:
        if "which of" in str(error):
            raise
        return None
    options = {"annotations": files.get("", files)}
    return Recognised("coco", f"{', '.join(files.values())} hold images, annotations and categories", options)


def _voc(root: Path) -> Recognised | None:
    folder = next((name for name in voc.FOLDERS if (root / name).is_dir()), "")
    files = walk(root, folder, (".xml",))
    # TensorFlow's tables of the same boxes often lie beside the XML files that they were made from
    why = f"{len(files):,} XML files in {folder or 'it'}"
    return Recognised("voc", why, {}, ("csv",)) if files else None


def _tables(root: Path) -> Recognised | None:
    for name in ("annotations.csv", "annotations.tsv", "annotations.parquet"):
        if (root / name).is_file():
            form = "parquet" if name.endswith("parquet") else "csv"
            return Recognised(form, f"{name} is there", {"annotations": name})
    tables = [file for file in walk(root, "", (".csv", ".tsv")) if file.count("/") <= 1 and _is_manifest(root / file)]
    if len(tables) == 1:
        return Recognised("csv", f"{tables[0]} has the columns of a manifest", {"annotations": tables[0]})
    by_split = {coco.split_of(file): file for file in tables}
    by_split.pop("", None)
    if "train" in by_split:
        why = f"{', '.join(by_split.values())} have the columns of a manifest"
        return Recognised("csv", why, {"annotations": by_split})
    if tables:
        raise DataError(f"{root}: which of {', '.join(tables[:4])}? say data=csv data.annotations=NAME")
    return None


def _is_manifest(path: Path) -> bool:
    try:
        return set(NEEDED) <= set(read_table(path).columns)
    except DataError:
        return False


def _folders(root: Path) -> Recognised | None:
    files = walk(root)
    depth = [file.count("/") for file in files]
    if not files or min(depth) < 1 or len({tuple(file.split("/")[:-1]) for file in files}) < 2:
        return None
    return Recognised("folders", "nothing but images in folders", {})


def _nothing(root: Path) -> str:
    if not root.is_dir():
        return "there is no such folder"
    archives = sorted(path.name for path in root.iterdir() if path.suffix.lower() in _ARCHIVES)
    if archives:
        return f"no labels were recognised, but {archives[0]} may hold them: unpack it first"
    return "no labels were recognised in it"


def _typed(value: Any) -> str:
    """A setting as it would be typed on the command line."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{item}" for key, item in value.items()) + "}"
    return str(value)
