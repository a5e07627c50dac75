"""People on foot: any height, gait, clothing, and side, some with bags, hats or an umbrella."""

from __future__ import annotations

import math
from dataclasses import dataclass

from locnet.data.streets.dice import Dice
from locnet.data.streets.objects.figure import Parts, bent_limb, slab, torso
from locnet.data.streets.palette import CLOTHES, HAIR, SKIN, TROUSERS, Color, mix, shade, vary
from locnet.data.streets.pen import Drawing, Pen, Point


@dataclass(frozen=True)
class Pedestrian:
    """One person, all choices made; calling it draws them. Lengths are in metres, angles in radians."""

    height: float
    girth: float
    stride: float
    phase: float
    arms: str
    lower: str
    top: Color
    bottom: Color
    shoes: Color
    skin: Color
    hair: Color
    long_hair: bool
    hat: Color | None
    bag: str
    bag_color: Color
    vest: bool

    def __call__(self, pen: Pen) -> None:
        """Draw them where the pen stands."""
        parts = Parts(pen)
        lift = self._legs(parts)
        hips, neck = (
            (0.0, 0.5 * self.height + lift, 0.0),
            (0.0, 0.81 * self.height + lift, 0.015 * self.height),
        )
        self._trunk(parts, hips, neck)
        self._arms(parts, neck)
        self._head(parts, neck)
        self._luggage(parts, hips, neck)
        parts.draw()

    def _legs(self, parts: Parts) -> float:
        """Add both legs and return how far the hips sink below standing height in this stride."""
        h, wide = self.height, self.girth
        feet: list[tuple[Point, Point, Point]] = []
        for side in (-1.0, 1.0):
            swing = self.stride * math.sin(self.phase + (0.0 if side < 0 else math.pi))
            bend = self.stride * 1.3 * max(0.0, math.cos(self.phase + (0.0 if side < 0 else math.pi)))
            x = side * 0.052 * h * wide
            knee = (x, (0.5 - 0.24 * math.cos(swing)) * h, 0.24 * h * math.sin(swing))
            shin = swing - bend
            ankle = (x * 0.95, knee[1] - 0.235 * h * math.cos(shin), knee[2] + 0.235 * h * math.sin(shin))
            feet.append(((x, 0.5 * h, 0.0), knee, ankle))
        drop = 0.03 * h - min(foot[2][1] for foot in feet)
        for hip, knee, ankle in feet:
            joints = [(x, y + drop, z) for x, y, z in (hip, knee, ankle)]
            upper, lower = {"shorts": (self.bottom, self.skin), "skirt": (self.skin, self.skin)}.get(
                self.lower, (self.bottom, shade(self.bottom, 0.95))
            )
            bent_limb(parts, joints, (0.055 * h * wide, 0.037 * h * wide, 0.025 * h), (upper, lower))
            x, y, z = joints[2]
            parts.limb(
                (x, y - 0.005 * h, z - 0.01 * h),
                (x * 1.15, y - 0.015 * h, z + 0.085 * h),
                0.025 * h,
                0.02 * h,
                self.shoes,
            )
        return drop

    def _trunk(self, parts: Parts, hips: Point, neck: Point) -> None:
        h, wide = self.height, self.girth
        half, deep = 0.095 * h * wide, 0.06 * h * wide
        torso(parts, hips, neck, self.top, hip_half=half, shoulder_half=0.118 * h * wide, thick=deep)
        if self.lower in ("skirt", "coat"):
            length = 0.2 if self.lower == "skirt" else 0.24
            color = self.bottom if self.lower == "skirt" else shade(self.top, 0.96)
            low, high = (-half, hips[1] - length * h, -deep * 1.3), (half, hips[1] + 0.03 * h, deep * 1.3)
            parts.hull(slab(low, high, 1.3, 1.0), color, lift=0.06)
        else:
            parts.hull(
                slab((-half, hips[1] - 0.04 * h, -deep), (half, hips[1] + 0.03 * h, deep)),
                shade(self.bottom, 0.97),
            )
        if self.vest:
            for y in (0.6, 0.69):
                at = y * h + hips[1] - 0.5 * h
                parts.hull(
                    slab((-half * 1.08, at, -deep), (half * 1.08, at + 0.025 * h, deep)),
                    (232, 236, 226),
                    lift=0.08,
                )

    def _arms(self, parts: Parts, neck: Point) -> None:
        h, wide = self.height, self.girth
        for side in (-1.0, 1.0):
            swing = self.stride * 0.9 * math.sin(self.phase + (math.pi if side < 0 else 0.0))
            bend = 0.25 + 0.3 * self.stride
            raised = self.arms == "phone" or (self.arms == "wave" and side > 0)
            shoulder = (side * 0.125 * h * wide, neck[1] - 0.015 * h, neck[2])
            out = 0.03
            if self.arms == "pockets":
                swing, bend, out = -0.25, 0.7, 0.045
            if raised:
                swing, bend = (0.35, 1.9) if self.arms == "phone" else (1.9, 0.9)
            elbow = (
                shoulder[0] + side * out * h,
                shoulder[1] - 0.165 * h * math.cos(swing),
                shoulder[2] + 0.165 * h * math.sin(swing),
            )
            turn = swing + bend
            inward = -0.05 if self.arms in ("phone", "pockets") else -0.01
            hand = (
                elbow[0] + side * inward * h,
                elbow[1] - 0.15 * h * math.cos(turn),
                elbow[2] + 0.15 * h * math.sin(turn),
            )
            sleeve = self.top if self.lower != "shorts" or self.stride > 0.4 else self.skin
            bent_limb(
                parts,
                (shoulder, elbow, hand),
                (0.038 * h * wide, 0.03 * h, 0.022 * h),
                (shade(self.top, 0.9), shade(sleeve, 0.9)),
            )
            parts.ball(hand, 0.022 * h, 0.026 * h, self.skin)
            if side > 0 and self.bag == "handbag":
                low = (hand[0] - 0.05, hand[1] - 0.38, hand[2] - 0.16)
                parts.limb(hand, (hand[0], hand[1] - 0.15, hand[2]), 0.012, 0.012, self.bag_color)
                parts.hull(slab(low, (hand[0] + 0.05, hand[1] - 0.12, hand[2] + 0.16)), self.bag_color)

    def _head(self, parts: Parts, neck: Point) -> None:
        h = self.height
        centre = (0.0, neck[1] + 0.115 * h, neck[2] + 0.012 * h)
        x, y, z = centre
        size = 0.058 * h if h > 1.4 else 0.068 * h
        parts.limb((0.0, neck[1], neck[2]), (0.0, y, z), 0.03 * h, 0.03 * h, shade(self.skin, 0.85))
        parts.ball((x, y - 0.006 * h, z + 0.03 * h), size * 0.86, size * 1.12, self.skin)
        if parts.pen.scale * size > 7:
            for side in (-0.36, 0.36):
                parts.ball((x + side * size, y + 0.02 * size, z + 0.036 * h), 0.11 * size, 0.15 * size, (40, 30, 28))
        parts.ball((x, y + 0.012 * h, z - 0.012 * h), size * 1.02, size * 1.12, self.hair)
        parts.ball((x, y + 0.62 * size, z + 0.032 * h), size * 0.86, size * 0.5, self.hair)
        if self.long_hair:
            parts.hull(
                slab((-size, y - 0.09 * h, z - 0.045 * h), (size, y + 0.01 * h, z - 0.005 * h), 0.75, 1.0),
                self.hair,
            )
        if self.hat is not None:
            parts.ball((x, y + 0.78 * size, z + 0.035 * h), size * 1.06, size * 0.62, self.hat)
            parts.limb(
                (x, y + 0.5 * size, z + 0.04 * h),
                (x, y + 0.45 * size, z + 0.09 * h),
                0.02,
                0.02,
                shade(self.hat, 0.8),
            )

    def _luggage(self, parts: Parts, hips: Point, neck: Point) -> None:
        h, wide = self.height, 0.095 * self.height * self.girth
        if self.bag == "backpack":
            low, high = (-wide, hips[1] + 0.07 * h, -0.17 * h), (wide, neck[1] - 0.01 * h, -0.055 * h)
            parts.hull(slab(low, high, 1.0, 0.8), self.bag_color)
        elif self.bag == "shoulder":
            parts.limb(
                (-wide, neck[1], 0.0),
                (wide * 1.1, hips[1], 0.0),
                0.014,
                0.014,
                shade(self.bag_color, 0.8),
                lift=0.15,
            )
            parts.hull(
                slab((wide, hips[1] - 0.1 * h, -0.1), (wide + 0.1, hips[1] + 0.05 * h, 0.12)),
                self.bag_color,
                lift=0.02,
            )
        elif self.bag == "umbrella":
            y = neck[1] + 0.3 * h
            parts.limb((0.14, y - 0.5 * h, 0.12), (0.06, y, 0.06), 0.012, 0.012, (40, 40, 44))
            rim = [
                (0.06 + 0.52 * math.cos(t), y - 0.1, 0.06 + 0.52 * math.sin(t))
                for t in (i * math.tau / 12 for i in range(12))
            ]
            crown = [
                (0.06 + 0.3 * math.cos(t), y + 0.08, 0.06 + 0.3 * math.sin(t))
                for t in (i * math.tau / 8 for i in range(8))
            ]
            parts.hull([*rim, *crown, (0.06, y + 0.14, 0.06)], self.bag_color, lift=0.3)


def sample_pedestrian(dice: Dice, raining: bool) -> Drawing:
    """A person of random height, dress and stride.

    Args:
        dice: the scene's random numbers.
        raining: whether an umbrella is likely.
    """
    child = dice.chance(0.12)
    walking = dice.chance(0.65)
    vest = dice.chance(0.05)
    top = vary(dice.choice(CLOTHES), dice, 0.1)
    bags = {
        "none": 0.5,
        "backpack": 0.2,
        "handbag": 0.13,
        "shoulder": 0.13,
        "umbrella": 0.4 if raining else 0.01,
    }
    hair = vary(dice.choice(HAIR), dice, 0.1)
    return Pedestrian(
        height=dice.uniform(1.1, 1.4) if child else dice.uniform(1.55, 1.92),
        girth=dice.uniform(0.88, 1.2),
        stride=dice.uniform(0.3, 0.6) if walking else dice.uniform(0.0, 0.1),
        phase=dice.uniform(0.0, math.tau),
        arms="swing" if walking and dice.chance(0.8) else dice.choice(("swing", "pockets", "phone", "wave")),
        lower=dice.weighted({"trousers": 0.6, "shorts": 0.13, "skirt": 0.12, "coat": 0.15}),
        top=(238, 140, 30) if vest else top,
        bottom=vary(dice.choice(TROUSERS), dice, 0.1),
        shoes=dice.choice(((30, 28, 28), (220, 220, 218), (110, 74, 48), (150, 40, 44))),
        skin=vary(dice.choice(SKIN), dice, 0.05),
        hair=hair,
        long_hair=dice.chance(0.4),
        hat=vary(mix(dice.choice(CLOTHES), top, 0.3), dice) if dice.chance(0.22) else None,
        bag=dice.weighted(bags),
        bag_color=vary(dice.choice(CLOTHES), dice, 0.1),
        vest=vest,
    )
