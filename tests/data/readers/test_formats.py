"""Every format gives the same labels: to the pixel, whatever it calls a box, and by `data=auto` too."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made import BOXES, FORMATS, HEIGHT, WIDTH, image

from locnet.config.defaults import data_settings
from locnet.data.files import stem_of
from locnet.data.labels.assemble import Reading
from locnet.data.readers import READERS
from locnet.data.reading import read_data
from locnet.errors import DataError


def read(name: str, root: Path, **changes: Any) -> Reading:
    return read_data(data_settings(name, root=str(root), **changes))


def test_no_format_is_forgotten() -> None:
    assert set(FORMATS) | {"folders"} == set(READERS)


@pytest.mark.parametrize("by", ["name", "auto"])
@pytest.mark.parametrize("name", FORMATS)
def test_whole_image_and_single_pixel_come_back_exactly(name: str, by: str, tmp_path: Path) -> None:
    FORMATS[name](tmp_path)
    reading = read(name if by == "name" else "auto", tmp_path)
    records = reading.records
    assert len(records) == 2
    assert [defect.kind for defect in reading.defects if defect.kind != "wrong_extension"] == [
        "duplicate_across_splits" for defect in reading.defects if defect.kind == "duplicate_across_splits"
    ]
    for row, file in enumerate(records.files):
        box = BOXES[stem_of(file)]
        assert records.sizes[row].tolist() == [HEIGHT, WIDTH]
        sides = (WIDTH, HEIGHT, WIDTH, HEIGHT)
        exact = [float(Fraction(edge, side)) for edge, side in zip(box, sides, strict=True)]
        # YOLO's own midpoints and sizes round, by the last bits of a float64
        tolerance = 1e-15 if name == "yolo" else 0.0
        assert np.abs(records.boxes[row] - exact).max() <= tolerance
        assert [round(edge * side, 9) for edge, side in zip(records.boxes[row], sides, strict=True)] == list(box)
        assert records.path(row).is_file()
    if by == "auto":
        assert any(note.startswith(f"recognised data={name}") for note in reading.notes)


def test_folders_have_classes_only(tmp_path: Path) -> None:
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "background/1.jpg"):
        image(tmp_path / "train" / name)
        image(tmp_path / "valid" / name)
    for by in ("folders", "auto"):
        records = read(by, tmp_path, split={"test": 0.0}).records
        assert records.classes == ("cat", "dog")
        assert not records.has_boxes
        assert sorted(records.labels.tolist()) == [-1, -1, 0, 0, 0, 0, 1, 1]
        assert records.counts()["val"] == {"cat": 2, "dog": 1, "background": 1}


def test_two_formats_in_one_folder_are_not_guessed(tmp_path: Path) -> None:
    FORMATS["yolo"](tmp_path)
    FORMATS["coco"](tmp_path)
    with pytest.raises(DataError, match=r"may be read in 2 ways: data=yolo .*; data=coco .*; choose one"):
        read("auto", tmp_path)


def test_archives_are_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"photos\.zip may hold them: unpack it first"):
        read("auto", tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_an_empty_folder_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read(name, tmp_path)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_parquet_with_text_that_is_none(tmp_path: Path) -> None:
    """What a damaged page holds is only found when it is used."""
    FORMATS["parquet"](tmp_path)
    raw = pa.array([b"a\xff.jpg", b"b.jpg"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    table = pq.read_table(tmp_path / "annotations.parquet").set_column(0, "filename", text)
    pq.write_table(table, tmp_path / "annotations.parquet")
    with pytest.raises(DataError, match=r"annotations\.parquet: column 'filename' cannot be read \(Invalid"):
        read("parquet", tmp_path)
