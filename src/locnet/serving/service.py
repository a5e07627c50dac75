"""A request from its arrival to its answer."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from PIL import Image
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from locnet.data.images import Encoded, ImageError, Limits
from locnet.data.workers import cores
from locnet.errors import DataError
from locnet.heap import give_back
from locnet.inference.inputs import Input, stack
from locnet.inference.localizer import Localizer
from locnet.inference.result import Result
from locnet.serving.batching import Batcher
from locnet.serving.gate import FullError, Gate, Visit
from locnet.serving.intake import FORMATS, images_of
from locnet.serving.telemetry import Telemetry

log = logging.getLogger(__name__)

_TIDY_SECONDS = 10.0  # a large image may have left its size behind
_GONE = 499  # nginx's word for a client that did not wait
_NOT_FOR_CLIENTS = (", or remove it from the labels", "; fetch the file again")


@dataclass(frozen=True)
class Bounds:
    """What a service takes on.

    Attributes:
        batch: images that go through the network at once.
        patience: seconds that the first image of a batch may wait for others.
        images: in the house at once; further requests are refused with 503.
        request_images: in one request.
        body: bytes of a request.
        pixels: of an image.
        seconds: that a request may take.
    """

    batch: int
    patience: float
    images: int
    request_images: int
    body: int
    pixels: int
    seconds: float


class Service:
    """The localizer and all that stands between it and the clients.

    Attributes:
        draining: the process is about to end: connections are closed after their answer.
    """

    def __init__(self, localizer: Localizer, bounds: Bounds, *, margin: float | None = None, key: str = "") -> None:
        self.localizer, self.bounds, self.margin = localizer, bounds, margin
        self.gate = Gate(bounds.images)
        self.telemetry = Telemetry(lambda: self.gate.inside)
        self.draining = False
        self._key = key.encode()
        self._limits = Limits(FORMATS, bounds.pixels)
        self._decoders = ThreadPoolExecutor(len(cores()), "decode")
        self._batcher: Batcher[Input, Result] | None = None
        self._tidying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Be ready: one image has gone through the network."""
        size = self.localizer.image_size[::-1]
        self._batcher = Batcher(self._answer, most=self.bounds.batch, patience=self.bounds.patience)
        await self._batcher.submit(self.localizer.prepare(Image.new("RGB", size)))
        self._tidying = asyncio.get_running_loop().create_task(self._tidy())

    async def stop(self) -> None:
        """Let the threads go."""
        if self._tidying is not None:
            self._tidying.cancel()
        if self._batcher is not None:
            await self._batcher.close()
        self._decoders.shutdown(wait=False, cancel_futures=True)

    @property
    def is_alive(self) -> bool:
        """Whether the network still answers."""
        return self._batcher is not None and self._batcher.busy_seconds < self.bounds.seconds

    async def predict(self, request: Request) -> Response:
        """Answer a request, whatever is in it; the status says what came of it."""
        began = time.monotonic()
        try:
            response = await self._predict(request)
        except HTTPException as error:
            response = JSONResponse({"detail": error.detail}, error.status_code, dict(error.headers or {}))
        except ClientDisconnect:
            response = Response(status_code=_GONE)
        if self.draining:
            response.headers["connection"] = "close"
        self.telemetry.requests.labels(response.status_code).inc()
        self.telemetry.seconds.observe(time.monotonic() - began)
        return response

    async def _predict(self, request: Request) -> Response:
        if not self._is_known(request):
            raise HTTPException(401, "the API key is missing or wrong", {"WWW-Authenticate": "Bearer"})
        try:
            with self.gate.enter() as visit:
                rows = await asyncio.wait_for(self._rows(request, visit), self.bounds.seconds)
        except FullError:
            raise HTTPException(503, "too much to do; try again", {"Retry-After": "1"}) from None
        except asyncio.TimeoutError:
            raise HTTPException(504, f"no answer within {self.bounds.seconds:g} s", {"Connection": "close"}) from None
        self.telemetry.images.inc(len(rows))
        return JSONResponse({"predictions": rows})

    async def _rows(self, request: Request, visit: Visit) -> list[dict[str, Any]]:
        assert self._batcher is not None
        bounds = self.bounds
        files = await images_of(request, max_bytes=bounds.body, max_images=bounds.request_images, limits=self._limits)
        visit.more(len(files) - 1)
        loop = asyncio.get_running_loop()
        inputs = await asyncio.gather(*(loop.run_in_executor(self._decoders, self._decode, file) for file in files))
        results = await asyncio.gather(*map(self._batcher.submit, inputs))
        return [{"file": file.name, **result.row()} for file, result in zip(files, results, strict=True)]

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            await asyncio.get_running_loop().run_in_executor(self._decoders, give_back)

    def _decode(self, file: Encoded) -> Input:
        try:
            return self.localizer.prepare(file)
        except DataError as error:
            large = isinstance(error, ImageError) and isinstance(error.__cause__, Image.DecompressionBombError)
            detail = str(error)
            for words in _NOT_FOR_CLIENTS:
                detail = detail.replace(words, "")
            raise HTTPException(413 if large else 422, detail) from error

    def _answer(self, inputs: Sequence[Input]) -> list[Result]:
        with self.telemetry.forward.time():
            results = self.localizer.results(stack(inputs), margin=self.margin)
        self.telemetry.batch.observe(len(inputs))
        return results

    def _is_known(self, request: Request) -> bool:
        if not self._key:
            return True
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
        return hmac.compare_digest(given.encode("latin-1", "replace"), self._key)
