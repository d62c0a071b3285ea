"""The segment builder in the browser: an anywidget, which shows `state` and sends what was done as messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

HERE = Path(__file__).parent


class BuilderView(anywidget.AnyWidget):
    """The page of the builder. `state` is all it shows; each action comes as a message `{do, at, …}`."""

    _esm = HERE / "segment_builder.js"
    _css = HERE / "segment_builder.css"
    state: Any = traitlets.Dict().tag(sync=True)  # what builder_state.state_of gives
