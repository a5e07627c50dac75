"""A whole page: one file with its style, its pictures, its data and its scripts inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from locnet.page.parts import printable

_BUTTON = '<button id=theme type=button title="light or dark">theme</button>'


def document(
    title: str,
    parts: Sequence[str],
    *,
    heading: str | None = None,
    where: str = "",
    style: str = "",
    scripts: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
) -> str:
    """The page.

    Args:
        title: in the browser's tab.
        parts: of the body, as HTML.
        heading: at the top; the title unless given.
        where: a line under it: whose page this is.
        style: CSS beside that of all pages.
        scripts: JavaScript, run in this order after everything is there.
        data: what the scripts read from the element `data`, as JSON.
    """
    css = resource("locnet.page", "style.css") + style
    head = (
        '<meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{escape(printable(title))}</title><style>{css}</style>"
    )
    top = (
        f"<header><div><h1>{escape(printable(heading or title))}</h1>"
        f"<div class=where>{escape(printable(where))}</div></div>{_BUTTON}</header>"
    )
    said = "" if data is None else f'<script type="application/json" id=data>{as_json(data)}</script>'
    code = "".join(f"<script>{script}</script>" for script in (resource("locnet.page", "theme.js"), *scripts))
    body = f"{top}<main>{''.join(parts)}</main>{said}{code}"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>\n"


def as_json(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the element that it stands in, whatever names are in it."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def resource(package: str, name: str) -> str:
    """A text file that lies beside the code."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
