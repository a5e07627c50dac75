"""`coverage=` of predict: crops in whole pixels beside the boxes, and what is said where they cannot be had."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor
from red_finder import RedFinder, paint

from locnet.calibration import Calibration, Residuals
from locnet.config.app import Job
from locnet.config.compose import compose
from locnet.errors import ConfigError
from locnet.inference.localizer import Localizer
from locnet.inference.result import CROP, whole_pixels
from locnet.report.style import CROP_COLOUR
from locnet.runtime.prediction import predict

RESIDUALS = Residuals(19, tuple(np.linspace(0.0, 0.36, 19)))  # 0.8 needs the 16th: 0.3; 0.95 the last; 0.96 too much


@pytest.fixture
def run(tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Predict with a network that finds red boxes exactly and has these residuals."""

    def load(place: str, *, device: str, threshold: float | None) -> Localizer:
        finder: Any = RedFinder((64, 64))
        finder.calibration = Calibration(residuals=RESIDUALS)
        return Localizer(finder, device=device)

    monkeypatch.setattr(Localizer, "load", load)

    def run(source: Path, *overrides: str) -> list[dict[str, Any]]:
        config = compose("predict", [f"checkpoint={checkpoint}", "device=cpu", "num_workers=0", "source=S", *overrides])
        predict(Job(config=config | {"source": str(source)}, run_dir=tmp_path / "out", overrides=[]))
        lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    return run


def test_the_crop_is_the_grown_box_in_whole_pixels(run: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    # 0.25 wide and 0.5 high: grows by 0.3 * 0.35 = 0.105 of 128 and 0.3 * 0.6 = 0.18 of 256, as far as there is image
    [row] = run(paint(tmp_path / "a.png", (128, 256), (64, 16, 96, 144)), "coverage=0.8", "annotate=true")
    assert [row[edge] for edge in CROP] == [50, 0, 110, 191]
    assert all(type(row[edge]) is int for edge in CROP)
    assert [row[edge] for edge in ("xmin", "ymin", "xmax", "ymax")] == [64, 16, 96, 144]
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        [cells] = csv.DictReader(file)
    assert [int(cells[edge]) for edge in CROP] == [50, 0, 110, 191]
    with Image.open(tmp_path / "out" / "annotated" / "a.png.jpg") as picture:
        page = np.asarray(picture.convert("RGB")).astype(int)
    green = np.array(ImageColor.getrgb(CROP_COLOUR))
    left = (page.shape[1] - 128) // 2
    assert np.abs(page[100, left + 50] - green).max() < 60  # its left edge
    assert (np.abs(page[262:] - green).max(axis=-1) < 60).any()  # the legend


def test_without_coverage_there_is_no_crop(run: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    [row] = run(paint(tmp_path / "a.png", (64, 64), (8, 8, 32, 32)))
    assert not set(CROP) & set(row)


def test_too_few_val_objects_are_one_line_and_the_whole_image(
    run: Callable[..., list[dict[str, Any]]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        [row] = run(paint(tmp_path / "a.png", (100, 60), (8, 8, 32, 32)), "coverage=0.96")
    assert [row[edge] for edge in CROP] == [0, 0, 100, 60]
    assert [record.getMessage() for record in caplog.records] == [
        "coverage=0.96: the crops are whole images, because 19 val objects cannot promise so much (24 can)"
    ]


def test_a_checkpoint_without_residuals(checkpoint: Path, tmp_path: Path) -> None:
    source = paint(tmp_path / "a.png", (64, 64), None)
    config = compose("predict", [f"checkpoint={checkpoint}", f"source={source}", "coverage=0.9", "device=cpu"])
    with pytest.raises(
        ConfigError, match=r"^coverage=0.9: this checkpoint holds no conformal residuals; .* calibrate=true"
    ):
        predict(Job(config=config, run_dir=tmp_path / "out", overrides=[]))
    assert not (tmp_path / "out").exists()


def test_whole_pixels_go_outward_and_stay_inside() -> None:
    assert whole_pixels(np.array([0.101, 0.2, 0.5, 0.9999]), 100, 50) == (10, 10, 50, 50)
    assert whole_pixels(np.array([0.1 + 1e-9, 0.0, 0.5 + 1e-9, 1.0]), 100, 50) == (10, 0, 50, 50)
