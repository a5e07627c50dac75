"""Frames of videos as rows: numbered, timed, resumable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from red_finder import paint

from locnet.config.app import Job, JobResult
from locnet.config.compose import compose
from locnet.runtime.journal import read_rows
from locnet.runtime.prediction import predict

av = pytest.importorskip("av", reason="pip install 'locnet[video]'")


def film(path: Path, frames: int = 25) -> Path:
    """Ten frames a second, 64 x 48."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            pixels = np.full((48, 64, 3), number * 10 % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def run(tmp_path: Path, checkpoint: Path) -> Callable[..., tuple[JobResult, list[dict[str, Any]]]]:
    def run(source: object, *overrides: str) -> tuple[JobResult, list[dict[str, Any]]]:
        defaults = [f"checkpoint={checkpoint}", "device=cpu", "num_workers=0", f"output={tmp_path}/out", "resume=true"]
        config = compose("predict", [*defaults, "source=S", "batch_size=4", *overrides]) | {"source": str(source)}
        result = predict(Job(config=config, run_dir=tmp_path / "run", overrides=[]))
        return result, list(read_rows(tmp_path / "out" / "predictions.jsonl"))

    return run


def test_frames_are_numbered_timed_and_go_on(run: Callable[..., Any], tmp_path: Path) -> None:
    clip = film(tmp_path / "clip.mp4")
    result, rows = run(clip, "annotate=true", "format=[csv,yolo]")
    assert result.exit_code == 0
    assert [row["frame"] for row in rows] == list(range(25))
    assert [row["time"] for row in rows] == pytest.approx([number / 10 for number in range(25)])
    assert {(row["file"], row["width"], row["height"]) for row in rows} == {(str(clip), 64, 48)}
    assert len(list((tmp_path / "out" / "annotated").glob("clip.mp4-0000*.jpg"))) == 25
    assert len(list((tmp_path / "out" / "yolo" / "labels").iterdir())) == 25
    journal = tmp_path / "out" / "predictions.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:7]) + b'{"fi')
    again = run(clip, "annotate=true")[1]  # in other batches, so that the last digits may differ
    assert [(row["frame"], row["time"], row["class"]) for row in again] == [
        (row["frame"], row["time"], row["class"]) for row in rows
    ]


def test_a_rate(run: Callable[..., Any], tmp_path: Path) -> None:
    _, rows = run(film(tmp_path / "clip.mp4"), "fps=4")
    assert [row["frame"] for row in rows] == [0, 3, 5, 8, 10, 13, 15, 18, 20, 23]


def test_a_damaged_video_keeps_what_it_has(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_bytes(b"no video")
    film(tmp_path / "in" / "b.mp4", frames=3)
    paint(tmp_path / "in" / "c.png", (64, 64), None)
    result, rows = run(f"{tmp_path}/in/*")
    assert result.exit_code == 1
    assert [(Path(row["file"]).name, row.get("frame")) for row in rows] == [
        ("c.png", None),
        ("b.mp4", 0),
        ("b.mp4", 1),
        ("b.mp4", 2),
    ]
    [skipped] = [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()]
    assert skipped["error"].startswith(f"{tmp_path}/in/a.mp4: cannot be read as a video (")
