"""Whether a widget, a filter or a query may be shown, by the lineage of its columns alone: no data are read.

What is shown names nobody, and what is about people says in one of its columns how many they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlglot import exp
from sqlglot.errors import SqlglotError

from clv_helpers.charts.rows import POPULATION, named, population
from clv_helpers.charts.spec import ChartError, Widget
from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.guarded_query import parse_select
from clv_helpers.models.column_lineage import Column, Made, name_of
from clv_helpers.models.people import People, way_in_words

MOST_KEPT = 500
_judged: dict[tuple[object, ...], str] = {}
_people: dict[tuple[object, ...], People] = {}


class Source(NamedTuple):
    """Where columns come from: the tables' columns behind each, in small letters."""

    name: str
    made: dict[str, Made]


def check_widget(workbook: Workbook, widget: Widget) -> None:
    """Raise ChartError for a widget that may not be shown."""
    if problem := widget_problem(workbook, widget):
        raise ChartError(f"widget {widget.title!r}: {problem}")


def widget_problem(workbook: Workbook, widget: Widget) -> str:
    """Why a widget may not be shown; empty: it may.

    Cost: of the first on a table 10 to 100 ms, of one that was judged before nothing.
    """
    key = (*_state(workbook), widget.model_dump_json())
    if key not in _judged:
        if len(_judged) >= MOST_KEPT:
            _judged.clear()
        _judged[key] = _widget_problem(workbook, widget)
    return _judged[key]


def filter_problem(workbook: Workbook, table: str, column: str) -> str:
    """Why a board may not offer the values of a column for its choice; empty: it may."""
    return _names_somebody(people_of(workbook), "it offers", column, [(table, column)])


def query_problem(workbook: Workbook, query: exp.Query, people: str = "") -> tuple[str, str]:
    """Why the rows of a query may not be shown (empty: they may), and its column that counts their people, if any."""
    asked = people_of(workbook)
    source = Source("the query", asked.made_by(query))
    columns = list(source.made)
    counting = people or next((name for name in POPULATION if name in columns), "")
    return _problem(workbook, asked, source, columns, counting), counting


def people_of(workbook: Workbook) -> People:
    """What the lineage of a workbook says of people; kept as long as its tables and params are as they were."""
    key = _state(workbook)
    if key not in _people:
        _people.clear()
        _people[key] = People(workbook)
    return _people[key]


def _state(workbook: Workbook) -> tuple[object, ...]:
    files = sorted((workbook.specs / "sql").glob("*")) + sorted((workbook.specs / "dashboards").glob("*.sql"))
    published = workbook.engine.published
    stamps = tuple(
        (str(file), file.stat().st_mtime_ns) for file in [*files, *([published] if published.exists() else [])]
    )
    return (str(workbook.file), workbook.params.model_dump_json(), stamps)


def _widget_problem(workbook: Workbook, widget: Widget) -> str:
    people = people_of(workbook)
    try:
        source = _source(people, workbook, widget)
    except SqlglotError as error:
        return f"the columns of {widget.source} cannot be traced ({str(error).splitlines()[0]})"
    if source is None:
        return ""  # there is no such table or file, as is said elsewhere
    columns = [name.lower() for name in shown_columns(widget)]
    counting = population(widget, list(source.made)) or ""
    return _problem(workbook, people, source, columns, counting)


def shown_columns(widget: Widget) -> list[str]:
    """The columns that a widget shows, names in its title, or sorts and chooses by, each once."""
    names = [*named(widget), *re.findall(r"{(\w+)}", widget.title + widget.subtitle)]
    names += widget.title_from if isinstance(widget.title_from, dict) else ()
    names += [field.sort.lstrip("-") for field in widget.fields if isinstance(field.sort, str)]
    return list(dict.fromkeys(names))


def _source(people: People, workbook: Workbook, widget: Widget) -> Source | None:
    if widget.table:
        columns = people.graph.columns(widget.table)
        return Source(widget.table, {c.lower(): Made([(widget.table, c)], "", [(widget.table, c)]) for c in columns})
    file = yaml_files.find(workbook, "dashboards", str(widget.sql), "sql")
    return Source(widget.source, people.made_by(parse_select(file.read_text("utf-8"), file.name))) if file else None


def _problem(workbook: Workbook, people: People, source: Source, columns: Iterable[str], counting: str) -> str:
    known = [name for name in columns if name in source.made]
    for name in known:
        if said := _names_somebody(people, f"{source.name} shows", name, source.made[name].carries):
            return said
    about = [name for name in known if people.are_about_people(source.made[name].values)]
    if not about or workbook.params.min_cell == 1:
        return ""
    if counting not in source.made:
        return (
            f"{source.name} shows {about[0]}, which is about {workbook.words.customers}, and no column says how many "
            f"they are; allowed: with one that counts them, named {POPULATION[0]}, or under people"
        )
    made = source.made[counting]
    if not people.are_about_people(made.values) or any(people.named_by(column) for column in made.carries):
        return (
            f"{counting} of {source.name} does not count {workbook.words.customers} ({_origin(made.values)}); allowed: "
            f"a COUNT of them, or a SUM of such counts"
        )
    return ""


def _names_somebody(people: People, what: str, name: str, carried: list[Column]) -> str:
    for column in carried:
        if way := people.named_by(column):
            origin = way_in_words(way)
            return f"{what} {name}, which tells of one person ({origin}); allowed: counts and sums over groups"
    return ""


def _origin(columns: list[Column]) -> str:
    return "it is made of " + ", ".join(map(name_of, columns)) if columns else "it is made of no column"


def board_problems(
    workbook: Workbook, filters: Iterable[tuple[str, str]], widgets: Iterable[Widget]
) -> Iterator[tuple[str, str]]:
    """What of a board may not be shown: the place (`widgets[0]`), and why. `filters`: table and column of each."""
    for index, widget in enumerate(widgets):
        if problem := widget_problem(workbook, widget):
            yield f"widgets[{index}]", problem
    for index, (table, column) in enumerate(filters):
        if problem := filter_problem(workbook, table, column):
            yield f"filters[{index}]", problem
