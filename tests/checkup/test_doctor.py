"""`python -m locnet.doctor` as users type it: one screen, one page, one list, exit codes."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locnet.config.defaults import data_settings
from locnet.data.reading import read_data

Manifest = Callable[..., Path]


def doctor(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "160", "LOCNET_CACHE": str(cwd / "cache")}
    command = [sys.executable, "-m", "locnet.doctor", "num_workers=1", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def ill(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder with a missing image, a swapped box, a copy in another split, a grey and a damaged image."""
    cwd = tmp_path_factory.mktemp("doctor")
    root = manifest(cwd / "photos", train=8, val=4, test=4)
    images = root / "images"
    Image.open(images / "002.png").convert("L").save(images / "002.png")
    (images / "009.png").write_bytes((images / "001.png").read_bytes())
    (images / "004.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    text = (root / "annotations.csv").read_text()
    text += "gone.png,train,car,1,2,3,4,48,40\n"
    lines = text.splitlines()
    assert lines[6].startswith("005.png,train,dog")
    lines[6] = "005.png,train,dog,30,2,20,30,48,40"
    (root / "annotations.csv").write_text("\n".join(lines) + "\n")
    done = doctor("data.root=photos", "clean=true", "hydra.run.dir=run", cwd=cwd)
    return cwd, done


def test_defects_are_exit_code_one(ill: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    cwd, done = ill
    assert done.returncode == 1, done.stderr
    found = [json.loads(line) for line in (cwd / "run" / "defects.jsonl").read_text().splitlines()]
    assert sorted(defect["kind"] for defect in found) == [
        "damaged_image",
        "duplicate_across_splits",
        "grey",
        "missing_image",
        "swapped_edges",
    ]
    swapped = next(defect for defect in found if defect["kind"] == "swapped_edges")
    assert (swapped["file"], swapped["line"], swapped["value"]) == ("images/005.png", 7, "30, 2, 20, 30")


def test_one_screen(ill: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out = ill[1].stdout
    assert "17 images: 10 one object, 4 background, 3 left out" in out
    assert "recognised data=csv data.annotations=annotations.csv" in out
    assert "same file in two splits" in out
    assert len(out.splitlines()) < 40
    assert "report.html, defects.jsonl, clean.csv" in ill[1].stderr
    assert "looking at 16 images: 16/16" in ill[1].stderr


def test_the_cleaned_manifest_reads_clean(ill: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    cwd, _ = ill
    table = (cwd / "run" / "clean.csv").read_text()
    (cwd / "photos" / "clean.csv").write_text(table)
    again = read_data(data_settings("csv", root=str(cwd / "photos"), annotations="clean.csv", images="."))
    assert again.bad == 0
    before = read_data(data_settings("csv", root=str(cwd / "photos"), max_bad_fraction=1.0)).records
    assert again.records.files == before.files
    assert np.allclose(again.records.boxes, before.boxes, atol=1e-6, equal_nan=True)
    assert again.records.splits.tolist() == before.splits.tolist()
    assert len(list(csv.reader(table.splitlines()))) == 15


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("img", "br", "meta", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


def test_the_page_holds_everything_and_fetches_nothing(ill: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    text = (ill[0] / "run" / "report.html").read_text()
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.links
    assert all(link.startswith("data:image/jpeg;base64,") for link in page.links)
    assert not re.search(r"https?://", text)
    for words in ("Summary", "Classes", "Midpoints", "Width / height", "edges swapped", "gone.png", "Contact sheets"):
        assert words in text
    assert "annotations.csv:7" in text


def test_clean_data_are_exit_code_zero(manifest: Manifest, tmp_path: Path) -> None:
    manifest(tmp_path / "photos", train=6, val=3, test=3)
    done = doctor("data.root=photos", "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clean    nothing to repair" in done.stdout
    assert (tmp_path / "run" / "defects.jsonl").read_text() == ""


def test_what_cannot_be_examined_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    done = doctor("data.root=photos", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: data.root=photos: no labels were recognised in it")
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").rglob("report.html"))


def test_file_names_cannot_break_out_of_the_page(manifest: Manifest, tmp_path: Path) -> None:
    root = manifest(tmp_path / "photos", train=3, val=0, test=0)
    name = "<script>alert(1)<\u2044script>.png"
    (root / "images" / "000.png").rename(root / "images" / name)
    table = (root / "annotations.csv").read_text()
    (root / "annotations.csv").write_text(table.replace("000.png", name))
    done = doctor("data.root=photos", "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "<script>alert" not in (tmp_path / "run" / "report.html").read_text()


def test_names_that_are_not_utf8_are_left_out_and_listed(manifest: Manifest, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for name in (b"a.png", b"\xff\xfe.png"):
        for folder in ("cat", "dog"):
            (root / folder).mkdir(parents=True, exist_ok=True)
            try:
                Image.new("RGB", (40, 24)).save(root / folder / os.fsdecode(name), format="PNG")
            except OSError:
                pytest.skip("this file system has no such names")
    done = doctor("data=folders", "data.root=photos", "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "4 images: 2 one object, 2 left out" in done.stdout
    assert (tmp_path / "run" / "report.html").read_text().count("is not UTF-8") >= 2
    lines = [json.loads(line) for line in (tmp_path / "run" / "defects.jsonl").read_text().splitlines()]
    assert {line["kind"] for line in lines} >= {"undecodable_name"}
