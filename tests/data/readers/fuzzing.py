"""Label files as no tool should write them: valid ones with damage, for every format, from a seed."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from made import BOXES, FORMATS, HEIGHT, WIDTH

from locnet.config.defaults import data_settings
from locnet.config.schema import LabelSettings
from locnet.data.inspection import Facts
from locnet.data.labels.assemble import Reading, assemble
from locnet.data.labels.tables import Labels
from locnet.data.reading import read_labels
from locnet.errors import LocnetError

# fmt: off
NASTY = (
    *("", " ", "nan", "inf", "-inf", "-1", "0", "1", "5", "7.5", "1e999", "-1e-999", "0x10", "1,5", "1,234", "1_000"),
    *("٣", "9" * 400, "null", "true", "None", "[]", "{}", "car", "dog", "background", "train", "../../x.jpg", "/etc/x"),
    *("\x00", "\ufeff", "\u2028", "é", "a b", "a;b", "a\tb", "a|b", "a\nb", "a\r\nb,c,d,e,f,g", '"', "''", "<b>"),
    *("&lol;", "%s", "{0}", "C:\\a\\b.jpg"),
)
_INSERTS = (
    *(b'"', b"'", b"\n", b"\r", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b",", b";", b"<", b">", b"&", b"]]>", b"{"),
    *(b"[" * 3000, b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"<!--", b"- " * 500, b"&a;" * 50, b"1e309", b"<a>" * 200),
    b"\xf0\x9f\x92\xa9",
)
WHOLE = (
    *(b"", b"\n", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", b"\x00" * 64, b"PAR1PAR1"),
    *(b"{}", b"[]"),
)
# fmt: on


_NAMES = (
    *("car", "dog", "background", "train", "val", os.fsdecode(b"\xff\xfe"), "x" * 200, "a.jpg", "C:\\a", "\n"),
    *(text for text in NASTY if text.strip(".") and not {"/", "\x00"} & set(text) and len(text) < 200),
)


@dataclass(repr=False)
class Case:
    """A folder of labels whose files are to be spoilt.

    Attributes:
        root: the folder.
        settings: that read it.
        originals: content of its label files by path.
        images: what lies there, relative to the root.
    """

    root: Path
    settings: LabelSettings
    originals: dict[Path, bytes] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)


def make_case(name: str, root: Path) -> Case:
    """A valid folder of a format."""
    if root.exists():
        shutil.rmtree(root)
    root.mkdir(parents=True)
    if name == "folders":
        FORMATS["cub"](root)
        for path in root.glob("*.txt"):
            path.unlink()
    else:
        FORMATS[name](root)
    settings = data_settings(name, root=str(root), max_bad_fraction=1.0, duplicates="off")
    assert isinstance(settings, LabelSettings)
    files = [path for path in root.rglob("*") if path.is_file()]
    labels = {path: path.read_bytes() for path in files if path.suffix.lower() not in (".jpg", ".jpeg")}
    images = {path.relative_to(root).as_posix() for path in files if path not in labels}
    return Case(root, settings, labels, images)


def spoil(case: Case, rng: random.Random) -> None:
    """Damage the bytes of one label file; put the others back."""
    restore(case)
    if case.originals:
        path = rng.choice(sorted(case.originals))
        path.write_bytes(mutated(case.originals[path], rng))


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The content with a few changes."""
    if rng.random() < 0.04:
        return rng.choice(WHOLE)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content) + 1)
        end = min(len(content), at + rng.randint(0, 12))
        change = rng.randrange(7)
        if change == 0:
            content = content[:at] + rng.choice(_INSERTS) + content[at:]
        elif change == 1:
            content = content[:at] + content[end:]
        elif change == 2:
            content = content[:at] + rng.randbytes(rng.randint(1, 6)) + content[end:]
        elif change == 3:
            content = content[:at] + rng.choice(NASTY).encode() + content[end:]
        elif change == 4:
            content = content[:at] + content[at:end] * rng.randint(2, 5) + content[end:]
        elif change == 5:
            content = content[:at]
        else:
            content = rng.choice((b"\xef\xbb\xbf" + content, content.replace(b"\n", b"\r\n"), content + content))
    return content


def fill(case: Case, name: str, rng: random.Random) -> int:
    """Write well-formed files with nasty values; gives the number of objects that they speak of."""
    restore(case)
    return FILLERS[name](case.root, rng)


def restore(case: Case) -> None:
    """Put the valid label files back."""
    for path, content in case.originals.items():
        path.write_bytes(content)


def _value(rng: random.Random, usual: Any) -> str:
    return rng.choice(NASTY) if rng.random() < 0.25 else str(usual)


def _edges(rng: random.Random) -> list[str]:
    left, top = rng.randint(0, WIDTH - 1), rng.randint(0, HEIGHT - 1)
    return [_value(rng, edge) for edge in (left, top, rng.randint(left + 1, WIDTH), rng.randint(top + 1, HEIGHT))]


def _fill_csv(root: Path, rng: random.Random) -> int:
    stream, count = io.StringIO(), rng.randint(1, 6)
    writer = csv.writer(stream, delimiter=rng.choice(",;\t|"))
    writer.writerow(("filename", "class", "xmin", "ymin", "xmax", "ymax", "note"))
    for number in range(count):
        name = rng.choice((f"{rng.choice(list(BOXES))}.jpg", f"missing{number}.jpg", ""))
        row = [name, _value(rng, "car"), *_edges(rng), _value(rng, "note")]
        if rng.random() < 0.1:
            row = row[: rng.randint(1, 8)] + ["more"] * rng.randint(0, 3)
        writer.writerow(row)
    (root / "annotations.csv").write_text(stream.getvalue(), encoding="utf-8", newline="")
    return count


def _fill_parquet(root: Path, rng: random.Random) -> int:
    count = rng.randint(1, 6)
    names = [rng.choice((f"{rng.choice(list(BOXES))}.jpg", f"missing{number}.jpg", "")) for number in range(count)]
    columns: dict[str, pa.Array] = {"filename": pa.array(names), "class": pa.array([_value(rng, "car") for _ in names])}
    boxes = [_edges(rng) for _ in names]
    for index, edge in enumerate(("xmin", "ymin", "xmax", "ymax")):
        column = [box[index] for box in boxes]
        numbers = [rng.choice((None, float("nan"), float("inf"), -1.0, 3.0, 1e300)) for _ in names]
        kinds = (pa.array(column), pa.array(numbers, pa.float64()), pa.array([3] * count, pa.int16()), pa.nulls(count))
        columns[edge] = rng.choice(kinds)
    pq.write_table(pa.table(columns), root / "annotations.parquet")
    return count


def _xml_escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\x00", "")


def _fill_xml(folder: Path, rng: random.Random) -> int:
    total = 0
    for name in BOXES:
        count = rng.randint(0, 3)
        things = ""
        for _ in range(count):
            edges = zip(("xmin", "ymin", "xmax", "ymax"), _edges(rng), strict=True)
            box = "".join(f"<{edge}>{_xml_escape(value)}</{edge}>" for edge, value in edges if rng.random() > 0.03)
            flags = f"<difficult>{_xml_escape(_value(rng, 0))}</difficult>"
            things += f"<object><name>{_xml_escape(_value(rng, 'car'))}</name>{flags}<bndbox>{box}</bndbox></object>"
        side = f"<size><width>{_xml_escape(_value(rng, WIDTH))}</width><height>{HEIGHT}</height></size>"
        file = _xml_escape(_value(rng, f"{name}.jpg"))
        (folder / f"{name}.xml").write_text(f"<annotation><filename>{file}</filename>{side}{things}</annotation>")
        total += count
    return total


def _fill_coco(root: Path, rng: random.Random) -> int:
    odd: tuple[Any, ...] = (None, True, -1, 0, 1, 3, 1.5, "x", "", [], {}, [1], float("nan"), 10**400)

    def maybe(usual: Any) -> Any:
        return rng.choice(odd) if rng.random() < 0.15 else usual

    images = [
        {"id": maybe(i), "file_name": maybe(f"{n}.jpg"), "width": maybe(WIDTH), "height": maybe(HEIGHT)}
        for i, n in enumerate(BOXES)
    ]
    annotations = [
        {
            "id": maybe(10 + i),
            "image_id": maybe(rng.randint(0, 2)),
            "category_id": maybe(3),
            "bbox": maybe([maybe(1), maybe(2), maybe(3), maybe(4)][: rng.choice((4, 4, 4, 3))]),
            "iscrowd": maybe(0),
        }
        for i in range(rng.randint(0, 5))
    ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": maybe(3), "name": maybe("car")}]}
    (root / "instances.json").write_text(json.dumps(content))
    return len(annotations)


def _fill_yolo(root: Path, rng: random.Random) -> int:
    total = 0
    for name in BOXES:
        count = rng.randint(0, 4)
        lines = []
        for _ in range(count):
            values = [_value(rng, round(rng.random(), 4)) for _ in range(rng.choice((4, 4, 4, 3, 6, 7, 8)))]
            lines.append(" ".join([_value(rng, 0).strip() or "0", *(value.strip() or "0" for value in values)]))
        lines = [" ".join(line.split()) for line in lines]
        (root / "labels" / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8", newline="")
        total += count
    return total


def _fill_tiny_imagenet(root: Path, rng: random.Random) -> int:
    rows = []
    for name, file in zip(BOXES, ("train/car/car_boxes.txt", "val/val_annotations.txt"), strict=True):
        start = [f"{name}.JPEG"] if file.startswith("train") else [f"{name}.JPEG", _value(rng, "car")]
        cells = [
            cell.replace("\t", "").replace("\n", "").replace("\r", "").replace("\u2028", "")
            for cell in [*start, *_edges(rng)]
        ]
        rows.append(cells)
        (root / file).write_text("\t".join(cells) + "\n", encoding="utf-8")
    return len(rows)


def _fill_cub(root: Path, rng: random.Random) -> int:
    lines = [f"{i} {' '.join(v.split()[0] if v.split() else '0' for v in _edges(rng))}\n" for i in (1, 2)]
    (root / "bounding_boxes.txt").write_text("".join(lines), encoding="utf-8", newline="")
    return 2


def _fill_folders(root: Path, rng: random.Random) -> int:
    """Folders and files of any name beside those that were there, now and then with a loop of links."""
    for path in root.iterdir():
        if path.is_symlink() or path.name != "images":
            path.unlink() if path.is_symlink() or path.is_file() else shutil.rmtree(path)
    images = set((root / "images").rglob("*.jpg"))
    for number in range(rng.randint(0, 5)):
        folder = root.joinpath(*(rng.choice(_NAMES) for _ in range(rng.randint(0, 3))))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:  # a file is in the way
            continue
        ending = rng.choice((".jpg", ".JPG", ".jpg.png", ".txt", ""))
        path = folder / (rng.choice((f"{number}", rng.choice(_NAMES))) + ending)
        if not path.exists():
            path.touch()
            images |= {path} if path.suffix.lower() in (".jpg", ".png") else set()
    if rng.random() < 0.1:
        (root / "loop").symlink_to(rng.choice(("loop", ".", "images")))
    return len(images)


FILLERS: dict[str, Callable[[Path, random.Random], int]] = {
    "csv": _fill_csv,
    "parquet": _fill_parquet,
    "voc": lambda root, rng: _fill_xml(root / "Annotations", rng),
    "coco": _fill_coco,
    "yolo": _fill_yolo,
    "tiny_imagenet": _fill_tiny_imagenet,
    "imagenet": lambda root, rng: _fill_xml(root / "Annotations/CLS-LOC/train/car", rng),
    "cub": _fill_cub,
    "pets": lambda root, rng: _fill_xml(root / "annotations/xmls", rng),
    "folders": _fill_folders,
}


def look(paths: Any) -> list[Facts]:
    """The images are always the same two; nobody needs to open them a million times."""
    return [Facts(HEIGHT, WIDTH) for _ in paths]


def read(case: Case) -> tuple[Labels, Reading] | str:
    """What becomes of the labels; a message where they are refused as a whole."""
    try:
        labels = read_labels(case.settings)
        return labels, assemble(labels, case.settings, look=look, look_at_all=False)
    except LocnetError as error:
        return str(error)
