"""The threshold of p_c: a slider, what follows from it, and the confusion matrix. `report.js` fills in the numbers."""

from __future__ import annotations

from html import escape

import numpy as np

from locnet.page.parts import printable, table
from locnet.predictions import BACKGROUND, Predictions
from locnet.report.scores import confusion
from locnet.report.svg import figure_html, panels
from locnet.report.thresholds import plot_thresholds

_MOST_CLASSES = 24
_MOST_PAIRS = 30
_NUMBERS = {
    "precision": "precision of p_c",
    "recall": "recall of p_c",
    "accuracy": "accuracy",
    "top1_loc": "Top-1 Loc",
    "true_positives": "objects found",
    "false_positives": "false positives",
    "false_negatives": "objects missed",
    "true_negatives": "background, rightly",
}


def explorer(p: Predictions) -> str:
    """Slider, numbers, curves and confusion matrix.

    Args:
        p: truth and answer for N images.
    """
    figure = plot_thresholds(p)
    chart = ""
    if figure is not None:
        [panel] = panels(figure, "thresholds")
        left, top, right, bottom = panel.frame
        marker = f'<line id=marker x1="{left:.1f}" x2="{left:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"></line></svg>'
        width = (right - left) / 1.04  # the axes go from -0.02 to 1.02
        zero = left + 0.02 * width
        panel = panel._replace(
            svg=panel.svg.replace("</svg>", marker).replace(
                "<svg ", f'<svg data-zero="{zero:.2f}" data-one="{zero + width:.2f}" ', 1
            )
        )
        chart = figure_html(panel, "accuracy, precision and recall for every threshold of p_c")
    numbers = "".join(
        f"<div><dt>{escape(title)}</dt><dd id=at-{name}>\u2013</dd></div>" for name, title in _NUMBERS.items()
    )
    return (
        "<p>An answer is background where p_c is below the threshold. Move it, and see what changes, in the images "
        "below too.</p>"
        "<div class=threshold><label for=threshold>threshold of p_c</label>"
        f"<input type=range id=threshold min=0 max=1 step=0.001 value={p.threshold:.3f}>"
        f"<input type=number id=exact min=0 max=1 step=0.01 value={p.threshold:.3f} aria-label='threshold as a number'>"
        f"<button type=button id=reset>as in the run: {p.threshold:.3f}</button></div>"
        f"<div class=row><div class=numbers><dl>{numbers}</dl></div>{chart}</div>"
        f"<p id=said role=status class=note></p>{_confusion(p)}"
    )


def _confusion(p: Predictions) -> str:
    counts = confusion(p)
    labels = (*range(len(p.classes)), BACKGROUND)
    if len(p.classes) > _MOST_CLASSES:
        return _pairs(p)
    head = "".join(f"<th scope=col>{_name(p, label)}</th>" for label in labels)
    lines = []
    for row, truth in enumerate(labels):
        cells = "".join(
            f"<td><button type=button data-truth={truth} data-verdict={verdict}>{counts[row, place]}</button></td>"
            for place, verdict in enumerate(labels)
        )
        lines.append(f"<tr><th scope=row>{_name(p, truth)}</th>{cells}</tr>")
    caption = "Confusion matrix: rows are the truth, columns the answer; choose a number to see its images"
    return (
        f'<div class=scroll role=region tabindex=0 aria-label="confusion matrix"><table class=confusion>'
        f"<caption><span>{caption}</span></caption><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _pairs(p: Predictions) -> str:
    """The commonest mistakes, where there are too many classes for a matrix."""
    counts = confusion(p)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:_MOST_PAIRS]
    labels = (*range(len(p.classes)), BACKGROUND)
    rows = []
    for row, place in zip(*np.unravel_index(order, counts.shape), strict=True):
        if counts[row, place]:
            rows.append((p.name(labels[row]), p.name(labels[place]), int(counts[row, place])))
    caption = f"The commonest mistakes at the run's threshold, of {len(labels)} x {len(labels)} pairs"
    return table(("truth", "answer", "images"), rows, caption=caption)


def _name(p: Predictions, label: int) -> str:
    return escape(printable(p.name(label)))
