"""Two images with a box each, written in every format: a box over the whole image, and one of a single pixel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

WIDTH, HEIGHT = 37, 23  # odd and prime: rounding shows
BOXES = {"whole_1": (0, 0, WIDTH, HEIGHT), "pixel_2": (5, 7, 6, 8)}
Write = Callable[[Path], None]


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), "red").save(path, format="JPEG")


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def write_csv(root: Path) -> None:
    rows = [f"{name}.jpg,car,{','.join(map(str, box))}" for name, box in BOXES.items()]
    text(root / "annotations.csv", "\n".join(["filename,class,xmin,ymin,xmax,ymax", *rows]) + "\n")
    for name in BOXES:
        image(root / "images" / f"{name}.jpg")


def write_parquet(root: Path) -> None:
    columns = {"filename": [f"{name}.jpg" for name in BOXES], "class": ["car", "car"]}
    edges = {edge: [box[i] for box in BOXES.values()] for i, edge in enumerate(("xmin", "ymin", "xmax", "ymax"))}
    pq.write_table(pa.table(columns | edges), root / "annotations.parquet")
    for name in BOXES:
        image(root / "images" / f"{name}.jpg")


def voc_xml(name: str, box: tuple[int, int, int, int], class_name: str = "car", *, start: int = 1) -> str:
    """Numbers of the outermost pixels inside the box (start=1), or edges (start=0)."""
    left, top, right, bottom = box
    edges = {"xmin": left + start, "ymin": top + start, "xmax": right, "ymax": bottom}
    numbers = "".join(f"<{edge}>{value}</{edge}>" for edge, value in edges.items())
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    thing = f"<object><name>{class_name}</name><difficult>0</difficult><bndbox>{numbers}</bndbox></object>"
    return f"<annotation><filename>{name}</filename>{size}{thing}</annotation>"


def write_voc(root: Path) -> None:
    for name, box in BOXES.items():
        text(root / "Annotations" / f"{name}.xml", voc_xml(f"{name}.jpg", box))
        image(root / "JPEGImages" / f"{name}.jpg")


def write_coco(root: Path) -> None:
    images = [{"id": i, "file_name": f"{n}.jpg", "width": WIDTH, "height": HEIGHT} for i, n in enumerate(BOXES)]
    annotations = [
        {"id": 10 + i, "image_id": i, "category_id": 3, "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]], "iscrowd": 0}
        for i, b in enumerate(BOXES.values())
    ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 3, "name": "car"}]}
    text(root / "instances.json", json.dumps(content))
    for name in BOXES:
        image(root / "images" / f"{name}.jpg")


def write_yolo(root: Path) -> None:
    text(root / "data.yaml", "names: [car]\ntrain: nowhere/images\n")
    for name, (left, top, right, bottom) in BOXES.items():
        middle, size = ((left + right) / 2, (top + bottom) / 2), (right - left, bottom - top)
        numbers = (middle[0] / WIDTH, middle[1] / HEIGHT, size[0] / WIDTH, size[1] / HEIGHT)
        text(root / "labels" / f"{name}.txt", f"0 {' '.join(map(repr, numbers))}\n")
        image(root / "images" / f"{name}.jpg")


def write_tiny_imagenet(root: Path) -> None:
    for (name, box), split in zip(BOXES.items(), ("train", "val"), strict=True):
        edges = f"{box[0]}\t{box[1]}\t{box[2] - 1}\t{box[3] - 1}"
        if split == "train":
            text(root / "train" / "car" / "car_boxes.txt", f"{name}.JPEG\t{edges}\n")
            image(root / "train" / "car" / "images" / f"{name}.JPEG")
        else:
            text(root / "val" / "val_annotations.txt", f"{name}.JPEG\tcar\t{edges}\n")
            image(root / "val" / "images" / f"{name}.JPEG")


def write_imagenet(root: Path) -> None:
    for name, box in BOXES.items():
        text(root / "Annotations" / "CLS-LOC" / "train" / "car" / f"{name}.xml", voc_xml(name, box, start=0))
        image(root / "Data" / "CLS-LOC" / "train" / "car" / f"{name}.JPEG")


def write_cub(root: Path) -> None:
    names = list(BOXES)
    text(root / "images.txt", "".join(f"{i} car/{name}.jpg\n" for i, name in enumerate(names, 1)))
    text(root / "classes.txt", "1 car\n")
    text(root / "image_class_labels.txt", "1 1\n2 1\n")
    text(root / "train_test_split.txt", "1 1\n2 0\n")
    rows = [f"{i} {b[0]}.0 {b[1]}.0 {b[2] - b[0]}.0 {b[3] - b[1]}.0\n" for i, b in enumerate(BOXES.values(), 1)]
    text(root / "bounding_boxes.txt", "".join(rows))
    for name in names:
        image(root / "images" / "car" / f"{name}.jpg")


def write_pets(root: Path) -> None:
    for name, box in BOXES.items():
        text(root / "annotations" / "xmls" / f"{name}.xml", voc_xml(f"{name}.jpg", box, "cat"))
        image(root / "images" / f"{name}.jpg")
    text(root / "annotations" / "trainval.txt", "whole_1 1 1 1\npixel_2 2 1 2\n")


FORMATS: dict[str, Write] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "voc": write_voc,
    "coco": write_coco,
    "yolo": write_yolo,
    "tiny_imagenet": write_tiny_imagenet,
    "imagenet": write_imagenet,
    "cub": write_cub,
    "pets": write_pets,
}
