"""What a filter is chosen by on the live board: a list, days from and to, or a list of which several are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clv_helpers.charts.rows import Days
from clv_helpers.dashboards.filters import Offer
from clv_helpers.editors.editor import LABELLED

BETWEEN = "from … to"


def of(offer: Offer, chosen: Any, choose: Callable[[Any], None]) -> list[Any]:
    """A list of the choices; beside it, where days are chosen, from which day to which."""
    import ipywidgets as ipw

    if offer.takes_several:
        return [_several(offer, chosen, choose)]
    labels = [*offer.choices, *([BETWEEN] if offer.spec.dates else [])]
    shown = next((label for label, value in offer.choices.items() if value == chosen), labels[-1])
    dropdown = ipw.Dropdown(
        options=labels, value=shown, description=offer.spec.label, style=LABELLED, layout={"width": "auto"}
    )
    days = chosen if isinstance(chosen, Days) else (None, None)
    pickers = [
        ipw.DatePicker(description=word, value=day, style=LABELLED, layout={"width": "170px"})
        for word, day in zip(("from", "to"), days, strict=True)
        if offer.spec.dates
    ]

    def tell(_: Any = None) -> None:
        between = dropdown.value == BETWEEN
        for picker in pickers:
            picker.layout.display = "" if between else "none"
        picked = Days(*(picker.value for picker in pickers)) if between else offer.choices[dropdown.value]
        if not between or all(picked):
            choose(picked)

    tell()
    for control in (dropdown, *pickers):
        control.observe(tell, "value")
    return [dropdown, *pickers]


def _several(offer: Offer, chosen: Any, choose: Callable[[Any], None]) -> Any:
    """A list of which several may be chosen; none is all."""
    from clv_helpers.dashboards.grid import Choice

    options = {label: value for label, value in offer.choices.items() if value is not None}
    values = chosen if isinstance(chosen, list) else [chosen]
    shown = [label for label, value in options.items() if value in values]
    control = Choice(description=offer.spec.label, options=list(options), value=shown)
    control.observe(lambda change: choose([options[label] for label in change["new"]] or None), "value")
    return control
