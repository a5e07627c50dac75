"""`compare.html`: runs side by side, and the images that changed sides."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np

from locnet import __version__
from locnet.comparison.numbers import PER_CLASS, Against, Comparison, beyond_luck
from locnet.config.messages import shown
from locnet.page.document import document, resource
from locnet.page.parts import Html, card, printable, table
from locnet.page.pictures import picture
from locnet.predictions import Predictions
from locnet.report.intervals import Interval, replicates
from locnet.report.scores import SCORE_TITLES

_DASH = "\u2013"


def comparison_page(c: Comparison, *, root: Path | None, images: int) -> str:
    """The page.

    Args:
        c: what was compared.
        root: the folder of the images; None where nobody knows it.
        images: pictures of each way to change sides, for each run.
    """
    parts = [
        f"<p class=lead>{escape(printable(verdict(c)))}</p>",
        f"<p>{escape(c.note)}.</p>" if c.note else "",
        "<h2>Scores</h2>",
        _scores(c),
        f"<p class=note>{len(c.tables[0]):,} images. Intervals of shares are Wilson's; those of means and of all "
        f"differences come from a bootstrap over images ({replicates(len(c.tables[0])):,} resamples, the same ones for "
        "every run), so that images that are hard for both cancel out. A difference whose interval leaves out 0 is set "
        "in bold.</p>",
    ]
    for name, against in zip(c.names[1:], c.against, strict=True):
        parts += [f"<h2>{_text(name)} beside {_text(c.names[0])}</h2>", _classes(c, name, against)]
    parts += ["<h2>Settings that differ</h2>", _settings(c)]
    for index, (name, against) in enumerate(zip(c.names[1:], c.against, strict=True), 1):
        ways = (("gained", against.gained, "right only in"), ("lost", against.lost, "no longer right in"))
        for way, rows, words in ways:
            parts.append(f"<h2>{len(rows):,} images {words} {_text(name)}</h2>")
            parts.append(_flipped(c, index, rows[:images], root) if len(rows) else "<p>None.</p>")
            rest = len(rows) - images
            parts.append(f"<p>and {rest:,} more in compare.json, {way}</p>" if rest > 0 else "")
    return document(
        f"locnet compare: {', '.join(c.names)}",
        parts,
        heading=" / ".join(c.names),
        where=f"locnet {__version__} compare",
        style=resource("locnet.report.page", "report.css"),
    )


def verdict(c: Comparison) -> str:
    """The answer in a sentence or two."""
    said = []
    for name, against in zip(c.names[1:], c.against, strict=True):
        sure = {key: found for key, found in against.scores.items() if beyond_luck(found)}
        better = [SCORE_TITLES[key] for key, found in sure.items() if found.value > 0]
        worse = [SCORE_TITLES[key] for key, found in sure.items() if found.value < 0]
        parts = [f"better in {', '.join(better)}"] if better else []
        parts += [f"worse in {', '.join(worse)}"] if worse else []
        words = " and ".join(parts) if parts else "not different beyond what luck of the test images explains"
        said.append(f"{name} is {words} than {c.names[0]}" if parts else f"{name} and {c.names[0]} are {words}")
        said[-1] += f"; {len(against.gained):,} images gained, {len(against.lost):,} lost."
    return " ".join(said)


def _scores(c: Comparison) -> str:
    header = ["score", *c.names, *(f"{name} \u2212 {c.names[0]}" for name in c.names[1:])]
    widest = max(
        (abs(end) for a in c.against for f in a.scores.values() for end in (f.low, f.high) if np.isfinite(end)),
        default=0,
    )
    rows = []
    for key, title in SCORE_TITLES.items():
        if not any(key in scores for scores in c.scores):
            continue
        values = [_value(scores.get(key)) for scores in c.scores]
        rows.append((title, *values, *(_difference(a.scores.get(key), widest) for a in c.against)))
    caption = "Each run on the same images, and what it gains over the first"
    return table([printable(cell) for cell in header], rows, caption=caption, numbers=True)


def _classes(c: Comparison, name: str, against: Against) -> str:
    ends = [abs(e) for found in against.classes.values() for f in found.values() for e in (f.low, f.high)]
    widest = max((end for end in ends if np.isfinite(end)), default=0.0)
    p = c.tables[0]
    counts = {p.name(label): int((p.labels == label).sum()) for label in np.unique(p.labels).tolist()}
    rows = [
        (label, counts[label], *(_difference(found.get(key), widest) for key in PER_CLASS))
        for label, found in against.classes.items()
    ]
    header = ("class", "images", *(SCORE_TITLES[key] for key in PER_CLASS))
    return table(header, rows, caption=f"{name} minus {c.names[0]}, by true class", numbers=True)


def _settings(c: Comparison) -> str:
    if not c.settings:
        return "<p>None.</p>"
    rows = [
        (key, *(_DASH if value is None else shown(value) for value in values)) for key, values in c.settings.items()
    ]
    caption = "Keys of config.yaml whose values are not the same"
    return table(("key", *(printable(name) for name in c.names)), rows, caption=caption)


def _flipped(
    c: Comparison, index: int, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]], root: Path | None
) -> str:
    first, other = c.tables[0], c.tables[index]
    legend = (
        "<p class=legend><span class=truth>true box</span>"
        f"<span class=found>{_text(c.names[0])}</span><span class=third>{_text(c.names[index])}</span></p>"
    )
    cards = []
    for row in rows.tolist():
        boxes = [table.predicted_boxes[row] if table.verdicts[row] >= 0 else None for table in (first, other)]
        image = None if root is None else picture(root / first.files[row], first.boxes[row], *boxes)
        lines = (
            f"truth: {first.name(int(first.labels[row]))}",
            f"{c.names[0]}: {_answer(first, row)}",
            f"{c.names[index]}: {_answer(other, row)}",
            first.files[row],
        )
        cards.append(card(image, first.files[row], lines))
    return f"{legend}<div class=cards>{''.join(cards)}</div>"


def _answer(p: Predictions, row: int) -> str:
    iou = float(p.ious[row])
    return f"{p.name(int(p.verdicts[row]))}, p_c {p.p_c[row]:.2f}" + ("" if np.isnan(iou) else f", IoU {iou:.2f}")


def _value(found: Interval | None) -> Html:
    if found is None:
        return Html(_DASH)
    return Html(f"{found.value:.3f}<div class=small>{found.low:.3f} to {found.high:.3f}</div>")


def _difference(found: Interval | None, widest: float) -> Html:
    """The number, its interval, and both as a bar around 0."""
    if found is None or not np.isfinite(found.low):
        return Html(_DASH)
    sure = beyond_luck(found)
    look = ("good" if found.value > 0 else "bad") if sure else ""
    number = f"<b class={look}>{found.value:+.3f}</b>" if sure else f"{found.value:+.3f}"
    scale = 50 / widest if widest else 0.0
    place = f"left:{50 + scale * found.low:.1f}%;width:{scale * (found.high - found.low):.1f}%"
    middle = f"left:{50 + scale * found.value:.1f}%"
    bar = f'<div class=delta aria-hidden=true><i style="{place}"></i><i class=at style="{middle}"></i></div>'
    return Html(f"{number}<div class=small>{found.low:+.3f} to {found.high:+.3f}</div>{bar}")


def _text(said: str) -> str:
    return escape(printable(said))
