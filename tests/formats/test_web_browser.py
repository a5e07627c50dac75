"""The page of `format=web` in a real browser: its answers are PyTorch's, its crop is Python's, and all of it works."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from locnet import Localizer
from locnet.calibration import Calibration, Residuals
from locnet.calibration.conformal import grow
from locnet.config.app import Job
from locnet.config.compose import compose
from locnet.runtime.exporting import export

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="needs chromium or google-chrome"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm, which fetches onnxruntime-web"),
]
RESIDUALS = Residuals(40, tuple(np.linspace(-0.05, 0.4, 13).tolist()))
COVERAGES = (0.5, 0.8, 0.9, 0.95, 0.99)

# Uses the page as a visitor does, in a frame, and tells the test what was shown.
HARNESS = """<!doctype html><body style="margin:0"><iframe id=page src="index.html"
 style="border:0;width:WIDTHpx;height:100vh;display:block"></iframe><script>
const wait = (is) => new Promise((done) => { const t = setInterval(() => is() && (clearInterval(t), done()), 50); });
const frame = document.getElementById("page");
const send = (what) => fetch("/report", { method: "POST", body: JSON.stringify(what) });
addEventListener("error", (event) => send({ error: event.message }));
frame.addEventListener("load", async () => {
  const page = frame.contentDocument, body = page.body, look = frame.contentWindow;
  const count = () => Number(body.dataset.count || 0);
  await wait(() => count() === 1); // the first sample, by itself
  const answers = [JSON.parse(body.dataset.answer)];
  const buttons = [...page.querySelectorAll(".samples button")];
  for (const button of buttons.slice(1)) {
    const before = count();
    button.focus();
    button.click();
    await wait(() => count() > before);
    answers.push(JSON.parse(body.dataset.answer));
  }
  const slider = page.getElementById("coverage"), crops = [];
  for (const coverage of COVERAGES) {
    slider.value = String(Math.round(coverage * 100));
    slider.dispatchEvent(new Event("input"));
    crops.push(JSON.parse(body.dataset.answer).crop);
  }
  const before = count(), picture = await (await fetch("samples/1.png")).blob();
  const files = new look.DataTransfer();
  files.items.add(new File([picture], "dropped.png", { type: "image/png" }));
  look.dispatchEvent(new look.DragEvent("drop", { dataTransfer: files, cancelable: true }));
  await wait(() => count() > before);
  const dropped = JSON.parse(body.dataset.answer);
  const unnamed = [...page.querySelectorAll("button, input:not([hidden])")].filter(
    (e) => !(e.textContent.trim() || e.labels?.length || e.querySelector("img[alt]")));
  await send({ answers, crops, dropped, unnamed: unnamed.length, overflow: body.scrollWidth - look.innerWidth,
    verdict: page.getElementById("verdict").textContent });
});
</script><img src="/late.png" alt="" style="display:none">"""


class Server(ThreadingHTTPServer):
    """Serves a folder; keeps the page loading until its report has come, so that a picture of it shows the end."""

    report: Any = None

    def __init__(self, folder: Path) -> None:
        self.reported = threading.Event()
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))


class Handler(SimpleHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.reported.set()
        self.send_response(204)
        self.end_headers()

    def do_GET(self) -> None:
        if self.path == "/late.png":
            self.server.reported.wait(240)
            self.send_error(404)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, checkpoint_of: Any, tiny_model: Any) -> Iterator[dict[str, Any]]:
    import torch

    folder = tmp_path_factory.mktemp("web")
    checkpoint = checkpoint_of(folder / "tiny.ckpt", resize="letterbox")
    content = torch.load(checkpoint, weights_only=True)
    calibration = Calibration(1.4, 0.8, True, RESIDUALS).plain()
    content["hyper_parameters"] |= {"calibration": calibration, "threshold": 0.01}
    torch.save(content, checkpoint)
    generator = np.random.default_rng(0)
    (folder / "in").mkdir()
    for number, size in enumerate(((120, 90), (64, 200), (301, 17))):
        small = Image.fromarray(generator.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        small.resize(size).save(folder / "in" / f"{number}.png")
    overrides = [f"checkpoint={checkpoint}", "format=web", f"source={folder}/in"]
    result = export(Job(config=compose("export", overrides), run_dir=folder / "out", overrides=overrides))
    assert result.exit_code == 0
    page = folder / "out" / "web"
    yield {"page": page, "checkpoint": checkpoint, "pictures": sorted((folder / "in").iterdir()), "folder": folder}


def visit(served: dict[str, Any], width: int, height: int) -> Any:
    """What the page shows in a window of this size; a picture of it is kept."""
    # a window is never narrower than 500 pixels, a frame in it is
    harness = HARNESS.replace("COVERAGES", json.dumps(COVERAGES)).replace("WIDTH", str(width))
    (served["page"] / "harness.html").write_text(harness)
    server = Server(served["page"])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shot = served["folder"] / f"{width}.png"
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--window-size={max(width, 500)},{height}",
    ]
    command = [str(BROWSER), *options, f"--screenshot={shot}", f"http://127.0.0.1:{server.server_port}/harness.html"]
    try:
        subprocess.run(command, capture_output=True, timeout=300, check=True)
    finally:
        server.shutdown()
        server.server_close()
    with Image.open(shot) as picture:
        assert picture.size == (max(width, 500), height)
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    for colour in ((230, 159, 0), (53, 199, 155)):  # box and crop are drawn
        assert (np.abs(pixels - colour).max(axis=-1) < 12).sum() > 100
    return server.report


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (400, 900)])
def test_the_page_answers_as_pytorch_does(served: dict[str, Any], width: int, height: int) -> None:
    report = visit(served, width, height)
    assert "error" not in report
    truths = Localizer.load(served["checkpoint"], device="cpu")(served["pictures"])
    assert len(report["answers"]) == len(truths) == 3
    for answer, truth in zip(report["answers"], truths, strict=True):
        assert answer["canvas"] == [truth.width, truth.height]
        assert answer["p_c"] == pytest.approx(truth.p_c, abs=5e-3)
        assert answer["label"] == truth.label
        assert answer["scores"] == pytest.approx(list(truth.scores.values()), abs=5e-3)
        assert answer["box"] == pytest.approx(truth.box, abs=1)
        assert answer["present"] is truth.present is True
    last = report["answers"][-1]
    sides = np.array(last["canvas"] * 2, np.float64)
    for crop, coverage in zip(report["crops"], COVERAGES, strict=True):
        wanted = grow(np.array([last["box"]]) / sides, RESIDUALS.margin(coverage))[0] * sides
        assert crop == pytest.approx(wanted.tolist(), abs=1e-3)
    assert report["dropped"]["p_c"] == report["answers"][0]["p_c"]
    assert report["verdict"] == truths[0].class_name
    assert report["unnamed"] == 0
    assert report["overflow"] <= 0  # nothing sticks out sideways on a phone
