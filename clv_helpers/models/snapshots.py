"""Daily snapshots: a table that asks for them keeps its rows of every as_of in <table>_daily, for trends."""

from __future__ import annotations

import datetime as dt

from sqlglot import exp

from clv_helpers.engines.dialect import column, literal, table
from clv_helpers.engines.session import Session
from clv_helpers.models.table_file import DAILY, Table

AS_OF = "as_of"


def keep_day(session: Session, model: Table, as_of: dt.date, *, changed: bool) -> str:
    """Put the table's rows into <table>_daily as those of this as_of, in the place of earlier ones of the same day.

    Gives `full` (the first day), `rows` or `unchanged`. The days before and after stay, with NULL in columns
    that came since.
    Cost: the days kept are written anew, so a table that is kept is one of groups.
    """
    name, today = model.name + DAILY, literal(as_of)
    names = [key for key in session.columns(table(model.name)) if key != AS_OF]
    mine = exp.select(today.as_(AS_OF), *map(column, names)).from_(table(model.name))
    if not session.has_table(name):
        session.create_table(name, mine)
        return "full"
    is_today = exp.EQ(this=column(AS_OF), expression=today)
    today_has = session.count(exp.select("*").from_(table(name)).where(is_today).subquery("d"))
    if not changed and today_has == session.count(table(model.name)):
        return "unchanged"
    kept = [key for key in session.columns(table(name)) if key != AS_OF]
    everything = list(dict.fromkeys([*names, *kept]))
    others = exp.select(column(AS_OF), *_as_far_as_known(everything, kept)).from_(table(name)).where(exp.not_(is_today))
    mine = exp.select(today.as_(AS_OF), *_as_far_as_known(everything, names)).from_(table(model.name))
    session.create_table(name, exp.union(others, mine, distinct=False))
    return "rows"


def _as_far_as_known(names: list[str], known: list[str]) -> list[exp.Expr]:
    return [column(name) if name in known else exp.null().as_(name, quoted=True) for name in names]
