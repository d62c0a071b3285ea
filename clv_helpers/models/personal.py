"""Whom a table or a query is about, and which of its columns name a person: read from SQL, no data are touched.

A column names a person where its values are made of an identifying column of the data (`personal` in
config/datasets.py), whatever is done to it on the way, unless it is counted or compared there. Rows are about nobody,
about groups of people, or about single persons: a row each, or their events.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from clv_helpers.config.datasets import PEOPLE_COUNTED, PERSONAL, PRIMARY_IDENTITY
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import DIALECT
from clv_helpers.models.column_lineage import Graph

# What is left of a column in these is how many there are, or whether something holds: no value.
_COUNTING = (exp.Count, exp.ApproxDistinct, exp.CountIf)
_COMPARING = (exp.Predicate, exp.Connector, exp.Not)
# A sum of these is a count of people where they are, in what the sum is taken of.
_PASSING = (exp.Sum, exp.Max, exp.Min, exp.AnyValue, exp.Coalesce, exp.Cast, exp.Paren, exp.Filter, exp.Add, exp.Sub)
# What shows values of single rows, not of the group.
_SINGLE = (
    exp.Max, exp.Min, exp.ArgMax, exp.ArgMin, exp.AnyValue, exp.First, exp.Last, exp.ArrayAgg, exp.GroupConcat,
    exp.Mode, exp.ArrayUniqueAgg, exp.JSONArrayAgg, exp.JSONObjectAgg, exp.Quantile, exp.PercentileCont,
    exp.PercentileDisc, exp.ApproxQuantile, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop,
)  # fmt: skip
_LISTING = {"list", "array_agg", "histogram", "map", "string_agg", "listagg", "json_group_array", "arbitrary", "max_by",
            "min_by", "first", "last", "mode", "approx_top_k", "histogram_values", "list_distinct"}  # fmt: skip
# What makes text of a number: as text it is shown to the last digit, where as a number it is rounded.
_TEXTS = (exp.Concat, exp.ConcatWs, exp.DPipe, exp.Format)
# Key columns that tell a row of a person from another of the same person in time: such rows are events.
_TIMES = ("day", "month", "occurred_at", "event_id", "as_of")


class Rows(IntEnum):
    """What one row is about."""

    NOBODY = 0
    GROUPS = 1
    PERSON = 2
    EVENTS = 3


@dataclass(frozen=True)
class Fact:
    """Of a column: the way from the person's own data to it (empty: it names nobody), and whether it counts people."""

    way: tuple[str, ...] = ()
    counts: bool = False


@dataclass(frozen=True)
class About:
    """What a table or a query tells: its rows, and its columns by their names in small letters."""

    rows: Rows
    columns: dict[str, Fact]


NOTHING = Fact()


def _groups(about: About) -> About:
    return About(Rows.GROUPS, {column: Fact(counts=column in PEOPLE_COUNTED) for column in about.columns})


def _flags(about: About) -> About:
    """A person's flags are 1 or 0, so that their sum counts people."""
    flags = {column: Fact(fact.way, not fact.way and column in _FLAGS) for column, fact in about.columns.items()}
    return About(Rows.PERSON, flags)


_FLAGS = {
    "sent", "delivered", "accepted", "hard_bounced", "blocked", "soft_bounced", "opened", "opened_with_machines",
    "opened_told", "clicked", "clicked_with_machines", "unsubscribed", "complained",
}  # fmt: skip


def _nobody(about: About) -> About:
    return About(Rows.NOBODY, about.columns)


# Of the package's tables what their SQL does not say: groups that are cut by places, flags, a line over all customers
# of a holdout (which is not made of few), and names, days and places of the model.
STATED: Mapping[str, Callable[[About], About]] = {
    "derived.concentration": _groups,
    "lifetime.holdout_gain": _groups,
    "lifetime.holdout_decile": _groups,
    "campaigns.customer_response": _flags,
} | dict.fromkeys(
    (
        "lifetime.holdout_week", "derived.as_of",
        "derived.lookback", "insights.dim_audience", "insights.dim_campaign", "insights.dim_category",
        "insights.dim_date", "insights.dim_destination", "insights.dim_lookback",
        "insights.bridge_audience_destination",
    ),
    _nobody,
)  # fmt: skip


class People:
    """Whom the tables of a workbook are about; each is looked into when it is asked for."""

    def __init__(self, workbook: Workbook):
        self.graph = Graph(workbook)
        self.table = functools.cache(self._table)
        self.judged: dict[tuple[str, str], str] = {}  # of what was asked already: why it is refused, or nothing

    def _table(self, name: str) -> About:
        model = self.graph.tables.get(name)
        if model is None or model.file.suffix == ".csv":
            return self._written(name)
        about = self.query(model.query, strict=not model.is_ours)
        if name in STATED:
            return STATED[name](about)
        facts = {c: Fact((*f.way, f"{name}.{c}") if f.way else (), f.counts) for c, f in about.columns.items()}
        rows = about.rows
        if PRIMARY_IDENTITY in facts and facts[PRIMARY_IDENTITY].way:
            rows = Rows.EVENTS if set(model.key) & set(_TIMES) else Rows.PERSON
        return About(rows, facts)

    def key(self, name: str) -> tuple[str, ...]:
        """The key of a table; none where no file makes it."""
        model = self.graph.tables.get(name)
        return model.key if model else ()

    def _written(self, name: str) -> About:
        """A table that no SQL makes: by the marks of its data's contract, or by the names of its columns."""
        dataset, columns = name.removeprefix("lake."), [column.lower() for column in self.graph.columns(name)]
        params = self.graph.workbook.params
        is_dataset = dataset != name and dataset in params.datasets
        contract = params.datasets[dataset] | params.contract(dataset) if is_dataset else {}
        marked = {column for column, spec in contract.items() if spec.personal or spec.identity} | PERSONAL
        facts = {
            column: Fact((f"{name}.{column}",) if column in marked else (), column in PEOPLE_COUNTED)
            for column in columns
        }
        if is_dataset and dataset not in params.lookups and PRIMARY_IDENTITY in contract:
            return About(Rows.PERSON if dataset == "customers" else Rows.EVENTS, facts)
        if any(fact.way for fact in facts.values()):
            return About(Rows.PERSON, facts)
        return About(Rows.GROUPS if any(fact.counts for fact in facts.values()) else Rows.NOBODY, facts)

    def query(self, query: exp.Query, strict: bool = True) -> About:
        """What a query tells. Raises SqlglotError for a column that none of its tables has.

        `strict`, for SQL of others: a list or an extreme of single persons' values tells of one, and a count is of the
        people of its own row, not of all beside it or of those of another table.
        """
        bound = self.graph.bound(query)
        schema = MappingSchema(dialect=DIALECT)
        for mention in bound.find_all(exp.Table):
            if mention.db and isinstance(mention.this, exp.Identifier):
                columns = self.graph.columns(f"{mention.db}.{mention.name}")
                schema.add_table(mention, dict.fromkeys(columns, "VARCHAR"))
        bound = qualify(
            bound, dialect=DIALECT, schema=schema, quote_identifiers=False, validate_qualify_columns=False
        )  # fmt: skip
        known: dict[int, About] = {}
        for scope in traverse_scope(bound):
            last = known[id(scope)] = known[id(scope.expression)] = self._scope(scope, known, strict)
        return last

    def _scope(self, scope: Scope, known: dict[int, About], strict: bool) -> About:
        if isinstance(scope.expression, exp.SetOperation):
            return _either(
                [
                    about
                    for side in (scope.expression.left, scope.expression.right)
                    if (about := known.get(id(side.unnest())))
                ]
            )
        sources = {name: self._source(source, known) for name, source in scope.sources.items()}
        read = {name: sources[name] for name in scope.selected_sources if name in sources}
        select = scope.expression
        below = [sources.get(c.table, About(Rows.NOBODY, {})) for c in scope.columns]
        rows = max([about.rows for about in [*read.values(), *below]], default=Rows.NOBODY)
        rows = max([rows, *(known[id(part)].rows for part in scope.subquery_scopes if id(part) in known
                            and part.expression.find_ancestor(exp.Select) is select
                            and not part.expression.find_ancestor(exp.Predicate))])  # fmt: skip
        below_rows = rows
        if not isinstance(select, exp.Select):
            return About(rows, {})
        made = [(each.alias_or_name.lower(), each) for each in select.selects]

        def fact_of(part: exp.Expr) -> Fact:
            nested = {id(s.expression): known[id(s)] for s in scope.subquery_scopes if id(s) in known}
            way = _way(part, sources, nested)
            if strict and below_rows >= Rows.PERSON:
                way = way or _single_values(part) or _sum_as_text(part)
                if part.find(exp.Window, exp.Query) or not _joined_by_person(select, sources):
                    return Fact(way)
            return Fact(way, not way and _counts(part, sources, below_rows, nested))

        columns = {name: fact_of(each) for name, each in made}
        if rows >= Rows.PERSON:
            grouped = select.args.get("group")
            keys = _keys(select, grouped) if grouped else []
            if any(_way(key, sources, {}) for key in keys):
                rows = Rows.PERSON  # a group of one person's rows is that person
            elif (
                grouped
                or _aggregates(select)
                or (select.args.get("distinct") and not any(f.way for f in columns.values()))
            ):
                rows = Rows.GROUPS
        return About(rows, columns)

    def _source(self, source: exp.Expr | Scope, known: dict[int, About]) -> About:
        if isinstance(source, exp.Table):
            return self.table(f"{source.db}.{source.name}") if source.db else About(Rows.NOBODY, {})
        return known.get(id(source), About(Rows.NOBODY, {}))


_kept: dict[Path, tuple[tuple[Any, ...], People]] = {}


def people_of(workbook: Workbook) -> People:
    """Whom the tables of a workbook are about, kept until its params, own tables or published tables change."""
    files = [*(workbook.specs / "sql").glob("*"), workbook.engine.published]
    state = (workbook.params, workbook.run, *sorted((str(f), f.stat().st_mtime_ns) for f in files if f.exists()))
    known = _kept.get(workbook.folder)
    if known is None or known[0] != state:
        known = _kept[workbook.folder] = (state, People(workbook))
    return known[1]


def _either(sides: list[About]) -> About:
    """A set operation: each column is what any of its sides makes it; it counts people where all do."""
    columns: dict[str, Fact] = {}
    for place, name in enumerate(sides[0].columns if sides else ()):
        facts = [list(side.columns.values())[place] for side in sides if place < len(side.columns)]
        way = next((fact.way for fact in facts if fact.way), ())
        columns[name] = Fact(way, all(fact.counts for fact in facts))
    return About(max((side.rows for side in sides), default=Rows.NOBODY), columns)


def _way(part: exp.Expr, sources: dict[str, About], nested: dict[int, About]) -> tuple[str, ...]:
    """The way by which an expression holds values that name a person; empty where it does not."""
    if isinstance(part, (*_COUNTING, *_COMPARING)):
        return ()
    if isinstance(part, exp.Column):
        about = sources.get(part.table)
        fact = about.columns.get(part.name.lower(), NOTHING) if about else NOTHING
        return fact.way or ((part.name.lower(),) if about is None and part.name.lower() in PERSONAL else ())
    if isinstance(part, exp.Query):
        about = nested.get(id(part.unnest()), About(Rows.NOBODY, {}))
        return next((fact.way for fact in about.columns.values() if fact.way), ())
    if isinstance(part, exp.Window | exp.ArgMax | exp.ArgMin):  # by what a value is chosen is not shown
        return _way(part.this, sources, nested)
    if isinstance(part, exp.Order):  # of an aggregate: it orders, and does not show
        return _way(part.this, sources, nested) if part.this else ()
    return next((way for below in part.iter_expressions() if (way := _way(below, sources, nested))), ())


def _counts(part: exp.Expr, sources: dict[str, About], rows: Rows, nested: dict[int, About]) -> bool:
    """Whether an expression counts people: rows of a person each, different persons, or a sum of such counts."""
    part = part.unalias()
    if isinstance(part, exp.Column):
        about = sources.get(part.table)
        return bool(about and about.columns.get(part.name.lower(), NOTHING).counts)
    if isinstance(part, exp.Window):
        return _counts(part.this, sources, rows, nested)
    if isinstance(part, exp.Count):
        if isinstance(part.this, exp.Distinct):
            return rows >= Rows.PERSON and bool(_way(part.this, sources, nested))
        return rows == Rows.PERSON
    if isinstance(part, exp.CountIf):
        return rows == Rows.PERSON
    if isinstance(part, exp.ApproxDistinct):
        return rows >= Rows.PERSON and bool(_way(part.this, sources, nested))
    if isinstance(part, exp.Query):
        about = nested.get(id(part.unnest()))
        return bool(about and all(fact.counts for fact in about.columns.values()))
    if isinstance(part, exp.Add | exp.Sub):
        return all(_counts(side, sources, rows, nested) for side in (part.this, part.expression))
    if isinstance(part, exp.Case):
        values = [value for value in _values(part) if not (isinstance(value, exp.Null) or value.sql() == "0")]
        return bool(values) and all(_counts(value, sources, rows, nested) for value in values)
    if isinstance(part, exp.Sum) and isinstance(part.this, exp.Case) and rows == Rows.PERSON:
        if_so = {value.sql() for value in _values(part.this)}
        return if_so <= {"0", "1", "NULL"} or _counts(part.this, sources, rows, nested)
    if isinstance(part, _PASSING):
        return _counts(part.this, sources, rows, nested)
    return False


def _single_values(part: exp.Expr) -> tuple[str, ...]:
    """The aggregate of an expression that shows single persons' values as they are; of places in an order it may."""
    for found in part.find_all(*_SINGLE, exp.Anonymous):
        name = found.name.lower() if isinstance(found, exp.Anonymous) else found.sql_name().lower()
        columns = [column.name for column in found.find_all(exp.Column)]
        if (not isinstance(found, exp.Anonymous) or name in _LISTING) and not all(
            column.endswith("_order") for column in columns
        ):
            return (f"{name} of single values",)
    return ()


def _sum_as_text(part: exp.Expr) -> tuple[str, ...]:
    """The aggregate of persons that an expression makes text of."""
    casts = (cast for cast in part.find_all(exp.Cast) if cast.is_type(*exp.DataType.TEXT_TYPES))
    written = (made for made in part.find_all(exp.Anonymous) if made.name.lower() in ("printf", "format", "to_json"))
    for text in (*casts, *part.find_all(*_TEXTS), *written):
        if found := text.find(exp.AggFunc):
            return (f"{found.sql_name().lower()} as text",)
    return ()


def _joined_by_person(select: exp.Select, sources: dict[str, About]) -> bool:
    """Whether a row of a join is about one person still: all but one of its tables of persons are joined by them."""
    of_persons = {name for name, about in sources.items() if about.rows >= Rows.PERSON}
    for join in select.args.get("joins") or []:
        if join.alias_or_name not in of_persons or len(of_persons) < 2:
            continue
        pairs = [each for on in (join.args.get("on"),) if on for each in on.find_all(exp.EQ)]
        by_person = any(_way(each.this, sources, {}) and _way(each.expression, sources, {}) for each in pairs)
        if not by_person and not any(column.name in PERSONAL for column in join.args.get("using") or []):
            return False
    return True


def _values(case: exp.Case) -> list[exp.Expr]:
    """What a CASE may give."""
    default = case.args.get("default")
    return [*(branch.args["true"] for branch in case.args["ifs"]), *([default] if default else [])]


def _keys(select: exp.Select, grouped: exp.Group) -> list[exp.Expr]:
    """What a query groups by; of GROUP BY ALL, all that is no aggregate."""
    keys: list[exp.Expr] = list(grouped.find_all(exp.Column))
    if grouped.args.get("all"):
        keys += [each for each in select.selects if not each.find(exp.AggFunc)]
    return keys


def _aggregates(select: exp.Select) -> bool:
    """Whether a query without GROUP BY makes one row of all: an aggregate that is in no window."""
    return any(
        not found.find_ancestor(exp.Window) and found.find_ancestor(exp.Select) is select
        for each in select.selects
        for found in each.find_all(exp.AggFunc)
    )
