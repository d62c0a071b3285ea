"""Builds the tables of sql/lifetime by name, between the fits, and those that Python brings."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from clv_helpers.engines.dialect import bind, table
from clv_helpers.engines.session import Session
from clv_helpers.models.checks import check_key
from clv_helpers.models.table_file import read_tables

if TYPE_CHECKING:
    import pandas as pd

CALIBRATION = "lifetime.customer_calibration"


def build(session: Session, bindings: dict[str, Any], *names: str) -> None:
    """Build these tables of sql/lifetime, first those that they read and that are not there yet, and check their keys.

    Not the key of a view, nor of what is made of one: its rows are those of a table whose key was checked, each once.
    """
    files = read_tables("lifetime")
    views = {file.name for file in files if file.refresh == "view"}
    wanted = set(names)
    for file in reversed(files):
        if file.name in wanted:
            wanted |= {name for name in file.depends_on if not session.has_table(name)}
    for file in files:
        if file.name not in wanted:
            continue
        query = bind(file.query, bindings)
        if file.name in views:
            session.create_view(file.name, query, version=str(uuid.uuid4()))
        else:
            session.create_table(file.name, query)
        if not views & {file.name, *file.depends_on}:
            check_key(session, file, table(file.name))


def load(session: Session, name: str, frame: pd.DataFrame) -> None:
    """Make a table of a DataFrame."""
    session.load_frame("loaded", frame)
    session.create_table(name, exp.select("*").from_("loaded"))
