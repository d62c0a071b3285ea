"""Vega, Vega-Lite and vega-embed as one script, so that charts are drawn without the network."""

from __future__ import annotations

import contextlib
import importlib.metadata

import platformdirs

from clv_helpers.files import write_atomically


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
