"""What faces made of ipywidgets share: how fields are labelled and wrapped, and an action that waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LABELLED = {"description_width": "initial"}
WRAPPED = {"flex_flow": "row wrap", "align_items": "center"}


def soon(action: Callable[[], object]) -> None:
    """Act once the fields are up to date: a click overtakes what was typed just before it, while the kernel is busy."""
    try:
        asyncio.get_running_loop().call_later(0.15, action)
    except RuntimeError:  # no event loop, so nobody types
        action()
