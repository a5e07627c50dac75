from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from report_data import at_random, by_hand, load_image

from locnet.predictions import Predictions
from locnet.report.confusion import plot_confusion
from locnet.report.grid import answer, prediction_grid, random_rows, worst_first
from locnet.report.history import best_epoch, plot_history
from locnet.report.localization import success
from locnet.report.plots import draw_figures, write_plots
from locnet.report.scores import scores
from locnet.report.style import spread

SHEETS = ["predictions", "predictions_random"]
ALL = ["curves", "confusion", "iou", "objectness", *SHEETS]
NAN = float("nan")


def history(epochs: int) -> list[dict[str, float]]:
    rows = []
    for epoch in range(epochs):
        rows.append({"epoch": epoch, "step": epoch * 10, "train/loss": 1 / (epoch + 1), "lr": 1e-3})
        rows.append({"epoch": epoch, "val/loss": 1 / (epoch + 1), "val/iou": epoch / epochs, "val/accuracy": 0.5})
    return rows


def written(folder: Path, p: Predictions, rows: list[dict[str, float]], images: int = 3) -> list[str]:
    box = np.array([0.2, 0.2, 0.8, 0.8])
    figures = draw_figures(history=rows, monitor="val/iou", predictions=p, mean_box=box)
    paths = write_plots(folder, figures, predictions=p, load_image=load_image, images=images)
    assert sorted(paths) == sorted(folder.iterdir())
    for path in paths:
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG"
            assert min(image.size) >= 300
            assert max(image.size) <= 2500
            assert np.asarray(image.convert("L")).std() > 1  # not a blank page
    return [path.stem for path in paths]


def test_every_plot_is_written_and_global_settings_stay(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    assert written(tmp_path / "new" / "plots", at_random(40), history(5)) == ALL
    assert dict(mpl.rcParams) == before


def test_degenerate_splits(tmp_path: Path) -> None:
    p = at_random(12)
    no_boxes = dataclasses.replace(p, predicted_boxes=np.full((12, 4), NAN))
    no_p_c = dataclasses.replace(p, p_c=np.full(12, NAN))
    cases: dict[str, tuple[Predictions, list[str]]] = {
        "no background": (at_random(12, background=0), ALL[1:]),
        "only background": (at_random(12, background=1.1), ["confusion", "objectness", *SHEETS]),
        "one image": (at_random(1, background=0), ALL[1:]),
        "one class": (at_random(12, classes=("car",)), ALL[1:]),
        "no boxes": (no_boxes, ["confusion", "objectness", *SHEETS]),
        "no p_c": (no_p_c, ["confusion", "iou", *SHEETS]),
        "nothing": (at_random(0), []),
    }
    for name, (predictions, expected) in cases.items():
        assert written(tmp_path / name, predictions, [], images=1) == expected, name


@pytest.mark.parametrize(
    ("rows", "drawn"),
    [
        ([], False),
        ([{"epoch": 0}], False),
        ([{"epoch": 0, "train/loss": NAN, "val/iou": None, "lr": "high"}], False),
        (history(1), True),
        ([{"train/loss": 0.5}, {"train/loss": float("inf")}], True),
        ([{"epoch": 0, "val/iou": NAN}, {"epoch": 1, "val/iou": 0.5, "val/loss": -3.0}], True),
        (
            [{"epoch": epoch, "train/loss": 10.0**-epoch, "lr-a": 0.0, "lr-b": 1e-5} for epoch in range(4)],
            True,
        ),
    ],
)
def test_any_history_is_drawn_or_left_out(rows: list[dict[str, object]], drawn: bool) -> None:
    figure = plot_history(rows, "val/iou")
    assert (figure is not None) == drawn
    if figure is not None:
        figure.draw_without_rendering()


def test_the_best_epoch_follows_the_monitor_and_its_mode() -> None:
    rows = [{"epoch": e, "val/iou": v, "val/loss": v} for e, v in enumerate([0.3, 0.7, NAN, 0.7, 0.1])]
    assert best_epoch(rows, "val/iou") == (1, 0.7)
    assert best_epoch(rows, "val/loss") == (4, 0.1)
    assert best_epoch(rows, "val/iou", "min") == (4, 0.1)
    assert best_epoch(rows, "val/top1_loc") is None


def test_after_a_resume_the_last_value_of_an_epoch_counts() -> None:
    rows = [{"epoch": 0, "val/iou": 0.2}, {"epoch": 1, "val/iou": 0.9}, {"epoch": 1, "val/iou": 0.4}]
    assert best_epoch(rows, "val/iou") == (1, 0.4)


def test_class_names_with_formulas_in_them(tmp_path: Path) -> None:
    figure = plot_confusion(dataclasses.replace(by_hand(), classes=("$\\bad{", "\ud800_$")))
    assert figure is not None
    figure.savefig(tmp_path / "confusion.png")


@pytest.mark.parametrize("count", [15, 40, 90])
def test_many_classes_fit(count: int) -> None:
    figure = plot_confusion(at_random(200, classes=tuple(f"class number {index}" for index in range(count))))
    assert figure is not None
    figure.draw_without_rendering()
    assert figure.get_figwidth() < 13


def test_the_worst_answers_come_first() -> None:
    # IoU plus 0.5 for a right verdict: 1.5, 0.8, 0.83, 0, 0, 1.5, 1.5; among equals the surer mistake and the
    # less sure success first: 3 and 4 both say 0.6; then 6 is sure to 0.8, 0 and 5 to 0.9.
    order = worst_first(by_hand()).tolist()
    assert set(order[:2]) == {3, 4}
    assert order[2:5] == [1, 2, 6]
    assert set(order[5:]) == {0, 5}


def test_a_right_verdict_is_worth_half_an_iou() -> None:
    # Image 1: wrong verdict, IoU 0.9. Image 2: right verdict, IoU 1/3, so 0.83 in all.
    found = by_hand().predicted_boxes
    found[1] = (0, 0, 0.9, 1)
    assert worst_first(dataclasses.replace(by_hand(), predicted_boxes=found)).tolist()[2:4] == [2, 1]


def test_without_boxes_the_surest_mistake_comes_first() -> None:
    p = dataclasses.replace(by_hand(), predicted_boxes=np.full((7, 4), NAN))
    assert worst_first(dataclasses.replace(p, p_c=np.array([0.9, 0.4, 0.8, 0.99, 0.6, 0.1, 0.2])))[0] == 3


def test_random_rows_are_the_same_every_time_and_differ_from_each_other() -> None:
    p = at_random(50)
    rows = random_rows(p, 24).tolist()
    assert rows == random_rows(p, 24).tolist()
    assert len(set(rows)) == 24
    assert random_rows(p, 99).tolist() == list(range(50))


def test_a_lost_image_costs_its_tile_only(caplog: pytest.LogCaptureFixture) -> None:
    def load(file: str) -> Image.Image:
        if file == "1.png":
            raise FileNotFoundError("no such file")
        return load_image(file)

    with caplog.at_level(logging.WARNING):
        page = prediction_grid(by_hand(), [0, 1, 2], load, "title")
    assert page.width > 900
    assert [record.getMessage() for record in caplog.records] == ["1.png: cannot be drawn in the report: no such file"]


def test_no_box_is_drawn_where_background_is_rightly_seen() -> None:
    truth, prediction = answer(by_hand(), 5)
    assert (truth.box, truth.name, prediction.box, prediction.name, prediction.iou) == (
        None,
        "background",
        None,
        "background",
        None,
    )
    _, wrong = answer(by_hand(), 4)
    assert (wrong.box, wrong.name) == ((0.0, 0.0, 1.0, 1.0), "a")


def test_the_success_curve_passes_through_gt_known_loc() -> None:
    p = at_random(60, seed=5)
    thresholds, share = success(p.ious[p.has_object])
    at_half = share[np.searchsorted(thresholds, 0.5, side="left")]
    assert at_half == pytest.approx(scores(p)["gt_known_loc"])
    assert share[0] == 1
    assert (np.diff(share) <= 0).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.01, 0.3))
def test_spread_keeps_order_distance_and_mean(places: list[float], gap: float) -> None:
    wanted = np.array(places)
    moved = spread(wanted, gap)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(moved[order]) >= gap - 1e-9).all()
    assert moved.mean() == pytest.approx(wanted.mean())
    if len(wanted) == 1 or np.diff(wanted[order]).min() >= gap:
        assert moved == pytest.approx(wanted)


def test_threads_may_draw_at_the_same_time(tmp_path: Path) -> None:
    def draw(index: int) -> bytes:
        folder = tmp_path / str(index)
        written(folder, at_random(20), history(3), images=1)
        return (folder / "confusion.png").read_bytes()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(draw, range(2))
    assert first == second


def test_pyplot_is_never_imported() -> None:
    code = "import sys, locnet.report.plots, locnet.report.table; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
