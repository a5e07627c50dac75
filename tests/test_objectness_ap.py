"""The average precision that a histogram gives is that of the definition, for p_c rounded to 1 / 10,000."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from locnet.metrics import LocalizationMetrics, average_precision
from locnet.report.scores import P_C_LEVELS

images = st.lists(st.tuples(st.booleans(), st.floats(0, 1, width=32)), min_size=1, max_size=40)


def brute_force(rows: Sequence[tuple[bool, int]]) -> float:
    """Every threshold on its own, in exact fractions."""
    positives = sum(has for has, _ in rows)
    total, recall = Fraction(0), Fraction(0)
    for level in sorted({level for _, level in rows}, reverse=True):
        said = [has for has, at in rows if at >= level]
        now = Fraction(sum(said), positives)
        total += (now - recall) * Fraction(sum(said), len(said))
        recall = now
    return float(total)


def computed(rows: Sequence[tuple[bool, float]]) -> dict[str, float]:
    metric = LocalizationMetrics(has_box=False)
    metric.update(
        torch.tensor([p for _, p in rows]),
        torch.zeros(len(rows), 4),
        torch.ones(len(rows), 1),
        torch.tensor([0 if has else -1 for has, _ in rows]),
        torch.full((len(rows), 4), torch.nan),
        0.5,
    )
    values: dict[str, float] = metric.compute()
    return values


@given(images)
def test_against_brute_force(rows: list[tuple[bool, float]]) -> None:
    levels = [(has, int((torch.tensor(p) * P_C_LEVELS).round())) for has, p in rows]
    values = computed(rows)
    if any(has for has, _ in rows):
        assert values["objectness_ap"] == pytest.approx(brute_force(levels), abs=1e-12)
    else:
        assert "objectness_ap" not in values


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_from_counts(counts: list[tuple[int, int]]) -> None:
    rows = [(has, level) for level, pair in enumerate(counts) for has in (False, True) for _ in range(pair[has])]
    if any(has for has, _ in rows):
        assert average_precision(torch.tensor(counts).T) == pytest.approx(brute_force(rows), abs=1e-12)


def test_rounding_joins_what_is_closer_than_a_level() -> None:
    apart = computed([(True, 0.50012), (False, 0.50002)])
    joined = computed([(True, 0.50014), (False, 0.50006)])  # the nearest level, not the one below
    assert apart["objectness_ap"] == 1
    assert joined["objectness_ap"] == 0.5


def test_the_ends_of_the_range() -> None:
    assert computed([(True, 1.0), (False, 0.0)])["objectness_ap"] == 1
    assert computed([(True, 0.0), (False, 1.0)])["objectness_ap"] == 0.5
