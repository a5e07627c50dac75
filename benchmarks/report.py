"""`report.html` of many predictions: how large it is, how fast it opens in headless Chromium, how fast its slider is.

    python benchmarks/report.py [--images 50000] [--repeats 5]

The predictions are drawn at random, and so are the photos (640 x 480, noise on a gradient: larger as JPEG than most).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import OmegaConf
from PIL import Image

from locnet.config.schema import ReportSettings
from locnet.predictions import Predictions
from locnet.report.page.write import write_report

CLASSES = tuple(f"class {number}" for number in range(10))
READY = "document.getElementById('place').textContent !== ''"
MOVE = """
t => new Promise(done => {
  const slider = document.getElementById("threshold"), start = performance.now();
  slider.value = t;
  slider.dispatchEvent(new Event("input"));
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
})
"""


def predictions(count: int, seed: int = 0) -> Predictions:
    """Answers of a fair system: most right, boxes a little off, file names of a usual length."""
    draw = np.random.default_rng(seed)
    labels = np.where(draw.random(count) < 0.3, -1, draw.integers(0, len(CLASSES), count))
    low = draw.uniform(0, 0.5, (count, 2))
    boxes = np.concatenate((low, low + draw.uniform(0.1, 0.5, (count, 2))), axis=1)
    scores = draw.dirichlet(np.full(len(CLASSES), 0.3), count)
    scores[np.arange(count), np.maximum(labels, 0)] += draw.random(count)
    return Predictions(
        classes=CLASSES,
        files=[f"images/2026-11-{1 + i % 28:02}/camera_{i % 7}/frame_{i:08}.jpg" for i in range(count)],
        sizes=np.tile(np.array([[480, 640]]), (count, 1)),
        labels=labels,
        boxes=np.where(labels[:, None] < 0, np.nan, boxes),
        p_c=np.clip(np.where(labels < 0, draw.beta(1, 6, count), draw.beta(6, 1, count)), 0, 1),
        class_scores=scores / scores.sum(axis=1, keepdims=True),
        predicted_boxes=np.clip(boxes + draw.normal(0, 0.05, (count, 4)), 0, 1),
        threshold=0.5,
        extra={"camera": [str(i % 7) for i in range(count)]},
    )


def photo(file: str) -> Image.Image:
    """A picture that does not compress well."""
    noise = Image.effect_noise((640, 480), 40)
    return Image.merge("RGB", (noise, Image.linear_gradient("L").resize((640, 480)), noise))


def write_run(folder: Path, p: Predictions) -> None:
    """What the page is made from."""
    pq.write_table(pa.table(p.columns()), folder / "predictions.parquet")
    (folder / "metrics.json").write_text(json.dumps({"threshold": p.threshold}))
    OmegaConf.save(OmegaConf.create({"seed": 0}), folder / "config.yaml")


def measure(page_file: Path, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds until the gallery stands, each time in a new browser, and milliseconds of a step of the slider."""
    from playwright.sync_api import sync_playwright

    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser_path is None:
        sys.exit("needs chromium or google-chrome")
    opened, moved = [], []
    with sync_playwright() as started:
        for _ in range(repeats):
            browser = started.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            begin = time.perf_counter()
            page.goto(page_file.as_uri())
            page.wait_for_function(READY)
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            opened.append(time.perf_counter() - begin)
            moved += [float(page.evaluate(MOVE, t)) for t in (0.3, 0.6, 0.9)]
            browser.close()
    return opened, moved


def main() -> None:
    """Print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    settings: dict[str, Any] = {"enabled": True, "images": 200, "image_mb": 6.0, "link": False, "groups": None}
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder), predictions(options.images))
        begin, cpu = time.perf_counter(), time.process_time()
        page = write_report(Path(folder), ReportSettings(**settings), photo)
        print(f"written in {time.perf_counter() - begin:.1f} s ({time.process_time() - cpu:.1f} s of CPU time)")
        print(f"{options.images:,} predictions, {page.stat().st_size / 1e6:.1f} MB")
        opened, moved = measure(page, options.repeats)
    print(f"opens in {statistics.median(opened):.2f} s ({min(opened):.2f} to {max(opened):.2f}, {len(opened)} times)")
    print(f"a step of the slider: {statistics.median(moved):.0f} ms (at most {max(moved):.0f})")


if __name__ == "__main__":
    main()
