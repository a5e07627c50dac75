"""Images, videos and lists behind the API of S3, spoken by a server on this machine."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import fsspec
import pytest
from PIL import Image

from locnet.config.app import Job, JobResult
from locnet.config.compose import compose
from locnet.runtime.journal import read_rows
from locnet.runtime.prediction import predict

pytestmark = pytest.mark.slow
IMAGES = ["a.jpg", "größe [1].png", "sub/b c.png"]


@pytest.fixture(scope="module", autouse=True)
def bucket(s3_port: int) -> None:
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdir("mine")
    for number, name in enumerate(IMAGES):
        stream = BytesIO()
        Image.new("RGB", (40 + number, 30)).save(stream, "PNG")
        system.pipe(f"mine/in/{name}", stream.getvalue())
    system.pipe("mine/in/notes.txt", b"x")
    lines = ["s3://mine/in/größe [1].png", "s3://mine/gone.png", "s3://mine/gone.mp4", "s3://mine/in/a.jpg"]
    system.pipe("mine/list.txt", "\n".join(lines).encode())
    fsspec.filesystem("s3").clear_instance_cache()


def run(checkpoint: Path, source: str, output: Path, *overrides: str) -> tuple[JobResult, list[str]]:
    defaults = [f"checkpoint={checkpoint}", "device=cpu", "source=S", f"output={output}", "annotate=true"]
    config = compose("predict", [*defaults, *overrides]) | {"source": source}
    result = predict(Job(config=config, run_dir=output, overrides=[]))
    return result, [row["file"].removeprefix("s3://mine/in/") for row in read_rows(output / "predictions.jsonl")]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("s3://mine/in", IMAGES),
        ("s3://mine/in/*.[jp][pn]g", IMAGES[:2]),
        ("s3://mine/in/größe [1].png", IMAGES[1:2]),
    ],
)
def test_sources(checkpoint: Path, tmp_path: Path, source: str, found: list[str]) -> None:
    result, names = run(checkpoint, source, tmp_path / "out", "batch_size=1", "num_workers=2")
    assert (result.exit_code, names) == (0, found)
    assert len([path for path in (tmp_path / "out" / "annotated").rglob("*") if path.is_file()]) == len(found)


def test_a_list_and_what_is_gone(checkpoint: Path, tmp_path: Path) -> None:
    for _ in range(2):
        result, names = run(checkpoint, "@s3://mine/list.txt", tmp_path / "out", "num_workers=0", "resume=true")
        assert (result.exit_code, names) == (1, ["größe [1].png", "a.jpg"])
        skipped = [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()]
        assert [row["error"] for row in skipped] == [
            "s3://mine/gone.png: there is no such file",
            "s3://mine/gone.mp4: cannot be read as a video (there is no such file)",
        ]


def test_a_video(checkpoint: Path, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="pip install 'locnet[video]'")
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 48)))))
        container.mux(stream.encode(None))
    fsspec.filesystem("s3").put(str(tmp_path / "clip.mp4"), "mine/clip.mp4")
    assert run(checkpoint, "s3://mine/clip.mp4", tmp_path / "out")[1] == ["s3://mine/clip.mp4"]
