"""What is wrong is counted, listed, and left out or repaired by its rule: never dropped in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from locnet.config.defaults import data_settings
from locnet.data.labels.assemble import Reading
from locnet.data.labels.defects import KINDS, write_defects
from locnet.data.labels.summary import summary_lines
from locnet.data.reading import read_data
from locnet.errors import DataError

WIDTH, HEIGHT = 40, 24
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write rows `file,class,xmin,ymin,xmax,ymax[,...]` beside different images of 40 x 24 pixels."""

    def make(rows: str, header: str = "filename,class,xmin,ymin,xmax,ymax", images: int = 9) -> Path:
        for number in range(images):
            noise = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / f"{number}.png")
        (tmp_path / "annotations.csv").write_text(f"{header}\n{rows}")
        return tmp_path

    return make


def read(root: Path, *, share: float = 1.0, **changes: Any) -> Reading:
    return read_data(data_settings("csv", root=str(root), max_bad_fraction=share, **changes))


def found(reading: Reading) -> list[tuple[str, str]]:
    return [(defect.kind, defect.file) for defect in reading.defects]


def rows(*boxes: str, name: str = "car") -> str:
    return "".join(f"{number}.png,{name},{box}\n" for number, box in enumerate(boxes))


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ("3,2,1,4", "swapped_edges"),
        ("1,4,3,4", "zero_area"),
        ("1,2,42,4", "outside"),
        ("45,2,60,4", "outside"),
        ("40,2,40.9,4", "zero_area"),  # beyond by less than a pixel, and nothing of it inside
        ("x,2,3,4", "not_a_number"),
        ("nan,2,3,4", "not_a_number"),
        ("1e999,2,3,4", "not_a_number"),
        ('"1,234",2,3,4', "not_a_number"),
        (",2,3,4", "no_box"),
    ],
)
def test_a_box_that_cannot_be_right_leaves_its_image_out(make: Make, box: str, kind: str) -> None:
    reading = read(make(rows("1,2,3,4", box)))
    assert found(reading) == [(kind, "1.png")]
    assert reading.records.files.tolist() == ["0.png"]
    assert (reading.bad, reading.total) == (1, 2)
    assert reading.defects[0].line == 3
    assert reading.defects[0].message.startswith(f"{reading.records.root}/annotations.csv:3: ")


@pytest.mark.parametrize(
    ("box", "kind", "edges"),
    [
        ("-0.5,0,40.9,24.5", "beyond_edge", [0, 0, 40, 24]),
        ("-1,2,3,4", "beyond_edge", [0, 2, 3, 4]),
        ('"1,5",2,"3,25",4', "decimal_comma", [1.5, 2, 3.25, 4]),
        ("0,0,40.005,24", None, [0, 0, 40, 24]),  # rounding is no defect
    ],
)
def test_what_can_be_repaired_is(make: Make, box: str, kind: str | None, edges: list[float]) -> None:
    reading = read(make(rows(box)), share=0)
    assert {defect.kind for defect in reading.defects} == ({kind} if kind else set())
    assert np.allclose(reading.records.boxes[0] * (WIDTH, HEIGHT, WIDTH, HEIGHT), edges, atol=1e-12)
    assert reading.bad == 0


def test_the_share_decides_and_names_the_first(make: Make) -> None:
    root = make(rows("1,2,3,4", "3,2,1,4", "1,2,3,4", "1,2,99,4"))
    assert read(root, share=0.5).bad == 2
    with pytest.raises(DataError) as error:
        read(root, share=0.49)
    text = str(error.value)
    assert text.startswith(f"{root}/annotations.csv:3: the box (3, 2, 1, 4) is empty")
    assert text.endswith(
        "(2 of 4 images are left out, data.max_bad_fraction=0.49 allows 1; `python -m locnet.doctor` lists them)"
    )


def test_every_row_is_somewhere(make: Make) -> None:
    """Images of the records and of the defects together are all that the labels speak of."""
    text = (
        rows("1,2,3,4", "3,2,1,4", ",,,")
        + ",car,1,2,3,4\n3.png,car,1,2\nmissing.png,car,1,2,3,4\n4.png,background,,,,\n"
    )
    reading = read(make(text))
    assert reading.records.files.tolist() == ["0.png", "4.png"]
    assert [kind for kind, _ in found(reading)] == [
        "swapped_edges", "no_box", "empty_filename", "wrong_cells", "missing_image",
    ]  # fmt: skip
    assert (reading.bad, reading.total) == (5, 7)
    assert reading.paths == {"one object": 1, "background": 1, "left out": 2}


def test_background_and_object_contradict_each_other(make: Make) -> None:
    reading = read(make("0.png,background,,,,\n0.png,car,1,2,3,4\n1.png,car,1,2,3,4\n"))
    assert found(reading) == [("background_with_object", "0.png")]
    assert reading.records.files.tolist() == ["1.png"]


def test_the_same_object_twice(make: Make) -> None:
    text = "0.png,car,1,2,13,14\n0.png,car,1,2,13,14\n0.png,dog,1,2,13,14\n1.png,car,1,2,13,14\n1.png,car,1,2,13.5,14\n"
    reading = read(make(text), share=0)
    assert found(reading) == [("duplicate_row", "0.png"), ("conflicting_rows", "1.png")]
    assert "(line 2)" in reading.defects[0].message
    assert [defect.action for defect in reading.defects] == ["repaired", "reported"]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_boxes_drawn_before_the_exif_rotation(make: Make, tmp_path: Path, orientation: int) -> None:
    """The label's size tells: it is that of the stored image, and the box turns with the image."""
    root = make("turned.jpg,car,30,2,40,10,40,24\n", "filename,class,xmin,ymin,xmax,ymax,width,height")
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[2:10, 30:40] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(root / "turned.jpg", exif=exif, quality=95, subsampling=0)
    reading = read(root, share=0)
    if orientation < 5:  # such a rotation does not show in the size; the box is what it says
        assert found(reading) == [("rotated", "turned.jpg")]
        return
    assert found(reading) == [("rotated", "turned.jpg"), ("size_before_rotation", "turned.jpg")][::-1]
    from locnet.data.images import load_image

    image = np.asarray(load_image(root / "turned.jpg").image)
    assert reading.records.sizes.tolist() == [[WIDTH, HEIGHT]]
    left, top, right, bottom = (reading.records.boxes[0] * (HEIGHT, WIDTH, HEIGHT, WIDTH)).round().astype(int)
    assert image[top:bottom, left:right].mean() > 240
    inside = float(image[top:bottom, left:right].sum())
    assert float(image.sum()) == pytest.approx(inside, rel=0.03)


def test_sizes_that_disagree(make: Make) -> None:
    header = "filename,class,xmin,ymin,xmax,ymax,width,height"
    text = "0.png,car,10,10,20,20,40,24\n1.png,car,10,12,20,24,80,48\n2.png,car,10,10,20,20,40,30\n"
    reading = read(make(text, header))
    assert found(reading) == [("size_scaled", "1.png"), ("size_disagrees", "2.png")]
    assert reading.records.files.tolist() == ["0.png", "1.png"]
    assert reading.records.boxes[1].tolist() == [0.125, 0.25, 0.25, 0.5]
    assert reading.records.sizes[1].tolist() == [24, 40]
    # without looking at the images the stated size is all that is known
    assert len(read(make(text, header), check_images=False).records) == 3


def _damage(root: Path) -> dict[str, str]:
    """Spoil images in every way; gives the kind of defect by file."""
    noise = np.random.default_rng(9).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    picture.save(root / "whole.jpg", quality=90)
    whole = (root / "whole.jpg").read_bytes()
    (root / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "empty.jpg").write_bytes(b"")
    (root / "pointer.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    (root / "text.jpg").write_bytes(b"not an image at all")
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "dangling.jpg").symlink_to("nowhere.jpg")
    (root / "folder.jpg").mkdir()
    bomb = Image.new("1", (12_000, 12_000))
    bomb.save(root / "bomb.png")
    return {
        "cut.jpg": "damaged_image",
        "empty.jpg": "empty_image",
        "pointer.jpg": "lfs_pointer",
        "text.jpg": "not_an_image",
        "loop.jpg": "unreadable_image",
        "dangling.jpg": "missing_image",
        "folder.jpg": "unreadable_image",
        "bomb.png": "too_many_pixels",
    }


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_images_that_cannot_be_used(make: Make) -> None:
    root = make("")
    kinds = _damage(root)
    text = "".join(f"{file},car,1,2,3,4\n" for file in [*kinds, "whole.jpg"])
    reading = read(make(text))
    assert {defect.file: defect.kind for defect in reading.defects} == kinds
    assert reading.records.files.tolist() == ["whole.jpg"]
    for defect in reading.defects:
        assert defect.message.startswith(f"{root}/annotations.csv:{defect.line}: ")
        assert "\n" not in defect.message


def test_images_of_every_kind_are_usable_and_told(make: Make) -> None:
    root = make("")
    colour = Image.new("RGB", (40, 24), "red")
    exif = Image.Exif()
    colour.convert("L").save(root / "grey.png")
    colour.convert("P").save(root / "palette.png")
    colour.convert("RGBA").save(root / "transparent.png")
    colour.convert("CMYK").save(root / "cmyk.jpg")
    Image.fromarray(np.zeros((24, 40), np.uint16)).save(root / "deep.png")
    colour.save(root / "animated.gif", save_all=True, append_images=[Image.new("RGB", (40, 24), "blue")])
    colour.save(root / "liar.jpg", format="PNG")
    for value in (0, 9):
        exif[0x0112] = value
        colour.save(root / f"nonsense{value}.jpg", exif=exif)
    exif[0x0112] = 6
    colour.save(root / "turned.jpg", exif=exif)
    wanted = {
        "grey.png": {"grey"},
        "palette.png": {"palette"},
        "transparent.png": {"transparent"},
        "cmyk.jpg": {"cmyk"},
        "deep.png": {"deep"},
        "animated.gif": {"animated", "palette"},
        "liar.jpg": {"wrong_extension"},
        "nonsense0.jpg": {"bad_orientation"},
        "nonsense9.jpg": {"bad_orientation"},
        "turned.jpg": {"rotated"},
    }
    reading = read(make("".join(f"{file},car,1,2,3,4\n" for file in wanted)), share=0)
    told: dict[str, set[str]] = {}
    for defect in reading.defects:
        told.setdefault(defect.file, set()).add(defect.kind)
        assert defect.action == "noted"
    assert told == wanted
    assert len(reading.records) == len(wanted)


@pytest.mark.parametrize("name", ["with space.png", "co:lon.png", "häßlich.png", "日本.png", "a'b.png"])
def test_names_of_every_kind(make: Make, name: str) -> None:
    root = make("")
    Image.new("RGB", (40, 24)).save(root / name)
    assert read(make(f"{name},car,1,2,3,4\n"), share=0).records.files.tolist() == [name]


def test_defects_are_listed_in_full(make: Make, tmp_path: Path) -> None:
    reading = read(make(rows("1,2,3,4", "3,2,1,4", "-0.5,2,3,4")))
    write_defects(tmp_path / "defects.jsonl", reading.defects)
    lines = [json.loads(line) for line in (tmp_path / "defects.jsonl").read_text().splitlines()]
    assert [(line["action"], line["kind"], line["line"]) for line in lines] == [
        ("left out", "swapped_edges", 3),
        ("repaired", "beyond_edge", 4),
    ]
    assert lines[0]["value"] == "3, 2, 1, 4"
    told = dict(summary_lines(reading, "defects.jsonl"))
    assert told["labels"] == "3 images: 2 one object, 1 left out"
    assert told["defects"] == (
        "1 of 3 left out (1 edges swapped); repaired: 1 box beyond the edge; listed in defects.jsonl"
    )


def test_equal_files_in_two_splits(make: Make) -> None:
    header = "filename,class,xmin,ymin,xmax,ymax,split"
    text = "0.png,car,1,2,3,4,train\n1.png,car,1,2,3,4,val\n2.png,car,1,2,3,4,val\ncopy.png,car,1,2,3,4,test\n"
    root = make(text, header)
    (root / "copy.png").write_bytes((root / "1.png").read_bytes())
    reading = read(root, share=0)
    assert found(reading) == [("duplicate_across_splits", "copy.png")]
    assert "1.png (val) and copy.png (test) are the same file" in reading.defects[0].message
    with pytest.raises(DataError, match=r"are the same file.*data\.duplicates=strict; 1 such pairs"):
        read(root, duplicates="strict")
    assert not read(root, duplicates="off").defects


def test_pictures_that_look_the_same_in_two_splits(make: Make) -> None:
    header = "filename,class,xmin,ymin,xmax,ymax,split"
    text = "a.png,car,1,2,3,4,train\nb.jpg,car,1,2,3,4,val\nc.png,car,1,2,3,4,val\n"
    root = make(text, header)
    x, y = np.meshgrid(np.arange(160), np.arange(120))
    scene = (127 + 60 * np.sin(x / 17) + 60 * np.cos(y / 11 + x / 40)).astype(np.uint8)
    Image.fromarray(scene).convert("RGB").save(root / "a.png")
    Image.fromarray(scene).convert("RGB").resize((120, 90)).save(root / "b.jpg", quality=70)
    Image.fromarray(scene[:, ::-1]).convert("RGB").save(root / "c.png")
    reading = read(root, share=0, duplicates="near")
    assert found(reading)[-1] == ("near_duplicate_across_splits", "b.jpg")
    assert sum(defect.kind.startswith("near") for defect in reading.defects) == 1


def test_every_kind_has_its_rule() -> None:
    for kind, rule in KINDS.items():
        assert kind.isidentifier()
        assert rule.words
        assert rule.rule


@pytest.mark.parametrize(
    ("origin", "box", "better"),
    [
        ("one_inclusive", "0,2,3,4", "zero_inclusive"),
        ("one_inclusive", "0,2,40,4", "continuous"),
        ("one_inclusive", "1,2,40,4", None),
        ("zero_inclusive", "1,2,40,4", "one_inclusive"),
        ("zero_inclusive", "0,2,40,4", "continuous"),
        ("continuous", "0,2,40,4", None),
    ],
)
def test_numbers_that_speak_against_the_origin_are_told(make: Make, origin: str, box: str, better: str | None) -> None:
    header = "filename,class,xmin,ymin,xmax,ymax,width,height"
    notes = read(make(f"0.png,car,{box},40,24\n", header), box_origin=origin).notes
    hints = [note for note in notes if "data.box_origin" in note]
    assert [hint.rpartition(" ")[2] for hint in hints] == ([f"{better}?"] if better else [])
