"""Charts in the browser: the grid of a board and the composer, anywidgets around the script that the report has too."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from clv_helpers.charts.vega import vega_bundle

HERE = Path(__file__).parent


@functools.cache
def _script(face: str = "clvBoard", *files: str) -> str:
    texts = [(HERE / file).read_text(encoding="utf-8") for file in ("board.js", *files)]
    return "\n".join([vega_bundle(), *texts, f"export default {{ render: {face}.render }};\n"])


class View(anywidget.AnyWidget):
    """Cards on a grid. `cards` is what is drawn; a drill-through, a pick and the page's address come as messages."""

    _css = HERE / "board.css"
    cards: Any = traitlets.List().tag(sync=True)  # a list of what `card` gives
    picks = traitlets.Bool(False).tag(sync=True)  # whether the kernel hears of a pick, which then keeps its place
    picked: Any = traitlets.Dict().tag(sync=True)  # `column` and `value` of what cards drawn anew begin with
    action = traitlets.Unicode().tag(sync=True)  # what can be done with what was picked or led to; empty: nothing
    said = traitlets.Unicode().tag(sync=True)  # what came of it
    in_address = traitlets.Bool(False).tag(sync=True)  # whether the page's address follows, which JupyterLab's may not
    address = traitlets.Unicode().tag(sync=True)  # see dashboards.address

    def __init__(self, **given: Any):
        self._esm = _script()
        super().__init__(**given)


class ComposerView(anywidget.AnyWidget):
    """The composer: `state` is all that it shows (see composer_state); each action comes as a message."""

    state: Any = traitlets.Dict().tag(sync=True)

    def __init__(self, **given: Any):
        self._esm = _script("clvComposer", "composer_forms.js", "composer.js")
        self._css = "\n".join((HERE / file).read_text(encoding="utf-8") for file in ("board.css", "composer.css"))
        super().__init__(**given)


class Choice(anywidget.AnyWidget):
    """A filter that takes several of its options, with a search; none chosen is all."""

    _esm = HERE / "choice.js"
    description = traitlets.Unicode().tag(sync=True)
    options: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    value: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
