"""Splits by a stable hash."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locnet.data.splits import hash_split

KEYS = [f"{number:05}.jpg" for number in range(20_000)]


def test_values_never_change() -> None:
    """Of a published split: these must hold on every machine and in every version."""
    keys = ["a.jpg", "b.jpg", "c.jpg", "sub/d.jpg", "é.jpg", "", "f.png", "g.png", "h.png", "i.png"]
    expected = ["test", "train", "train", "val", "train", "train", "val", "train", "test", "val"]
    assert hash_split(keys, val=0.3, test=0.3).tolist() == expected
    with_seed_1 = ["test", "train", "test", "val", "train", "test", "train", "test", "train", "test"]
    assert hash_split(keys, val=0.3, test=0.3, seed=1).tolist() == with_seed_1


@pytest.mark.parametrize(("val", "test"), [(0.15, 0.15), (0.0, 0.2), (0.25, 0.0), (0.1, 0.3), (0.0, 0.0)])
def test_shares(val: float, test: float) -> None:
    splits = hash_split(KEYS, val=val, test=test)
    for name, share in (("val", val), ("test", test), ("train", 1 - val - test)):
        error = 4 * (share * (1 - share) / len(KEYS)) ** 0.5  # four standard deviations
        assert abs((splits == name).mean() - share) <= error, name


def test_another_seed_is_another_split() -> None:
    one, two = hash_split(KEYS, val=0.2, test=0.2), hash_split(KEYS, val=0.2, test=0.2, seed=1)
    assert 0.5 < (one != two).mean() < 0.62  # 0.56 where they are independent


@given(
    old=st.lists(st.text(), unique=True, max_size=20),
    new=st.lists(st.text(), unique=True, max_size=20),
    order=st.randoms(),
)
def test_more_images_move_no_old_one(old: list[str], new: list[str], order: object) -> None:
    before = dict(zip(old, hash_split(old, val=0.3, test=0.3).tolist(), strict=True))
    together = [*new, *old]
    order.shuffle(together)  # type: ignore[attr-defined]
    after = dict(zip(together, hash_split(together, val=0.3, test=0.3).tolist(), strict=True))
    assert {key: after[key] for key in old} == before


def test_a_larger_test_share_moves_nothing_out_of_test() -> None:
    small, large = hash_split(KEYS, val=0.1, test=0.1), hash_split(KEYS, val=0.1, test=0.2)
    assert (large[small == "test"] == "test").all()


def test_no_keys() -> None:
    assert hash_split([], val=0.2, test=0.2).shape == (0,)
    assert np.issubdtype(hash_split(["a"], val=0.2, test=0.2).dtype, np.str_)
