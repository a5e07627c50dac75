"""Images with their boxes: filtered, sorted and paged by `report.js`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from locnet.checkup.suspects import Suspect
from locnet.page.parts import Html, printable, table
from locnet.predictions import BACKGROUND, Predictions
from locnet.report.kinds import KIND_TITLES

_ORDERS = {
    "worst": "worst first",
    "low_iou": "IoU, low to high",
    "high_p_c": "p_c, high to low",
    "low_p_c": "p_c, low to high",
    "file": "as in the data",
    "random": "random",
}
_MOST_SUSPECTS = 60


def gallery(p: Predictions, groups: Mapping[str, Sequence[str]], *, pictures: int, unreadable: int, link: bool) -> str:
    """The controls and the empty place of the images.

    Args:
        p: truth and answer for N images.
        groups: the group of every image, for each way to group them.
        pictures: how many images have their picture in the page.
        unreadable: how many could not be read.
        link: whether the others are looked for beside the page.
    """
    shows = {"all": "all", "wrong": "all mistakes", **KIND_TITLES, "suspect": "suspect label"}
    if not p.has_boxes:
        shows.pop("box_off")
    buttons = "".join(
        f"<button type=button data-kind={name} aria-pressed=false>{title} <span class=count></span></button>"
        for name, title in shows.items()
    )
    names = {str(label): p.name(label) for label in (*range(len(p.classes)), BACKGROUND)}
    selects = _select("truth", "truth", names, "any") + _select("verdict", "answer", names, "any")
    for number, (name, values) in enumerate(groups.items()):
        options = {str(code): said for code, said in enumerate(sorted(set(values)))}
        selects += _select(f"group{number}", name, options, "any")
    iou = (
        "<span class=pair><label for=low>IoU from</label><input type=number id=low min=0 max=1 step=0.05 value=0>"
        "<label for=high>to</label><input type=number id=high min=0 max=1 step=0.05 value=1></span>"
    )
    return (
        f"<p class=note>{_said(len(p), pictures, unreadable, link)}</p>"
        f"<div class=kinds role=group aria-label='what became of the image'>{buttons}</div>"
        f"<div class=filters>{selects}{iou if p.has_boxes else ''}{_select('order', 'order', _ORDERS)}"
        "<span class=pair><input type=checkbox id=pictured><label for=pictured>only with a picture</label></span></div>"
        "<div class=pager><button type=button id=before>previous</button><span id=place role=status></span>"
        "<button type=button id=after>next</button></div>"
        f"<p class=legend><span class=truth>true box</span><span class=found>the model's box</span></p>"
        "<div id=tiles class=tiles></div>"
    )


def suspects_table(suspects: Sequence[Suspect], p: Predictions) -> str:
    """Labels that the model contradicts with confidence."""
    if not suspects:
        return "<p>The model contradicts no label with confidence.</p>"
    rows = [
        (
            Html(f'<button type=button class=link data-row="{s.row}">{escape(printable(p.files[s.row]))}</button>'),
            s.label,
            s.verdict,
            Html(f"{s.confidence:.2f}"),
            Html(f"<span class=nowrap>{escape(s.words)}</span>"),
        )
        for s in suspects[:_MOST_SUSPECTS]
    ]
    rest = len(suspects) - len(rows)
    more = f", and {rest:,} more in the gallery" if rest else ""
    caption = f"{len(suspects):,} labels that the model contradicts with confidence{more}"
    return table(("image", "label", "model", "confidence", "in what"), rows, caption=caption)


def _select(name: str, title: str, options: Mapping[str, str], empty: str = "") -> str:
    entries = [("", empty)] if empty else []
    entries += options.items()
    inner = "".join(f'<option value="{escape(value)}">{escape(printable(words))}</option>' for value, words in entries)
    label = f"<label for={name}>{escape(printable(title))}</label>"
    return f"<span class=pair>{label}<select id={name}>{inner}</select></span>"


def _said(images: int, pictures: int, unreadable: int, link: bool) -> str:
    said = f"{pictures:,} of {images:,} images have their picture in this page"
    said += ": the worst, some of every kind, and random ones." if pictures < images else "."
    if link:
        said += " The others are looked for where the data were, relative to this page."
    if unreadable:
        said += f" {unreadable:,} could not be read, and show their boxes only."
    return said
