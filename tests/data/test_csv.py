"""The manifest reader: what it takes, and the one line that it says about everything else."""

# ruff: noqa: E501 - one case, one line

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from locnet.config.defaults import data_settings
from locnet.data.labels.boxes import check_boxes
from locnet.data.labels.tables import LabelsBuilder
from locnet.data.reading import read_data
from locnet.data.records import Records
from locnet.errors import DataError

HEADER = "filename,split,class,xmin,ymin,xmax,ymax,width,height\n"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write annotations.csv, text or bytes, beside the images a.png to d.png of 40 x 24 pixels."""
    for name in "abcd":
        Image.new("RGB", (40, 24)).save(tmp_path / f"{name}.png")

    def write(content: str | bytes, header: str = HEADER) -> Path:
        data = (header + content).encode() if isinstance(content, str) else content
        (tmp_path / "annotations.csv").write_bytes(data)
        return tmp_path

    return write


def read(root: Path, **options: Any) -> Records:
    return read_data(data_settings("csv", root=str(root), **options)).records


def complaint(root: Path, **options: Any) -> str:
    with pytest.raises(DataError) as error:
        read(root, **options)
    text = str(error.value)
    assert "\n" not in text
    return text.replace(str(root), "ROOT")


def test_rows_become_columns(write: Write) -> None:
    root = write("b.png,val,dog,10,6,20,18,40,24\na.png,train,background,,,,,40,24\nc.png,test,car,0,0,40,24,40,24\n")
    records = read(root)
    assert records.classes == ("car", "dog")
    assert records.files.tolist() == ["b.png", "a.png", "c.png"]
    assert records.splits.tolist() == ["val", "train", "test"]
    assert records.labels.tolist() == [1, -1, 0]
    assert records.boxes[0].tolist() == [0.25, 0.25, 0.5, 0.75]
    assert np.isnan(records.boxes[1]).all()
    assert records.boxes[2].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert records.sizes.tolist() == [[24, 40]] * 3
    assert [str(column.dtype) for column in (records.labels, records.boxes, records.sizes)] == [
        "int64",
        "float64",
        "int64",
    ]


def test_images_lie_in_their_folder(write: Write) -> None:
    root = write("x.png,train,car,0,0,4,4,8,8\n")
    (root / "images").mkdir()
    Image.new("RGB", (8, 8)).save(root / "images" / "x.png")
    records = read(root)
    assert records.files.tolist() == ["images/x.png"]
    assert records.path(0) == root / "images" / "x.png"


PLAIN = "filename,split,class,xmin,ymin,xmax,ymax\na.png,train,car,1,2,3,4\nb.png,val,background,,,,\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r\n").encode("utf-8-sig"),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.rstrip("\n").encode(),
        PLAIN.replace("\n", "\n\n").encode(),
        PLAIN.replace("a.png,train,car,1", " a.png , train , car , 1 ").encode(),
        PLAIN.replace("1,2,3,4", "1.0,2e0,+3,4.").encode(),
    ],
    ids=["bom", "crlf", "bom-crlf", "cr", "no-last-newline", "blank-lines", "blanks", "floats"],
)
def test_what_programs_make_of_a_csv_file(write: Write, content: bytes) -> None:
    records = read(write(content))
    assert records.files.tolist() == ["a.png", "b.png"]
    assert records.classes == ("car",)
    assert records.labels.tolist() == [0, -1]
    assert records.sizes.tolist() == [[24, 40], [24, 40]]
    assert np.allclose(records.boxes[0] * [40, 24, 40, 24], [1, 2, 3, 4])


def test_other_names_quotes_and_extra_columns(write: Write) -> None:
    root = write('"a.png",café,1,2,3,4,"a remark, with a comma"\n', "filename,class,xmin,ymin,xmax,ymax,note\n")
    (root / "annotations.csv").rename(root / "labels.csv")
    assert read(root, annotations="labels.csv").classes == ("café",)


def test_class_order_is_the_given_one(write: Write) -> None:
    root = write("a.png,train,car,1,2,3,4,40,24\nb.png,train,dog,1,2,3,4,40,24\n")
    records = read(root, classes=["dog", "person", "car"])
    assert records.classes == ("dog", "person", "car")
    assert records.labels.tolist() == [2, 0]


def test_without_a_split_column_a_hash_decides(write: Write) -> None:
    header = "filename,class,xmin,ymin,xmax,ymax\n"
    rows = "".join(f"{name}.png,car,1,2,3,4\n" for name in "abcd")
    by_column = read(write(rows, header), split={"val": 0.4, "test": 0.4}).splits.tolist()
    empty_column = "filename,split,class,xmin,ymin,xmax,ymax\n"
    empty = rows.replace(".png,", ".png,,")
    assert read(write(empty, empty_column), split={"val": 0.4, "test": 0.4}).splits.tolist() == by_column
    moved = write(rows, header)  # the folder that images lie in does not matter
    (moved / "images").mkdir()
    for name in "abcd":
        (moved / f"{name}.png").rename(moved / "images" / f"{name}.png")
    assert read(moved, split={"val": 0.4, "test": 0.4}).splits.tolist() == by_column
    assert read(moved, split={"val": 0.4, "test": 0.4, "seed": 3}).splits.tolist() != by_column


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_size_without_columns_is_that_of_the_upright_image(write: Write, orientation: int, suffix: str) -> None:
    root = write(f"turned.{suffix},car,6,10,12,20\n", "filename,class,xmin,ymin,xmax,ymax\n")
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = (40, 24) if orientation in (6, 8) else (24, 40)  # upright: 24 wide, 40 high
    Image.new("RGB", stored).save(root / f"turned.{suffix}", exif=exif)
    records = read(root)
    assert records.sizes.tolist() == [[40, 24]]
    assert records.boxes[0].tolist() == [0.25, 0.25, 0.5, 0.5]


CASES = [
    ("a.png,train,car,1,2,x,4,40,24", "ROOT/annotations.csv:2: xmax=x is not a number"),
    ("a.png,train,car,1,nan,3,4,40,24", "ROOT/annotations.csv:2: ymin=nan is not a number"),
    ("a.png,train,car,1,2,3,4,inf,24", "ROOT/annotations.csv:2: width=inf is not a number"),
    ("a.png,train,car,1,2,3,4,40,24.5", "ROOT/annotations.csv:2: height=24.5 is not a number of pixels"),
    ("a.png,train,car,1,2,3,4,0,24", "ROOT/annotations.csv:2: width=0 is not a number of pixels"),
    (
        "a.png,train,car,3,2,1,4,40,24",
        "ROOT/annotations.csv:2: the box (3, 2, 1, 4) is empty or its edges are swapped; it needs xmin < xmax and ymin < ymax",
    ),
    (
        "a.png,train,car,1,4,3,4,40,24",
        "ROOT/annotations.csv:2: the box (1, 4, 3, 4) is empty or its edges are swapped; it needs xmin < xmax and ymin < ymax",
    ),
    (
        "a.png,train,car,1,2,41.5,4,40,24",
        "ROOT/annotations.csv:2: the box (1, 2, 41.5, 4) leaves the 40 x 24 image; edges are pixels of the upright image, 0 to width and 0 to height",
    ),
    (
        "a.png,train,car,-1.5,2,3,4,40,24",
        "ROOT/annotations.csv:2: the box (-1.5, 2, 3, 4) leaves the 40 x 24 image; edges are pixels of the upright image, 0 to width and 0 to height",
    ),
    (
        "a.png,train,background,,2,,,40,24",
        "ROOT/annotations.csv:2: background has a box (ymin=2); empty its box cells",
    ),
    (
        "a.png,train,car,,,,,40,24",
        "ROOT/annotations.csv:2: xmin is empty; an image without an object has the class background",
    ),
    (
        "a.png,train,car,1,2,,4,40,24",
        "ROOT/annotations.csv:2: xmax is empty; an image without an object has the class background",
    ),
    (
        "a.png,train,,,,,,40,24",
        "ROOT/annotations.csv:2: class is empty; an image without an object has the class background",
    ),
    (",train,car,1,2,3,4,40,24", "ROOT/annotations.csv:2: filename is empty"),
    ("a.png,training,car,1,2,3,4,40,24", "ROOT/annotations.csv:2: split=training is not one of train, val, test"),
    (
        "a.png,train,car,1,2,3,4,40",
        "ROOT/annotations.csv:2: the row has another number of cells than the header; quote cells that hold a comma",
    ),
    (
        "a.png,train,car,1,2,3,4,40,24,9",
        "ROOT/annotations.csv:2: the row has another number of cells than the header; quote cells that hold a comma",
    ),
    ("nosuch.png,train,car,1,2,3,4,40,24", "ROOT/annotations.csv:2: filename=nosuch.png: there is no such image in ROOT"),
    (
        "a.png,train,car,1,2,3,4,40,24\nb.png,val,car,1,2,3,4,40,24\na.png,val,car,1,2,3,4,40,24",
        "ROOT/annotations.csv:4: a.png is in split val here and in train by another row; keep it in one",
    ),
    (
        "a.png,train,car,1,2,3,4,40,24\nb.png,,car,1,2,3,4,40,24",
        "ROOT/annotations.csv:3: split is empty here but not in all rows; fill it, or leave the column out",
    ),
    ("", "ROOT/annotations.csv has no rows under its header; it needs one for each image"),
    (
        "a.png,train,background,,,,,40,24",
        "ROOT/annotations.csv: every row is background; there is no object class to learn",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "message"), CASES, ids=[message[22:60] for _, message in CASES])
def test_bad_rows(write: Write, rows: str, message: str) -> None:
    assert complaint(write(rows + "\n" if rows else "")) == message


def test_line_numbers_count_lines_of_the_file(write: Write) -> None:
    """Blank lines and line breaks inside quotes are lines too: an editor must jump to the right one."""
    header = HEADER.replace("height", "height,note")
    rows = '\n"a.png",train,car,1,2,3,4,40,24,"first\nsecond"\n\nb.png,train,car,1,2,x,4,40,24,\n'
    assert complaint(write(rows, header)).startswith("ROOT/annotations.csv:6: xmax=x")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "file,split,class,xmin,ymin,xmax,ymax",
            "ROOT/annotations.csv: column filename is missing (columns: file, split, class, xmin, ymin, xmax, ymax); did you mean file?",
        ),
        (
            "filename,class,xmin,ymin,xmax",
            "ROOT/annotations.csv: column ymax is missing (columns: filename, class, xmin, ymin, xmax); did you mean xmax?",
        ),
        ("", "ROOT/annotations.csv: column filename is missing (columns: none)"),
    ],
)  # fmt: skip
def test_bad_headers(write: Write, header: str, message: str) -> None:
    assert complaint(write(header.encode())) == message


def test_unreadable_files(write: Write, tmp_path: Path) -> None:
    assert complaint(tmp_path) == (
        "data.root=ROOT: there is no annotations.csv in it (data.annotations names another file)"
    )
    latin = (HEADER + "a.png,train,car,1,2,3,4,40,24\nb.png,train,café,1,2,3,4,40,24\n").encode("latin-1")
    assert complaint(write(latin)) == (
        "ROOT/annotations.csv:3: not UTF-8 (invalid continuation byte); save the file as UTF-8"
    )
    # far into a large file the line must still be right
    many = HEADER.encode() + b"a.png,train,car,1,2,3,4,40,24\n" * 2000 + b"\xff\n"
    assert complaint(write(many)).startswith("ROOT/annotations.csv:2002: not UTF-8")
    assert complaint(write(HEADER.encode("utf-16"))).startswith("ROOT/annotations.csv:1: not UTF-8")
    open_quote = HEADER + 'a.png,train,"car,1,2,3,4,40,24\n' + "b.png,train,car,1,2,3,4,40,24\n" * 6000
    assert "is a quotation mark open?" in complaint(write(open_quote.encode()))


def test_image_whose_header_is_needed_but_broken(write: Write) -> None:
    root = write("broken.jpg,car,1,2,3,4\n", "filename,class,xmin,ymin,xmax,ymax\n")
    (root / "broken.jpg").write_bytes(b"no image at all")
    assert complaint(root).startswith("ROOT/annotations.csv:2: ROOT/broken.jpg: is not an image")


def test_classes_that_do_not_fit(write: Write) -> None:
    root = write("a.png,train,car,1,2,3,4,40,24\nb.png,train,dgo,1,2,3,4,40,24\n")
    assert complaint(root, classes=["car", "dog"]) == (
        "ROOT/annotations.csv:3: class=dgo is none of the 2 of data.classes or of the checkpoint; did you mean dog?"
    )
    for classes in ([], ["car", "car", "dgo"], ["car", "dgo", "background"]):
        assert complaint(root, classes=classes) == (
            f"data.classes={classes} must be different names, at least one; background is no class"
        )


def test_background_alone_can_be_evaluated(write: Write) -> None:
    """A trained model brings its classes; how often it cries wolf is a fair question."""
    root = write("a.png,test,background,,,,,40,24\n")
    assert read(root, classes=["car"]).labels.tolist() == [-1]


@given(width=st.integers(1, 20_000), height=st.integers(1, 20_000), data=st.data())
def test_boxes_come_back_to_the_pixel(width: int, height: int, data: st.DataObject) -> None:
    """Fractions are kept in float64: pixel edges come back to far less than the 3 decimals that are written."""
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    for edges in ((left, top, right, bottom), (left, top, left + 1, top + 1), (0, 0, width, height)):
        builder = LabelsBuilder(Path())
        builder.add_object(builder.add_image("a.png", size=(height, width)), "car", edges)
        labels = builder.build()
        [box], defects = check_boxes(labels, labels.sizes, np.array([True]))
        assert not defects
        assert all(0 <= edge <= 1 for edge in box)
        back = [edge * side for edge, side in zip(box, (width, height) * 2, strict=True)]
        assert [round(edge) for edge in back] == list(edges)
        assert all(math.isclose(edge, whole, rel_tol=1e-15) for edge, whole in zip(back, edges, strict=True))
    assert box.tolist() == [0, 0, 1, 1]


def test_a_file_without_header(write: Write) -> None:
    root = write("a.png,1,2,3,4,car\nb.png,4,5,6,7,dog\n", "")
    records = read(root, columns=["filename", "xmin", "ymin", "xmax", "ymax", "class"])
    assert records.files.tolist() == ["a.png", "b.png"]
    assert records.classes == ("car", "dog")
    assert records.origin is not None
    assert records.origin.where(1) == f"{root}/annotations.csv:2"


def test_tensorflows_tables_one_for_each_split(write: Write) -> None:
    root = write("")
    (root / "annotations.csv").unlink()
    header = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    (root / "train.csv").write_text(f"{header}a.png,40,24,car,1,1,40,24\nb.png,40,24,car,1,1,2,2\n")
    (root / "test.csv").write_text(f"{header}c.png,40,24,car,1,1,40,24\n")
    files = {"train": "train.csv", "test": "test.csv"}
    records = read(root, annotations=files, split={"val": 0.0}, box_origin="one_inclusive")
    assert records.splits.tolist() == ["train", "train", "test"]
    assert records.boxes.tolist() == [[0, 0, 1, 1], [0, 0, 2 / 40, 2 / 24], [0, 0, 1, 1]]
    other = read(root, annotations=files, box_origin="zero_inclusive", max_bad_fraction=1.0)
    assert other.boxes[1].tolist() == [1 / 40, 1 / 24, 3 / 40, 3 / 24]
    auto = read_data(data_settings("auto", root=str(root), split={"val": 0.0})).records
    assert dict(zip(auto.files, auto.splits.tolist(), strict=True)) == {
        "a.png": "train",
        "b.png": "train",
        "c.png": "test",
    }


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_other_delimiters(write: Write, delimiter: str) -> None:
    content = PLAIN.replace(",", delimiter).replace(f"{delimiter}1{delimiter}", f"{delimiter}1,5{delimiter}")
    records = read_data(data_settings("csv", root=str(write(content, "")), max_bad_fraction=1.0)).records
    assert records.boxes[0, 0] * 40 == pytest.approx(1.5)


def test_rows_that_an_open_quotation_mark_swallows_are_not_lost(write: Write) -> None:
    """Whether the mark is closed again by another one further down, or never."""
    good = "b.png,train,car,1,2,3,4,40,24\n" * 3
    for row in ('a.png,train,"car,1,2,3,4,40,24\n', '"a.png,train,car,1,2,3,4,40,24\n'):
        assert ":3: not a CSV row" in complaint(write("d.png,train,car,1,2,3,4,40,24\n" + row + good))
        closed = row + good + 'c.png,train,"dog",1,2,3,4,40,24\n'
        assert "is a quotation mark open?" in complaint(write(closed))


def test_further_columns_are_kept(write: Write) -> None:
    root = write("a.png,car,1,2,3,4,p1,x\nb.png,car,1,2,3,4,p2,\n", "filename,class,xmin,ymin,xmax,ymax,patient,note\n")
    records = read(root)
    assert {name: column.tolist() for name, column in records.extra.items()} == {
        "patient": ["p1", "p2"],
        "note": ["x", ""],
    }
    assert records.select("nothing").extra["patient"].tolist() == []


def test_rows_of_one_file_are_objects_of_one_image(write: Write) -> None:
    root = write("a.png,train,car,1,2,3,4,40,24\na.png,train,dog,1,2,30,20,40,24\n")
    assert read(root).labels.tolist() == [1]
    assert read(root, multiple="first").labels.tolist() == [0]
    assert complaint(root, multiple="error").startswith("ROOT/annotations.csv:3: a.png has 2 objects")
