"""All jobs of a sweep as a table, a file and a picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from locnet.config.jobs import JobRecord
from locnet.report import style
from locnet.report.parallel import plot_parallel
from locnet.report.sweep import SweepRow, best_first, print_sweep, write_csv
from locnet.runtime.rundir import write_json
from locnet.runtime.sweep import summarise


def row(number: int, score: float | None, **settings: str) -> SweepRow:
    given = {key.replace("__", "."): value for key, value in settings.items()}
    metrics = {} if score is None else {"test/iou": score - 0.01, "val/iou": score}
    return SweepRow(number, "failed" if score is None else "done", given, score, metrics)


ROWS = [
    row(0, 0.5, optimizer__lr="0.001", head="grid"),
    row(1, None, optimizer__lr="0.1", head="grid"),
    row(2, 0.8, optimizer__lr="0.00123456", head="linear"),
    row(3, 0.6, optimizer__lr="0.0001", head="grid"),
]


def test_best_first() -> None:
    assert [r.number for r in best_first(ROWS)] == [2, 3, 0, 1]
    assert [r.number for r in best_first(ROWS, "min")] == [0, 3, 2, 1]
    assert [r.number for r in best_first([row(0, float("nan")), row(1, -5.0)])] == [1, 0]


def test_csv_has_a_line_for_each_job_and_every_metric(tmp_path: Path) -> None:
    with write_csv(tmp_path / "sweep.csv", ROWS).open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["job"] for line in lines] == ["0", "1", "2", "3"]
    assert lines[2]["optimizer.lr"] == "0.00123456"
    assert (lines[2]["score"], lines[2]["test/iou"], lines[2]["status"]) == ("0.8", "0.79", "done")
    assert (lines[1]["score"], lines[1]["test/iou"], lines[1]["status"]) == ("", "", "failed")


def test_table_in_the_terminal() -> None:
    file = io.StringIO()
    print_sweep(ROWS, score="val/iou", file=file)
    lines = file.getvalue().splitlines()
    assert "box_term" not in file.getvalue()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert cells[1] == ["job", "lr", "head", "val/iou", "IoU", "status"]
    assert cells[2] == ["2", "0.00123", "linear", "0.800", "0.790", "done"]
    assert cells[5] == ["1", "0.1", "grid", "-", "-", "failed"]


def test_a_long_sweep_shows_its_best(tmp_path: Path) -> None:
    file = io.StringIO()
    print_sweep([row(number, number / 100, seed=str(number)) for number in range(100)], file=file)
    assert "the best 40 of 100 jobs" in file.getvalue()
    assert "| 99 |" in file.getvalue()
    assert "| 59 |" not in file.getvalue()


def test_parallel_coordinates_draw_a_line_for_each_job_with_a_score() -> None:
    figure = plot_parallel(ROWS, score="val/iou")
    assert figure is not None
    [axes] = figure.axes
    jobs = [line for line in axes.lines if np.size(line.get_xdata()) == 3]  # three axes; the axes themselves have two
    drawn = [np.asarray(line.get_ydata(), dtype=float) for line in jobs]
    assert len(drawn) == 3
    [best] = [heights for line, heights in zip(jobs, drawn, strict=True) if line.get_linewidth() == 3]
    assert best.tolist() == pytest.approx([1.0, 0.75, 1.0])  # greatest lr, `linear`, greatest score
    assert "1 without a score left out" in axes.get_title(loc="left")
    middle = np.log(0.001 / 0.0001) / np.log(0.00123456 / 0.0001)  # a wide range has a logarithmic axis
    assert any(heights.tolist() == pytest.approx([middle, 0.25, 0.0]) for heights in drawn)
    assert len({to_rgba(line.get_color()) for line in jobs}) == 3


def test_nothing_to_draw() -> None:
    assert plot_parallel(ROWS[:2]) is None
    assert plot_parallel([row(0, 0.5, seed="1"), row(1, 0.6, seed="1")]) is None
    assert plot_parallel([]) is None


def test_equal_scores_and_odd_settings_can_be_drawn(tmp_path: Path) -> None:
    rows = [row(0, 0.5, a="1", b="$x$", c="nan"), row(1, 0.5, a="", b="[1,2]", c="3"), row(2, 0.5, a="-2", b="y" * 99)]
    figure = plot_parallel(rows)
    assert figure is not None
    assert style.save(figure, tmp_path / "x.png").stat().st_size > 5000


def test_summary_of_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values: dict[int, Any] = {0: 0.5, 1: 0.7}
    for number, value in values.items():
        JobRecord(number, [f"+head='{number}'", "lr=0.1"], "done", exit_code=0, value=value).write(
            tmp_path / str(number)
        )
        write_json(tmp_path / str(number) / "metrics.json", {"test/iou": value, "samples/test": 7, "val/loss": None})
        (tmp_path / str(number) / "config.yaml").write_text("monitor: val/loss\nmonitor_mode: min\n")
    JobRecord(2, ["+head='2'", "lr=0.1"], "failed", exit_code=2, error="bad").write(tmp_path / "2")
    assert summarise(tmp_path) == [tmp_path / "sweep.csv", tmp_path / "sweep.png"]
    out = capsys.readouterr().out
    assert f"best: job 0, {tmp_path / '0'}" in out  # the smaller, since the monitor is a loss
    with (tmp_path / "sweep.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["head"] for line in lines] == ["0", "1", "2"]
    assert [line["error"] for line in lines] == ["", "", "bad"]
    assert "samples/test" not in lines[0]
    assert summarise(tmp_path / "0" / "nothing") == []
