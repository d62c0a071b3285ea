"""Tables of the schema lifetime: those that sql/lifetime describes, and those that Python brings."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from clv_helpers.engines.dialect import bind, parse, table
from clv_helpers.engines.session import Session
from clv_helpers.models.checks import check_key
from clv_helpers.models.table_file import read_tables

if TYPE_CHECKING:
    import pandas as pd


def build(session: Session, names: tuple[str, ...], bindings: dict[str, Any]) -> None:
    """Build these tables of sql/lifetime in the order that their SQL tells, and check their keys.

    Not that of what is made of a view: its rows are those of a table whose key was checked, each once.
    """
    views = set()
    for each in read_tables("lifetime"):
        if each.name not in names:
            continue
        if each.refresh == "view":
            views.add(each.name)
            session.create_view(each.name, bind(each.query, bindings), version=str(uuid.uuid4()))
        else:
            session.create_table(each.name, bind(each.query, bindings))
        if each.refresh != "view" and not views & each.depends_on:
            check_key(session, each, table(each.name))


def create(session: Session, name: str, sql: str, **bindings: Any) -> None:
    """Make a table of a query's result."""
    session.create_table(name, bind(parse(sql), bindings))


def load(session: Session, name: str, frame: pd.DataFrame) -> None:
    """Make a table of a DataFrame."""
    session.load_frame("loaded", frame)
    session.create_table(name, exp.select("*").from_("loaded"))


def drop(session: Session, keep: set[str]) -> None:
    """Drop the schema's tables but for those to keep."""
    for name in session.tables():
        if name.startswith("lifetime.") and name not in keep:
            session.drop(name)
