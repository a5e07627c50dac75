"""Put `report.html` together from what a run directory holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

from matplotlib.figure import Figure

from locnet import __version__
from locnet.checkup.suspects import contradicted
from locnet.config.schema import ReportSettings
from locnet.page.document import document, resource
from locnet.page.parts import printable
from locnet.predictions import Predictions
from locnet.report.grid import LoadImage
from locnet.report.groups import groups
from locnet.report.intervals import intervals, replicates
from locnet.report.kinds import KINDS, kinds
from locnet.report.page import about, tables
from locnet.report.page.choice import chosen_rows, pictures
from locnet.report.page.columns import embedded
from locnet.report.page.explorer import explorer
from locnet.report.page.gallery import gallery, suspects_table
from locnet.report.plots import draw_figures
from locnet.report.stored import StoredRun, read_run
from locnet.report.svg import figure_html, panels
from locnet.runtime.files import replace_text

REPORT = "report.html"


def write_report(
    run_dir: Path,
    settings: ReportSettings,
    load_image: LoadImage,
    figures: Mapping[str, Figure] | None = None,
) -> Path:
    """Write the page.

    Args:
        run_dir: of a finished train or evaluate run, all else written.
        settings: of the page.
        load_image: gives the upright RGB image of a path relative to the data root.
        figures: of `locnet.report.plots.draw_figures`, where they are drawn already.

    Raises:
        DataError: the directory is not that of a finished run.
        ConfigError: `report.groups` asks for what is not there.
    """
    run = read_run(run_dir)
    p = run.predictions
    of_groups = groups(p, settings.groups)
    suspects = contradicted(p)
    shown, unreadable = pictures(p, chosen_rows(p, suspects, settings.images), load_image, settings.image_mb)
    link = _link(run) if settings.link else None
    found = intervals(p)
    if figures is None:
        monitor, mode = run.monitor
        figures = draw_figures(history=run.history, monitor=monitor, mode=mode, predictions=p, mean_box=run.mean_box)
    curves, boxes, objectness, reliability = (
        _figures(figures, name) for name in ("curves", "iou", "objectness", "reliability")
    )
    by_groups = "".join(f"<h3>By {_text(name)}</h3>{tables.by_group(p, name, v)}" for name, v in of_groups.items())
    sections = {
        "summary": ("Summary", f"<p class=lead>{_summary(run)}</p>{tables.headline(p, found, run.baselines)}{_how(p)}"),
        "worst": ("Worst cases", "<div id=worst-tiles class=tiles></div>" if len(p) else ""),
        "curves": ("Training", curves),
        "explorer": ("Threshold", explorer(p) if len(p) else ""),
        "classes": ("Classes and groups", tables.by_class(p) + by_groups if len(p) else ""),
        "boxes": ("Boxes and objectness", boxes + objectness),
        "trust": ("What you may rely on", about.trust(run) + reliability),
        "images": (
            "Images",
            gallery(p, of_groups, pictures=len(shown), unreadable=unreadable, link=link is not None) if len(p) else "",
        ),
        "suspects": ("Suspect labels", suspects_table(suspects, p)),
        "reproduce": ("Reproduce", about.reproduce(run)),
        "files": ("Files", about.files(run)),
    }
    sections = {name: (title, content) for name, (title, content) in sections.items() if content}
    links = "".join(f"<a href=#{name}>{title}</a>" for name, (title, _) in sections.items())
    parts = [f"<nav aria-label=contents>{links}</nav>"]
    parts += [
        f"<section id={name} aria-labelledby=h-{name}><h2 id=h-{name}>{title}</h2>{content}</section>"
        for name, (title, content) in sections.items()
    ]
    now = f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}"
    page = document(
        f"{run.path.resolve().name}: locnet {run.split}",
        parts,
        heading=f"{run.path.resolve().name}, split {run.split}",
        where=f"locnet {__version__} {run.command}, {now}, {run.path.resolve()}",
        style=resource("locnet.report.page", "report.css"),
        scripts=[resource("locnet.report.page", name) for name in ("tiles.js", "report.js")] if len(p) else [],
        data=embedded(p, pictures=shown, suspects=suspects, groups=of_groups, link=link),
    )
    path = run_dir / REPORT
    replace_text(path, page)
    return path


def _summary(run: StoredRun) -> str:
    """What a person wants to know first, in words."""
    p = run.predictions
    if not len(p):
        return "The split has no images."
    counts = dict(zip(KINDS, (int((kinds(p) == number).sum()) for number in range(len(KINDS))), strict=True))
    objects = int(p.has_object.sum())
    said = (
        f"{len(p):,} images, {objects:,} with an object. The answer is right for {counts['right']:,} "
        f"({counts['right'] / len(p):.1%}{', box included' if p.has_boxes else ''}). Otherwise: "
        f"{_some(counts['missed'], 'object')} missed, {_some(counts['false_positive'], 'false positive')}, "
        f"{counts['wrong_class']:,} of a wrong class"
    )
    return f"{said}, {counts['box_off']:,} with a box that is off (IoU below 0.5)." if p.has_boxes else f"{said}."


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _how(p: Predictions) -> str:
    return (
        f"<p class=note>Intervals: Wilson for shares, bootstrap over images ({replicates(len(p)):,} resamples) for "
        "means and average precision. Baselines are one answer for all images: the mean box of the training set, the "
        "centre box, the commonest answer. In the bars the band is the interval, the orange line the best "
        "baseline.</p>"
    )


def _figures(figures: Mapping[str, Figure], name: str) -> str:
    if name not in figures:
        return ""
    suptitle = figures[name].get_suptitle()
    drawn = "".join(figure_html(panel, panel.title or name) for panel in panels(figures[name], name))
    return (f"<p class=note>{_text(suptitle)}</p>" if suptitle else "") + f"<div class=panels>{drawn}</div>"


def _link(run: StoredRun) -> str | None:
    """The folder of the images as a URL, relative to the page where that is possible."""
    if run.root is None or "://" in str(run.root):
        return None
    try:
        relative = os.path.relpath(run.root.resolve(), run.path.resolve())
    except ValueError:  # another drive
        return run.root.resolve().as_uri() + "/"
    return quote(Path(relative).as_posix()) + "/"


def _text(said: str) -> str:
    return escape(printable(said))
