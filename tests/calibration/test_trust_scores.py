"""Calibration errors, intervals and the flat values of a report, against numbers by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locnet.calibration import Calibration, Residuals
from locnet.calibration.estimate import estimate
from locnet.calibration.reliability import bins, class_bins, objectness_bins
from locnet.calibration.scores import trust_line, trust_scores
from locnet.predictions import Predictions
from locnet.report.intervals import wilson

NO_BOX = (np.nan,) * 4


def table(count: int, *, seed: int = 0, sureness: float = 1.0, boxes: bool = True) -> Predictions:
    """Answers whose p_c and class scores are probabilities, made `sureness` times too sure; boxes a little off."""
    draw = np.random.default_rng(seed)
    p = draw.beta(0.6, 0.6, count)
    present = draw.random(count) < p
    logits = draw.normal(0, 1.5, (count, 3))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (draw.random((count, 1)) > shares.cumsum(1)).sum(1).clip(max=2)
    corner = draw.uniform(0.1, 0.4, (count, 2))
    true = np.concatenate((corner, corner + draw.uniform(0.1, 0.4, (count, 2))), axis=1)
    sure = 1 / (1 + ((1 - p) / p) ** sureness)
    powered = shares**sureness
    return Predictions(
        classes=("a", "b", "c"),
        files=[f"{index}.png" for index in range(count)],
        sizes=np.full((count, 2), 64),
        labels=np.where(present, labels, -1),
        boxes=np.where(present[:, None], true, np.nan),
        p_c=sure,
        class_scores=powered / powered.sum(1, keepdims=True),
        predicted_boxes=np.clip(true + draw.normal(0, 0.03, true.shape), 0, 1)
        if boxes
        else np.full((count, 4), np.nan),
        threshold=0.5,
    )


def test_the_calibration_error_by_hand() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.2, 1.0])
    right = np.array([True, True, False, False, False, True])
    found = bins(confidence, right)
    assert found.images.tolist() == [1, 4, 1]
    assert found.confidence == pytest.approx([0.2, 0.9, 1.0])
    assert found.share == pytest.approx([0, 0.5, 1])
    assert found.ece == pytest.approx((0.2 + 4 * 0.4 + 0) / 6)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_the_error_is_a_share_and_knows_the_perfect(rows: list[tuple[float, bool]]) -> None:
    confidence, right = (np.array(column) for column in zip(*rows, strict=True))
    found = bins(confidence, right)
    assert found.images.sum() == len(rows)
    assert 0 <= found.ece <= 1
    assert bins(right.astype(float), right).ece == 0
    assert bins(right.astype(float), ~right).ece == 1


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_interval_is_where_the_share_is_one_and_a_half_errors_away(count: int, share: float) -> None:
    hits = round(share * count)
    low, high = wilson(hits, count)
    assert 0 <= low <= hits / count <= high <= 1
    for end in (low, high):  # the definition: |hits/count - end| = z * sqrt(end * (1 - end) / count)
        if 0 < end < 1:
            assert abs(hits / count - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / count), abs=1e-6)


def test_calibration_brings_the_error_down_and_no_decision_changes() -> None:
    val, test = (table(4000, seed=seed, sureness=3) for seed in (1, 2))
    learned = estimate(val, probabilities=True)
    calibrated = learned.calibration.applied_to(test)
    values = trust_scores(calibrated, learned.calibration, raw=test)
    assert learned.calibration.objectness_temperature == pytest.approx(3, rel=0.1)
    assert learned.calibration.class_temperature == pytest.approx(3, rel=0.1)
    for name in ("objectness_ece", "class_ece"):
        assert values[name] < 0.03
        assert values[f"{name}_uncalibrated"] > 0.08
    assert (calibrated.predicted_labels == test.predicted_labels).all()
    order = np.argsort(test.p_c)
    assert (np.diff(calibrated.p_c[order]) >= 0).all()
    assert learned.after >= learned.before


def test_the_crops_of_a_report() -> None:
    val, test = (table(3000, seed=seed) for seed in (3, 4))
    learned = estimate(val, probabilities=True)
    values = trust_scores(test, learned.calibration, raw=test)
    line = trust_line(values)
    assert f"calibration error of p_c {values['objectness_ece']:.3f} (uncalibrated" in line
    assert "crops for 80/90/95 % hold " in line
    areas = [values["object_area"]]
    for level in (80, 90, 95):
        assert values[f"coverage_{level}"] == pytest.approx(level / 100, abs=0.025)
        assert values[f"coverage_{level}_low"] < values[f"coverage_{level}"] < values[f"coverage_{level}_high"]
        areas.append(values[f"crop_area_{level}"])
    assert areas == sorted(areas)
    assert areas[-1] < 0.5


def test_too_few_objects_give_whole_images() -> None:
    calibration = Calibration(residuals=Residuals(12, tuple(np.linspace(0, 0.1, 12))))
    values = trust_scores(table(200), calibration)
    assert values["crop_area_90"] < 1
    assert (values["coverage_95"], values["crop_area_95"]) == (1.0, 1.0)


def test_what_is_not_defined_is_left_out() -> None:
    p = table(40)
    background = dataclasses.replace(p, labels=np.full(40, -1), boxes=np.full((40, 4), np.nan))
    residuals = Residuals(3, (0.0, 0.1, 0.2))
    assert set(trust_scores(p, None)) == {"objectness_ece", "class_ece"}
    assert set(trust_scores(background, Calibration(residuals=residuals))) == {"objectness_ece"}
    plain = trust_scores(table(40, boxes=False), Calibration(residuals=residuals))
    assert set(plain) == {"objectness_ece", "class_ece"}
    assert trust_line(plain) == ""
    diverged = dataclasses.replace(p, p_c=np.full(40, np.nan), class_scores=np.full((40, 3), np.nan))
    assert objectness_bins(diverged) is None
    assert class_bins(diverged) is None


@pytest.mark.parametrize("probabilities", [True, False])
def test_whatever_val_is_something_comes_out(probabilities: bool) -> None:
    p = table(30)
    nan = np.full((30, 3), np.nan)
    cases = {
        "no objects": dataclasses.replace(p, labels=np.full(30, -1), boxes=np.full((30, 4), np.nan)),
        "no background": dataclasses.replace(p, labels=np.zeros(30, dtype=np.int64), boxes=p.predicted_boxes),
        "one image": table(1),
        "no boxes": table(30, boxes=False),
        "diverged": dataclasses.replace(p, p_c=nan[:, 0], class_scores=nan),
        "wild": dataclasses.replace(p, p_c=np.linspace(0, 1, 30), class_scores=p.class_scores * 9 - 4),
    }
    for name, val in cases.items():
        learned = estimate(val, probabilities=probabilities)
        assert 0 <= learned.threshold <= 1, name
        assert (learned.calibration.residuals is None) == (name in ("no objects", "no boxes")), name
        calibrated = learned.calibration.applied_to(val)
        assert calibrated.class_scores.shape == (len(val), 3)
        off = estimate(val, probabilities=probabilities, temperatures=False, threshold=False)
        assert off.threshold == 0.5
        assert off.calibration.objectness_temperature is off.calibration.class_temperature is None
    learned = estimate(cases["diverged"], probabilities=probabilities)
    assert (learned.threshold, learned.calibration.objectness_temperature) == (0.5, None)
