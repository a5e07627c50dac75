from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from report_data import at_random, by_hand

from locnet.report.baselines import CENTRE_BOX, baselines
from locnet.report.table import WIDTH, print_report, report, title

DASH = "\u2013"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_terminal_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


def printed(file: io.StringIO | None = None, **changes: object) -> str:
    p = dataclasses.replace(by_hand(), **changes)  # type: ignore[arg-type]
    file = io.StringIO() if file is None else file
    print_report(p, baselines(p.labels, p.boxes, p), split="val", file=file)
    return file.getvalue()


def row(text: str, start: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.strip("| ").startswith(start))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_model_stands_beside_the_baselines() -> None:
    text = printed()
    assert row(text, "model") == ["model", "0.533", "0.500", "0.250", "0.583", "0.571", "0.750", "0.887"]
    # The mean of the three true boxes and (0, 0, 0.2, 0.2) is (0, 0, 0.55, 0.675).
    assert row(text, "centre box") == ["centre box", "0.148", "0.000", DASH, "0.000", DASH, DASH, DASH]
    assert row(text, "majority") == ["majority", DASH, DASH, "0.250", DASH, "0.429", "0.500", "0.571"]
    assert len(row(text, "mean box")) == 8


def test_every_class_has_its_row() -> None:
    text = printed()
    assert row(text, "a ") == ["a", "2", "0.900", "1.000", "0.500", "1.000", "0.500"]
    assert row(text, "b ") == ["b", "2", "0.167", "0.000", "0.000", "0.500", "0.500"]
    assert row(text, "background") == ["background", "3", DASH, DASH, DASH, DASH, "0.667"]


def test_the_title_says_split_images_and_threshold() -> None:
    expected = "val split: 7 images, 4 with an object; verdict background where p_c < 0.5"
    assert title(by_hand(), "val") == expected
    assert printed().splitlines()[0] == expected


def test_plain_text_where_there_is_no_terminal() -> None:
    text = printed()
    assert "\x1b" not in text
    assert set(text) - {DASH} <= set(map(chr, range(128)))
    assert max(map(len, text.splitlines())) <= WIDTH


def test_without_a_terminal_the_width_does_not_depend_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = printed()
    monkeypatch.setenv("COLUMNS", "60")
    assert printed() == wide


def test_a_terminal_of_80_columns_shows_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = printed(Terminal(), classes=("pedestrian", "motorcycle"))
    assert "\u2026" not in text
    for word in ("GT-known", "objectness", "accuracy", "motorcycle", "0.533"):
        assert word in text


def test_a_terminal_gets_styles_but_no_colour_under_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[1m" in printed(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    text = printed(Terminal())
    assert not any(f"\x1b[{code}" in text for code in (3, 4, 9))


def test_a_narrow_encoding_and_hostile_names_do_no_harm() -> None:
    class Ascii(io.StringIO):
        encoding = "ascii"

    text = printed(Ascii(), classes=("行人", "[red]b[/]\nc"))
    text.encode("ascii")
    assert row(text, "??")[0] == "??"
    assert row(text, "[red]")[0] == "[red]b[/] c"
    assert row(text, "mean box")[3] == "-"


def test_long_names_and_many_classes_stay_within_the_width() -> None:
    p = at_random(300, classes=tuple(f"{index} {'long name ' * 8}" for index in range(200)))
    file = io.StringIO()
    print_report(p, {}, file=file)
    assert max(map(len, file.getvalue().splitlines())) <= WIDTH
    assert "the 40 of 201 rows with the lowest accuracy" in file.getvalue()


def test_nothing_at_all_is_still_a_table() -> None:
    p = at_random(0)
    file = io.StringIO()
    print_report(p, baselines(p.labels, p.boxes, p), file=file)
    assert row(file.getvalue(), "model")[1:] == [DASH] * 7
    assert "by true class" not in file.getvalue()


def test_a_system_without_boxes_has_dashes_for_its_box_scores() -> None:
    text = printed(predicted_boxes=np.full((7, 4), np.nan))
    assert row(text, "model") == ["model", DASH, DASH, DASH, DASH, "0.571", "0.750", "0.887"]
    assert row(text, "mean box")[1] != DASH


def test_report_can_be_printed_by_another_console() -> None:
    assert report(by_hand(), {"centre_box": {"iou": float(CENTRE_BOX[0])}}) is not None
