"""Seeds that are made of numbers, so that nothing has to remember a generator's state."""

from __future__ import annotations


def mix(*numbers: int) -> int:
    """A seed in [0, 2^63) from several numbers (SplitMix64's finaliser), so that neighbours are unrelated."""
    state = 0
    mask = 2**64 - 1
    for number in numbers:
        state = (state + (number & mask) + 0x9E3779B97F4A7C15) & mask
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
        state ^= state >> 31
    return state >> 1
