"""Figures as SVG that stands in a page: its text is text, its colours are the page's, each panel for itself.

The charts of the page are matplotlib's, the same as in `plots/`: it is here anyway, and needs no script in the page.
plotly would add 4.7 MB of JavaScript to every report and bokeh or vega 1 MB, each drawing on a canvas or only once its
scripts have run; these are some 20 KB a figure, are read aloud, printed and searched like the text around them.
"""

from __future__ import annotations

import io
import re
from typing import NamedTuple
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from locnet.report import style

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_NAMES = {
    style.INK: "ink",
    style.GREY: "grey",
    style.PALE: "pale",
    style.BLUE: "blue",
    style.ORANGE: "orange",
    style.GREEN: "green",
    style.PURPLE: "purple",
    style.text_colour(style.ORANGE): "orange-ink",
    "#ffffff": "paper",
    "#000000": "ink",
}
_COLOURS = {colour.lower(): f"var(--{name})" for colour, name in _NAMES.items()}
_COLOUR = re.compile("|".join(_COLOURS), re.IGNORECASE)
_FONT = re.compile(r"font-family: [^;\"]*; ?")
_TAG = re.compile(r"<[^>]*>")
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_MARGIN = 4.0


class Panel(NamedTuple):
    """One pair of axes.

    Attributes:
        title: that stands above it.
        svg: the element, as wide as the place that it is given.
        frame: left, top, right, bottom of the axes in the units of the SVG.
    """

    title: str
    svg: str
    frame: tuple[float, float, float, float]


def panels(figure: Figure, name: str) -> list[Panel]:
    """The axes of a figure, in the order in which they were added.

    Args:
        figure: drawn already or not; it is not to be used afterwards.
        name: that no other figure of the page has.
    """
    for text in figure.findobj(Text):
        text.set_path_effects([])  # they would turn letters into outlines; the page's style draws the halo
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    stream = io.BytesIO()
    figure.dpi = 72
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "path.simplify_threshold": 0.3}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    root = ET.fromstring(stream.getvalue())
    groups = {element.get("id"): element for element in root.iter(f"{{{_SVG}}}g")}
    shared = [element for element in root if element.tag == f"{{{_SVG}}}defs"]
    height = figure.get_figheight() * 72
    found = []
    for index, axes in enumerate(figure.axes):
        group = groups[f"axes_{index + 1}"]
        box = _bounds(axes)
        inside = axes.get_window_extent()
        found.append(
            Panel(
                title=axes.get_title(loc="left"),
                svg=_svg([*shared, group], box, height, f"{name}{index}"),
                frame=(inside.x0, height - inside.y1, inside.x1, height - inside.y0),
            )
        )
    return found


def figure_html(panel: Panel, label: str, *, more: str = "") -> str:
    """The panel as a figure that says what it shows.

    Args:
        panel: one of `panels`.
        label: for those who hear the page.
        more: HTML behind the drawing.
    """
    said = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    svg = panel.svg.replace("<svg ", f'<svg class=plot role=img aria-label="{said}" ', 1)
    return f"<figure class=panel>{svg}{more}</figure>"


def _bounds(axes: Axes) -> Bbox:
    """What the axes and all that belongs to them take, in points from the lower left corner."""
    box = axes.get_tightbbox()
    assert box is not None
    return box.padded(_MARGIN)


def _svg(elements: list[ET.Element], box: Bbox, height: float, name: str) -> str:
    place = f"{box.x0:.1f} {height - box.y1:.1f} {box.width:.1f} {box.height:.1f}"
    inner = "".join(ET.tostring(element, encoding="unicode") for element in elements)
    inner = re.sub(r' xmlns(:\w+)?="[^"]*"', "", inner)
    inner = re.sub(r"<(/?)ns\d+:", r"<\1", inner).replace("ns1:href", "href")
    inner = re.sub(r"\bns\d+:", "", inner)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', inner))
    inner = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", inner)
    inner = re.sub(r'(url\(#|href="#)', rf"\1{name}-", inner)
    inner = _COLOUR.sub(lambda m: _COLOURS[m[0].lower()], inner)
    inner = _FONT.sub("", re.sub(r"<style.*?</style>", "", inner, flags=re.DOTALL))  # the page's are inherited
    inner = _TAG.sub(lambda m: _LONG_NUMBER.sub(r"\1", m[0]), re.sub(r"\n\s*", " ", inner))
    return f'<svg viewBox="{place}" style="max-width:{1.25 * box.width:.0f}px">{inner}</svg>'
