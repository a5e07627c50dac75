"""The service, asked over ASGI: no process, no network."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="pip install 'locnet[serve]'")
httpx = pytest.importorskip("httpx", reason="pip install 'locnet[dev]'")

from locnet.config.compose import compose  # noqa: E402
from locnet.config.schema import ServeSettings  # noqa: E402
from locnet.errors import ConfigError  # noqa: E402
from locnet.inference.localizer import Localizer  # noqa: E402
from locnet.serving.app import build_app  # noqa: E402
from locnet.serving.batching import Batcher  # noqa: E402
from locnet.serving.server import _bind, bounds_of  # noqa: E402
from locnet.serving.service import Bounds, Service  # noqa: E402

BOUNDS = Bounds(batch=4, patience=0.0, images=8, request_images=4, body=100_000, pixels=40_000, seconds=10.0)
PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def localizer(checkpoint: Path) -> Localizer:
    return Localizer.load(checkpoint, device="cpu")


def encoded(size: tuple[int, int] = (60, 40), kind: str = "PNG", color: int = 80, **more: Any) -> bytes:
    stream = BytesIO()
    Image.new("RGB", size, (color, 10, 200)).save(stream, kind, **more)
    return stream.getvalue()


@asynccontextmanager
async def client(service: Service) -> AsyncIterator[Any]:
    await service.start()
    transport = httpx.ASGITransport(build_app(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as asking:
        yield asking
    await service.stop()


def asked(service: Service, questions: Callable[[Any], Awaitable[Any]]) -> Any:
    """What `questions` returns, given a client of the service."""

    async def run() -> Any:
        async with client(service) as asking:
            return await questions(asking)

    return asyncio.run(run())


def post(localizer: Localizer, body: bytes, headers: dict[str, str] = PNG, **changes: Any) -> Any:
    service = Service(localizer, replace(BOUNDS, **changes))
    return asked(service, lambda asking: asking.post("/predict", content=body, headers=headers))


def test_the_answer_is_that_of_the_localizer(localizer: Localizer, tmp_path: Path) -> None:
    names = ["a.png", "größe.png", "c.png"]
    contents = [encoded((60 + i, 40), color=80 * i) for i in range(3)]
    expected = []
    for name, content in zip(names, contents, strict=True):
        (tmp_path / name).write_bytes(content)
        expected.append(localizer(tmp_path / name).row())

    async def questions(asking: Any) -> Any:
        several = [("image", (name, content, "image/png")) for name, content in zip(names, contents, strict=True)]
        one = [await asking.post("/predict", content=content, headers=PNG) for content in contents]
        return [await asking.post("/predict", files=several), *one]

    form, *single = asked(Service(localizer, BOUNDS), questions)
    assert form.status_code == 200, form.text
    rows = form.json()["predictions"]
    assert [row.pop("file") for row in rows] == names
    for row, alone, wanted in zip(rows, single, expected, strict=True):
        [other] = alone.json()["predictions"]
        assert other.pop("file") == "image"
        assert list(row) == list(other) == list(wanted)
        assert row == pytest.approx(wanted, abs=1e-3)
        assert other == pytest.approx(wanted, abs=1e-3)


def test_a_coverage_adds_crops_and_the_description_says_so(localizer: Localizer) -> None:
    for margin in (None, 0.1):
        service = Service(localizer, BOUNDS, margin=margin)
        response = asked(service, lambda asking: asking.post("/predict", content=encoded(), headers=PNG))
        [row] = response.json()["predictions"]
        fields = build_app(service).openapi()["components"]["schemas"]["Prediction"]["properties"]
        assert list(fields) == list(row)
        assert ("crop_xmin" in row) == (margin is not None)


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        (b"", "image/png", 422, "is empty (0 bytes)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "image/png", 422, "is a Git LFS pointer"),
        (b"<!doctype html><p>", "image/png", 422, "is a web page"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            "image/png",
            422,
            "is not an image that Pillow can read",
        ),
        (encoded()[:60], "image/png", 422, "damaged or cut short"),
        (encoded((201, 200)), "image/png", 413, "too many pixels"),
        (b"\x89PNG" * 30_000, "image/png", 413, "larger than"),
        (b"{}", "application/json", 415, "send the bytes of an image"),
        (b"http://127.0.0.1/a.png", "text/plain", 415, "send the bytes of an image"),
        (b"/etc/hostname", "application/octet-stream", 422, "is not an image"),
        (b"x", "multipart/form-data", 400, "the form cannot be read"),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 400, ""),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 400, "the form holds no file"),
    ],
)
def test_what_is_refused(localizer: Localizer, body: bytes, kind: str, status: int, said: str) -> None:
    response = post(localizer, body, {"content-type": kind})
    assert (response.status_code, said in response.json()["detail"]) == (status, True), response.text


@pytest.mark.parametrize("charset", ["idna", "unicode_escape", "zlib_codec", "utf-16", "nope"])
def test_names_in_any_charset(localizer: Localizer, charset: str) -> None:
    disposition = rb'Content-Disposition: form-data; name="image"; filename="a\ud800\x00.png"'
    body = b"--x\r\n" + disposition + b"\r\nContent-Type: image/png\r\n\r\n" + encoded() + b"\r\n--x--\r\n"
    response = post(localizer, body, {"content-type": f"multipart/form-data; boundary=x; charset={charset}"})
    assert response.status_code in (200, 400), response.text


def test_too_many_images_in_one_request(localizer: Localizer) -> None:
    files = [("image", (f"{i}.png", encoded(), "image/png")) for i in range(5)]
    response = asked(Service(localizer, BOUNDS), lambda asking: asking.post("/predict", files=files))
    assert (response.status_code, response.json()["detail"]) == (413, "more than 4 images in one request")


def test_a_body_without_a_length_is_limited_too(localizer: Localizer) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 10_000

    response = asked(Service(localizer, BOUNDS), lambda asking: asking.post("/predict", content=endless(), headers=PNG))
    assert response.status_code == 413


def test_the_key(localizer: Localizer) -> None:
    async def questions(asking: Any) -> list[int]:
        headers: list[dict[str, Any]] = [
            {},
            {"authorization": "Bearer wrong"},
            {"x-api-key": "sécret".encode("latin-1")},
            {"authorization": "Basic s3cret"},
            {"authorization": "Bearer s3cret"},
            {"x-api-key": "s3cret"},
        ]
        return [(await asking.post("/predict", content=encoded(), headers=PNG | more)).status_code for more in headers]

    assert asked(Service(localizer, BOUNDS, key="s3cret"), questions) == [401, 401, 401, 401, 200, 200]


def test_what_is_too_much_is_shed_and_the_rest_is_answered_in_batches(localizer: Localizer) -> None:
    service = Service(localizer, replace(BOUNDS, patience=0.2))
    go = threading.Event()
    results = localizer.results
    sizes: list[int] = []

    def slow(batch: Any, **more: Any) -> Any:
        if sizes or len(batch.sizes) > 1:
            go.wait(10)
        sizes.append(len(batch.sizes))
        return results(batch, **more)

    async def questions(asking: Any) -> Any:
        service.localizer.results = slow  # type: ignore[method-assign]
        try:
            posts = [asyncio.ensure_future(asking.post("/predict", content=encoded(), headers=PNG)) for _ in range(12)]
            while sum(post.done() for post in posts) < 4:
                await asyncio.sleep(0.01)
            early = await asking.get("/healthz"), await asking.get("/metrics")
            go.set()
            return await asyncio.gather(*posts), early
        finally:
            service.localizer.results = results  # type: ignore[method-assign]

    responses, (health, metrics) = asked(service, questions)
    statuses = [response.status_code for response in responses]
    assert (statuses.count(200), statuses.count(503)) == (8, 4)
    assert {r.headers.get("retry-after") for r in responses if r.status_code == 503} == {"1"}
    assert max(sizes) == 4
    assert health.status_code == 200
    assert "locnet_images_inside 8.0" in metrics.text
    assert 'locnet_requests_total{status="503"} 4.0' in metrics.text
    assert service.gate.inside == 0


def test_a_request_that_takes_too_long(localizer: Localizer) -> None:
    service = Service(localizer, replace(BOUNDS, seconds=0.5))  # enough to reach the network on a busy machine
    results, go = localizer.results, threading.Event()

    def stuck(batch: Any, **more: Any) -> Any:
        go.wait(10)
        return results(batch, **more)

    async def questions(asking: Any) -> Any:
        service.localizer.results = stuck  # type: ignore[method-assign]
        try:
            late = await asking.post("/predict", content=encoded(), headers=PNG)
            while service.is_alive:  # the network has begun a moment after the request
                await asyncio.sleep(0.01)
            return late, await asking.get("/healthz"), await asking.get("/readyz")
        finally:
            service.localizer.results = results  # type: ignore[method-assign]
            go.set()

    late, health, ready = asked(service, questions)
    assert (late.status_code, health.status_code, ready.status_code) == (504, 503, 503)
    assert service.gate.inside == 0


def test_while_it_drains(localizer: Localizer) -> None:
    service = Service(localizer, BOUNDS)

    async def questions(asking: Any) -> Any:
        before = await asking.get("/readyz"), await asking.post("/predict", content=encoded(), headers=PNG)
        service.draining = True
        return *before, await asking.get("/readyz"), await asking.post("/predict", content=encoded(), headers=PNG)

    ready, kept, leaving, closed = asked(service, questions)
    assert (ready.status_code, leaving.status_code) == (200, 503)
    assert ("connection" in kept.headers, closed.headers["connection"], closed.status_code) == (False, "close", 200)


def test_the_page_and_the_description_need_nothing_from_elsewhere(localizer: Localizer) -> None:
    async def questions(asking: Any) -> Any:
        return [await asking.get(path) for path in ("/docs", "/docs.js", "/openapi.json")]

    page, script, description = asked(Service(localizer, BOUNDS), questions)
    assert "http" not in page.text.replace("httpx", "")
    assert "http" not in script.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert set(description.json()["paths"]) == {"/predict", "/healthz", "/readyz", "/metrics"}
    assert set(description.json()["paths"]["/predict"]["post"]["responses"]) == {
        *("200", "400", "401", "413", "415", "422", "503", "504")
    }


def test_the_batcher_passes_errors_on_and_goes_on() -> None:
    def answer(items: Sequence[int]) -> list[int]:
        if 3 in items:
            raise ValueError("three")
        return [item * 2 for item in items]

    async def run() -> list[Any]:
        batcher: Batcher[int, int] = Batcher(answer, most=2, patience=0.01)
        answers = await asyncio.gather(*map(batcher.submit, (1, 2, 3, 4, 5)), return_exceptions=True)
        await batcher.close()
        return answers

    one, two, three, four, five = asyncio.run(run())
    assert (one, two, five) == (2, 4, 10)
    assert isinstance(three, ValueError)
    assert isinstance(four, ValueError)


def test_settings_become_bounds_and_a_taken_port_is_said() -> None:
    bounds = bounds_of(ServeSettings(**compose("serve", ["checkpoint=x"])))
    assert (bounds.body, bounds.pixels, bounds.patience) == (16 * 2**20, 50_000_000, 0.002)
    place = _bind("127.0.0.1", 0)
    place.listen()
    with pytest.raises(ConfigError, match=r"port=\d+: cannot listen there \(Address already in use\)"):
        _bind("127.0.0.1", place.getsockname()[1])
    place.close()
