"""Image files in, boxes in their own pixels out."""

from __future__ import annotations

import csv
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from red_finder import BLUE, RED, RedFinder, paint

from locnet.config.app import Job, JobResult
from locnet.config.compose import compose
from locnet.errors import CheckpointError, ConfigError, DataError
from locnet.inference.localizer import Localizer
from locnet.inference.result import FIELDS
from locnet.runtime.prediction import predict


@pytest.fixture
def job(tmp_path: Path, checkpoint: Path) -> Callable[..., Job]:
    """`job(source, "key=value", ...)`: predict with the tiny checkpoint into `tmp_path/out`."""

    def job(source: object, *overrides: str, run_dir: Path | None = None) -> Job:
        defaults = [f"checkpoint={checkpoint}", "device=cpu", "num_workers=0", "source=SOURCE"]
        config = compose("predict", [*defaults, *overrides]) | {"source": str(source)}
        return Job(config=config, run_dir=run_dir or tmp_path / "out", overrides=list(overrides))

    return job


Run = Callable[..., tuple[JobResult, list[dict[str, Any]]]]


@pytest.fixture
def run(job: Callable[..., Job], tmp_path: Path) -> Run:
    """Predict and read predictions.jsonl."""

    def run(source: object, *overrides: str) -> tuple[JobResult, list[dict[str, Any]]]:
        result = predict(job(source, *overrides))
        lines = (tmp_path / "out" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
        return result, [json.loads(line) for line in lines]

    return run


@pytest.fixture
def right(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the checkpoint hold a `RedFinder`; with `resize` and an input of (height, width)."""

    def right(resize: str = "squash", image_size: tuple[int, int] = (64, 64)) -> None:
        def load(place: str, *, device: str, threshold: float | None) -> Localizer:
            finder: Any = RedFinder(image_size)
            localizer = Localizer(finder, resize=resize, device=device)  # type: ignore[arg-type]
            localizer.threshold = 0.5 if threshold is None else threshold
            return localizer

        monkeypatch.setattr(Localizer, "load", load)

    return right


def edges(row: dict[str, Any]) -> list[float]:
    return [row[edge] for edge in ("xmin", "ymin", "xmax", "ymax")]


@pytest.mark.parametrize("resize", ["squash", "letterbox"])
@pytest.mark.parametrize(
    ("size", "box", "image_size"),
    [
        ((128, 128), (32, 16, 96, 120), (64, 64)),
        ((256, 128), (0, 0, 256, 128), (64, 64)),  # all of it; letterbox bars above and below
        ((128, 256), (64, 128, 128, 256), (64, 64)),  # the lower right corner; bars left and right
        ((128, 64), (8, 4, 16, 8), (64, 64)),
        ((256, 128), (64, 32, 128, 64), (32, 64)),
        ((64, 64), (5, 6, 7, 63), (64, 64)),
        ((64, 64), (63, 63, 64, 64), (64, 64)),  # one pixel
        ((64, 64), (0, 0, 1, 1), (64, 64)),
    ],
)
def test_boxes_come_back_in_original_pixels(
    right: Callable[..., None],
    run: Run,
    tmp_path: Path,
    resize: str,
    size: tuple[int, int],
    box: tuple[int, int, int, int],
    image_size: tuple[int, int],
) -> None:
    """A network that is right about its input gives the true box exactly, however the image met the input."""
    right(resize, image_size)
    result, [row] = run(paint(tmp_path / "a.png", size, box))
    assert result.exit_code == 0
    assert edges(row) == list(box)
    assert (row["width"], row["height"]) == size
    assert (row["class"], row["verdict"]) == ("dog", "dog")


@pytest.mark.parametrize("resize", ["squash", "letterbox"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_rotated_photos_get_boxes_of_the_upright_image(
    right: Callable[..., None], run: Run, tmp_path: Path, resize: str, orientation: int
) -> None:
    right(resize)
    upright = Image.new("RGB", (128, 64), BLUE)
    upright.paste(RED, (8, 4, 40, 60))
    stored_as = {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(stored_as[orientation]) if orientation in stored_as else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.png", exif=exif)
    _, [row] = run(tmp_path / "photo.png", "annotate=true")
    assert edges(row) == [8, 4, 40, 60]
    assert (row["width"], row["height"]) == (128, 64)
    with Image.open(tmp_path / "out" / "annotated" / "photo.png.jpg") as picture:
        assert picture.width > picture.height  # upright, with its caption


def test_no_object_and_thresholds(right: Callable[..., None], run: Run, tmp_path: Path) -> None:
    right()
    paint(tmp_path / "in" / "empty.png", (64, 64), None)
    paint(tmp_path / "in" / "full.png", (64, 64), (0, 0, 32, 32))
    _, rows = run(tmp_path / "in", "threshold=0.95")
    assert [row["verdict"] for row in rows] == ["background", "background"]
    assert [row["class"] for row in rows] == ["car", "dog"]  # the best class is still told
    assert [row["p_c"] for row in rows] == [0, pytest.approx(0.9)]
    assert edges(rows[1]) == [0, 0, 32, 32]  # and the box


def test_both_files_hold_the_same_rows_in_the_order_of_the_files(
    right: Callable[..., None], run: Run, tmp_path: Path
) -> None:
    right()
    folder = tmp_path / "in"
    for number in (3, 1, 10, 2):
        paint(folder / f"{number}.png", (64, 64), (0, 0, number, number))
    _, rows = run(folder, "batch_size=3")
    assert [row["file"] for row in rows] == [f"{folder}/{n}.png" for n in (1, 10, 2, 3)]
    assert [row["xmax"] for row in rows] == [1, 10, 2, 3]
    assert list(rows[0]) == [*FIELDS, "score_car", "score_dog", "score_person"]
    with (tmp_path / "out" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [{key: str(value) for key, value in row.items()} for row in rows] == table


def test_names_of_all_kinds(right: Callable[..., None], run: Run, tmp_path: Path) -> None:
    right()
    names = ["größe 1.png", "with, comma.png", 'quo"te.png', "[x].png", "日本/写真.png", "a=b;c.png"]
    for name in names:
        paint(tmp_path / "my in" / name, (64, 64), (0, 0, 8, 8))
    _, rows = run(tmp_path / "my in", "annotate=true")
    assert {row["file"] for row in rows} == {str(tmp_path / "my in" / name) for name in names}
    copies = tmp_path / "out" / "annotated"
    assert {str(file.relative_to(copies)) for file in copies.rglob("*.jpg")} == {f"{name}.jpg" for name in names}
    with (tmp_path / "out" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        assert [row["file"] for row in csv.DictReader(file)] == [row["file"] for row in rows]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8(right: Callable[..., None], run: Run, tmp_path: Path) -> None:
    right()
    name = os.fsencode(tmp_path) + b"/in/caf\xe9.png"
    paint(tmp_path / "in" / "x.png", (64, 64), (0, 0, 8, 8))
    os.rename(tmp_path / "in" / "x.png", name)  # noqa: PTH104 - bytes
    _, [row] = run(tmp_path / "in")
    assert os.fsencode(row["file"]) == name


def test_unreadable_files_are_reported_counted_and_skipped(
    right: Callable[..., None], run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    right()
    folder = tmp_path / "in"
    paint(folder / "a.png", (64, 64), (0, 0, 8, 8))
    (folder / "b.jpg").write_bytes(b"")
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes()[:60])
    paint(folder / "d.png", (64, 64), (0, 0, 4, 4))
    (folder / "e.gif").write_text("<html>not found</html>")
    with caplog.at_level(logging.INFO, logger="locnet"):
        result, rows = run(folder, "batch_size=2", "annotate=true")
    assert result.exit_code == 1
    assert [Path(row["file"]).name for row in rows] == ["a.png", "d.png"]
    assert [row["xmax"] for row in rows] == [8, 4]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [text.split(": ")[1] for text in warnings] == [f"{folder}/{n}" for n in ("b.jpg", "c.png", "e.gif")]
    assert "predicted      2 of 5 images, 3 skipped (see skipped.jsonl)" in caplog.text
    assert len(list((tmp_path / "out" / "annotated").iterdir())) == 2


def test_nothing_but_unreadable_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    result, rows = run(tmp_path / "a.png")
    assert (result.exit_code, rows) == (1, [])
    assert (tmp_path / "out" / "predictions.csv").read_text().startswith("file,p_c,class")


def test_annotated_copies_keep_their_places(right: Callable[..., None], run: Run, tmp_path: Path) -> None:
    """Two files of one name in two folders are two pictures, also from a pattern."""
    right()
    box = (64, 64, 192, 192)
    paint(tmp_path / "in" / "one" / "a.jpg", (256, 256), box, quality=95)
    paint(tmp_path / "in" / "two" / "a.jpg", (256, 256), None)
    run(f"{tmp_path}/in/*/a.jpg", "annotate=true")
    copies = tmp_path / "out" / "annotated"
    assert {str(file.relative_to(copies)) for file in copies.rglob("*.*")} == {"one/a.jpg", "two/a.jpg"}
    with Image.open(copies / "one" / "a.jpg") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels[64, 128, 1] > 100  # the orange line on the upper edge; neither red nor blue has green
    assert np.abs(pixels[20, 20] - BLUE).max() < 30
    with Image.open(copies / "two" / "a.jpg") as picture:
        assert np.abs(np.asarray(picture)[:240].astype(int) - BLUE).max() < 30  # a background verdict draws no box


def test_workers_change_nothing(right: Callable[..., None], job: Callable[..., Job], tmp_path: Path) -> None:
    right("letterbox")
    for number in range(1, 8):
        paint(tmp_path / "in" / f"{number}.png", (64, 64), (0, 0, number, number))
    (tmp_path / "in" / "4.png").write_bytes(b"")
    for workers in (0, 2):
        out = tmp_path / f"workers-{workers}"
        result = predict(job(tmp_path / "in", "batch_size=2", f"num_workers={workers}", run_dir=out))
        assert result.exit_code == 1
    texts = [(tmp_path / f"workers-{workers}" / "predictions.jsonl").read_text() for workers in (0, 2)]
    assert texts[0] == texts[1]
    assert [json.loads(line)["xmax"] for line in texts[0].splitlines()] == [1, 2, 3, 5, 6, 7]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the limit of open files")
def test_large_batches_do_not_run_out_of_open_files(
    right: Callable[..., None], job: Callable[..., Job], tmp_path: Path
) -> None:
    """Tensors from worker processes cost an open file each; usual limits are 1024, or 256 on macOS."""
    import resource

    right()
    for number in range(128):
        paint(tmp_path / "in" / f"{number:03}.png", (8, 8), None)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 60, limits[1]))
    try:
        predict(job(tmp_path / "in", "batch_size=64", "num_workers=2"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 128


def test_output_elsewhere_and_never_over_another_run(
    right: Callable[..., None], job: Callable[..., Job], tmp_path: Path
) -> None:
    right()
    source = paint(tmp_path / "a.png", (64, 64), None)
    predict(job(source, f"output={tmp_path}/there"))
    before = (tmp_path / "there" / "predictions.jsonl").read_bytes()
    with pytest.raises(ConfigError) as error:
        predict(job(source, f"output={tmp_path}/there"))
    assert (
        str(error.value)
        == f"{tmp_path}/there holds another run; choose another directory, or go on with that one: resume=true"
    )
    assert (tmp_path / "there" / "predictions.jsonl").read_bytes() == before


def test_a_checkpoint_is_enough(job: Callable[..., Job], checkpoint: Path, tmp_path: Path) -> None:
    """The real network, moved away from everything beside it; a run directory does as well as a file."""
    away = tmp_path / "moved" / "checkpoints" / "best.ckpt"
    away.parent.mkdir(parents=True)
    away.write_bytes(checkpoint.read_bytes())
    source = paint(tmp_path / "a.png", (100, 50), (10, 10, 20, 20))
    for number, place in enumerate((away, tmp_path / "moved")):
        out = tmp_path / str(number)
        predict(job(source, f"checkpoint={place}", run_dir=out))
    texts = {(tmp_path / str(number) / "predictions.jsonl").read_text() for number in range(2)}
    assert len(texts) == 1
    row = json.loads(texts.pop())
    assert row["class"] in ("car", "dog", "person")
    assert 0 <= row["p_c"] <= 1
    left, top, right, bottom = edges(row)
    assert 0 <= left <= right <= 100
    assert 0 <= top <= bottom <= 50


def test_classification_gives_no_boxes(run: Run, checkpoint_of: Callable[..., Path], tmp_path: Path) -> None:
    plain = checkpoint_of(tmp_path / "plain.ckpt", boxes=False)
    source = paint(tmp_path / "a.png", (100, 50), None)
    _, [row] = run(source, f"checkpoint={plain}", "threshold=0", "annotate=true")
    assert edges(row) == [None] * 4
    assert row["verdict"] == row["class"]
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        [cells] = csv.DictReader(file)
    assert (cells["xmin"], cells["ymax"]) == ("", "")
    assert (tmp_path / "out" / "annotated" / "a.png.jpg").is_file()


def test_what_is_wrong_is_said_before_anything_is_written(
    job: Callable[..., Job], checkpoint: Path, tmp_path: Path
) -> None:
    source = paint(tmp_path / "a.png", (64, 64), None)
    (tmp_path / "torn.ckpt").write_bytes(checkpoint.read_bytes()[:1000])
    cases: list[tuple[object, str, type[Exception], str]] = [
        (tmp_path / "no.png", "seed=0", DataError, f"source={tmp_path}/no.png: no such file or folder"),
        (source, f"checkpoint={tmp_path}/no.ckpt", CheckpointError, f"{tmp_path}/no.ckpt: no such file"),
        (source, f"checkpoint={tmp_path}/torn.ckpt", CheckpointError, "torn.ckpt is not a readable checkpoint"),
        (source, "device=cuda:99", ConfigError, "device=cuda:99 is not on this machine; use device=auto"),
        (source, "device=gpu", ConfigError, "device"),
        (source, "batch_size=0", ConfigError, "batch_size must be a whole number"),
    ]
    for place, override, kind, said in cases:
        with pytest.raises(kind) as error:
            predict(job(place, *([] if override == "seed=0" else [override])))
        assert said in str(error.value)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "out").exists()
