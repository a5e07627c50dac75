"""The routes, and what OpenAPI says about them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, Field, create_model

from locnet import __version__
from locnet.inference.localizer import Localizer
from locnet.inference.result import CROP
from locnet.predictions import EDGES
from locnet.serving.service import Service
from locnet.serving.telemetry import CONTENT_TYPE
from locnet.writers.base import columns

_PAGE_RULES = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src blob:"
_REFUSALS = {
    400: "The form is broken, or holds no file",
    401: "The API key is missing or wrong",
    413: "Too many bytes, pixels or images",
    415: "Neither an image nor a form",
    422: "Not an image that can be decoded",
    503: "Too much to do: try again after the seconds in Retry-After",
    504: "No answer within the time that a request may take",
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "type": "object",
    "required": ["image"],
    "properties": {"image": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}},
}
_BODY = {
    "required": True,
    "description": "The bytes of an image file, or a form with one or several",
    "content": {
        **dict.fromkeys(("image/jpeg", "image/png", "image/webp", "application/octet-stream"), _BINARY),
        "multipart/form-data": {"schema": _FORM},
    },
}


class Refusal(BaseModel):
    """Why there is no answer."""

    detail: str


class State(BaseModel):
    """Of the process."""

    status: str


def build_app(service: Service) -> FastAPI:
    """The ASGI application around a service; nothing in it reads a path or a URL that a client names."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="locnet",
        version=__version__,
        description="One object an image at most: is it there, what is it, and where?",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    refusals: dict[int | str, Any] = {code: {"model": Refusal, "description": said} for code, said in _REFUSALS.items()}
    replies: dict[int | str, Any] = {200: {"model": _reply(service.localizer, crops=service.margin is not None)}}

    @app.post(
        "/predict", responses=replies | refusals, openapi_extra={"requestBody": _BODY}, response_class=JSONResponse
    )
    async def predict(request: Request) -> Response:
        """Box in pixels of the upright image, class and p_c, for each image of the request in its order."""
        return await service.predict(request)

    @app.get("/healthz", responses={200: {"model": State}, 503: {"model": State}})
    async def healthz() -> JSONResponse:
        """Whether the process should go on living: 503 when the network is stuck."""
        return JSONResponse({"status": "ok" if service.is_alive else "stuck"}, 200 if service.is_alive else 503)

    @app.get("/readyz", responses={200: {"model": State}, 503: {"model": State}})
    async def readyz() -> JSONResponse:
        """Whether new requests should come here: 503 while the process ends."""
        ready = service.is_alive and not service.draining
        return JSONResponse({"status": "ready" if ready else "not ready"}, 200 if ready else 503)

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(service.telemetry.page(), media_type=CONTENT_TYPE)

    for path, name, kind in (("/docs", "docs.html", "text/html"), ("/docs.js", "docs.js", "text/javascript")):
        content = files("locnet.serving").joinpath(name).read_text(encoding="utf-8")
        app.get(path, include_in_schema=False)(_static(content, kind))
    return app


def _static(content: str, kind: str) -> Any:
    async def page() -> Response:
        headers = {"Content-Security-Policy": _PAGE_RULES, "X-Content-Type-Options": "nosniff"}
        return HTMLResponse(content, headers=headers, media_type=kind)

    return page


def _reply(localizer: Localizer, *, crops: bool) -> type[BaseModel]:
    """The answer as a type, with the class names of this model."""
    types: dict[str, Any] = {"file": str, "class": str, "verdict": str, "width": int, "height": int}
    edge = float if localizer.has_box else float | None
    types |= dict.fromkeys(EDGES, edge) | dict.fromkeys(CROP, int)
    names = columns(localizer.classes, crops=crops, frames=False)
    fields: dict[str, Any] = {
        f"field_{i}": (types.get(name, float), Field(alias=name, title=name)) for i, name in enumerate(names)
    }
    prediction = create_model("Prediction", **fields)
    return create_model("Reply", predictions=(list[prediction], ...))
