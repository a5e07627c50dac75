"""`python -m locnet.serve` on loopback: throughput and latency at 1, 4 and 16 times what it sustains; hostile inputs.

    python benchmarks/serve.py CHECKPOINT PHOTOS [--seconds 15] [--rates 1 4 16] [--hostile 10000] [--ends 3]

First a closed loop of a few clients finds the sustainable rate (requests a second with all of them answered). Then
requests arrive at a fixed rate whether or not earlier ones are answered, at 0.9 of it (1x), 4x and 16x. An answer is
wrong where it is not the localizer's own for that photo (box to 0.1 pixel, p_c to 0.001, the class). Then hostile files
are sent, and resident memory is read on the way (`--seconds 0` sends nothing else). In the end SIGTERM comes while
clients ask, several times: each of them goes on until nobody lets it in, and every request must have its answer or its
503. Client and server share the machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from locnet.inference.localizer import Localizer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "serving"))
from hostile import hostile_images

SHED = (503,)


class Server:
    """The process and its address."""

    def __init__(self, checkpoint: str) -> None:
        command = [sys.executable, "-m", "locnet.serve", f"checkpoint={checkpoint}", "device=cpu", "port=0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.search(r"http://[\d.]+:\d+", line)
        if not found:
            raise SystemExit(line + self.process.stderr.read())
        self.url = found[0]
        while True:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=30).status_code == 200:
                    return
            time.sleep(0.1)

    @property
    def resident(self) -> float:
        """Unshared memory, MB."""
        return float(psutil.Process(self.process.pid).memory_full_info().uss) / 2**20


class Load:
    """Sends photos and keeps what came of them."""

    def __init__(self, url: str, photos: list[bytes], answers: list[dict[str, Any]]) -> None:
        self.url, self.photos, self.answers = url, photos, answers

    def reset(self) -> None:
        """Forget."""
        self.statuses: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.wrong = 0

    async def ask(self, client: httpx.AsyncClient, number: int) -> str:
        """One request; its status, or what went wrong."""
        begun = time.monotonic()
        index = number % len(self.photos)
        try:
            response = await client.post(
                f"{self.url}/predict", content=self.photos[index], headers={"content-type": "image/jpeg"}
            )
        except httpx.TransportError as error:
            self.statuses[type(error).__name__] += 1
            return type(error).__name__
        self.statuses[str(response.status_code)] += 1
        if response.status_code == 200:
            self.seconds.append(time.monotonic() - begun)
            self.wrong += not same(response.json()["predictions"][0], self.answers[index])
        return str(response.status_code)

    async def closed(self, seconds: float, clients: int) -> float:
        """Answers a second of clients that each wait for theirs."""
        self.reset()
        end = time.monotonic() + seconds

        async def one(start: int) -> None:
            number = start
            async with httpx.AsyncClient(timeout=60) as client:
                while time.monotonic() < end:
                    await self.ask(client, number)
                    number += clients

        await asyncio.gather(*map(one, range(clients)))
        return len(self.seconds) / seconds

    async def open(self, seconds: float, rate: float) -> None:
        """Requests at a fixed rate, whatever becomes of them."""
        self.reset()
        limits = httpx.Limits(max_connections=400, max_keepalive_connections=100)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            begun, tasks = time.monotonic(), []
            for number in range(round(rate * seconds)):
                await asyncio.sleep(max(begun + number / rate - time.monotonic(), 0))
                tasks.append(asyncio.ensure_future(self.ask(client, number)))
            self.offered = len(tasks) / (time.monotonic() - begun)
            await asyncio.gather(*tasks)
            self.took = time.monotonic() - begun

    def line(self, name: str) -> str:
        """One row of the report."""
        total = sum(self.statuses.values())
        shed = sum(self.statuses[str(code)] for code in SHED) / total
        p50, p99 = (np.percentile(self.seconds, share) * 1000 for share in (50, 99))
        return (
            f"{name}: offered {self.offered:.1f}/s, answered {len(self.seconds) / self.took:.1f}/s, p50 {p50:.0f} ms, "
            f"p99 {p99:.0f} ms, wrong {self.wrong}, shed {shed:.3f}, {dict(self.statuses)}"
        )


def same(row: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether two answers are one."""
    edges = ("xmin", "ymin", "xmax", "ymax")
    close = all(abs(row[edge] - wanted[edge]) < 0.1 for edge in edges) and abs(row["p_c"] - wanted["p_c"]) < 1e-3
    return close and row["class"] == wanted["class"]


async def hostile(server: Server, count: int) -> None:
    """Send what a stranger may send; print statuses and memory on the way."""
    statuses: Counter[int] = Counter()
    memory = [server.resident]
    files = enumerate(hostile_images(random.Random(0), count))

    async def one(client: httpx.AsyncClient) -> None:
        for number, content in files:
            kind = ("image/png", "application/octet-stream", "text/plain")[number % 20 // 9]
            response = await client.post(f"{server.url}/predict", content=content, headers={"content-type": kind})
            statuses[response.status_code] += 1
            if number % (count // 16) == count // 16 - 1:
                memory.append(server.resident)

    async with httpx.AsyncClient(timeout=60) as client:
        await asyncio.gather(*(one(client) for _ in range(8)))
    shown = ", ".join(f"{value:.0f}" for value in memory)
    print(f"hostile: {sum(statuses.values())} files, statuses {dict(statuses)}, resident MB {shown}", flush=True)


async def ended(server: Server, load: Load, clients: int = 32) -> None:
    """SIGTERM under load: what became of the requests of clients that go on until nobody lets them in."""
    load.reset()

    async def one(number: int) -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            while await load.ask(client, number) != "ConnectError":  # nobody lets us in any more: that is no request
                number += clients

    tasks = [asyncio.ensure_future(one(number)) for number in range(clients)]
    await asyncio.sleep(3)
    server.process.send_signal(signal.SIGTERM)
    await asyncio.gather(*tasks)
    code = server.process.wait(60)
    print(f"SIGTERM under load: exit code {code}, wrong {load.wrong}, {dict(load.statuses)}", flush=True)


def main() -> None:
    """Start, load, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--hostile", type=int, default=10_000)
    parser.add_argument("--ends", type=int, default=3)
    parser.add_argument("--rates", type=float, nargs="*", default=[1, 4, 16])
    args = parser.parse_args()
    files = sorted(args.photos.rglob("*.jpg"))[:64]
    localizer = Localizer.load(args.checkpoint, device="cpu")
    answers = [result.row() for result in localizer(files)]
    photos = [file.read_bytes() for file in files]
    server = Server(args.checkpoint)
    try:
        load = Load(server.url, photos, answers)
        if args.seconds:
            asyncio.run(load.closed(args.seconds / 3, 16))
            sustained = asyncio.run(load.closed(args.seconds, 16))
            print(f"sustained by 16 clients: {sustained:.1f}/s, {load.wrong} wrong, resident {server.resident:.0f} MB")
            for rate in args.rates:
                asyncio.run(load.open(args.seconds, max(rate * sustained * (0.9 if rate == 1 else 1), 1)))
                print(load.line(f"{rate:g}x"), f"resident {server.resident:.0f} MB", flush=True)
        if args.hostile:
            asyncio.run(hostile(server, args.hostile))
        for number in range(args.ends):
            if number:
                server = Server(args.checkpoint)
            asyncio.run(ended(server, Load(server.url, photos, answers)))
    finally:
        if server.process.poll() is None:
            server.process.kill()


if __name__ == "__main__":
    main()
