"""`python -m locnet.predict` as users type it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from locnet import predict as command

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Typed:
    """Type a command line behind `checkpoint=...`; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def typed(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["predict", f"checkpoint={checkpoint}", "device=cpu", *arguments])
        handlers, level = list(logging.root.handlers), logging.root.level
        with pytest.raises(SystemExit) as end:
            command.main()
        logging.root.handlers, logging.root.level = handlers, level  # Hydra's own outlive the test
        out, err = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, out, err

    return typed


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "my photos"
    (folder / "sub").mkdir(parents=True)
    for number, name in enumerate(("a.jpg", "größe.png", "sub/c 1.webp")):
        Image.new("RGB", (40 + number, 30), (number * 90, 0, 0)).save(folder / name)
    return folder


def rows_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]


def test_folder(typed: Typed, photos: Path, tmp_path: Path) -> None:
    code, out, err = typed("source=my photos", "output=there", "annotate=true")
    assert (code, out) == (0, ""), err
    rows = rows_of(tmp_path / "there")
    assert [row["file"] for row in rows] == ["my photos/a.jpg", "my photos/größe.png", "my photos/sub/c 1.webp"]
    assert [row["width"] for row in rows] == [40, 41, 42]
    files = {
        str(file.relative_to(tmp_path / "there")) for file in (tmp_path / "there").rglob("[!.]*") if file.is_file()
    }
    own = {"config.yaml", "overrides.yaml", "predictions.jsonl", "predictions.csv"}
    assert files == own | {f"annotated/{name}" for name in ("a.jpg", "größe.png.jpg", "sub/c 1.webp.jpg")}
    assert not list((tmp_path / "runs").rglob("*-*"))  # no empty run directory beside it
    assert "predicted      3 of 3 images\n" in err
    assert "written        there: predictions.jsonl, predictions.csv, annotated/" in err


@pytest.mark.parametrize(
    ("source", "count"),
    [("my photos/*", 2), ("my photos/**/*.*", 3), ("my photos/sub/c 1.webp", 1), ("my photos/gr*.png", 1)],
)
def test_sources(typed: Typed, photos: Path, tmp_path: Path, source: str, count: int) -> None:
    code, _, err = typed(f"source={source}", "output=there")
    assert code == 0, err
    assert len(rows_of(tmp_path / "there")) == count


@pytest.mark.parametrize("name", ["größe.png", "a=b.png", "a,b.png", "[1].png", "it's.png", "(2).png"])
def test_names_that_the_override_grammar_minds(typed: Typed, tmp_path: Path, name: str) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / name)
    code, _, err = typed(f'source="{name}"', "output=there")
    assert code == 0, err
    [row] = rows_of(tmp_path / "there")
    assert row["file"] == name


def test_unreadable_files_end_with_1(typed: Typed, photos: Path, tmp_path: Path) -> None:
    (photos / "b.jpg").write_bytes(b"")
    code, _, err = typed("source=my photos", "output=there")
    assert code == 1
    assert len(rows_of(tmp_path / "there")) == 3
    assert "skipped: my photos/b.jpg: is empty (0 bytes)" in err
    assert "predicted      3 of 4 images, 1 skipped (see skipped.jsonl)" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["source=nowhere"], "source=nowhere: no such file or folder, and no file matches it as a pattern"),
        (["source=empty"], "source=empty: there is no image in this folder"),
        ([], "source has no value; give it: source=..."),
        (["source=x", "treshold=0.3"], "unknown key treshold (=0.3); did you mean threshold?"),
        (["source=x", "threshold=1.5"], "threshold must be"),
        (["source=x", "batch_size=0"], "batch_size must be"),
        (["source=a.png", "device=cuda:77"], "device=cuda:77 is not on this machine; use device=auto or device=cpu"),
        (["source=a.png", "checkpoint=x.ckpt"], "x.ckpt: no such file or directory; give a .ckpt file, or a run"),
        (["source=a.png", "checkpoint=a.png"], "a.png is not a readable checkpoint"),
        (["source=a.png", "output=a.png"], "a.png cannot be made a run directory"),
    ],
)
def test_mistakes(typed: Typed, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    code, _, err = typed(*arguments)
    assert code == 2
    [line] = err.splitlines()
    assert line.startswith(f"error: {said}")


def test_as_a_command(checkpoint: Path, photos: Path, tmp_path: Path) -> None:
    """From another directory, with everything at its default, the checkpoint alone in a folder."""
    alone = tmp_path / "moved" / "model.ckpt"
    alone.parent.mkdir()
    alone.write_bytes(checkpoint.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "locnet.predict", f"checkpoint={alone}", f"source={photos}", "device=cpu"],
        cwd=alone.parent,
        env=os.environ | {"PYTHONUTF8": "0", "LC_ALL": "C"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    [run] = (alone.parent / "runs" / "predict").iterdir()
    assert len(rows_of(run)) == 3
    assert done.stderr.count(b"\n") == 2, done.stderr
