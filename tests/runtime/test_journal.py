"""The journal: every file once, whatever is torn, and `resume=true` of predict on top of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from red_finder import paint

from locnet.config.app import Job, JobResult
from locnet.config.compose import compose
from locnet.errors import ConfigError
from locnet.runtime.journal import Journal, read_rows
from locnet.runtime.prediction import predict

ROWS = [{"file": name, "p_c": 0.5} for name in ("a.png", "caf\udce9.png", "größe.png")]


def test_a_cut_anywhere_costs_the_torn_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    with Journal(path) as journal:
        journal.add(ROWS)
    whole = path.read_bytes()
    assert list(read_rows(path)) == ROWS
    for length in (*range(0, len(whole), 7), whole.index(b"\n"), whole.index(b"\n") + 1, len(whole)):
        for tail in (b"", b"\0\0\0\n"):  # what a power cut leaves of blocks that were not written
            path.write_bytes(whole[:length] + tail)
            with Journal(path) as journal:
                kept = journal.count
                assert [journal.has(str(row["file"])) for row in ROWS] == [i < kept for i in range(3)]
                journal.add(ROWS[kept:])
            assert path.read_bytes() == whole
            assert kept == whole[:length].count(b"\n")


def test_frames_are_answers_of_their_own(tmp_path: Path) -> None:
    for _ in range(2):
        with Journal(tmp_path / "predictions.jsonl") as journal:
            if not journal.count:
                journal.add([{"file": "a.mp4", "frame": 3}])
                continue
            assert journal.has_frames
            assert [journal.has("a.mp4", 3), journal.has("a.mp4", 4), journal.has("a.mp4")] == [True, False, False]


def test_two_processes_never_write_one_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"), pytest.raises(ConfigError, match="another process writes there"):
        Journal(tmp_path / "j")
    with Journal(tmp_path / "j"):
        pass


@pytest.fixture
def run(tmp_path: Path, checkpoint: Path) -> Callable[..., JobResult]:
    """`run("key=value", ...)`: predict for `tmp_path/in` into `tmp_path/out`."""

    def run(*overrides: str) -> JobResult:
        defaults = [f"checkpoint={checkpoint}", "device=cpu", "num_workers=0", "source=S", f"output={tmp_path}/out"]
        config = compose("predict", [*defaults, "resume=true", "batch_size=2", *overrides])
        config |= {"source": str(tmp_path / "in")} if config["source"] == "S" else {}
        return predict(Job(config=config, run_dir=tmp_path / "run", overrides=[]))

    return run


def files_in(out: Path) -> list[str]:
    return [Path(str(row["file"])).name for row in read_rows(out / "predictions.jsonl")]


def test_a_run_goes_on_with_what_has_no_answer(run: Callable[..., JobResult], tmp_path: Path, caplog: Any) -> None:
    names = [f"{number}.png" for number in range(7)]
    for name in names:
        paint(tmp_path / "in" / name, (40, 30), (5, 5, 20, 20))
    torn = (tmp_path / "in" / "3.png").read_bytes()
    (tmp_path / "in" / "3.png").write_bytes(b"")
    assert run("format=[csv,parquet,coco,yolo,voc]").exit_code == 1
    assert files_in(tmp_path / "out") == [name for name in names if name != "3.png"]
    [skipped] = [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()]
    assert skipped["file"].endswith("/in/3.png")
    assert "is empty (0 bytes)" in skipped["error"]
    # a kill while a line was written, and then a file that can be read now, and one more
    journal = tmp_path / "out" / "predictions.jsonl"
    journal.write_bytes(journal.read_bytes()[:-10])
    (tmp_path / "in" / "3.png").write_bytes(torn)
    paint(tmp_path / "in" / "new.png", (40, 30), None)
    with caplog.at_level("INFO"):
        assert run("format=[csv,parquet,coco,yolo,voc]").exit_code == 0
    assert "predicted      8 of 8 images, 5 before this call" in caplog.text
    assert sorted(files_in(tmp_path / "out")) == sorted([*names, "new.png"])
    assert not (tmp_path / "out" / "skipped.jsonl").exists()
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        assert [Path(row["file"]).name for row in csv.DictReader(file)] == files_in(tmp_path / "out")
    assert len(json.loads((tmp_path / "out" / "predictions.coco.json").read_text())["images"]) == 8
    assert len(list((tmp_path / "out" / "yolo" / "labels").iterdir())) == 8
    assert len(list((tmp_path / "out" / "voc" / "Annotations").iterdir())) == 8


def test_another_question_is_refused(
    run: Callable[..., JobResult], checkpoint_of: Callable[..., Path], tmp_path: Path
) -> None:
    paint(tmp_path / "in" / "a.png", (40, 30), None)
    run()
    other = checkpoint_of(tmp_path / "other.ckpt", seed=1)
    for override, said in (
        ("threshold=0.9", "threshold=0.9: .* was begun with threshold=None"),
        ("annotate=true", "annotate=True: .* was begun with annotate=False"),
        (f"checkpoint={other}", "other.ckpt: .* was begun with another checkpoint"),
        ("resume=false", "holds another run; choose another directory, or go on with that one: resume=true"),
        ("output=null", "resume=true goes on in the output of an earlier call; name it"),
    ):
        with pytest.raises(ConfigError, match=said):
            run(override)
    run("batch_size=1", "format=parquet")
    assert (tmp_path / "out" / "predictions.parquet").is_file()
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(ConfigError, match="holds another run, not one of predict"):
        run(f"output={tmp_path}/train")


def test_a_list_that_names_a_file_twice(run: Callable[..., JobResult], tmp_path: Path) -> None:
    paths = [str(paint(tmp_path / name, (40, 30), None)) for name in ("a.png", "b.png")]
    (tmp_path / "list.txt").write_text("\n".join([*paths, paths[0], str(tmp_path / "gone.png")]))
    assert run(f"source=@{tmp_path}/list.txt").exit_code == 1
    assert files_in(tmp_path / "out") == ["a.png", "b.png"]


def test_crops_are_what_is_inside_the_box(run: Callable[..., JobResult], tmp_path: Path) -> None:
    paint(tmp_path / "in" / "sub" / "a.png", (40, 30), (5, 5, 20, 20))
    run("crops=true", "threshold=0")
    [row] = read_rows(tmp_path / "out" / "predictions.jsonl")
    with Image.open(tmp_path / "out" / "crops" / "sub" / "a.png") as crop:
        wide, high = row["xmax"] - row["xmin"], row["ymax"] - row["ymin"]
        assert wide <= crop.width <= wide + 2
        assert high <= crop.height <= high + 2


def test_crops_need_an_object_and_boxes(
    run: Callable[..., JobResult], checkpoint_of: Callable[..., Path], tmp_path: Path
) -> None:
    paint(tmp_path / "in" / "a.png", (40, 30), None)
    plain = checkpoint_of(tmp_path / "plain.ckpt", boxes=False)
    with pytest.raises(ConfigError, match="crops=true needs boxes"):
        run("crops=true", f"checkpoint={plain}")
    run("crops=true", "threshold=1")
    assert not (tmp_path / "out" / "crops").exists()
