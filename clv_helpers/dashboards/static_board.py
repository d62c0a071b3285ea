"""A dashboard for a page without a kernel: each chart holds its rows for every choice of the filters it follows."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pandas as pd

from clv_helpers.charts import MAX_ROWS, ChartError, NotMade, Picture, Widget, picture
from clv_helpers.charts.categories import Categories, categories, merged
from clv_helpers.charts.rows import narrowing, source_of
from clv_helpers.charts.show import BOARD_MIME, Output, escaped, note
from clv_helpers.charts.texts import plain_title, with_words
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import filters
from clv_helpers.dashboards.drawing import card_of, card_without
from clv_helpers.dashboards.filters import Choice
from clv_helpers.dashboards.spec import BoardFilter, load
from clv_helpers.engines.session import Session

MOST_CHOICES = 80


def board(workbook: Workbook, name: str) -> Output:
    """A dashboard with its filters; where no script runs, as still pictures with the filters' defaults."""
    dashboard = load(workbook, name)
    with workbook.engine.read() as session:
        offered = [filters.choices(session, board_filter) for board_filter in dashboard.filters]
        begins = [
            choices.index(filters.default_of(board_filter, choices))
            for board_filter, choices in zip(dashboard.filters, offered, strict=True)
        ]
        cards = [
            _card_or_why_not(session, workbook, name, w, dashboard.filters, offered, begins) for w in dashboard.widgets
        ]
    used = {index for card in cards if card["choices"] for index, _ in card["choices"]["filters"]}
    selects = [
        {"label": board_filter.label, "options": [c.label for c in choices], "first": first, "used": index in used}
        for index, (board_filter, choices, first) in enumerate(zip(dashboard.filters, offered, begins, strict=True))
    ]
    content: dict[str, Any] = {"name": name, "title": dashboard.title, "description": dashboard.description}
    content |= {"filters": selects, "cards": cards}
    return Output({BOARD_MIME: content, "text/html": _still(content), "text/plain": dashboard.title})


def _card_or_why_not(session: Session, workbook: Workbook, name: str, widget: Widget, *chosen: Any) -> dict[str, Any]:
    """A widget's card; where its table was not made, its place says why. Raises ChartError, which names the file."""
    try:
        return _card(session, workbook, widget, *chosen)
    except NotMade as error:
        reason = note(str(error)).bundle["text/html"]
        return card_without(plain_title(with_words(widget, workbook)), widget.width, reason) | {"choices": None}
    except ChartError as error:
        raise ChartError(f"dashboards/{name}.yml, {error}") from None


def _card(
    session: Session,
    workbook: Workbook,
    widget: Widget,
    specs: list[BoardFilter],
    offered: list[list[Choice]],
    begins: list[int],
) -> dict[str, Any]:
    """One widget, drawn with the defaults; with the rows and texts of all choices where it follows a filter."""
    start = {s.column: choices[i] for s, choices, i in zip(specs, offered, begins, strict=True)}
    first = picture(session, workbook, widget, filters.narrowed(start))
    card = card_of(first) | {"choices": None}
    known = list(session.columns(source_of(session, workbook, widget).copy()))
    wired = [i for i, s in enumerate(specs) if narrowing(widget, {s.column: _any(offered[i])}, known)]
    wired = [i for i in wired if len(offered[i]) > 1]
    count = math.prod(len(offered[i]) for i in wired)
    if not wired or count > MOST_CHOICES or widget.mark == "venn":
        return card
    drawn = []
    for combination in itertools.product(*(offered[i] for i in wired)):
        chosen = start | {specs[i].column: choice for i, choice in zip(wired, combination, strict=True)}
        drawn.append(picture(session, workbook, widget, filters.narrowed(chosen)))
    return card | _with_choices(first, drawn, wired, offered, begins)


def _any(choices: list[Choice]) -> Any:
    return next((choice.value for choice in choices if choice.value is not None), None)


def _with_choices(
    first: Picture, drawn: list[Picture], wired: list[int], offered: list[list[Choice]], begins: list[int]
) -> dict[str, Any]:
    """The first picture with the rows of all, of which one choice is shown."""
    rows = pd.concat([one.rows.assign(choice=number) for number, one in enumerate(drawn)], ignore_index=True)
    if len(rows) > 4 * MAX_ROWS:
        return {}
    number = 0
    for i in wired:
        number = number * len(offered[i]) + begins[i]
    return {
        "spec": replace(first, categories=_axes(drawn)).with_rows(rows, number) if first.spec else {},
        "choices": {
            "filters": [[i, len(offered[i])] for i in wired],
            "texts": [[one.title, one.subtitle] for one in drawn],
            "html": [one.html for one in drawn] if first.html else None,
            "first": number,
        },
    }


def _axes(drawn: list[Picture]) -> Categories:
    """The categories of all choices, where those of any must be given."""
    if not any(one.categories for one in drawn):
        return {}
    return merged([one.categories or categories(one.widget, one.rows, one.rows) for one in drawn])


def _still(content: dict[str, Any]) -> str:
    """Pictures one below the other, for those who open the executed notebook."""
    import vl_convert

    parts = [f"<h3>{escaped(content['title'])}</h3>"]
    for card in content["cards"]:
        parts.append(f"<h4>{escaped(card['title'])}</h4><p>{escaped(card['subtitle'])}</p>")
        parts.append(vl_convert.vegalite_to_svg(card["spec"]) if card["spec"] else card["html"])
    return "".join(parts)
