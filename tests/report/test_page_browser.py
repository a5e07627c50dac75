"""The report in a real headless browser: slider moved, gallery filtered, no errors, on a desk and on a phone."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_data import at_random, load_image, store

from locnet.comparison.numbers import compared
from locnet.comparison.page import comparison_page
from locnet.config.schema import ReportSettings
from locnet.page.document import document
from locnet.predictions import BACKGROUND, Predictions
from locnet.report.kinds import KINDS, kinds
from locnet.report.page.write import write_report
from locnet.report.scores import confusion, scores

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.browser, pytest.mark.skipif(BROWSER is None, reason="needs chromium or google-chrome")]
SETTINGS = ReportSettings(enabled=True, images=40, image_mb=1.0, link=False, groups=None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def answers() -> Predictions:
    p = at_random(400, seed=6)
    draw = np.random.default_rng(0)
    return dataclasses.replace(p, p_c=draw.random(400), threshold=0.4375, extra={"day": ["mon", "tue"] * 200})


@pytest.fixture(scope="module")
def report(answers: Predictions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = [{"epoch": epoch, "train/loss": 1 / (epoch + 1), "val/iou": epoch / 9} for epoch in range(6)]
    run = store(tmp_path_factory.mktemp("report") / "run", answers, history=history)
    return write_report(run, SETTINGS, load_image)


class Open:
    """A page that is open, and what went wrong on it."""

    def __init__(self, chromium: Any, path: Path, width: int = 1440, scheme: str = "light") -> None:
        self.page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.wrong: list[str] = []
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on(
            "request", lambda r: self.wrong.append(r.url) if not r.url.startswith(("file:", "data:")) else None
        )
        self.page.goto(path.as_uri())

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def shown(self) -> list[int]:
        return [int(t.get_attribute("data-row")) for t in self.page.locator("#tiles .tile").all()]


@pytest.fixture
def opened(chromium: Any, report: Path) -> Iterator[Open]:
    opened = Open(chromium, report)
    yield opened
    assert opened.wrong == []
    opened.page.close()


def counts(p: Predictions) -> dict[str, int]:
    found = kinds(p)
    return {kind: int((found == number).sum()) for number, kind in enumerate(KINDS)}


def check_numbers(opened: Open, p: Predictions) -> None:
    """What the page says is what Python says."""
    said = p.p_c >= p.threshold
    true, false = int((said & p.has_object).sum()), int((said & ~p.has_object).sum())
    assert opened.text("#at-precision") == f"{true / (true + false):.3f}"
    assert opened.text("#at-recall") == f"{true / p.has_object.sum():.3f}"
    assert opened.text("#at-accuracy") == f"{scores(p)['accuracy']:.3f}"
    assert opened.text("#at-top1_loc") == f"{scores(p)['top1_loc']:.3f}"
    assert int(opened.text("#at-true_positives")) == true
    assert int(opened.text("#at-false_positives")) == false
    cells = [int(cell.inner_text()) for cell in opened.page.locator(".confusion button").all()]
    assert cells == confusion(p).ravel().tolist()
    for kind, count in counts(p).items():
        assert opened.text(f"[data-kind={kind}] .count") == str(count)


def test_the_slider_changes_numbers_matrix_and_gallery(opened: Open, answers: Predictions) -> None:
    check_numbers(opened, answers)
    line = opened.page.locator("#marker").get_attribute("x1")
    opened.page.locator("#threshold").fill("0.8")
    opened.page.wait_for_function("document.getElementById('said').textContent.startsWith('At 0.800')")
    moved = dataclasses.replace(answers, threshold=0.8)
    check_numbers(opened, moved)
    assert float(opened.page.locator("#marker").get_attribute("x1")) > float(line) + 50
    opened.page.locator("[data-kind=missed]").click()
    rows = opened.shown()
    assert len(rows) == 24
    assert all(KINDS[kinds(moved)[row]] == "missed" for row in rows)
    opened.page.locator("#reset").click()
    opened.page.wait_for_function("document.getElementById('said').textContent.startsWith('At 0.43')")
    check_numbers(opened, answers)


def test_the_keyboard_is_enough(opened: Open, answers: Predictions) -> None:
    slider = opened.page.locator("#threshold")
    slider.focus()
    for _ in range(3):
        opened.page.keyboard.press("ArrowRight")
    opened.page.wait_for_function("document.getElementById('said').textContent.startsWith('At 0.44')")
    reached = set()
    for _ in range(60):
        opened.page.keyboard.press("Tab")
        reached.add(opened.page.evaluate("document.activeElement.id || document.activeElement.dataset.kind || ''"))
    assert {"exact", "reset", "all", "missed", "truth", "low", "order", "after"} <= reached


def test_the_gallery_filters_sorts_and_pages(opened: Open, answers: Predictions) -> None:
    p = answers
    page = opened.page
    page.locator("#truth").select_option("1")
    page.locator("#low").fill("0.2")
    page.locator("#high").fill("0.6")
    page.locator("#high").blur()
    page.locator("#order").select_option("low_iou")
    page.locator("#group0").select_option("1")
    wanted = (p.labels == 1) & (p.ious >= 0.2) & (p.ious <= 0.6) & (np.arange(400) % 2 == 1)
    rows = np.flatnonzero(wanted)
    rows = rows[np.argsort(p.ious[rows], kind="stable")]
    assert opened.text("#place").startswith(f"{len(rows)} images, page 1")
    assert opened.shown() == rows[:24].tolist()
    for name in ("truth", "group0"):
        page.locator(f"#{name}").select_option("")
    page.locator("#low").fill("0")
    page.locator("#high").fill("1")
    page.locator("#high").blur()
    page.locator("#order").select_option("file")
    assert opened.text("#place") == "400 images, page 1 of 17"
    page.locator("#after").click()
    assert opened.shown() == list(range(24, 48))
    page.locator("#pictured").check()
    assert opened.text("#place") == "40 images, page 1 of 2"
    assert page.locator("#tiles .tile").first.locator("img").evaluate("image => image.naturalWidth") == 80


def test_a_number_of_the_matrix_shows_its_images(opened: Open, answers: Predictions) -> None:
    opened.page.locator(".confusion button[data-truth='-1'][data-verdict='2']").click()
    found = np.flatnonzero((answers.labels == BACKGROUND) & (answers.verdicts == 2))
    assert opened.text("#place").startswith(f"{len(found)} image")
    assert set(opened.shown()) <= set(found.tolist())


def test_a_suspect_label_shows_its_image(opened: Open) -> None:
    link = opened.page.locator("#suspects [data-row]").first
    row = int(link.get_attribute("data-row"))
    link.click()
    assert opened.shown() == [row]


@pytest.mark.parametrize("width", [400, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(chromium: Any, report: Path, width: int, scheme: str) -> None:
    opened = Open(chromium, report, width, scheme)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    paper, ink = (
        opened.page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")
    )
    assert (brightness(paper) > 200) == (scheme == "light")
    assert abs(brightness(paper) - brightness(ink)) > 150
    opened.page.locator("#theme").click(click_count=2)
    assert brightness(opened.page.evaluate("getComputedStyle(document.body).backgroundColor")) < 60  # auto, light, dark
    assert opened.wrong == []
    opened.page.close()


def test_the_worst_come_first(opened: Open, answers: Predictions) -> None:
    from locnet.report.grid import worst_first

    tiles = [int(t.get_attribute("data-row")) for t in opened.page.locator("#worst-tiles .tile").all()]
    assert tiles == worst_first(answers)[:12].tolist()


def test_hostile_names_do_nothing(chromium: Any, tmp_path: Path) -> None:
    bad = '</script><img src=x onerror="document.title=1"><script>document.title=2</script>'
    p = dataclasses.replace(at_random(10), classes=(bad, "b", "c"), files=[f"{bad}{i}" for i in range(10)])
    opened = Open(chromium, write_report(store(tmp_path / "run", p), SETTINGS, load_image))
    assert opened.page.title() == "run: locnet test"
    assert bad in opened.text("#tiles")
    assert opened.wrong == []
    opened.page.close()


def test_the_comparison_has_no_errors(chromium: Any, tmp_path: Path) -> None:
    one, other = at_random(80), dataclasses.replace(at_random(80), threshold=0.9)
    path = tmp_path / "compare.html"
    path.write_text(comparison_page(compared(["a", "b"], [one, other], [{}, {}]), root=None, images=5), "utf-8")
    opened = Open(chromium, path, 400)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 400
    assert opened.wrong == []
    opened.page.close()
    assert document("a", []).startswith("<!doctype html>")


def brightness(colour: str) -> float:
    numbers = [float(part) for part in colour.partition("(")[2].rstrip(")").replace(",", " ").split()[:3]]
    return sum(numbers) / 3
