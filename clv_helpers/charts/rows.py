"""The rows of a widget: its table or its SQL file, filtered, grouped and sorted by the engine."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlglot import exp

from clv_helpers import models
from clv_helpers.charts.spec import ChartError, NotMade, Widget
from clv_helpers.config import yaml_files
from clv_helpers.config.tables import SCHEMAS
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import cast, column, is_in, literal, table, to_sql
from clv_helpers.engines.guarded_query import limited, parse_select
from clv_helpers.engines.session import Session

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 2_000
# Columns that count people, by which small groups are known; the first that a table has is a row's population.
POPULATION = ("customers", "active_customers", "delivered", "sent", "profiles", "people")
PURCHASES = "purchases"  # where nothing counts people: each is one person's, so there are no more people than these


class Behind(NamedTuple):
    """What a mark shows: the table, the column that counts its customers, and the values that its rows are of."""

    table: str
    people: str
    values: dict[str, Any]


class Days(tuple):
    """A range of days as a filter: first and last, both within."""

    def __new__(cls, first: dt.date, last: dt.date) -> Days:
        return super().__new__(cls, (first, last))


def read_rows(session: Session, workbook: Workbook, widget: Widget, filters: dict[str, Any]) -> pd.DataFrame:
    """The widget's rows. Raises ChartError for a column that its data lacks, or for more than 2,000 rows."""
    query = select(session, workbook, widget, filters).limit(widget.limit or MAX_ROWS + 1)
    with limited(session, to_sql(query), f"widget {widget.title!r}"):
        rows = session.frame(query)
    if len(rows) > MAX_ROWS:
        raise ChartError(
            f"widget {widget.title!r}: {widget.source} gives more than {MAX_ROWS:,} rows; aggregate it in SQL first"
        )
    return rows


def select(session: Session, workbook: Workbook, widget: Widget, filters: dict[str, Any]) -> exp.Select:
    """The query behind a widget, narrowed by `filters`: column → value, values or Days."""
    source = source_of(session, workbook, widget)
    known = session.columns(source.copy())
    for name in named(widget):
        if name not in known:
            raise ChartError(
                f"widget {widget.title!r}: {widget.source} has no column {name}; it has {', '.join(known)}"
            )
    query = _grouped(widget, list(known)).from_(source.copy())
    for name, value in {**widget.filters, **narrowing(widget, filters, list(known))}.items():
        query = query.where(_matches(name, value))
    for name, value in widget.exclude.items():
        query = query.where(exp.not_(_matches(name, value)))
    order = _order(widget)
    return query.order_by(*order) if order else query


def narrowing(widget: Widget, filters: dict[str, Any], known: list[str]) -> dict[str, Any]:
    """Those filters that the widget follows: a chart that spreads a column shows all its values, but not all days."""
    spread = [field.column for field in widget.fields]
    return {n: v for n, v in filters.items() if n in known and (n not in spread or isinstance(v, Days))}


def followed(session: Session, workbook: Workbook, widget: Widget, filters: dict[str, Any]) -> list[str]:
    """The columns of those filters that narrow a widget."""
    return list(narrowing(widget, filters, list(session.columns(source_of(session, workbook, widget).copy()))))


def source_of(session: Session, workbook: Workbook, widget: Widget) -> exp.Expression:
    """What the rows are taken from.

    Raises ChartError for a table or a file that is not there, QueryError for what is no SELECT, NotMade for a table
    that a stage would make.
    """
    if widget.table:
        check_made(session, workbook, f"widget {widget.title!r}", [widget.table])
        return table(widget.table)
    file = yaml_files.find(workbook, "dashboards", str(widget.sql), "sql")
    if file is None:
        known = ", ".join(yaml_files.names(workbook, "dashboards", "sql"))
        raise ChartError(f"widget {widget.title!r}: sql is {widget.sql!r}; allowed: {known}")
    place = f"widget {widget.title!r}: {file.name}"
    query = parse_select(file.read_text("utf-8"), place)
    tables = {f"{mention.db}.{mention.name}" for mention in query.find_all(exp.Table) if mention.db}
    check_made(session, workbook, place, sorted(tables))
    return query.subquery("data")


def named(widget: Widget) -> list[str]:
    """The columns that a widget asks of its data."""
    names = [field.column for field in [*widget.fields, *widget.tooltip]]
    names += [*widget.filters, *widget.exclude, *widget.highlight, *(name.lstrip("-") for name in widget.sort)]
    return names + [name for name in (widget.x2, widget.people) if name]


def _grouped(widget: Widget, known: list[str]) -> exp.Select:
    aggregated = {field.column: field.aggregate for field in widget.fields if field.aggregate}
    if not aggregated:
        return exp.select(*map(column, known))
    if people := population(widget, known):
        aggregated = {people: "sum", **aggregated}  # by it, small groups are known
    keys = [f.column for f in widget.fields if not f.aggregate] + list(widget.highlight)
    keys = list(dict.fromkeys(key for key in keys if key not in aggregated))
    totals = [
        cast(exp.func(aggregate, column(name)), "number").as_(name, quoted=True)
        for name, aggregate in aggregated.items()
    ]
    orders = [f.sort.lstrip("-") for f in widget.fields if isinstance(f.sort, str)]
    orders = [name for name in dict.fromkeys(orders) if name in known and name not in (*keys, *aggregated)]
    totals += [exp.Min(this=column(name)).as_(name, quoted=True) for name in orders]
    query = exp.select(*map(column, keys), *totals)
    return query.group_by(*map(column, keys)) if keys else query


def population(widget: Widget, known: list[str]) -> str | None:
    """The column that counts the people of a row."""
    return widget.people or next((name for name in (*POPULATION, PURCHASES) if name in known), None)


def _matches(name: str, value: Any) -> exp.Expression:
    if isinstance(value, Days):
        low, high = map(literal, value)
        return exp.Between(this=cast(column(name), "date"), low=low, high=high)
    return is_in(column(name), value if isinstance(value, list) else [value])


def _order(widget: Widget) -> list[exp.Expression]:
    """Charts of one state of the lake are the same to the byte, so the rows need an order."""
    named_first = [exp.Ordered(this=column(name.lstrip("-")), desc=name.startswith("-")) for name in widget.sort]
    rest = [f.column for f in widget.fields if not f.aggregate and f.column not in {n.lstrip("-") for n in widget.sort}]
    return named_first + [column(name) for name in dict.fromkeys(rest)]


# a table that is not there: whether anything makes it, and why it did not


def check_made(session: Session, workbook: Workbook, place: str, names: list[str]) -> None:
    """Raise NotMade where one of the tables is not there yet, ChartError where nothing makes one of that name."""
    for name in names:
        if session.has_table(name):
            continue
        if not is_known(workbook, name):
            raise ChartError(f"{place}: there is no table {name}, and no stage makes one")
        raise NotMade(f"There is no table {name} yet: {_why(session, workbook, name)}.")


def is_known(workbook: Workbook, name: str) -> bool:
    """Whether anything makes a table of that name, be it described by the package or by the analyst."""
    try:
        return name in models.table_catalog(workbook)
    except models.TableError:
        return True  # what is wrong with the file is said where it is built


def _why(session: Session, workbook: Workbook, name: str) -> str:
    schema = name.partition(".")[0]
    if schema == "lifetime":
        return _why_no_prediction(session, workbook)
    stage = SCHEMAS[schema].stage
    if stage == 0:
        return "clv schedule makes it"
    if stage == 6 and not {"email_events", "assignments", "experiments"} & workbook.params.sources.keys():
        return "stage 6 makes it, and is skipped without e-mail events, assignments or experiments under `sources`"
    again = " and then stage 3 again" if stage > 3 else ""
    return f"stage {stage} makes it; run that{again}"


def _why_no_prediction(session: Session, workbook: Workbook) -> str:
    if workbook.params.lifetime is None:
        return "lifetime value is not predicted unless the params say `lifetime`"
    was_run = session.has_table("lifetime.prediction")
    record = json.loads(session.scalar("SELECT record FROM lifetime.prediction")) if was_run else {"status": "off"}
    if record["status"] == "refused":
        return f"lifetime value is not predicted, as {'; '.join(record['refused'])} (`lifetime.minimum` in the params)"
    if record["status"] == "predicted" and not record["holdout"]:
        return "the history is too short for a holdout that could validate the prediction (`lifetime.calibration_end`)"
    return "stage 1 makes it, where the data allow it"
