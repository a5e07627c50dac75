"""`data=streets`: the drawn scenes and the cache that they live in."""

from __future__ import annotations

import csv
import hashlib
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locnet.data.streets import CLASSES, generate, render
from locnet.data.streets.crew import Crew
from locnet.data.streets.framing import LARGEST, LONGEST, SMALLEST
from locnet.data.streets.scene import SUPERSAMPLING, Painting
from locnet.data.streets.studio import paint
from locnet.errors import ConfigError, DataError

SMALL = {"seed": 3, "size": 32, "train": 6, "val": 2, "test": 2}
MODULE = "locnet.data.streets.generate"


@pytest.fixture(scope="module")
def paintings() -> list[Painting]:
    return [paint(0, "train", index, 32) for index in range(240)]


def _digest(seed: int, split: str, index: int, size: int = 48) -> str:
    scene = render(seed, split, index, size)
    edges = b"" if scene.box is None else scene.box.tobytes()
    return hashlib.sha256(scene.image.tobytes() + edges + bytes([scene.label + 1])).hexdigest()


# One scene


def test_same_arguments_same_bytes() -> None:
    assert [_digest(1, "val", i) for i in range(5)] == [_digest(1, "val", i) for i in range(5)]


def test_seed_split_and_index_all_matter() -> None:
    keys = [
        (1, "train", 0),
        (2, "train", 0),
        (1, "val", 0),
        (1, "test", 0),
        (1, "train", 1),
        (1, "train", 10),
    ]
    assert len({_digest(*key) for key in keys}) == len(keys)


def test_independent_of_process_order_and_string_hash() -> None:
    code = "from tests.data.test_streets import _digest\nprint(' '.join(_digest(5, 'train', i) for i in (3, 2, 1, 0)))"
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert run.stdout.split()[::-1] == [_digest(5, "train", i) for i in range(4)]


@pytest.mark.parametrize("size", [32, 33, 97])
def test_shape_and_type(size: int) -> None:
    scene = render(0, "test", 4, size)
    assert scene.image.shape == (size, size, 3)
    assert scene.image.dtype == np.uint8


@pytest.mark.parametrize(("split", "size"), [("train", 31), ("train", 0), ("dev", 64)])
def test_bad_arguments_are_refused(split: str, size: int) -> None:
    with pytest.raises(ConfigError):
        render(0, split, 0, size)


def test_box_is_tight_around_the_mask(paintings: list[Painting]) -> None:
    for painting in paintings:
        box = painting.scene.box
        assert (box is None) == (painting.scene.label == -1)
        if box is None or painting.mask is None:
            continue
        assert box.dtype == np.float64
        rows, columns = np.flatnonzero(painting.mask.any(axis=1)), np.flatnonzero(painting.mask.any(axis=0))
        tight = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / SUPERSAMPLING
        assert np.array_equal(box, tight)
        assert (box[:2] >= 0).all()
        assert (box[2:] <= 32).all()
        assert (box[2:] - box[:2] >= 1).all()


def test_box_agrees_with_the_same_scene_drawn_finer() -> None:
    errors = []
    for index in range(45):
        coarse, fine = render(0, "val", index, 40).box, render(0, "val", index, 320).box
        if coarse is not None and fine is not None:
            errors.append(coarse - fine / 8)
    assert len(errors) > 25
    assert np.abs(errors).max() <= 0.6  # half a pixel, and what the finer box itself is off
    bias = np.mean(errors, axis=0)
    assert np.abs(bias[:2] + bias[2:]).max() < 0.2  # boxes may be a little wide, but not shifted


def test_object_fills_its_box() -> None:
    shares = []
    for index in range(40):
        painting = paint(2, "train", index, 64)
        box = painting.scene.box
        if box is None or painting.mask is None:
            continue
        mask = painting.mask.reshape(64, SUPERSAMPLING, 64, SUPERSAMPLING).mean(axis=(1, 3)) > 127
        left, top, right, bottom = np.round(box).astype(int)
        shares.append(mask[top:bottom, left:right].mean())
    assert min(shares) > 0.15
    assert 0.4 < np.mean(shares) < 0.95


def test_enough_of_the_object_is_in_view(paintings: list[Painting]) -> None:
    for painting in paintings:
        box, whole = painting.scene.box, painting.whole
        if box is None or whole is None:
            continue
        visible = np.prod(box[2:] - box[:2]) / ((whole[2] - whole[0]) * (whole[3] - whole[1]))
        assert visible > 0.55  # 65 % are wanted; half a pixel is a lot at this size
        assert painting.hidden <= 0.35


def test_some_objects_are_cut_and_some_are_hidden(paintings: list[Painting]) -> None:
    objects = [p for p in paintings if p.scene.box is not None]
    cut = [p for p in objects if p.whole is not None and (min(p.whole[:2]) < -0.5 or max(p.whole[2:]) > 32.5)]
    hidden = [p for p in objects if p.hidden > 0.05]
    assert 0.1 < len(cut) / len(objects) < 0.35
    assert 0.05 < len(hidden) / len(objects) < 0.5


def test_classes_are_balanced(paintings: list[Painting]) -> None:
    labels = [painting.scene.label for painting in paintings]
    for label in range(-1, len(CLASSES)):
        assert 0.18 < labels.count(label) / len(labels) < 0.32


def test_sizes_and_places_vary(paintings: list[Painting]) -> None:
    boxes = np.array([p.scene.box for p in paintings if p.scene.box is not None]) / 32
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    sizes = np.sqrt(sides.prod(axis=1))
    assert (centres.std(axis=0) > 0.15).all()
    assert sizes.min() < 1.2 * SMALLEST
    assert 0.85 * LARGEST < sizes.max() < 1.1 * LARGEST
    assert 0.8 * LONGEST < sides.max() < 1.1 * LONGEST


# A data set


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "annotations.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _state(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _unfinished(cache: Path) -> list[Path]:
    return list(cache.glob(".streets-*.tmp-*"))


def test_manifest_holds_what_render_draws(tmp_path: Path) -> None:
    folder = generate(tmp_path, **SMALL, workers=0)
    rows = _rows(folder)
    assert [row["split"] for row in rows] == ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    assert list(rows[0]) == [
        "filename", "split", "class", "xmin", "ymin", "xmax", "ymax", "width", "height",
    ]  # fmt: skip
    assert {path.name for path in (folder / "images").iterdir()} == {row["filename"] for row in rows}
    for row in rows:
        scene = render(3, row["split"], int(row["filename"][-10:-4]), 32)
        with Image.open(folder / "images" / row["filename"]) as file:
            assert file.size == (int(row["width"]), int(row["height"])) == (32, 32)
            difference = np.abs(np.asarray(file, dtype=float) - scene.image).mean()
        assert difference < 12  # JPEG's loss; another scene differs by more than 30
        edges = [row[edge] for edge in ("xmin", "ymin", "xmax", "ymax")]
        if scene.box is None:
            assert row["class"] == "background"
            assert edges == [""] * 4
        else:
            assert row["class"] == CLASSES[scene.label]
            assert [float(edge) for edge in edges] == scene.box.tolist()


def test_second_call_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = generate(tmp_path, **SMALL, workers=0)
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.setattr(sys.modules[MODULE], "_draw", lambda *_: pytest.fail("it drew again"))
    assert generate(tmp_path, **SMALL, workers=5) == folder
    assert times == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_workers_do_not_change_the_content(tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    first, second = generate(alone, **SMALL, workers=1), generate(together, **SMALL, workers=3)
    assert first.name == second.name
    assert _state(first) == _state(second)


@pytest.mark.parametrize("change", [{"seed": 4}, {"size": 33}, {"train": 5}, {"val": 3}, {"test": 1}])
def test_every_setting_has_its_own_folder(tmp_path: Path, change: dict[str, int]) -> None:
    folders = {generate(tmp_path, **{**SMALL, **extra}, workers=0) for extra in ({}, change)}
    assert len(folders) == 2
    assert all((folder / "annotations.csv").is_file() for folder in folders)


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("locnet.data.streets.crew.draw_one", fail)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, **SMALL, workers=0)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_leftovers_of_a_killed_run_are_cleared(tmp_path: Path) -> None:
    name = generate(tmp_path / "other", **SMALL, workers=0).name
    leftover = tmp_path / f".{name}.tmp-1" / "images"
    leftover.mkdir(parents=True)
    (leftover / "train_000000.jpg").write_bytes(b"half a pic")
    folder = generate(tmp_path, **SMALL, workers=0)
    assert len(list((folder / "images").iterdir())) == 10
    assert _unfinished(tmp_path) == []


def test_a_folder_with_a_missing_picture_is_drawn_again(tmp_path: Path) -> None:
    folder = generate(tmp_path, **SMALL, workers=0)
    before = _state(folder)
    (folder / "images" / "val_000001.jpg").unlink()
    assert generate(tmp_path, **SMALL, workers=0) == folder
    assert _state(folder) == before


def test_a_killed_run_leaves_no_data_set_and_no_workers(tmp_path: Path) -> None:
    # a script without a main guard, on purpose: workers must not run it again
    script = tmp_path / "script.py"
    script.write_text(
        "import pathlib\nfrom locnet.data.streets import generate\n"
        f"generate(pathlib.Path({str(tmp_path)!r}), seed=0, size=64, train=4000, val=1, test=1, workers=2)\n",
        encoding="utf-8",
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, str(script)], env=env, stderr=subprocess.DEVNULL) as process:
        count = _wait_for_pictures(tmp_path, 10)
        process.kill()
    assert count < 4000
    assert list(tmp_path.glob("streets-*")) == []
    time.sleep(0.5)  # each worker finishes the scene that it is at
    before = _count_pictures(tmp_path)
    time.sleep(0.5)
    assert _count_pictures(tmp_path) == before


def _count_pictures(cache: Path) -> int:
    return len(list(cache.glob(".streets-*.tmp-*/images/*.jpg")))


def _wait_for_pictures(cache: Path, wanted: int) -> int:
    for _ in range(600):
        if (count := _count_pictures(cache)) >= wanted:
            return count
        time.sleep(0.05)
    raise AssertionError("nothing was drawn in 30 s")


def _generate_in_child(cache: Path) -> None:
    generate(cache, **SMALL, workers=0)


def test_two_processes_make_one_intact_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_generate_in_child, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    (folder,) = tmp_path.glob("streets-*")
    assert _unfinished(tmp_path) == []
    assert _state(folder) == _state(generate(tmp_path / "alone", **SMALL, workers=0))


def test_a_failing_worker_is_reported_in_one_line(tmp_path: Path) -> None:
    items = [("train", 0), ("train", 1)]
    with Crew(tmp_path / "missing", 0, 32, items, 2) as crew, pytest.raises(DataError) as error:
        list(crew.rows())
    assert "No such file" in str(error.value)
    assert "\n" not in str(error.value)


def test_workers_do_without_torch() -> None:
    code = "import sys, locnet.data.streets.worker; sys.exit('torch' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0


@pytest.mark.parametrize(("key", "value"), [("size", 16), ("train", 0), ("val", -1), ("test", 0), ("workers", -1)])
def test_bad_settings_are_named(tmp_path: Path, key: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"data.{key}={value}"):
        generate(tmp_path, **{**SMALL, "workers": 0, key: value})


def test_progress_is_plain_lines_without_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(tmp_path, **SMALL, workers=0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "drawing 10 street scenes of 32x32 (once; they are cached)"
    assert lines[-1].endswith("10/10")
    assert not any("\x1b" in line for line in lines)
