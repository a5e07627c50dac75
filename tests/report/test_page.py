"""`report.html`: what it holds, decoded and compared with the table of answers."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_data import at_random, by_hand, load_image, store

from locnet.config.schema import ReportSettings
from locnet.errors import ConfigError, DataError
from locnet.predictions import Predictions
from locnet.report.grid import worst_first
from locnet.report.groups import check_groups, groups
from locnet.report.kinds import KINDS, kinds
from locnet.report.page.choice import chosen_rows
from locnet.report.page.write import write_report
from locnet.report.stored import read_run

NAN = float("nan")
VOID = {"img", "br", "meta", "input", "line"}
SETTINGS = ReportSettings(enabled=True, images=20, image_mb=1.0, link=False, groups=None)
TYPES = {"f8": "<f8", "f4": "<f4", "u2": "<u2", "i4": "<i4", "u4": "<u4"}


class Page(HTMLParser):
    """Checks that elements are closed, and keeps what they hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.json = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script" and self.tags[-1][1].get("type") == "application/json":
            self.json += data
        elif not self.open or self.open[-1] not in ("script", "style"):
            self.said.append(data)

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.json)
        return found

    @property
    def text(self) -> str:
        return " ".join(self.said)


def column(data: dict[str, Any], name: str) -> np.ndarray[tuple[int, ...], np.dtype[Any]]:
    stored = data["columns"][name]
    return np.frombuffer(base64.b64decode(stored["data"]), TYPES[stored["type"]])


def page_of(folder: Path, p: Predictions, settings: ReportSettings = SETTINGS, **more: Any) -> Page:
    return Page(write_report(store(folder, p, **more), settings, load_image).read_text("utf-8"))


def test_the_embedded_columns_are_the_answers(tmp_path: Path) -> None:
    p = dataclasses.replace(at_random(300, seed=2), threshold=0.3)
    data = page_of(tmp_path / "run", p).data
    assert (column(data, "p_c") == p.p_c).all()
    assert np.allclose(column(data, "iou"), p.ious, equal_nan=True, atol=1e-12)
    assert (column(data, "label") == p.labels).all()
    assert (column(data, "best") == p.predicted_labels).all()
    assert (column(data, "size").reshape(-1, 2) == p.sizes).all()
    objects = p.has_object
    assert np.abs(column(data, "box").reshape(-1, 4) / 65535 - p.boxes)[objects].max() < 1e-5
    assert np.abs(column(data, "found").reshape(-1, 4) / 65535 - p.predicted_boxes).max() < 1e-5
    assert data["files"] == p.files
    assert (data["threshold"], data["classes"]) == (0.3, list(p.classes))
    assert len(data["pictures"]) == 20
    with Image.open(BytesIO(base64.b64decode(next(iter(data["pictures"].values()))))) as picture:
        assert (picture.format, max(picture.size)) == ("JPEG", 80)


def test_the_page_says_what_a_person_wants_to_know(tmp_path: Path) -> None:
    history = [{"epoch": epoch, "train/loss": 1.0 / (epoch + 1), "val/iou": 0.1 * epoch} for epoch in range(3)]
    overrides = ["experiment=classic", "data.root=my photos"]
    metrics: dict[str, Any] = {
        "test/objectness_ece": 0.02,
        "test/coverage_90": 0.91,
        "test/crop_area_90": 0.4,
        "git/locnet": "abc123",
    }
    config = {"seed": 7, "monitor": "val/iou"}
    page = page_of(tmp_path / "run", by_hand(), history=history, overrides=overrides, config=config, **metrics)
    text = page.text
    assert "python -m locnet.train experiment=classic 'data.root=my photos'" in text
    assert "7 images, 4 with an object. The answer is right for 3 (42.9%, box included)" in text
    for words in ("1 object missed", "1 false positive,", "1 of a wrong class", "mean box", "abc123", "seed: 7"):
        assert words in text, words
    assert "dashed line: epoch 2, the best by val/iou (0.200)" in text
    assert "0.910" not in text
    assert "91.0 %" in text
    headings = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert headings == [
        *("summary", "worst", "curves", "explorer", "classes", "boxes", "trust", "images", "suspects"),
        *("reproduce", "files"),
    ]


def test_it_fetches_nothing_and_can_be_read_aloud(tmp_path: Path) -> None:
    page = page_of(tmp_path / "run", at_random(40), history=[{"epoch": 0, "train/loss": 1.0, "val/iou": 0.5}])
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    labels = {attributes["for"] for tag, attributes in page.tags if tag == "label"}
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            assert not (attributes.get(name) or "").startswith(("http", "//"))
        if tag in ("input", "select"):
            assert attributes["id"] in labels or attributes.get("aria-label")
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden")
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
    tables = sum(tag == "table" for tag, _ in page.tags)
    assert tables >= sum(tag == "caption" for tag, _ in page.tags) >= 3


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    bad = '</script><script>alert("1")</script><img src=x onerror=alert(2)>'
    p = by_hand()
    p = dataclasses.replace(
        p, classes=(bad, "b&b"), files=[f"{bad}{i}.png" for i in range(7)], extra={bad: list("xxyyxyx")}
    )
    page = page_of(tmp_path / "run", p, overrides=[f"name={bad}"], checkpoint=bad)
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert len(scripts) == 4  # the data, the theme, the tiles, the report
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert page.data["files"] == p.files
    assert page.data["classes"] == list(p.classes)
    assert bad in page.text


@pytest.mark.parametrize(
    ("name", "p"),
    [
        ("no boxes", dataclasses.replace(at_random(12), predicted_boxes=np.full((12, 4), NAN))),
        ("no objects", at_random(12, background=1.1)),
        ("no background", at_random(12, background=0)),
        ("one image", at_random(1, background=0)),
        ("no p_c", dataclasses.replace(at_random(12), p_c=np.full(12, NAN), class_scores=np.full((12, 3), NAN))),
        ("nothing", at_random(0)),
    ],
)
def test_degenerate_splits_have_a_page(tmp_path: Path, name: str, p: Predictions) -> None:
    page = page_of(tmp_path / "run", p)
    assert page.data["files"] == p.files
    assert ("hasBoxes", p.has_boxes) in page.data.items()
    assert "nan" not in page.text.lower().replace("finance", ""), name


def test_many_classes_have_a_list_of_mistakes(tmp_path: Path) -> None:
    classes = tuple(f"class {number}" for number in range(60))
    page = page_of(tmp_path / "run", at_random(200, classes=classes))
    assert "The commonest mistakes" in page.text
    assert "rows with the lowest accuracy" in page.text


def test_images_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    def load(file: str) -> Image.Image:
        if file == "1.png":
            raise FileNotFoundError(file)
        return load_image(file)

    page = Page(write_report(store(tmp_path / "run", by_hand()), SETTINGS, load).read_text("utf-8"))
    assert "6 of 7 images have their picture" in page.text
    assert "1 could not be read" in page.text
    assert sorted(page.data["pictures"]) == ["0", "2", "3", "4", "5", "6"]


def test_pictures_are_limited_by_bytes_and_originals_linked(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"image_mb": 0.002, "link": True})
    config = {"data": {"root": str(tmp_path / "my photos")}}
    data = page_of(tmp_path / "run", at_random(50), settings, config=config).data
    assert 0 < len(data["pictures"]) < 10
    assert data["link"] == "../my%20photos/"


def test_every_kind_of_mistake_gets_pictures() -> None:
    p = at_random(2000, seed=4)
    rows = chosen_rows(p, [], 60)
    assert len(rows) == len(set(rows)) == 60
    assert rows[0] == worst_first(p)[0]
    assert set(kinds(p)[rows].tolist()) == set(range(len(KINDS)))
    assert chosen_rows(p, [], 0) == []
    assert sorted(chosen_rows(at_random(30), [], 99)) == list(range(30))


def test_kinds_partition_the_answers() -> None:
    assert [KINDS[kind] for kind in kinds(by_hand())] == [
        *("right", "missed", "box_off", "wrong_class", "false_positive", "right", "right")
    ]


def test_groups_come_from_columns_or_paths(tmp_path: Path) -> None:
    p = at_random(40)
    p = dataclasses.replace(
        p,
        files=[f"cam{i % 2}/{i}.png" for i in range(40)],
        extra={"day": ["mon", "tue"] * 20, "id": [str(i) for i in range(40)], "same": ["x"] * 40},
    )
    assert list(groups(p, None)) == ["day"]
    assert groups(p, [r"(cam\d)"]) == {r"(cam\d)": ["cam0", "cam1"] * 20}
    with pytest.raises(ConfigError, match=r"no such column dya \(did you mean day"):
        check_groups(["dya"], p.extra)
    with pytest.raises(ConfigError, match="is no regular expression"):
        check_groups(["(cam"], p.extra)
    page = page_of(tmp_path / "run", p, SETTINGS.model_copy(update={"groups": ["day", r"(cam\d)"]}))
    assert "Scores by day" in page.text
    assert read_run(tmp_path / "run").predictions.extra == p.extra
    assert page.data["groups"]["day"]["names"] == ["mon", "tue"]
    assert len(re.findall(r"\btue\b", page.text)) >= 2  # the table and the filter


def test_what_is_no_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such directory"):
        read_run(tmp_path / "gone")
    with pytest.raises(DataError, match=r"there is no metrics\.json in it"):
        read_run(tmp_path)
    run = store(tmp_path / "run", by_hand())
    (run / "predictions.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"predictions\.parquet: cannot be read"):
        read_run(run)


def test_the_table_survives_the_file(tmp_path: Path) -> None:
    p = at_random(30, seed=9)
    read = read_run(store(tmp_path / "run", p)).predictions
    assert (read.p_c == p.p_c).all()
    assert (read.verdicts == p.verdicts).all()
    assert np.allclose(read.boxes, p.boxes, equal_nan=True, atol=1e-12)
    assert (read.files, read.classes, read.labels.tolist()) == (p.files, p.classes, p.labels.tolist())
