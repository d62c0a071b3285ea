"""Vega, Vega-Lite and vega-embed as one script, so that charts are drawn without the network."""

from __future__ import annotations

import contextlib
import hashlib
import html
import importlib.metadata
import re
from typing import Any

import platformdirs

from clv_helpers.charts.theme import CONFIG, FONT, INK
from clv_helpers.files import write_atomically

IDS = re.compile(r'(id="|url\(#)((?:clip|gradient|mark)[\w-]*)')  # of parts of an SVG
STILL_MIME = "image/svg+xml"
LINE, LETTER = 18, 7.2  # pixels: between lines of a title, and the width of a letter
BESIDE = 20  # pixels: for names on an axis where a reader's letters are wider than those that were measured
PLACES = re.compile(r' (?:d|transform|[xy][12]?)="[^"]*"')  # the attributes of an SVG that say where something is


def vega_bundle() -> str:
    """The script, which sets window.vegaEmbed. Cost: 3 s the first time; then it is in the user's cache folder."""
    import vl_convert

    version = importlib.metadata.version("vl-convert-python")
    kept = platformdirs.user_cache_path("clv-helpers", appauthor=False) / f"vega-{version}.js"
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    script = vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;")
    with contextlib.suppress(OSError):  # where there is no folder to write to, it is made each time
        write_atomically(kept, script)
    return script


def still(spec: dict[str, Any]) -> str:
    """A chart as an SVG, for where no script runs: without a label at each mark, to a tenth of a pixel.

    Both are half of the file; its title names the chart, and its rows stand in a table of their own. The names of its
    parts are its own, as several stand in one page.
    """
    import vl_convert

    svg = vl_convert.vegalite_to_svg({**spec, "config": {**spec.get("config", {}), "aria": False}})
    short = PLACES.sub(lambda attribute: re.sub(r"(\.\d)\d+", r"\1", attribute[0]), svg)
    names = list(dict.fromkeys(name for _, name in IDS.findall(short)))
    digest = hashlib.sha256(IDS.sub("", short).encode()).hexdigest()[:8]  # vega counts its names on over a process
    return IDS.sub(lambda named: f"{named[1]}p{digest}-{names.index(named[2])}", short)


def titled(picture: str, title: list[str], subtitle: list[str]) -> str:
    """A still below its title and second line, as one SVG: for a page that shows a chart as it is.

    Example:
        >>> drawn = titled('<svg width="90" height="40"></svg>', ["Ten came"], [])
        >>> drawn[:29], untitled(drawn)
        ('<svg xmlns="http://www.w3.org', '<svg x="20" y="24" width="90" height="40" overflow="visible"></svg>')
    """
    width, height = (float(size) for size in re.findall(r' (?:width|height)="([\d.]+)', picture)[:2])
    lines = [(text, f'font-weight="600" font-size="14" fill="{INK}"') for text in title]
    lines += [(text, f'font-size="12" fill="{CONFIG["title"]["subtitleColor"]}"') for text in subtitle]
    said = "".join(
        f'<text x="4" y="{16 + LINE * place}" font-family="{FONT}" {looks}>{html.escape(text)}</text>'
        for place, (text, looks) in enumerate(lines)
    )
    top, room = LINE * len(lines) + 6, max([width + 2 * BESIDE, *(LETTER * len(text) for text, _ in lines)])
    size = f'width="{room:g}" height="{height + top:g}" viewBox="0 0 {room:g} {height + top:g}"'
    below = picture.replace("<svg ", f'<svg x="{BESIDE}" y="{top}" ', 1).replace(">", ' overflow="visible">', 1)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{said}{below}</svg>'


def untitled(picture: str) -> str:
    """The still in what `titled` made."""
    return picture[picture.index("<svg", 1) : -len("</svg>")]
