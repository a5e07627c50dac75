"""Where a point of the world falls in the picture: a pinhole camera that stands on the road.

World coordinates are metres: X to the right, Y up from the ground, Z straight ahead; the camera is at
X = 0, Z = 0. Picture coordinates are pixels of the (supersampled) canvas, edges of a continuous plane.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

NEAR = 0.3
"""Nothing is projected from nearer than this, in metres."""


@dataclass(frozen=True)
class View:
    """A camera whose pitch and heading are shifts of the picture, so that vertical lines stay parallel.

    Attributes:
        focal: focal length in pixels.
        height: of the camera above the ground in metres.
        x: pixel column of the point that the camera's axis and all Z-parallel lines vanish in.
        y: pixel row of it; the horizon runs through it.
        roll: radians, clockwise.
    """

    focal: float
    height: float
    x: float = 0.0
    y: float = 0.0
    roll: float = 0.0

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """World to picture."""
        scale = self.focal / max(z, NEAR)
        right, down = x * scale, (self.height - y) * scale
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        return self.x + right * cos - down * sin, self.y + right * sin + down * cos

    def beside_horizon(self, along: float, below: float) -> tuple[float, float]:
        """The pixel so far along the horizon from the vanishing point, and so far below it."""
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        return self.x + along * cos - below * sin, self.y + along * sin + below * cos

    def lateral(self, column: float, z: float) -> float:
        """The world X that is seen in that pixel column at depth z (the roll neglected)."""
        return (column - self.x) * z / self.focal

    def zoomed(self, factor: float) -> View:
        """The view through a lens with `factor` times the focal length."""
        return replace(self, focal=self.focal * factor)

    def moved(self, x: float, y: float) -> View:
        """The same view, shifted so that the vanishing point lies at (x, y)."""
        return replace(self, x=x, y=y)
