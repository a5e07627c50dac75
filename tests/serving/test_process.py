"""The real command on a real port: load, SIGTERM under load, a fuzzer and hostile images."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hostile import hostile_images
from PIL import Image

pytest.importorskip("fastapi", reason="pip install 'locnet[serve]'")
httpx = pytest.importorskip("httpx", reason="pip install 'locnet[dev]'")

pytestmark = pytest.mark.slow


def start(checkpoint: Path, *overrides: str) -> tuple[subprocess.Popen[str], str]:
    """The process, and the URL that it listens on."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "locnet.serve", f"checkpoint={checkpoint}", "device=cpu", "port=0", "drain=0.5"),
            *overrides,
        ],
        stderr=subprocess.PIPE,
        text=True,
        cwd=checkpoint.parent,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"http://[\d.]+:\d+", line)
    assert found, line + process.stderr.read()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(f"{found[0]}/readyz", timeout=5).status_code == 200:
                return process, found[0]
        time.sleep(0.05)
    raise AssertionError("not ready")


@pytest.fixture
def server(checkpoint: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process, url = start(checkpoint)
    yield process, url
    if process.poll() is None:
        process.kill()
    process.wait()


def png(color: int) -> bytes:
    stream = BytesIO()
    Image.new("RGB", (64, 64), (color, 10, 200)).save(stream, "PNG")
    return stream.getvalue()


def test_sigterm_under_load_loses_no_accepted_request(server: tuple[subprocess.Popen[str], str]) -> None:
    process, url = server
    content = png(7)
    seen: Counter[str] = Counter()

    async def client() -> None:
        async with httpx.AsyncClient(timeout=30) as asking:
            while True:
                try:
                    response = await asking.post(
                        f"{url}/predict", content=content, headers={"content-type": "image/png"}
                    )
                except httpx.ConnectError:  # nobody lets us in any more
                    return
                except httpx.TransportError as error:
                    seen[type(error).__name__] += 1
                    return
                seen[str(response.status_code)] += 1

    async def load() -> None:
        clients = [asyncio.ensure_future(client()) for _ in range(24)]
        await asyncio.sleep(2)
        process.send_signal(signal.SIGTERM)
        await asyncio.gather(*clients)

    asyncio.run(load())
    assert process.wait(30) == 0
    assert set(seen) <= {"200", "503"}, seen
    assert seen["200"] > 20


def test_hostile_images_are_refused_and_the_next_one_is_answered(server: tuple[subprocess.Popen[str], str]) -> None:
    _, url = server
    statuses: Counter[int] = Counter()
    with httpx.Client(timeout=60) as asking:
        for number, content in enumerate(hostile_images(random.Random(0), 300)):
            kind = ("image/png", "application/octet-stream")[number % 2]
            response = asking.post(f"{url}/predict", content=content, headers={"content-type": kind})
            statuses[response.status_code] += 1
            assert response.status_code in (200, 413, 422), (response.status_code, response.text, content[:64])
        response = asking.post(f"{url}/predict", content=png(3), headers={"content-type": "image/png"})
    assert response.status_code == 200
    assert statuses[422] > 100
    assert statuses[413] > 0


def test_the_fuzzer_finds_nothing(server: tuple[subprocess.Popen[str], str]) -> None:
    """schemathesis, by the service's own description: no 500, and nothing that the description does not know."""
    pytest.importorskip("schemathesis", reason="pip install 'locnet[dev]'")
    _, url = server
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--max-examples=60", "--seed=1"),
            *("--checks=not_a_server_error,status_code_conformance,content_type_conformance", "--no-color"),
            "--checks=response_schema_conformance",
        ],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_a_taken_port_is_one_line(checkpoint: Path, server: tuple[subprocess.Popen[str], str]) -> None:
    port = server[1].rpartition(":")[2]
    command: list[Any] = [sys.executable, "-m", "locnet.serve", f"checkpoint={checkpoint}", f"port={port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=checkpoint.parent)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"port={port}: cannot listen there (Address already in use)" in done.stderr
