"""What a finished split shows: which rows, which charts, and never more than the limits."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from report_data import at_random, by_hand, load_image

from locnet.data.records import Records
from locnet.data.strings import Strings
from locnet.loggers.base import Dashboard
from locnet.loggers.content import Bars, Lines, Matrix, Picture, PredictionTable
from locnet.loggers.drawing import chart_figure, pixels, sheet
from locnet.loggers.results import Images, Limits, charts_of, chosen_rows, picture, prediction_table, show_results
from locnet.predictions import Predictions


def records_of(p: Predictions, extra: dict[str, list[str]] | None = None) -> Records:
    return Records(
        root=Path(),
        classes=p.classes,
        files=Strings(p.files),
        splits=np.array(["test"] * len(p)),
        labels=p.labels,
        boxes=p.boxes,
        sizes=p.sizes,
        extra={name: Strings(values) for name, values in (extra or {}).items()},
    )


def test_false_positives_are_background_taken_for_an_object_surest_first() -> None:
    p = at_random(60)
    rows = chosen_rows(p, 5)
    assert len(rows["worst"]) == len(rows["random"]) == 5
    false = rows["false_positives"]
    assert 0 < len(false) <= 5
    assert (p.labels[false] == -1).all()
    assert (p.verdicts[false] >= 0).all()
    assert (np.diff(p.p_c[false]) <= 0).all()
    assert p.p_c[false[0]] == p.p_c[p.labels == -1].max()


def test_a_picture_has_both_boxes_and_says_what_they_are() -> None:
    p = by_hand()
    shown = picture(p, 2, load_image("2.png"))
    assert shown.caption == "b -> b, p_c 0.80, IoU 0.33"
    assert shown.truth is not None
    assert (shown.truth.name, shown.truth.edges) == ("b", (0, 0, 0.5, 1))
    assert shown.prediction is not None
    assert shown.prediction.p_c == 0.8
    assert shown.prediction.iou == pytest.approx(1 / 3)
    background = picture(p, 4, load_image("4.png"))
    assert background.truth is None
    assert background.caption == "background -> a, p_c 0.60"


def test_charts_say_what_the_numbers_say() -> None:
    p = by_hand()
    charts = dict(charts_of(p, np.array((0, 0, 0.5, 0.5))))
    assert set(charts) == {"confusion", "precision_recall", "reliability", "iou_histogram", "success"}
    matrix = charts["confusion"]
    assert isinstance(matrix, Matrix)
    assert matrix.names == ["a", "b", "background"]
    assert matrix.counts == [[1, 0, 1], [1, 1, 0], [1, 0, 2]]
    bars = charts["iou_histogram"]
    assert isinstance(bars, Bars)
    assert sum(bars.bars.values()) == 4
    assert bars.bars["0.95"] == 1
    success = charts["success"]
    assert isinstance(success, Lines)
    assert set(success.series) == {"model", "mean box"}
    assert success.series["model"][1][0] == 1.0
    assert "ideal" in charts["reliability"].series  # type: ignore[union-attr]


def test_charts_stay_small() -> None:
    for chart in dict(charts_of(at_random(5000), None)).values():
        if isinstance(chart, Lines):
            assert all(len(x) == len(y) <= 200 for x, y in chart.series.values())
    classes = tuple(f"class {number}" for number in range(80))
    assert "confusion" not in dict(charts_of(at_random(50, classes=classes), None))


def test_the_table_holds_every_row_worst_first_with_the_source_columns() -> None:
    p = by_hand()
    table = prediction_table(p, records_of(p, {"camera": list("tuvwxyz")}), Images(load_image), Limits(thumbnails=4))
    assert table.columns["file"][0] == "3.png"  # wrong verdict, IoU 0
    assert sorted(table.columns["file"]) == p.files
    assert table.columns["camera"][0] == "w"
    assert set(table.columns) >= {"class", "verdict", "right", "p_c", "iou", "xmin", "predicted_xmin", "score_a"}
    assert set(table.pictures) == {0, 1, 6}  # the worst two, and from the worst to the best
    assert max(table.pictures[0].image.size) <= 160


def test_a_table_of_a_large_split_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    p = at_random(3000)
    asked: list[str] = []

    def load(file: str):  # type: ignore[no-untyped-def]
        asked.append(file)
        return load_image(file)

    table = prediction_table(p, records_of(p), Images(load), Limits(rows=100, thumbnails=10))
    assert {len(values) for values in table.columns.values()} == {100}
    assert len(table.pictures) <= 10
    assert len(asked) <= 10
    assert "holds 100 of 3000 images" in caplog.text


def test_an_image_that_is_lost_costs_its_picture_only(caplog: pytest.LogCaptureFixture) -> None:
    def load(file: str):  # type: ignore[no-untyped-def]
        if file == "3.png":
            raise OSError("gone")
        return load_image(file)

    class Seen(Dashboard):
        def __init__(self) -> None:
            self.sheets: dict[str, int] = {}
            self.table: PredictionTable | None = None

        def show_pictures(self, name: str, pictures: object, step: int) -> None:
            self.sheets[name] = len(pictures)  # type: ignore[arg-type]

        def show_table(self, name: str, table: PredictionTable, step: int) -> None:
            self.table = table

    p, seen = by_hand(), Seen()
    show_results([seen], p, records_of(p), load, split="test", step=3, limits=Limits())
    assert seen.sheets == {"test/worst": 6, "test/random": 6, "test/false_positives": 1}
    assert seen.table is not None
    assert 0 not in seen.table.pictures
    assert caplog.text.count("3.png: cannot be shown") == 1


def test_drawings_show_something() -> None:
    p = replace(at_random(30), classes=("a", "b", "c"))
    for chart in dict(charts_of(p, np.array((0, 0, 0.5, 0.5)))).values():
        assert pixels(chart_figure(chart)).std() > 5
    pictures: list[Picture] = [picture(p, row, load_image("x")) for row in range(5)]
    drawn = np.asarray(sheet(pictures, side=100, columns=4))
    assert drawn.shape[1] == 400
    assert drawn.shape[0] > 200
