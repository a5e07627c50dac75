"""Answers in every format, read back by our own readers and by those of others."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from locnet.config.defaults import data_settings
from locnet.config.schema import commands
from locnet.data.labels.boxes import to_edges
from locnet.data.reading import read_labels
from locnet.writers import WRITERS, Answers, columns
from locnet.writers.voc import outermost_pixels

CLASSES = ("car", "größe & <b>", "person")
BOXES: dict[str, tuple[str, list[float] | None]] = {
    "a.jpg": ("car", [0.0, 0.0, 64.0, 48.0]),
    "sub/b 1.jpg": ("größe & <b>", [3.25, 4.5, 20.125, 30.0]),
    "sub/c.png": ("background", [1.0, 2.0, 3.0, 4.0]),
    "é.jpg": ("person", [63.0, 47.0, 64.0, 48.0]),
}


def row(file: str, verdict: str, box: list[float] | None, **more: Any) -> dict[str, Any]:
    name = "car" if verdict == "background" else verdict
    edges = {edge: box[i] if box else None for i, edge in enumerate(("xmin", "ymin", "xmax", "ymax"))}
    scores = {f"score_{c}": 0.75 if c == name else 0.125 for c in CLASSES}
    said = {"p_c": 0.5, "class": name, "verdict": verdict}
    return {"file": file, **more, **said, **edges, "width": 64, "height": 48, **scores}


def answers_of(rows: list[dict[str, Any]]) -> Answers:
    fields = columns(CLASSES, crops=False, frames=any("frame" in r for r in rows))
    return Answers(lambda: iter(rows), CLASSES, fields, lambda file: file.removeprefix("photos/"))


ROWS = [row(f"photos/{name}", verdict, box) for name, (verdict, box) in BOXES.items()]
ANSWERS = answers_of(ROWS)


def photos(folder: Path) -> None:
    for name in BOXES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(folder / name)


def read_back(name: str, root: Path, **settings: Any) -> dict[str, tuple[str, list[float]]]:
    """Class and box in pixels by file, as `data=NAME data.root=ROOT` has them; only images with an object."""
    stated: Any = data_settings(name, root=str(root), **settings)
    labels = read_labels(stated)
    assert not labels.defects
    sides = np.array([64, 48, 64, 48])
    edges = to_edges(labels.boxes, labels.form, labels.box_origin if labels.unit == "pixels" else "continuous")
    edges = edges * sides if labels.unit == "fractions" else edges
    return {
        labels.files[int(image)]: (labels.names[int(name)], edges[k].tolist())
        for k, (image, name) in enumerate(zip(labels.image, labels.name, strict=True))
    }


def expected(prefix: str = "") -> dict[str, tuple[str, list[float] | None]]:
    return {prefix + name: said for name, said in BOXES.items() if said[0] != "background"}


def same(found: dict[str, tuple[str, list[float]]], prefix: str, within: float) -> None:
    wanted = expected(prefix)
    assert {f: name for f, (name, _) in found.items()} == {f: name for f, (name, _) in wanted.items()}
    for file, (_, box) in found.items():
        assert box == pytest.approx(wanted[file][1], abs=within)


def test_the_schema_knows_every_format() -> None:
    assert set(get_args(commands.PredictFormat)) == {"jsonl", *WRITERS}


def test_coco_is_read_back(tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    assert WRITERS["coco"](ANSWERS, tmp_path) == ["predictions.coco.json", "predictions.coco_results.json"]
    (tmp_path / "photos" / "labels.json").write_bytes((tmp_path / "predictions.coco.json").read_bytes())
    same(read_back("coco", tmp_path / "photos", annotations="labels.json"), "", 0.001)
    results = json.loads((tmp_path / "predictions.coco_results.json").read_text())
    assert [set(result) for result in results] == [{"image_id", "category_id", "bbox", "score"}] * 3
    assert results[1] == {"image_id": 2, "category_id": 2, "bbox": [3.25, 4.5, 16.875, 25.5], "score": 0.375}


def test_yolo_is_read_back(tmp_path: Path) -> None:
    WRITERS["yolo"](ANSWERS, tmp_path)
    photos(tmp_path / "yolo" / "images")
    same(read_back("yolo", tmp_path / "yolo"), "images/", 1e-5)
    assert (tmp_path / "yolo" / "labels" / "sub" / "c.txt").read_text() == ""  # background


def test_voc_is_read_back_to_the_nearest_pixel(tmp_path: Path) -> None:
    WRITERS["voc"](ANSWERS, tmp_path)
    photos(tmp_path / "voc" / "JPEGImages")
    same(read_back("voc", tmp_path / "voc"), "JPEGImages/", 0.5)


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        ([0.0, 0.0, 10.0, 8.0], (1, 1, 10, 8)),
        ([2.0, 3.0, 3.0, 4.0], (3, 4, 3, 4)),
        ([5.4, 5.4, 5.4, 5.4], (6, 6, 6, 6)),  # nothing inside: one pixel
        ([10.0, 8.0, 10.0, 8.0], (10, 8, 10, 8)),
    ],
)
def test_outermost_pixels(box: list[float], pixels: tuple[int, ...]) -> None:
    assert tuple(outermost_pixels(box, 10, 8).values()) == pixels


def test_tables_hold_the_rows_and_their_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from locnet.writers import parquet

    monkeypatch.setattr(parquet, "_ROW_GROUP", 3)
    WRITERS["csv"](ANSWERS, tmp_path)
    WRITERS["parquet"](ANSWERS, tmp_path)
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [{key: str(value) for key, value in r.items()} for r in ROWS]
    file = pq.ParquetFile(tmp_path / "predictions.parquet")
    assert file.read().to_pylist() == ROWS
    assert file.num_row_groups == 2
    assert [str(file.schema_arrow.field(name).type) for name in ("file", "p_c", "width")] == [
        "string",
        "double",
        "int32",
    ]


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_nothing_frames_odd_names_and_no_boxes(name: str, tmp_path: Path) -> None:
    """Every format writes them, and writing once more gives the same bytes."""
    frames = [row("photos/clip.mp4", "car", [1.0, 2.0, 3.0, 4.0], frame=i, time=i / 25) for i in (0, 30)]
    odd = row("photos/caf\udce9 \x01.png", "person", [1.0, 2.0, 3.0, 4.0])
    for number, rows in enumerate(([], frames, [odd], [row("photos/a.jpg", "car", None)])):
        folder = tmp_path / str(number)
        folder.mkdir()
        written = WRITERS[name](answers_of(rows), folder)
        before = contents(folder)
        assert {path.name for path in folder.iterdir()} == {path.rstrip("/") for path in written}
        WRITERS[name](answers_of(rows), folder)
        assert contents(folder) == before
        if name in ("yolo", "voc") and rows is frames:
            assert sum("clip.mp4-0000" in path for path in before) == 2


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["yolo", "voc"])
def test_two_images_of_one_label_file(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [row(f"photos/a.{ending}", "car", [1.0, 2.0, 3.0, 4.0]) for ending in ("jpg", "png", "webp")]
    with caplog.at_level(logging.WARNING):
        WRITERS[name](answers_of(rows), tmp_path)
    [record] = caplog.records
    assert record.getMessage().startswith("a.png and 1 more: no ")


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    def torn() -> Any:
        yield ROWS[0]
        raise OSError("disk full")

    for name in WRITERS:
        WRITERS[name](ANSWERS, tmp_path)
    before = contents(tmp_path)
    for name in WRITERS:
        with pytest.raises(OSError, match="disk full"):
            WRITERS[name](Answers(torn, CLASSES, ANSWERS.columns, ANSWERS.relative), tmp_path)
    assert {path: text for path, text in contents(tmp_path).items() if ".partial" not in path} == before
