"""A dashboard for a page without a kernel: each chart holds its rows for every choice of the filters it follows.

And without its filters: its charts one below the other.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from dataclasses import replace
from typing import Any

import pandas as pd

from clv_helpers.charts import MAX_ROWS, ChartError, NotMade, Picture, Widget, draw, picture
from clv_helpers.charts.categories import Categories, categories, merged
from clv_helpers.charts.rows import narrowing, source_of
from clv_helpers.charts.show import BOARD_MIME, IN_NOTEBOOK, Output, escaped, note, stack
from clv_helpers.charts.texts import plain_title, with_words
from clv_helpers.charts.vega import still
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import filters
from clv_helpers.dashboards.filters import Offer, offers
from clv_helpers.dashboards.spec import load
from clv_helpers.engines.guarded_query import MEMORY
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError

MOST_CHOICES = 80


def board(workbook: Workbook, name: str) -> Output:
    """A dashboard with its filters; where no script runs, as still pictures with the filters' defaults.

    Raises ChartError, which names the file.
    """
    dashboard = load(workbook, name)
    with workbook.engine.read(memory=MEMORY) as session:
        offered = offers(session, workbook, dashboard)
        try:
            cards = [_card(session, workbook, widget, offered) for widget in dashboard.widgets]
        except ChartError as error:
            raise ChartError(f"dashboards/{name}.yml, {error}") from None
    used = {index for card in cards if card["choices"] for index, _ in card["choices"]["filters"]}
    selects = [
        {
            "column": offer.column,
            "label": offer.spec.label,
            "options": list(offer.choices),
            "first": list(offer.choices).index(offer.first),
            "used": index in used,
        }
        for index, offer in enumerate(offered)
    ]
    content: dict[str, Any] = {"name": name, "title": dashboard.title, "description": dashboard.description}
    content |= {"filters": selects, "cards": cards}
    return Output({BOARD_MIME: content, "text/html": _still(content), "text/plain": dashboard.title})


def _card(session: Session, workbook: Workbook, widget: Widget, offered: list[Offer]) -> dict[str, Any]:
    """One widget, drawn with the defaults; with the rows and texts of all choices where it follows a filter.

    Where its table was not made, its place says why.
    """
    begins = {offer.column: offer.choices[offer.first] for offer in offered}

    def drawn(chosen: dict[str, Any]) -> Picture:
        narrowed = {name: value for name, value in chosen.items() if value is not None}
        return picture(session, workbook, widget, narrowed, begins)

    try:
        first = drawn(begins)
    except NotMade as error:
        return card_without(workbook, widget, error, "clv-note") | {"choices": None}
    card = first.card | {"choices": None}
    wired = _wired(session, workbook, widget, offered)
    if not wired or widget.mark == "venn":
        return card
    columns = [offer.column for offer in wired.values()]
    combinations = list(itertools.product(*(offer.choices.values() for offer in wired.values())))
    every = [drawn(begins | dict(zip(columns, values, strict=True))) for values in combinations]
    every = [
        one.saying(filters.said(list(wired.values()), dict(zip(columns, values, strict=True)), columns, one.is_empty))
        for one, values in zip(every, combinations, strict=True)
    ]
    number = combinations.index(tuple(begins[name] for name in columns))
    return card | _with_choices(first, every, [[i, len(offer.choices)] for i, offer in wired.items()], number)


def _wired(session: Session, workbook: Workbook, widget: Widget, offered: list[Offer]) -> dict[int, Offer]:
    """The filters that a widget follows and that leave a choice, by their place: those of the fewest choices, where
    all would be too many together."""
    known = list(session.columns(source_of(session, workbook, widget).copy()))
    followed = [narrowing(widget, {offer.column: list(offer.choices.values())[-1]}, known) for offer in offered]
    wired: dict[int, Offer] = {}
    for i, offer in sorted(enumerate(offered), key=lambda pair: len(pair[1].choices)):
        together = math.prod(len(other.choices) for other in (*wired.values(), offer))
        if followed[i] and len(offer.choices) > 1 and together <= MOST_CHOICES:
            wired[i] = offer
    return dict(sorted(wired.items()))


def _with_choices(first: Picture, every: list[Picture], wired: list[list[int]], number: int) -> dict[str, Any]:
    """The first picture with the rows of all, of which one choice is shown."""
    rows = pd.concat([one.rows.assign(choice=choice) for choice, one in enumerate(every)], ignore_index=True)
    if len(rows) > 4 * MAX_ROWS:
        return {}
    texts = [[one.title, one.subtitle] for one in every]
    return {
        "spec": replace(first, categories=_axes(every), happened=_happened(every)).with_rows(rows, number)
        if first.spec
        else {},
        "choices": {
            "filters": wired,
            "texts": texts,
            "empty": [number for number, one in enumerate(every) if one.is_empty],
            "html": [one.html for one in every] if first.html else None,
            "first": number,
        },
    }


def _happened(every: list[Picture]) -> pd.DataFrame | None:
    """What happened beside each choice."""
    told = [one.happened.assign(choice=choice) for choice, one in enumerate(every) if one.happened is not None]
    return pd.concat(told, ignore_index=True) if told else None


def _axes(every: list[Picture]) -> Categories:
    """The categories of all choices, where those of any must be given."""
    if not any(one.categories for one in every):
        return {}
    return merged([one.categories or categories(one.widget, one.rows, one.rows) for one in every])


def _still(content: dict[str, Any]) -> str:
    """Pictures side by side as on the board, for those who open the executed notebook."""
    parts = [f"{IN_NOTEBOOK}<h3>{escaped(content['title'])}</h3><div class='clv-stills'>"]
    for card in content["cards"]:
        head = f"<h4>{escaped(card['title'])}</h4><p>{escaped(card['subtitle'])}</p>"
        drawn = still(card["spec"]) if card["spec"] else card["html"]
        parts.append(f"<figure class='clv-{card['width'].replace(' ', '-')}'>{head}{drawn}</figure>")
    return "".join(parts) + "</div>"


def show(workbook: Workbook, name: str, filters: dict[str, Any] | None = None) -> Output:
    """All charts of a dashboard, one below the other, narrowed by `filters`: column → value, values or Days.

    Raises ParamsError for a dashboard that does not exist, ChartError for one of its charts that cannot be drawn.

    Example:
        >>> len(dashboards.show(wb, "decile", {"decile": 1}).parts)
        3
    """
    dashboard = load(workbook, name)
    across = [spec.column for spec in dashboard.filters]
    return stack(*(_drawn(workbook, widget, filters, across) for widget in dashboard.widgets))


def titles(workbook: Workbook, name: str) -> list[str]:
    """What the charts of a dashboard say at its filters' defaults: their titles, as far as they are computed.

    Example:
        >>> dashboards.titles(wb, "value")[0]
        'The best tenth ...'
    """
    dashboard = load(workbook, name)
    told = [widget for widget in dashboard.widgets if "{" in widget.title and widget.mark != "number"]
    with workbook.engine.read(memory=MEMORY) as session:
        begins = {offer.column: offer.choices[offer.first] for offer in offers(session, workbook, dashboard)}
        narrowed = {name: value for name, value in begins.items() if value is not None}
        drawn = []
        for widget in told:
            with contextlib.suppress(NotMade):
                drawn.append(picture(session, workbook, widget, narrowed, begins))
    return [each.title for each in drawn if not each.rows.empty]


def _drawn(workbook: Workbook, widget: Widget, filters: dict[str, Any] | None, across: list[str]) -> Output:
    """The widget, or why the stage that makes its table did not."""
    try:
        return draw(workbook, widget, filters, across)
    except NotMade as reason:
        return note(str(reason))


def card_without(workbook: Workbook, widget: Widget, reason: UserError, css: str) -> dict[str, Any]:
    """The card of a widget that is not drawn: it says why, and the others stand."""
    title = plain_title(with_words(widget, workbook)) if isinstance(reason, NotMade) else widget.title
    body = f"<p class='{css}'>{escaped(str(reason))}</p>"
    empty = {"subtitle": "", "spec": {}, "pick": [], "headers": {}}
    return {"title": title, "html": body, "width": widget.width, **empty}
