"""Lamps and number plates, shared by the vehicles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from locnet.data.streets.palette import Color
from locnet.data.streets.pen import Pen, Point, patch


@dataclass(frozen=True)
class Lamp:
    """A kind of lamp: its colours, and the radius of its glow in metres."""

    off: Color
    on: Color
    glow: float


HEADLIGHT = Lamp((226, 232, 238), (255, 248, 220), 0.6)
TAIL_LIGHT = Lamp((176, 26, 30), (255, 50, 40), 0.3)


def paired_lamps(
    pen: Pen, quad: Sequence[Point], kind: Lamp, *, rows: tuple[float, float], width: float, is_on: bool
) -> None:
    """A lamp at each end of a face whose first coordinate runs along the vehicle, the second across it."""
    low, high = rows
    for start in (0.02, 0.98 - width):
        corners = patch(quad, low, start, high, start + width)
        pen.poly(corners, kind.on if is_on else kind.off, lit=is_on)
        if is_on:
            x, y, z = (sum(corner[axis] for corner in corners) / len(corners) for axis in range(3))
            pen.light((x, y, z), glow_radius(pen, kind), kind.on)


def glow_radius(pen: Pen, kind: Lamp) -> float:
    """Radius of a lit lamp's glow in metres: small by day, large at night."""
    return kind.glow * (0.3 + pen.mood.beam)


def number_plate(pen: Pen, corners: Sequence[Point], color: Color) -> None:
    """A plate with a dark bar where its letters would be."""
    pen.poly(corners, color)
    pen.poly(patch(corners, 0.3, 0.12, 0.7, 0.88), (70, 72, 78))
