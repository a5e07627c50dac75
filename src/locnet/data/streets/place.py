"""The kind of place that a scene is in, and how its street is laid out across."""

from __future__ import annotations

from dataclasses import dataclass

from locnet.data.streets.dice import Dice
from locnet.data.streets.palette import Color, vary

ASPHALT: tuple[Color, ...] = ((92, 94, 98), (108, 108, 108), (78, 80, 86), (122, 118, 112), (100, 104, 110))
PAVING: tuple[Color, ...] = (
    (168, 164, 156),
    (150, 150, 150),
    (182, 168, 148),
    (142, 136, 132),
    (190, 186, 178),
)
GRASS: tuple[Color, ...] = ((104, 132, 66), (88, 118, 58), (134, 142, 78), (164, 150, 92), (96, 126, 84))


@dataclass(frozen=True)
class Place:
    """One street, in metres of world X: road, pavement or verge, then what stands behind.

    Attributes:
        kind: canyon, row, suburb, country, highway, park or lot.
        left: X of the road's left edge.
        right: X of the road's right edge.
        walk: width of the pavement or verge beside the road.
        bend: curvature of the road, X = X0 + bend * Z^2.
        end: Z where the street meets a row of houses that faces us; far away if it does not.
        road: colour of the road.
        verge: colour of the pavement or verge.
        ground: colour of what lies beyond.
        green: how likely a thing beside the road is a plant.
    """

    kind: str
    left: float
    right: float
    walk: float
    bend: float
    end: float
    road: Color
    verge: Color
    ground: Color
    green: float


KINDS = {
    "canyon": 0.22,
    "row": 0.22,
    "suburb": 0.18,
    "country": 0.12,
    "highway": 0.08,
    "park": 0.1,
    "lot": 0.08,
}
BUILT = ("canyon", "row", "lot")


def sample_place(dice: Dice, near: float, x: float, stand: str) -> Place:
    """A place whose street suits what stands at world X = x.

    Args:
        dice: the scene's random numbers.
        near: Z behind which a row of houses may close the street.
        x: where the subject stands across the street, in metres.
        stand: `road` if it belongs on the road, `beside` if beside it, `any` if both will do.
    """
    kind = dice.weighted(KINDS)
    built = kind in BUILT
    half = dice.uniform(3.2, 5.5) if kind not in ("highway", "lot") else dice.uniform(7.0, 14.0)
    shift = dice.uniform(-1.5, 2.0)
    left, right = shift - half, shift + half
    room = 1.6 if stand == "road" else -0.8
    if stand == "beside":
        left, right = (left, max(x - 0.8, left + 4.0)) if x > shift else (min(x + 0.8, right - 4.0), right)
    else:
        left, right = min(left, x - room), max(right, x + room)
    grass = vary(dice.choice(GRASS), dice, 0.08)
    paving = vary(dice.choice(PAVING), dice, 0.06)
    return Place(
        kind=kind,
        left=left,
        right=right,
        walk=dice.uniform(1.8, 4.5),
        bend=dice.normal(0.0, 0.0009) if kind in ("country", "highway", "park") and dice.chance(0.6) else 0.0,
        end=near + dice.log_uniform(5.0, 45.0) if kind in ("row", "suburb", "lot") else 400.0,
        road=vary(dice.choice(ASPHALT), dice, 0.08),
        verge=paving if built or dice.chance(0.45) else grass,
        ground=paving if kind in ("canyon", "row") else grass,
        green={"canyon": 0.25, "row": 0.35, "lot": 0.25, "highway": 0.3}.get(kind, 0.65),
    )
