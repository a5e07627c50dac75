"""Charts as text: SVG and HTML that need nothing else, escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray


def heat_map(values: NDArray[np.int64] | NDArray[np.float64], title: str, across: str, down: str) -> str:
    """A square of cells, darker where there is more.

    Args:
        values: `(N, N)`, the first row on top.
        title: of the whole.
        across: what the columns are.
        down: what the rows are.
    """
    count, top = len(values), float(values.max(initial=0)) or 1.0
    cell = 240 / count
    cells = []
    for row, column in np.argwhere(values > 0).tolist():
        value = values[row, column]
        words = f"{value:.0%}" if values.dtype.kind == "f" else f"{int(value):,}"
        depth = 0.12 + 0.88 * (float(value) / top) ** 0.6
        cells.append(
            f'<rect x="{column * cell:.2f}" y="{row * cell:.2f}" width="{cell:.2f}" height="{cell:.2f}" '
            f'fill="#0072B2" fill-opacity="{depth:.3f}"><title>{words}</title></rect>'
        )
    frame = '<rect width="240" height="240" fill="none" stroke="#767676"/>'
    return (
        f'<figure><h3>{escape(title)}</h3><svg viewBox="0 0 240 240" width="240" height="240" role="img">'
        f"{''.join(cells)}{frame}</svg>"
        f"<figcaption>across: {escape(across)}<br>down: {escape(down)}</figcaption></figure>"
    )


def bars(rows: Sequence[tuple[str, int]]) -> str:
    """A table of words, numbers and bars."""
    top = max((count for _, count in rows), default=0) or 1
    lines = [
        f"<tr><td>{escape(words)}</td><td class=n>{count:,}</td>"
        f'<td class=bar><span style="width:{100 * count / top:.1f}%"></span></td></tr>'
        for words, count in rows
    ]
    return f"<table class=bars>{''.join(lines)}</table>"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A plain table; numbers are set right."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    return f"<td class=n>{value:,}</td>" if isinstance(value, int) else f"<td>{escape(str(value))}</td>"


def card(image: str | None, title: str, lines: Sequence[str]) -> str:
    """A picture (or the place of one) with a few lines under it."""
    shown = f'<img src="{image}" alt="" loading="lazy">' if image else "<div class=none>not readable</div>"
    text = "".join(f"<div>{escape(printable(line))}</div>" for line in lines if line)
    return f'<div class=card title="{escape(printable(title))}"><div class=frame>{shown}</div>{text}</div>'


def printable(text: str) -> str:
    """The text without what cannot be written as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
