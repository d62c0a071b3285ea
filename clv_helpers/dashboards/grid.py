"""The grid of charts in the browser: an anywidget around the script that the report uses as well."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from clv_helpers.charts.vega import vega_bundle

HERE = Path(__file__).parent


@functools.cache
def _script() -> str:
    board = (HERE / "board.js").read_text(encoding="utf-8")
    return f"{vega_bundle()}\n{board}\nexport default {{ render: clvBoard.render }};\n"


class View(anywidget.AnyWidget):
    """Cards on a grid. `cards` is what is drawn; a drill-through comes as a message."""

    _css = HERE / "board.css"
    cards: Any = traitlets.List().tag(sync=True)  # a list of what `card` gives

    def __init__(self, **given: Any):
        self._esm = _script()
        super().__init__(**given)
