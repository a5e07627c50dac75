"""Colours, as RGB triples of 0..255 in plain daylight, and the two ways to change one."""

from __future__ import annotations

from locnet.data.streets.dice import Dice

Color = tuple[float, float, float]

CAR_PAINT: tuple[Color, ...] = (
    (236, 238, 240), (232, 230, 222), (190, 194, 198), (140, 145, 150), (84, 88, 94), (34, 36, 40),
    (24, 28, 36), (186, 26, 32), (140, 18, 30), (222, 62, 30), (30, 74, 160), (20, 48, 104), (70, 136, 196),
    (28, 92, 66), (92, 124, 84), (232, 186, 36), (226, 120, 28), (150, 110, 74), (206, 190, 156),
    (96, 40, 62), (64, 168, 164),
)  # fmt: skip
CLOTHES: tuple[Color, ...] = (
    (28, 30, 36), (54, 58, 66), (96, 100, 106), (214, 214, 210), (240, 240, 236), (36, 52, 92),
    (58, 92, 150), (110, 150, 196), (150, 32, 38), (206, 58, 52), (226, 128, 44), (232, 192, 66),
    (56, 104, 62), (116, 140, 78), (92, 58, 106), (206, 128, 158), (134, 94, 62), (188, 158, 118),
    (40, 120, 120), (228, 230, 60),
)  # fmt: skip
TROUSERS: tuple[Color, ...] = (
    (30, 34, 48), (44, 62, 100), (70, 92, 134), (32, 32, 34), (82, 84, 86), (150, 132, 102), (104, 88, 64),
    (188, 182, 166), (60, 68, 52),
)  # fmt: skip
SKIN: tuple[Color, ...] = (
    (244, 208, 180), (228, 184, 150), (204, 154, 118), (166, 114, 80), (120, 80, 56), (86, 56, 40),
)  # fmt: skip
HAIR: tuple[Color, ...] = (
    (28, 22, 20), (58, 38, 26), (104, 70, 40), (170, 128, 70), (214, 182, 120), (140, 138, 136),
)  # fmt: skip
WALLS: tuple[Color, ...] = (
    (186, 152, 122), (170, 98, 76), (150, 78, 62), (206, 192, 164), (226, 216, 196), (158, 160, 162),
    (120, 126, 132), (196, 170, 128), (214, 176, 140), (178, 190, 186), (140, 124, 110), (232, 226, 214),
    (198, 140, 112), (104, 92, 88),
)  # fmt: skip
ROOFS: tuple[Color, ...] = (
    (126, 62, 48), (92, 58, 50), (74, 76, 82), (104, 92, 80), (150, 84, 58), (60, 62, 70),
)  # fmt: skip
LEAVES: tuple[Color, ...] = (
    (70, 112, 48), (92, 130, 54), (54, 92, 46), (112, 138, 62), (48, 84, 58), (176, 132, 46), (182, 92, 40),
    (120, 142, 84),
)  # fmt: skip
SIGNALS: tuple[Color, ...] = (
    (200, 32, 36), (28, 84, 168), (240, 200, 40), (30, 120, 70), (236, 236, 236), (226, 110, 30),
)  # fmt: skip
METAL: tuple[Color, ...] = (
    (92, 96, 100), (66, 70, 72), (134, 138, 140), (50, 66, 58), (40, 42, 46),
)  # fmt: skip


def shade(color: Color, factor: float) -> Color:
    """The colour times a brightness; the pen clips it to 255."""
    return (color[0] * factor, color[1] * factor, color[2] * factor)


def mix(first: Color, second: Color, share: float) -> Color:
    """From `first` (share 0) to `second` (share 1)."""
    a, b = 1.0 - share, share
    return (first[0] * a + second[0] * b, first[1] * a + second[1] * b, first[2] * a + second[2] * b)


def vary(color: Color, dice: Dice, amount: float = 0.12) -> Color:
    """The colour a little lighter or darker, and each channel a little off."""
    bright = 1.0 + dice.uniform(-amount, amount)
    red, green, blue = (channel * bright + dice.uniform(-60, 60) * amount for channel in color)
    return (max(red, 0.0), max(green, 0.0), max(blue, 0.0))
