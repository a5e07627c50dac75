"""`python -m locnet.predict resume=true` under SIGKILL: every file exactly once in every output."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from red_finder import paint

from locnet.runtime.journal import read_rows

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")]

IMAGES = 300


def command(checkpoint: Path, folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "locnet.predict", f"checkpoint={checkpoint}", f"source={folder}/in"),
        *(f"output={folder}/out", "resume=true", "format=[csv,parquet,coco,yolo,voc]", "annotate=true"),
        *("device=cpu", "num_workers=1", "batch_size=4"),
    ]


def lines_of(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.is_file() else 0


def kill_at(arguments: list[str], journal: Path, lines: int) -> bool:
    """Whether the command could be killed, workers included, once the journal had so many lines."""
    process = subprocess.Popen(arguments, start_new_session=True, stderr=subprocess.PIPE)
    try:
        while process.poll() is None and lines_of(journal) < lines:
            time.sleep(0.002)
        killed = process.poll() is None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert killed or process.returncode == 1, said
    return killed


@pytest.mark.parametrize("seed", [0, 1])
def test_every_file_exactly_once_in_every_output(seed: int, checkpoint: Path, tmp_path: Path) -> None:
    generator = random.Random(seed)
    for number in range(IMAGES):
        paint(tmp_path / "in" / f"{number % 7}" / f"{number:03}.png", (64, 64), (8, 8, 40, 40))
    (tmp_path / "in" / "torn.png").write_bytes(b"")
    names = {str(path.relative_to(tmp_path / "in")) for path in (tmp_path / "in").rglob("*.png")} - {"torn.png"}
    journal, arguments = tmp_path / "out" / "predictions.jsonl", command(checkpoint, tmp_path)
    moments = [*sorted(generator.sample(range(1, IMAGES), 3)), IMAGES]  # the last one while the formats are made
    kills = sum(kill_at(arguments, journal, lines) for lines in moments)
    assert kills >= 3
    done = subprocess.run(arguments, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr.decode()  # the torn file

    rows = list(read_rows(journal))
    files = [str(Path(row["file"]).relative_to(tmp_path / "in")) for row in rows]
    assert len(files) == len(names)
    assert set(files) == names
    out = tmp_path / "out"
    with (out / "predictions.csv").open(newline="") as table:
        assert [row["file"] for row in csv.DictReader(table)] == [row["file"] for row in rows]
    assert pq.read_table(out / "predictions.parquet")["file"].to_pylist() == [row["file"] for row in rows]
    images = json.loads((out / "predictions.coco.json").read_text())["images"]
    assert [image["file_name"] for image in images] == files
    for folder, suffix in (("yolo/labels", ".txt"), ("voc/Annotations", ".xml"), ("annotated", ".png.jpg")):
        made = {str(path.relative_to(out / folder)) for path in (out / folder).rglob("*.*")}
        assert made == {name.removesuffix(".png") + suffix for name in names}
    [skipped] = (out / "skipped.jsonl").read_text().splitlines()
    assert "torn.png" in skipped
