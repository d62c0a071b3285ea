"""Vega, Vega-Lite and vega-embed as one script, so that charts are drawn without the network."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
from typing import Any

import platformdirs

from clv_helpers.files import write_atomically

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

    Both are half of the file; its title names the chart, and its rows stand in a table of their own.
    """
    import vl_convert

    svg = vl_convert.vegalite_to_svg({**spec, "config": {**spec.get("config", {}), "aria": False}})
    return PLACES.sub(lambda attribute: re.sub(r"(\.\d)\d+", r"\1", attribute[0]), svg)
