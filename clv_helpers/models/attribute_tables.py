"""What `attributes` of the params, and an analyst's tables of attributes, say of a customer, as tables.

A table per dataset of events, of one pass over its rows however many attributes there are; a view that joins them, and
one that joins the analyst's; and a table that counts who has which attribute.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlglot import exp

from clv_helpers.conditions.row_test import of
from clv_helpers.conditions.when import Clock, When, bounds
from clv_helpers.config.attributes import ZERO, Aggregate, about, aggregate_test, aggregates, profile_columns
from clv_helpers.config.datasets import EVENT_TIME, PRIMARY_IDENTITY
from clv_helpers.config.event_rows import event_columns, event_rows
from clv_helpers.config.params import Params
from clv_helpers.engines.dialect import column, expression, literal, table
from clv_helpers.models.table_file import Table, TableError, generated_table

ROWS = "told"  # the CTE of a dataset's rows before as_of
TOLD = "SELECT $columns FROM $rows AS e WHERE occurred_at < $as_of"
BY_CUSTOMER = f"SELECT customer_id, $measures FROM {ROWS} AS {ROWS} GROUP BY customer_id"
MOST_FREQUENT = f"""
    SELECT customer_id, MIN_BY(value, STRUCT_PACK(a := -times, b := CAST(value AS VARCHAR))) AS value FROM (
        SELECT customer_id, $value AS value, COUNT(*) AS times FROM {ROWS} AS {ROWS}
        WHERE $counts AND NOT $value IS NULL GROUP BY customer_id, $value
    ) AS counted GROUP BY customer_id
"""
# What each kind makes of a customer's rows; $value is the column where the row counts, and nothing where it does not.
# Sums are exact, and divided once, so that the order of rows changes no digit.
MEASURES = {
    "count": "COUNT($one)",
    "sum": "SUM($number)",
    "average": "CAST(SUM($number) AS DOUBLE) / NULLIF(COUNT($value), 0)",
    "min": "MIN($value)",
    "max": "MAX($value)",
    "distinct": "COUNT(DISTINCT $value)",
    "first": "MIN_BY($column, $moment)",
    "last": "MAX_BY($column, $moment)",
    "days since": "CAST(MAX($time) AS DATE)",
    "share of": "CAST(COUNT($one) AS DOUBLE) / NULLIF(COUNT($in_window), 0)",
}
EXACT = exp.DataType.build("DECIMAL(38, 4)")
COUNTED = "SELECT COUNT(*) AS of_customers, $counts FROM profile.customer AS c"
FILLED = """
    SELECT n.attribute_order, n.attribute, n.made_of, $customers AS customers, c.of_customers
    FROM $names AS n CROSS JOIN counted AS c
"""
AS_OF = exp.Placeholder(this="as_of")
NO_DAY = Clock(dt.datetime(2000, 1, 1))  # a year or a month is the same on each


def attribute_tables(params: Params, own: Sequence[Table]) -> list[Table]:
    """The tables of the attributes, none where neither the params nor the analyst's tables have one."""
    if "purchases" not in params.sources:
        return []
    found, theirs = aggregates(params), [each for each in own if each.is_attribute]
    by_dataset = {
        dataset: {name: each for name, each in found.items() if each.dataset == dataset}
        for dataset in dict.fromkeys(each.dataset for each in found.values())
    }
    tables = [_of_dataset(params, dataset, each) for dataset, each in by_dataset.items()]
    if tables:
        joined = {f"profile.{dataset}_attribute": [*each] for dataset, each in by_dataset.items()}
        tables.append(_joined("profile.params_attribute", "a customer with an event that an attribute asks.", joined))
    if theirs:
        joined = {each.name: [n for n in each.query.named_selects if n != PRIMARY_IDENTITY] for each in theirs}
        _check_names(params, theirs, joined)
        tables.append(_joined("profile.own_attribute", "a customer in an analyst's table of attributes.", joined))
    made_of = {name: about(params, name) for name in params.attributes}
    made_of |= {n: each.file.name for each in theirs for n in each.query.named_selects if n != PRIMARY_IDENTITY}
    return (
        [*tables, _filled(made_of, {name for name, each in found.items() if each.kind in ZERO})] if made_of else tables
    )


def _of_dataset(params: Params, dataset: str, found: Mapping[str, Aggregate]) -> Table:
    """What a dataset's rows come to by customer, in one pass; of the most frequent values one each beside."""
    most = {name: each for name, each in found.items() if each.kind == "most frequent"}
    measures = [_named(_measure(params, each), name) for name, each in found.items() if name not in most]
    query = _query(BY_CUSTOMER, measures=measures)
    if most:
        query = exp.select(*(of("s", name) for name in [PRIMARY_IDENTITY, *(m.alias for m in measures)]))
        query = query.from_(exp.alias_(table("measured"), "s", table=True))
        for number, name in enumerate(most, 1):
            query = query.select(_named(of(f"m{number}", "value"), name))
            on = exp.EQ(this=of(f"m{number}", PRIMARY_IDENTITY), expression=of("s", PRIMARY_IDENTITY))
            query = query.join(exp.alias_(table(f"most_{number}"), f"m{number}", table=True), on=on, join_type="left")
    query = query.with_(ROWS, as_=_told(params, dataset, found))
    if most:
        query = query.with_("measured", as_=_query(BY_CUSTOMER, measures=measures))
        for number, each in enumerate(most.values(), 1):
            counts = _all([*_window(each), _where(params, each)]) or exp.true()
            query = query.with_(f"most_{number}", as_=_query(MOST_FREQUENT, value=of(ROWS, each.column), counts=counts))
    one_row = f"a customer with an event of {dataset} before as_of."
    refresh = f"by customer_id through {ROWS}"
    return generated_table(f"profile.{dataset}_attribute", one_row, PRIMARY_IDENTITY, query, refresh)


def _told(params: Params, dataset: str, found: Mapping[str, Aggregate]) -> exp.Query:
    names = dict.fromkeys([PRIMARY_IDENTITY, EVENT_TIME, *sorted({n for each in found.values() for n in each.columns})])
    rows = event_rows(params, dataset, {lookup for each in found.values() for lookup in each.lookups})
    return _query(TOLD, columns=[of("e", name) for name in names], rows=rows)


def _measure(params: Params, each: Aggregate) -> exp.Expression:
    window, where = _all(_window(each)), _all([*_window(each), _where(params, each)])
    taken, moment = of(ROWS, each.column), of(ROWS, EVENT_TIME)
    number: exp.Expr = taken
    measure = MEASURES[each.kind]
    if each.kind in ("sum", "average"):
        kind = event_columns(params, each.dataset)[each.column].type
        number = exp.cast(taken, EXACT) if kind == "number" else taken
        measure = {"integer": "CAST($sum AS BIGINT)", "number": "CAST($sum AS DOUBLE)"}.get(kind, "$sum").replace(
            "$sum", measure) if each.kind == "sum" else measure  # fmt: skip
    known = exp.not_(exp.Is(this=taken.copy(), expression=exp.null()))
    # of two rows of one moment the value decides, so that their order does not matter
    rank = _case(_all([where, known]), exp.Struct.from_arg_list([moment.copy(), taken.copy()]))
    one, in_window = (_case(test, literal(1)) for test in (where, window))
    return expression(measure, one=one, in_window=in_window, value=_case(where, taken), number=_case(where, number),
                      column=taken, moment=rank, time=_case(where, moment), as_of=AS_OF)  # fmt: skip


def _window(each: Aggregate) -> list[exp.Expr]:
    """Whether a row is in the window of an attribute, as tests of which there may be none."""
    moment = of(ROWS, EVENT_TIME)
    if each.in_last:
        count, unit = each.in_last.removesuffix("s").split()
        number, unit = {"week": (7, "DAY"), "year": (12, "MONTH")}.get(unit, (1, unit.upper()))
        length = exp.Interval(this=literal(str(int(count) * number)), unit=exp.var(unit))
        return [exp.GTE(this=moment, expression=exp.Sub(this=AS_OF.copy(), expression=length))]
    if each.during:
        span = bounds(When(during=each.during), NO_DAY)
        return [expression("$moment >= $low AND $moment < $high", moment=moment, low=span.low, high=span.high)]
    return []


def _where(params: Params, each: Aggregate) -> exp.Expr | None:
    return aggregate_test(params, each, ROWS)


def _joined(name: str, one_row: str, columns: Mapping[str, Sequence[str]]) -> Table:
    """A view of tables of customers side by side; a customer of any of them has a row."""
    aliases = {source: f"t{number}" for number, source in enumerate(columns, 1)}
    query = exp.select(
        column(PRIMARY_IDENTITY) if columns.keys() - {next(iter(columns))} else of("t1", PRIMARY_IDENTITY)
    )
    query = query.select(*(of(aliases[source], each) for source, names in columns.items() for each in names))
    for number, (source, alias) in enumerate(aliases.items()):
        there = exp.alias_(table(source), alias, table=True)
        using: list[Any] = [exp.to_identifier(PRIMARY_IDENTITY, quoted=True)]
        query = query.join(there, using=using, join_type="full") if number else query.from_(there)
    return generated_table(name, one_row, PRIMARY_IDENTITY, query, "view")


def _check_names(params: Params, theirs: Sequence[Table], columns: Mapping[str, Sequence[str]]) -> None:
    taken = dict.fromkeys(profile_columns(params), "the profile") | dict.fromkeys(
        params.attributes, "attributes of the params"
    )
    for each in theirs:
        for name in columns[each.name]:
            if name in taken:
                raise TableError(f"{each.file.name}: its column {name} is one of {taken[name]}; allowed: another name")
            taken[name] = each.file.name


def _filled(made_of: Mapping[str, str], zero: set[str]) -> Table:
    """How many customers have which attribute; of counts and sums, how many more than none."""
    counts = [
        _named(expression("COUNT(NULLIF($value, 0))" if name in zero else "COUNT($value)", value=of("c", name)), name)
        for name in made_of
    ]
    rows = [exp.Tuple(expressions=[*map(literal, (n, *row))]) for n, row in enumerate(made_of.items(), 1)]
    columns = [exp.to_identifier(name) for name in ("attribute_order", "attribute", "made_of")]
    names = exp.select("*").from_(exp.Values(expressions=rows, alias=exp.TableAlias(this="v", columns=columns)))
    customers = exp.Case()
    for name in made_of:
        customers = customers.when(exp.EQ(this=of("n", "attribute"), expression=literal(name)), of("c", name))
    query = _query(FILLED, customers=customers, names=names).with_("counted", as_=_query(COUNTED, counts=counts))
    return generated_table("profile.filled_attribute", "an attribute of customers.", "attribute", query)


def _case(test: exp.Expr | None, value: exp.Expr) -> exp.Expr:
    return value if test is None else exp.Case().when(test.copy(), value.copy())


def _all(tests: Sequence[exp.Expr | None]) -> exp.Expr | None:
    given = [test.copy() for test in tests if test is not None]
    return exp.and_(*given) if given else None


def _named(value: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(value, name, quoted=True)


def _query(text: str, **bindings: Any) -> exp.Query:
    return cast(exp.Query, expression(text, **bindings, as_of=AS_OF))
