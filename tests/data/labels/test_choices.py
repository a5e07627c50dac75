"""One object an image on purpose: several objects, none, merged classes, flags, small boxes, and splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from locnet.config.defaults import data_settings
from locnet.data.labels.assemble import Reading, assemble
from locnet.data.labels.tables import Labels, LabelsBuilder
from locnet.data.reading import look
from locnet.errors import ConfigError, DataError

SMALL, LARGE = (0, 0, 4, 4), (10, 5, 30, 20)


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    """none: unlabelled; empty: background; one: a cat; two: a small dog, then a large cat; crowd: a crowd of dogs."""
    builder = LabelsBuilder(tmp_path)
    rows = {name: builder.add_image(f"{name}.png", size=(24, 40)) for name in ("none", "one", "two", "crowd")}
    builder.add_image("empty.png", size=(24, 40), background=True)
    builder.add_object(rows["one"], "cat", LARGE)
    builder.add_object(rows["two"], "dog", SMALL)
    builder.add_object(rows["two"], "cat", LARGE, flags=["difficult"])
    builder.add_object(rows["crowd"], "dog", LARGE, flags=["crowd"])
    for name in (*rows, "empty"):
        Image.new("RGB", (40, 24)).save(tmp_path / f"{name}.png")
    return builder.build()


def chosen(labels: Labels, **changes: Any) -> tuple[dict[str, str], Reading]:
    """Class by image, and the reading."""
    split = {"val": 0.0, "test": 0.0}
    settings: Any = data_settings("voc", root=str(labels.root), **({"split": split} | changes))
    reading = assemble(labels, settings, look=look(whole=False), look_at_all=False)
    names = (*reading.records.classes, "background")
    return {
        file.removesuffix(".png"): names[label]
        for file, label in zip(reading.records.files, reading.records.labels.tolist(), strict=True)
    }, reading


@pytest.mark.parametrize(
    ("multiple", "two", "words"),
    [
        ("largest", "cat", "several objects, the largest taken"),
        ("first", "dog", "several objects, the first taken"),
        ("skip", None, "several objects, skipped"),
        ("background", "background", "several objects, taken as background"),
    ],
)
def test_several_objects(labels: Labels, multiple: str, two: str | None, words: str) -> None:
    found, reading = chosen(labels, multiple=multiple)
    assert found == {"one": "cat", "empty": "background"} | ({"two": two} if two else {})
    assert reading.paths == {"one object": 1, words: 1, "background": 1, "without object, skipped": 2}
    assert reading.ignored == {"crowd": 1}
    assert not reading.defects


def test_several_objects_may_be_an_error(labels: Labels) -> None:
    with pytest.raises(DataError, match=r"two\.png has 2 objects and data\.multiple=error; choose"):
        chosen(labels, multiple="error")


def test_images_without_object_may_be_background(labels: Labels) -> None:
    found, reading = chosen(labels, without_object="background")
    assert [found[name] for name in ("none", "crowd", "empty")] == ["background"] * 3
    assert reading.paths["without object, taken as background"] == 2


def test_flags_and_small_boxes_do_not_count(labels: Labels) -> None:
    assert chosen(labels, ignore_flags=[])[0]["crowd"] == "dog"
    assert chosen(labels, ignore_flags=["difficult"])[0]["two"] == "dog"
    found, reading = chosen(labels, min_box=4)
    assert found["two"] == "cat"
    assert not reading.ignored.get("smaller than 4 px")
    found, reading = chosen(labels, min_box=4.5, multiple="first")
    assert found["two"] == "cat"
    assert reading.ignored["smaller than 4.5 px"] == 1


def test_classes_are_merged_and_selected(labels: Labels) -> None:
    found, reading = chosen(labels, classes={"pet": ["cat", "dog"]})
    assert reading.records.classes == ("pet",)
    assert set(found.values()) == {"pet", "background"}
    found, reading = chosen(labels, classes={"hound": "dog"})
    assert found == {"two": "hound", "empty": "background"}  # `one` holds nothing that is wanted
    assert reading.ignored["of no wanted class"] == 2
    assert chosen(labels, classes=["dog", "zebra", "cat"])[1].records.classes == ("dog", "zebra", "cat")


def test_a_mapping_that_cannot_be_meant(labels: Labels) -> None:
    with pytest.raises(DataError, match=r"data\.classes: no label is called cta; did you mean cat\?"):
        chosen(labels, classes={"pet": ["cta"]})
    assert "data.classes: no label is called submarine" in chosen(labels, classes={"a": ["cat", "submarine"]})[1].notes
    with pytest.raises(ConfigError, match=r"cat is in a and in b"):
        chosen(labels, classes={"a": ["cat"], "b": ["cat"]})


def test_an_unknown_class_is_a_defect(labels: Labels) -> None:
    _, reading = chosen(labels, classes=["cat"])
    assert [defect.kind for defect in reading.defects] == ["unknown_class", "unknown_class"]
    assert reading.bad == 2


def many(root: Path, count: int, **columns: list[str]) -> Labels:
    builder = LabelsBuilder(root)
    for number in range(count):
        file = f"video{number % 7}_{number}.png"
        row = builder.add_image(file, size=(24, 40), extra={name: values[number] for name, values in columns.items()})
        builder.add_object(row, "cat", LARGE)
        if not (root / file).exists():
            (root / file).touch()
    return builder.build()


def splits(labels: Labels, **split: Any) -> dict[str, str]:
    records = chosen(labels, split={"val": 0.3, "test": 0.3} | split)[1].records
    return dict(zip(records.files, records.splits.tolist(), strict=True))


def test_more_images_move_no_old_one(tmp_path: Path) -> None:
    before, after = splits(many(tmp_path, 40)), splits(many(tmp_path, 80))
    assert len(set(before.values())) == 3
    assert before.items() <= after.items()


@pytest.mark.parametrize("group", [r"^video(\d+)_", "place"])
def test_groups_stay_together(tmp_path: Path, group: str) -> None:
    labels = many(tmp_path, 60, place=[f"p{number % 7}" for number in range(60)])
    found = splits(labels, group=group)
    by_video: dict[str, set[str]] = {}
    for file, split in found.items():
        by_video.setdefault(file.split("_")[0], set()).add(split)
    assert all(len(of_video) == 1 for of_video in by_video.values())
    assert len(set(found.values())) > 1


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("plaec", r"data\.split\.group=plaec: no such column \(did you mean place\?\)"),
        (r"(\d+", r"data\.split\.group=\(\\d\+ is no regular expression"),
        (r"patient(\d+)", r"finds no key in video0_0\.png"),
    ],
)
def test_groups_that_lead_nowhere(tmp_path: Path, group: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        splits(many(tmp_path, 4, place=["a"] * 4), group=group)


def test_a_missing_split_is_cut_from_train(tmp_path: Path) -> None:
    given = ["train"] * 50 + ["val"] * 10
    labels = many(tmp_path, 60)
    from dataclasses import replace

    import numpy as np

    labels = replace(labels, splits=np.array(given))
    found = splits(labels)
    assert [found[file] for file in labels.files.tolist()[50:]] == ["val"] * 10
    assert {found[file] for file in labels.files.tolist()[:50]} == {"train", "test"}
    assert set(splits(labels, test=0.0).values()) == {"train", "val"}
