"""`clv sql … --to`: our SQL as another engine would run it."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp
from sqlglot.errors import ParseError

from clv_helpers.config.sql_params import params_bindings
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import bind, parse, syntax_error, table
from clv_helpers.engines.engine import NothingPublished
from clv_helpers.engines.translate import TranslationError, translate
from clv_helpers.models import all_tables
from clv_helpers.models.table_file import SCHEMAS


def translated(workbook: Workbook, query: str, target: str) -> str:
    """A SELECT, or the query that makes a table named as `schema.table`, ours or one's own, in another engine's SQL.

    The params' values stand in it, and as_of once something is published; what only a run knows (the fitted model's
    numbers, say) stays a named parameter. Raises TranslationError.
    """
    query = query.strip()
    tables = {table.name: table for table in all_tables(workbook, *SCHEMAS)}
    if re.fullmatch(r"\w+\.\w+", query) and query not in tables:
        raise TranslationError(f"there is no table {query}; allowed: a SELECT, or one of {', '.join(sorted(tables))}")
    try:
        tree = tables[query].query.copy() if query in tables else parse(query)
    except ParseError as error:
        raise TranslationError(f"SQL, {syntax_error(error)}") from None
    as_of, schema = _published(workbook, tree)
    known: dict[str, Any] = {**params_bindings(workbook.params), **as_of}
    names = {placeholder.name for placeholder in tree.find_all(exp.Placeholder)}
    tree = bind(tree, {name: known.get(name, exp.Placeholder(this=name)) for name in names})
    return translate(_without_comments(tree), target, schema)


def _published(workbook: Workbook, tree: exp.Expr) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """as_of, and the columns of the tables that a query reads: as far as something is published."""
    try:
        with workbook.engine.read() as session:
            mentioned = {f"{mention.db}.{mention.name}" for mention in tree.find_all(exp.Table) if mention.db}
            known = mentioned & set(session.tables())
            as_of = session.scalar("SELECT as_of FROM derived.as_of")
            return {"as_of": as_of}, {name: session.columns(table(name)) for name in known}
    except NothingPublished:
        return {}, {}


def _without_comments(tree: exp.Expression) -> exp.Expression:
    for node in tree.walk():
        node.comments = None
    return tree
