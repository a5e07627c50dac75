"""Who sees which sample, when, and with which seed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from locnet.data.samplers import Draw, ExactSampler, TrainSampler
from locnet.seeds import mix

sizes = st.integers(0, 60)
worlds = st.integers(1, 5)
seeds = st.integers(0, 2**40)


@given(size=sizes, world=worlds, seed=seeds, epoch=st.integers(0, 1000))
def test_processes_share_a_permutation(size: int, world: int, seed: int, epoch: int) -> None:
    samplers = [TrainSampler(size, seed=seed, rank=rank, world=world) for rank in range(world)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    parts = [[draw.index for draw in sampler] for sampler in samplers]
    assert [len(part) for part in parts] == [len(sampler) for sampler in samplers] == [size // world] * world
    together = [index for part in parts for index in part]
    assert len(set(together)) == len(together)  # disjoint, each index at most once
    assert set(together) <= set(range(size))


def test_one_process_sees_everything_each_epoch_in_another_order() -> None:
    sampler = TrainSampler(100, seed=0)
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        orders.append([draw.index for draw in sampler])
        assert sorted(orders[-1]) == list(range(100))
    assert orders[0] != orders[1] != orders[2] != list(range(100))
    sampler.set_epoch(1)
    assert [draw.index for draw in sampler] == orders[1]  # a resumed run goes on as if nothing had happened
    assert [draw.index for draw in TrainSampler(100, seed=1)] != orders[0]


def test_more_processes_see_the_same_order() -> None:
    """The k-th batch of two processes holds the same images as the k-th batch of one, twice the size."""
    whole = [draw.index for draw in TrainSampler(20, seed=4)]
    parts = [[draw.index for draw in TrainSampler(20, seed=4, rank=rank, world=2)] for rank in range(2)]
    assert [index for pair in zip(*parts, strict=True) for index in pair] == whole


def test_a_draws_seed_depends_on_seed_epoch_and_index_alone() -> None:
    def seeds_of(seed: int, epoch: int, world: int) -> dict[int, int | None]:
        drawn: dict[int, int | None] = {}
        for rank in range(world):
            sampler = TrainSampler(12, seed=seed, rank=rank, world=world)
            sampler.set_epoch(epoch)
            drawn |= {draw.index: draw.seed for draw in sampler}
        return drawn

    first = seeds_of(0, 0, 1)
    assert seeds_of(0, 0, 3) == first
    every = {seed for s in range(4) for epoch in range(4) for seed in seeds_of(s, epoch, 1).values()}
    assert len(every) == 4 * 4 * 12


@given(size=sizes, world=worlds)
def test_exact_sampler_covers_everything_once(size: int, world: int) -> None:
    samplers = [ExactSampler(size, rank=rank, world=world) for rank in range(world)]
    parts = [list(sampler) for sampler in samplers]
    assert [len(part) for part in parts] == [len(sampler) for sampler in samplers]
    assert sorted(draw.index for part in parts for draw in part) == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(draw.seed is None for part in parts for draw in part)


def test_one_process_evaluates_in_file_order() -> None:
    assert list(ExactSampler(3)) == [Draw(0, None), Draw(1, None), Draw(2, None)]


@given(numbers=st.lists(st.integers(-(2**63), 2**63), max_size=4))
def test_mixed_seeds_are_what_torch_takes(numbers: list[int]) -> None:
    assert 0 <= mix(*numbers) < 2**63


def test_mix_is_fixed() -> None:
    """Other numbers would be another training run for everybody's old seed."""
    assert [mix(0), mix(0, 1), mix(1, 0), mix(7, 3, 11)] == [
        8147104208329303767,
        1534736266818221247,
        3395948882924712079,
        4835045599781877083,
    ]
