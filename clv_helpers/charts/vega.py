"""Vega, Vega-Lite and vega-embed as one script, so that charts are drawn without the network."""

from __future__ import annotations

from importlib.metadata import version

from clv_helpers.config.workbook import outputs_folder
from clv_helpers.files import write_atomically


def vega_bundle() -> str:
    """The script, which sets window.vegaEmbed. Cost: 3 s the first time; then it is in the user's cache folder."""
    import vl_convert

    kept = outputs_folder() / f".vega-{version('vl-convert-python')}.js"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;"))
    return kept.read_text(encoding="utf-8")
