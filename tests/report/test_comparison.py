"""`python -m locnet.compare`: what is compared, what is refused, what is said."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_data import at_random, by_hand, store

from locnet.compare import with_runs
from locnet.comparison.job import short_names
from locnet.comparison.matching import match
from locnet.comparison.numbers import beyond_luck, compared, different_settings
from locnet.comparison.page import comparison_page, verdict
from locnet.errors import DataError
from locnet.predictions import Predictions
from locnet.report.scores import scores, scores_per_class


def better(p: Predictions, share: float = 0.5, seed: int = 0) -> Predictions:
    """The same images, a share of them answered perfectly."""
    rows = np.random.default_rng(seed).random(len(p)) < share
    perfect = np.eye(len(p.classes))[np.maximum(p.labels, 0)]
    return dataclasses.replace(
        p,
        p_c=np.where(rows, p.has_object, p.p_c),
        class_scores=np.where(rows[:, None], perfect, p.class_scores),
        predicted_boxes=np.where((rows & p.has_object)[:, None], p.boxes, p.predicted_boxes),
    )


def test_differences_are_those_of_the_scores_whatever_the_order_of_images_and_classes() -> None:
    one = at_random(200)
    other = better(one)
    order = np.random.default_rng(1).permutation(200)
    turned = other.take(order)
    classes = ("car", "motorcycle", "pedestrian")
    old = [turned.classes.index(name) for name in classes]
    number = {turned.classes.index(name): label for label, name in enumerate(classes)} | {-1: -1}
    turned = dataclasses.replace(
        turned,
        classes=classes,
        class_scores=turned.class_scores[:, old],
        labels=np.array([number[label] for label in turned.labels.tolist()]),
    )
    tables, note = match(["a", "b"], [one, turned], common=False)
    assert note == ""
    assert tables[1].files == one.files
    c = compared(["a", "b"], tables, [{}, {}])
    plain, per_class = (scores(one), scores(other)), (scores_per_class(one), scores_per_class(other))
    for key, found in c.against[0].scores.items():
        assert found.value == pytest.approx(plain[1][key] - plain[0][key])
        assert found.low <= found.value <= found.high
        assert beyond_luck(found)
    for name, of_class in c.against[0].classes.items():
        for key, found in of_class.items():
            assert found.value == pytest.approx(per_class[1][name][key] - per_class[0][name][key])
    assert len(c.against[0].lost) == 0
    right = [(p.verdicts == p.labels) & ~(p.has_object & (p.ious < 0.5)) for p in tables]
    assert sorted(c.against[0].gained.tolist()) == np.flatnonzero(~right[0] & right[1]).tolist()
    assert "b is better in" in verdict(c)
    assert "0 lost" in verdict(c)


def test_the_same_answers_are_not_different() -> None:
    p = by_hand()
    c = compared(["a", "b"], [p, p], [{"seed": 1}, {"seed": 1}])
    assert not any(beyond_luck(found) for found in c.against[0].scores.values())
    assert verdict(c).startswith("b and a are not different beyond what luck")
    assert c.settings == {}
    assert "None." in comparison_page(c, root=None, images=3)


def test_other_images_are_refused_or_left_out() -> None:
    one, other = at_random(20), at_random(20).take(np.arange(5, 20))
    with pytest.raises(DataError, match=r"\(a 20, b 15, 15 in all of them\); common=true"):
        match(["a", "b"], [one, other], common=False)
    tables, note = match(["a", "b"], [one, other], common=True)
    assert (len(tables[0]), note) == (15, "15 images are in all runs (a 20, b 15)")
    renamed = dataclasses.replace(one, files=[f"x{file}" for file in one.files])
    with pytest.raises(DataError, match="no test image in common"):
        match(["a", "b"], [one, renamed], common=True)


def test_other_labels_and_classes_are_refused() -> None:
    one = at_random(20, background=0)
    labels = one.labels.copy()
    labels[3] = (labels[3] + 1) % 3
    relabelled = dataclasses.replace(one, labels=labels)
    with pytest.raises(DataError, match=r"1 of 20 images have other labels in one run, such as 3\.png"):
        match(["a", "b"], [one, relabelled], common=False)
    tables, note = match(["a", "b"], [one, relabelled], common=True)
    assert (len(tables[0]), note) == (19, "1 with different labels are left out")
    moved = dataclasses.replace(one, boxes=one.boxes * 0.9)
    with pytest.raises(DataError, match="20 of 20 images have other labels"):
        match(["a", "b"], [one, moved], common=False)
    with pytest.raises(DataError, match="different classes"):
        match(["a", "b"], [one, dataclasses.replace(one, classes=("pedestrian", "car", "bus"))], common=True)


def test_names_and_settings() -> None:
    assert short_names([Path("/r/a"), Path("/r/b")]) == ["a", "b"]
    assert short_names([Path("/r/1/x"), Path("/r/2/x")]) == ["1/x", "2/x"]
    assert short_names([Path("/r/a"), Path("/r/a")]) == ["a (1)", "a (2)"]
    assert different_settings([{"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 4}]) == {
        "a.c": [2, 3],
        "d": [None, 4],
    }


def test_directories_may_stand_alone() -> None:
    assert with_runs(["a", "b c", "common=true", "--cfg", "job"]) == ["runs=['a','b c']", "common=true", "--cfg", "job"]
    assert with_runs(["runs=[a,b]"]) == ["runs=[a,b]"]
    assert with_runs(["it's", "b"]) == ["runs=['it\\'s','b']"]
    assert with_runs(["--help"]) == ["--help"]


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>"
    p = dataclasses.replace(by_hand(), classes=(bad, "b"), files=[f"{bad}{i}" for i in range(7)])
    c = compared([bad, "b"], [p, better(p)], [{"x": bad}, {"x": "2"}])
    page = comparison_page(c, root=tmp_path, images=10)
    assert bad not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "not readable" in page


def test_as_typed(tmp_path: Path) -> None:
    one = at_random(60)
    photos = tmp_path / "photos"
    photos.mkdir()
    for file in one.files:
        Image.new("RGB", (80, 60), "#808080").save(photos / file)
    config: dict[str, Any] = {"seed": 0, "data": {"root": str(photos)}}
    store(tmp_path / "it's first", one, config=config)
    store(tmp_path / "second", better(one), config=config | {"seed": 1})

    def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "locnet.compare", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False)

    done = typed("it's first", "second", "hydra.run.dir=out", "images=3")
    assert done.returncode == 0, done.stderr
    assert "60 images" in done.stdout
    assert "seed: 0 | 1" in done.stdout
    assert "second is better in" in done.stderr
    content = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [run["name"] for run in content["runs"]] == ["it's first", "second"]
    assert content["settings"] == {"seed": [0, 1]}
    assert len(content["against_first"][0]["gained"]) > 3
    page = (tmp_path / "out" / "compare.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 3
    done = typed("second", "gone", "hydra.run.dir=out2")
    assert (done.returncode, done.stderr.strip()) == (2, "error: gone: no such directory; give the directory of a run")
    assert not (tmp_path / "out2").exists()
