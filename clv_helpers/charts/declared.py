"""What a chart may show, judged by lineage: no column that names a person, and of people only counted groups.

A chart of rows that are about people declares the column that counts them (`customers` or the like, or `people:` in
the widget); lineage verifies that the column does. What traces to no row about customers is not about people.
Nothing is read but SQL: a file is judged before its tables are there, and again when it is drawn.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import SqlglotError

from clv_helpers.charts.cube import judged
from clv_helpers.charts.disclosure import too_small
from clv_helpers.charts.measures import with_rounded
from clv_helpers.charts.rows import POPULATION, named, population
from clv_helpers.charts.spec import ENDS, ChartError, Widget
from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.guarded_query import parse_select
from clv_helpers.models.personal import NOTHING, About, People, Rows, people_of

if TYPE_CHECKING:
    import pandas as pd

EXTREMES = ("lowest_value", "highest_value")  # of a decile: for the table of its edges alone, which rounds them more


def check_declared(workbook: Workbook, widget: Widget) -> None:
    """Raise ChartError, in one sentence with the column's way, for a widget that would show a person.

    Cost: a tenth of a second or less for each new table on its way; nothing the second time.
    """
    people = people_of(workbook)
    asked = (widget.model_dump_json(), _sql_of(workbook, widget))
    if asked not in people.judged:
        people.judged[asked] = _judged(workbook, people, widget, asked[1])
    if refused := people.judged[asked]:
        raise ChartError(f"widget {widget.title!r}: {refused}")


def check_choices(workbook: Workbook, place: str, table: str, column: str) -> None:
    """Raise ChartError for a board's filter whose choices would be persons."""
    fact = people_of(workbook).table(table).columns.get(column.lower(), NOTHING)
    if fact.way:
        raise ChartError(f"{place}: {_names_a_person(workbook, f'{table}.{column}', fact.way)}")


def as_shown(workbook: Workbook, sql: str, rows: pd.DataFrame, people: str | None) -> pd.DataFrame:
    """Rows of a SELECT as they may be shown: without small groups, the numbers rounded. Raises ChartError."""
    who, query = people_of(workbook), parse_select(sql, "SQL")
    shows = list(map(str, rows.columns)) or ["nothing"]
    asked = {"title": "SQL", "sql": "query", "mark": "table", "columns": shows, "people": people}
    widget = Widget.model_validate(asked)
    try:
        about = who.query(query)
    except SqlglotError as error:
        raise ChartError(_unreadable("the SELECT", error)) from None
    if population(widget, shows) is None:  # then any that counts them
        counting = (name for name in shows if about.columns.get(name.lower(), NOTHING).counts)
        widget = widget.model_copy(update={"people": next(counting, None)})
    if refused := _refused(workbook, widget, about):
        raise ChartError(refused.replace(widget.source, "the SELECT"))
    if about.rows == Rows.NOBODY:
        return rows
    least = workbook.params.min_cell
    kept = rows[~too_small(rows, widget, least) & ~judged(rows, widget, least).hides(rows, {})]
    keys = {name for name in shows if name in _keys(who, query)}
    return with_rounded(kept, widget.model_copy(update={"highlight": dict.fromkeys(keys, "")}), workbook)


def _keys(people: People, query: exp.Query) -> set[str]:
    """The columns that say which row it is: what is grouped by, and the keys of the tables that are read."""
    grouped = {part.name for group in query.find_all(exp.Group) for part in group.find_all(exp.Column)}
    read = {f"{mention.db}.{mention.name}" for mention in query.find_all(exp.Table)}
    return grouped.union(*map(people.key, read))


def _judged(workbook: Workbook, people: People, widget: Widget, sql: str) -> str:
    """Why a widget is refused, by its table or by its SQL; empty where it is not."""
    try:
        about = people.table(widget.table) if widget.table else people.query(parse_select(sql, widget.source))
    except SqlglotError as error:
        return _unreadable(widget.source, error)
    return _refused(workbook, widget, about)


def _unreadable(source: str, error: SqlglotError) -> str:
    why = str(error).splitlines()[0]
    return f"where the columns of {source} come from cannot be read ({why}); allowed: a SELECT whose columns are of the tables it names"  # fmt: skip # noqa: E501


def _refused(workbook: Workbook, widget: Widget, about: About) -> str:
    """Why what tells so much is not shown; empty where it may be."""
    for name in shown(widget):
        if name in EXTREMES:
            return f"it shows {name}, which is one customer's; allowed: sums and means over groups"
        if way := about.columns.get(name.lower(), NOTHING).way:
            return _names_a_person(workbook, name, way)
    return _without_people(workbook, widget, about)


def _without_people(workbook: Workbook, widget: Widget, about: About) -> str:
    """Why rows about people are not shown: they are single persons, or nothing counts who they are."""
    allowed = f"allowed: groups of at least {workbook.params.min_cell} customers, counted in one of {', '.join(POPULATION)}, or in the column that `people` names"  # fmt: skip # noqa: E501
    if about.rows == Rows.NOBODY:
        return ""
    if about.rows >= Rows.PERSON:
        return f"{widget.source} has rows of single persons; {allowed}"
    column = population(widget, list(about.columns))
    if column is None:
        return f"{widget.source} is about people, and has no column that counts them; {allowed}"
    if not about.columns.get(column.lower(), NOTHING).counts:
        return f"{widget.source} has {column}, which counts no customers; allowed: COUNT(DISTINCT customer_id), COUNT(*) of a row per customer, or a sum of these"  # fmt: skip # noqa: E501
    return ""


def shown(widget: Widget) -> list[str]:
    """The columns that a widget shows, names in its texts, or sorts and chooses by, each once."""
    names = [*named(widget), *(name for name in re.findall(r"{(\w+)}", " ".join(widget.texts)) if name not in ENDS)]
    names += widget.title_from if isinstance(widget.title_from, dict) else ()
    names += [field.sort.lstrip("-") for field in widget.fields if isinstance(field.sort, str)]
    return list(dict.fromkeys(names))


def _names_a_person(workbook: Workbook, column: str, way: tuple[str, ...]) -> str:
    least = workbook.params.min_cell
    return (
        f"it shows {column}, which names a person ({' → '.join(way)}); "
        f"allowed: counts and sums over groups of at least {least} customers"
    )


def _sql_of(workbook: Workbook, widget: Widget) -> str:
    """The text of the widget's SQL file; none for a table. One that is not there is told where rows are read."""
    file = yaml_files.find(workbook, "dashboards", widget.sql, "sql") if widget.sql else None
    return file.read_text("utf-8") if file else "SELECT 1 AS nothing"
