"""The same files read by labelformat, another project's readers: all objects, to the pixel."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import HEIGHT, WIDTH, image, text

from locnet.config.defaults import data_settings
from locnet.data.labels.boxes import to_edges
from locnet.data.labels.tables import Labels
from locnet.data.reading import read_labels

formats = pytest.importorskip("labelformat.formats")
Boxes = dict[str, list[tuple[str, list[float]]]]
NAMES = ("cat", "dog", "zebra")


@pytest.fixture
def boxes() -> Boxes:
    """Class and edges in pixels of a few objects in each of twenty images."""
    rng = random.Random(0)
    found: Boxes = {}
    for number in range(20):
        objects = []
        for _ in range(rng.randint(1, 4)):
            left, top = rng.randint(0, WIDTH - 1), rng.randint(0, HEIGHT - 1)
            edges = [left, top, rng.randint(left + 1, WIDTH), rng.randint(top + 1, HEIGHT)]
            objects.append((rng.choice(NAMES), [float(edge) for edge in edges]))
        found[f"{number}.jpg"] = objects
    return found


def ours(labels: Labels) -> Boxes:
    edges = to_edges(labels.boxes, labels.form, labels.box_origin)
    if labels.unit == "fractions":
        edges = edges * (WIDTH, HEIGHT, WIDTH, HEIGHT)
    found: Boxes = {}
    for row, image_row in enumerate(labels.image.tolist()):
        file = labels.files[image_row].rpartition("/")[2]
        found.setdefault(file, []).append((labels.names[labels.name[row]], edges[row].tolist()))
    return found


def theirs(reader: Any) -> Boxes:
    found: Boxes = {}
    for labelled in reader.get_labels():
        objects = [(o.category.name, [o.box.xmin, o.box.ymin, o.box.xmax, o.box.ymax]) for o in labelled.objects]
        found[Path(labelled.image.filename).name] = objects
    return found


def assert_same(one: Boxes, other: Boxes) -> None:
    assert one.keys() == other.keys()
    for file, objects in one.items():
        assert [name for name, _ in objects] == [name for name, _ in other[file]]
        assert np.allclose([edges for _, edges in objects], [edges for _, edges in other[file]], atol=1e-9)


def read(name: str, root: Path, **changes: Any) -> Labels:
    settings: Any = data_settings(name, root=str(root), **changes)
    return read_labels(settings)


def test_coco(boxes: Boxes, tmp_path: Path) -> None:
    images = [{"id": i, "file_name": file, "width": WIDTH, "height": HEIGHT} for i, file in enumerate(boxes)]
    annotations = [
        {"id": 1, "image_id": i, "category_id": NAMES.index(name), "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0}
        for i, objects in enumerate(boxes.values())
        for name, (x0, y0, x1, y1) in objects
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(NAMES)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    text(tmp_path / "instances.json", json.dumps(content))
    assert_same(ours(read("coco", tmp_path)), theirs(formats.COCOObjectDetectionInput(tmp_path / "instances.json")))


def test_yolo(boxes: Boxes, tmp_path: Path) -> None:
    text(tmp_path / "data.yaml", f"path: .\ntrain: images/train\nnames: {list(NAMES)}\n")
    for file, objects in boxes.items():
        image(tmp_path / "images" / "train" / file)
        rows = [
            (NAMES.index(name), (x0 + x1) / 2 / WIDTH, (y0 + y1) / 2 / HEIGHT, (x1 - x0) / WIDTH, (y1 - y0) / HEIGHT)
            for name, (x0, y0, x1, y1) in objects
        ]
        lines = "".join(" ".join(map(repr, row)) + "\n" for row in rows)
        text(tmp_path / "labels" / "train" / file.replace("jpg", "txt"), lines)
    reader = formats.YOLOv8ObjectDetectionInput(tmp_path / "data.yaml", "train")
    assert_same(ours(read("yolo", tmp_path)), theirs(reader))


def test_voc(boxes: Boxes, tmp_path: Path) -> None:
    """labelformat takes the numbers as edges."""
    for file, objects in boxes.items():
        image(tmp_path / file)
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
        things = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
            "</bndbox></object>"
            for name, (x0, y0, x1, y1) in objects
        )
        document = f"<annotation><folder>x</folder><filename>{file}</filename>{size}{things}</annotation>"
        text(tmp_path / file.replace("jpg", "xml"), document)
    reader = formats.PascalVOCObjectDetectionInput(tmp_path, ",".join(NAMES))
    assert_same(ours(read("voc", tmp_path, box_origin="continuous")), theirs(reader))
