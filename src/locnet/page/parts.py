"""Parts of a page as text: tables, bars, heat maps, cards. Everything that comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


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
            f'<rect class=cell x="{column * cell:.2f}" y="{row * cell:.2f}" width="{cell:.2f}" height="{cell:.2f}" '
            f'fill-opacity="{depth:.3f}"><title>{words}</title></rect>'
        )
    frame = '<rect class=frame width="240" height="240"></rect>'
    return (
        f'<figure><h3>{escape(title)}</h3><svg viewBox="0 0 240 240" width="240" height="240" role="img" '
        f'aria-label="{escape(title)}">{"".join(cells)}{frame}</svg>'
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


def table(
    header: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str = "", numbers: bool = False, name: str = ""
) -> str:
    """A table whose first column names its rows.

    Args:
        header: of the columns; empty for none.
        rows: of cells: `int` and `Html` as they are, everything else as escaped text.
        caption: above it.
        numbers: all columns but the first are numbers, set right.
        name: `id` of the element.
    """
    side = " class=n" if numbers else ""
    head = "".join(f"<th scope=col{side if index else ''}>{escape(cell)}</th>" for index, cell in enumerate(header))
    head = f"<thead><tr>{head}</tr></thead>" if any(header) else ""
    lines = []
    for first, *rest in rows:
        cells = "".join(_cell(cell, side) for cell in rest)
        lines.append(f"<tr><th scope=row>{text(first)}</th>{cells}</tr>")
    said = f"<caption><span>{escape(caption)}</span></caption>" if caption else ""
    label = f' role=region tabindex=0 aria-label="{escape(caption)}"' if caption else ""
    named = f" id={name}" if name else ""
    return (
        f"<div class=scroll{label}><table{named}{' class=lined' if numbers else ''}>{said}{head}"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def text(value: object) -> str:
    """A cell's content as HTML."""
    return value if isinstance(value, Html) else escape(printable(str(value)))


def _cell(value: object, side: str) -> str:
    return f"<td class=n>{value:,}</td>" if isinstance(value, int) else f"<td{side}>{text(value)}</td>"


def card(image: str | None, title: str, lines: Sequence[str]) -> str:
    """A picture (or the place of one) with a few lines under it."""
    shown = f'<img src="{image}" alt="" loading="lazy">' if image else "<div class=none>not readable</div>"
    said = "".join(f"<div>{escape(printable(line))}</div>" for line in lines if line)
    return f'<div class=card title="{escape(printable(title))}"><div class=frame>{shown}</div>{said}</div>'


def printable(said: str) -> str:
    """The text without what cannot be written as UTF-8."""
    return said.encode("utf-8", "backslashreplace").decode("utf-8")
