"""The page in a real browser: it lays out, and its pictures are there."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locnet.checkup.examination import with_twins
from locnet.checkup.page import write_page
from locnet.config.defaults import data_settings
from locnet.data.labels.assemble import assemble
from locnet.data.reading import look, read_labels

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="needs chromium or google-chrome")
def test_the_page_is_drawn(manifest: Callable[..., Path], tmp_path: Path) -> None:
    settings = data_settings("csv", root=str(manifest(tmp_path / "photos", train=12, val=4, test=4)))
    reading = assemble(read_labels(settings), settings, look=look(whole=True), look_at_all=True)  # type: ignore[arg-type]
    reading, groups = with_twins(reading, workers=1)
    write_page(tmp_path / "report.html", reading, "photos", groups, None)
    shot = tmp_path / "shot.png"
    assert BROWSER is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,2600"]
    subprocess.run(
        [BROWSER, *options, f"--screenshot={shot}", (tmp_path / "report.html").as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    )
    with Image.open(shot) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape == (2600, 1280, 3)
    blue = (pixels[..., 2] > pixels[..., 0] + 60) & (pixels[..., 2] > 120)
    dark = pixels.max(axis=2) < 70
    assert blue.sum() > 5_000  # heat maps and bars
    assert dark.sum() > 20_000  # the noise of the photos, and letters
    assert (pixels[:1200] < 250).any(axis=(1, 2)).mean() > 0.4  # the page is not a blank with a line at the top
