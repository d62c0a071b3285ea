"""The rows of a dataset of events with what lookups say of them: `purchases` with the brand of each product."""

from __future__ import annotations

from collections.abc import Collection

from sqlglot import exp

from clv_helpers.conditions.row_test import of
from clv_helpers.config.datasets import SESSIONS, ColumnContract
from clv_helpers.config.params import Params
from clv_helpers.engines.dialect import cast, column, expression, literal, table

SESSION = "derived.session"
OURS = "_event"  # no lookup is called so
# Of several rows of a key the one that came last; a batch has each key once.
NEWEST = """
    SELECT $columns FROM (
        SELECT *, ROW_NUMBER() OVER (PARTITION BY $key ORDER BY _batch_id DESC) AS age FROM $rows AS r
    ) AS newest WHERE age = 1
"""


def event_columns(params: Params, dataset: str) -> dict[str, ColumnContract]:
    """What can be asked of an event: the columns of its dataset, then those of lookups as `products.brand`.

    Example:
        >>> "amount" in event_columns(wb.params, "purchases")
        True
    """
    if dataset in params.sessions:
        return dict(SESSIONS)
    found = params.datasets[dataset] | params.contract(dataset)
    looked_up = {
        f"{lookup}.{name}": each
        for lookup, key in params.lookups.items()
        if key in found
        for name, each in params.contract(lookup).items()
        if name != key
    }
    return found | looked_up


def event_table(params: Params, dataset: str) -> str:
    """The table that the rows of a dataset of events are in."""
    return SESSION if dataset in params.sessions else f"lake.{dataset}"


def event_rows(params: Params, dataset: str, lookups: Collection[str] = ()) -> exp.Query:
    """The rows of a dataset of events, each with the columns of these lookups as `products.brand`, or empty.

    Every row stands once, whether or not a lookup knows its key. Cost: a join per lookup; none without.

    Example:
        >>> event_rows(wb.params, "purchases").sql(dialect="duckdb")
        'SELECT * FROM "lake"."purchases"'
    """
    if dataset in params.sessions:
        is_of_it = exp.EQ(this=column("dataset"), expression=literal(params.sessions[dataset]))
        return exp.select(*map(column, SESSIONS)).from_(table(SESSION)).where(is_of_it)
    events = table(f"lake.{dataset}")
    if not lookups:
        return exp.select("*").from_(events)
    rows = exp.select(f"{OURS}.*").from_(exp.alias_(events, OURS, table=True))
    own = params.datasets[dataset] | params.contract(dataset)
    for lookup in sorted(lookups):
        key, contract = params.lookups[lookup], params.contract(lookup)
        newest = expression(
            NEWEST, columns=[column(n) for n in contract], key=column(key), rows=table(f"lake.{lookup}")
        )
        ours: exp.Expr = of(OURS, key)
        theirs: exp.Expr = of(lookup, key)
        if own[key].type != contract[key].type:
            ours, theirs = cast(ours, "text"), cast(theirs, "text")
        on = exp.EQ(this=ours, expression=theirs)
        rows = rows.join(exp.Subquery(this=newest, alias=_alias(lookup)), on=on, join_type="left")
        for name in contract:
            if name != key:
                rows = rows.select(exp.alias_(of(lookup, name), f"{lookup}.{name}", quoted=True))
    return rows


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name, quoted=True))
