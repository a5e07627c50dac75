"""What else stands in a street: none of it is a class, all of it is on object and background scenes alike."""

from __future__ import annotations

from collections.abc import Callable

from locnet.data.streets.clutter.furniture import (
    FURNITURE,
    bench,
    billboard,
    crate_stack,
    litter_bin,
    mailbox,
    shelter,
    wheelie_bin,
)
from locnet.data.streets.clutter.movables import MOVABLES, barrow, bicycle, bus, dog, pram
from locnet.data.streets.clutter.plants import PLANTS
from locnet.data.streets.clutter.posts import POSTS, cone
from locnet.data.streets.dice import Dice
from locnet.data.streets.pen import Drawing

Maker = Callable[[Dice], Drawing]
_BULKY_FROM = 12.0
_BULKY: dict[Maker, float] = {bus: 0.8, shelter: 0.7, billboard: 0.8, barrow: 0.6}
_THINGS: dict[Maker, float] = {**FURNITURE, **MOVABLES, **POSTS}
_NEAR: dict[Maker, float] = {maker: weight for maker, weight in _THINGS.items() if maker not in _BULKY}
_ON_ROAD: dict[Maker, float] = {
    dog: 1.0,
    cone: 1.0,
    bicycle: 0.5,
    pram: 0.4,
    crate_stack: 0.4,
    wheelie_bin: 0.5,
}
_SLIM: dict[Maker, float] = {**POSTS, litter_bin: 1.5, wheelie_bin: 1.2, mailbox: 1.0, bench: 0.8}


def sample_thing(dice: Dice, green: float, z: float = 0.0) -> Drawing:
    """Anything that stands beside a road, `z` metres ahead; a plant with probability `green`."""
    if dice.chance(green):
        return dice.weighted(PLANTS)(dice)
    return dice.weighted(_THINGS if z > _BULKY_FROM else _NEAR)(dice)


def sample_road_thing(dice: Dice, z: float = 0.0) -> Drawing:
    """Something that may stand in the middle of a road, `z` metres ahead."""
    return bus(dice) if z > _BULKY_FROM and dice.chance(0.4) else dice.weighted(_ON_ROAD)(dice)


def sample_occluder(dice: Dice, green: float) -> Drawing:
    """Something narrow or low that may stand in front of an object."""
    return dice.weighted(PLANTS if dice.chance(green * 0.4) else _SLIM)(dice)


__all__ = ["Maker", "sample_occluder", "sample_road_thing", "sample_thing"]
