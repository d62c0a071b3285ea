"""Where a column's values come from: through the SQL of the tables, down to the headers of the source files."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

from sqlglot import exp
from sqlglot.lineage import Node, lineage
from sqlglot.schema import MappingSchema

from clv_helpers.config.sql_params import MADE_OF, params_bindings
from clv_helpers.config.tables import ALWAYS_THERE, SCHEMAS
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import DIALECT, bind, expression, table
from clv_helpers.errors import UserError
from clv_helpers.models import all_tables
from clv_helpers.models.catalog import file_of, writer_of
from clv_helpers.models.table_file import DAILY, Table

ROWS = "*"  # stands for the rows of a table, where none of its columns is meant

Column = tuple[str, str]


class LineageError(UserError):
    """A column, a dashboard or a widget that is not there, or SQL of a widget that is no query."""


class Made(NamedTuple):
    """Of a column: the columns that its values are made of, and how."""

    values: list[Column]
    expression: str = ""


@dataclass
class Lineage:
    """A column and all that its values are made of. `sources`: what no SQL makes, the nearest first."""

    root: Column
    values: dict[Column, list[Column]] = field(default_factory=dict)
    expressions: dict[Column, str] = field(default_factory=dict)
    made_by: dict[Column, str] = field(default_factory=dict)
    sources: list[Column] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Nodes and edges; an edge runs the way that data flow."""
        return {
            "column": name_of(self.root),
            "nodes": [
                {"name": name_of(column), "made_by": by, "expression": self.expressions.get(column, "")}
                for column, by in self.made_by.items()
            ],
            "edges": [
                {"from": name_of(source), "to": name_of(target)}
                for target, sources in self.values.items()
                for source in sources
            ],
            "sources": list(map(name_of, self.sources)),
        }


class Graph:
    """The tables of a workbook and what each is made of; tables are looked into when they are asked for."""

    def __init__(self, workbook: Workbook):
        self.workbook = workbook
        self.tables: dict[str, Table] = {model.name: model for model in all_tables(workbook, *SCHEMAS)}
        self.bindings = _Unbound(params_bindings(workbook.params))
        self.columns = functools.cache(self._columns)
        self.inputs = functools.cache(self._inputs)

    def lineage(self, root: Column, inputs: list[Column] | None = None) -> Lineage:
        """The lineage of a column, or of something that is made of columns (`inputs`). No data are read."""
        result, todo = Lineage(root), [root]
        if inputs is not None:
            result, todo = Lineage(root, {root: inputs}, made_by={root: ""}), list(inputs)
        for column in todo:  # which grows
            if column in result.made_by:
                continue
            result.made_by[column] = self.made_by(column)
            made = self.inputs(column[0])
            if made is None:
                result.sources.append(column)
                continue
            result.values[column], result.expressions[column] = made.get(column[1].lower(), Made([]))
            todo += result.values[column]
        return result

    @cached_property
    def published(self) -> dict[str, list[str]]:
        """The columns of the tables as published; none before anything is."""
        if not self.workbook.engine.published.exists():
            return {}
        with self.workbook.engine.read() as session:
            return {name: list(session.columns(table(name))) for name in session.tables()}

    def _columns(self, name: str) -> list[str]:
        """The columns of a table: as published, or as its SQL has them. None where there is no such table."""
        if known := self.published.get(name) or list(ALWAYS_THERE.get(name, ())):
            return known
        if name in self.tables:
            listed = self.bound(self.tables[name].query).named_selects
            return [column for column in self.inputs(name) or () if column != ROWS] if ROWS in listed else listed
        dataset, params = name.removeprefix("lake."), self.workbook.params
        if dataset == name or dataset not in params.datasets:
            return []
        return [*(params.datasets[dataset] | params.contract(dataset)), "_batch_id"]

    def column(self, place: str) -> Column:
        """The column that a text names. Raises LineageError."""
        name, _, column = place.rpartition(".")
        if name not in self.tables and name not in self.published:
            known = sorted({*self.tables, *self.published})
            raise LineageError(f"there is no table {name or place!r}; {_near(name or place, known)}")
        if column not in self.columns(name):
            raise LineageError(f"{name} has no column {column!r}; {_near(column, self.columns(name))}")
        return name, column

    def made_by(self, column: Column) -> str:
        """Who makes a column: the SQL file, the header of a source, or the part of the package that writes it."""
        name, header = column
        if model := self.tables.get(name.removesuffix(DAILY)):
            place = file_of(self.workbook, model)
            return f"column {header!r} of {place}" if model.file.suffix == ".csv" else place
        sources = self.workbook.params.sources
        dataset = name.removeprefix("lake.")
        if dataset == name or dataset not in sources:
            return f"written by {writer_of(name)}"
        path, contract = sources[dataset].place, self.workbook.params.contract(dataset)
        file = path if "*" in path else Path(path).name
        if header in contract:
            return f"column {contract[header].header!r} of {file}"
        return f"the rows of {file}" if header == ROWS else writer_of(name)

    def _inputs(self, name: str) -> dict[str, Made] | None:
        """What a table's columns, in small letters, are made of; None where no query says it: Python's, or a seed."""
        model, of_days = self.tables.get(name), self.tables.get(name.removesuffix(DAILY))
        if model is None and of_days is not None:  # its rows of each day
            kept = [*self.columns(of_days.name), ROWS]
            return {"as_of": Made([], "$as_of")} | {column.lower(): Made([(of_days.name, column)]) for column in kept}
        if model is None or model.file.suffix == ".csv":
            return None
        reads = {name for name, mention in model.mentions if isinstance(mention.this, exp.Identifier)}
        return self.of_query(model.query) | {ROWS: Made([(read, ROWS) for read in sorted(reads)])}

    def of_query(self, query: exp.Query) -> dict[str, Made]:
        """What a query's columns, in small letters, are made of."""
        bound = self.bound(query)
        schema = MappingSchema(dialect=DIALECT)
        for mention in bound.find_all(exp.Table):
            if name := _table_name(mention):
                schema.add_table(mention, dict.fromkeys(self.columns(name), "VARCHAR"))
        nodes = lineage(None, bound, schema, dialect=DIALECT, trim_selects=False, copy=False, quote_identifiers=False)
        return {
            column.lower(): Made(sorted(set(self._ends(node))), _expression(node)) for column, node in nodes.items()
        }

    def bound(self, query: exp.Query) -> exp.Query:
        """A query with what the params choose put in."""
        return cast(exp.Query, bind(query, self.bindings))

    def _ends(self, node: Node) -> Iterator[Column]:
        """The columns of tables at the end of a node, and the rows of those that it only counts.

        A column that any of several tables may have, as none is known yet, is of the rows of them all.
        """
        for step in node.walk():
            if name := _table_name(step.expression):
                column = exp.to_column(step.name, dialect=DIALECT).name  # of alias.column or alias."column"
                # as its table spells it: case does not count in SQL
                yield name, next((known for known in self.columns(name) if known.lower() == column.lower()), column)
            elif _counts(step) or any(isinstance(below.source, exp.Placeholder) for below in step.downstream):
                yield from ((name, ROWS) for table in step.source.find_all(exp.Table) if (name := _table_name(table)))


class _Unbound(dict[str, Any]):
    """What the params choose, and what a fit makes of columns; any other `$name` is a value, and stays as it is."""

    def __missing__(self, name: str) -> exp.Expr:
        return expression(MADE_OF[name]) if name in MADE_OF else exp.Placeholder(this=name)


def name_of(column: Column) -> str:
    """A column as people write it; of rows, their table."""
    table_name, name = column
    return f"the rows of {table_name}" if name == ROWS else f"{table_name}.{name}" if table_name else name


def _table_name(source: exp.Expr) -> str:
    """The name of a table with its schema; empty for anything else."""
    return f"{source.db}.{source.name}" if isinstance(source, exp.Table) and source.db else ""


def _counts(node: Node) -> bool:
    """Whether a node counts rows."""
    return any(isinstance(count.this, exp.Star) for count in node.expression.find_all(exp.Count))


def _expression(node: Node) -> str:
    """How a column is computed: the innermost expression that is more than another column's name."""
    if isinstance(node.source, exp.SetOperation):  # each of its queries has its own
        return ""
    while isinstance(node.expression.unalias(), exp.Column) and len(node.downstream) == 1:
        if isinstance(node.downstream[0].expression, exp.Table):
            return ""
        node = node.downstream[0]
    bare = node.expression.unalias()
    return "" if isinstance(bare, exp.Column | exp.Star | exp.Table | exp.Query) else bare.sql(DIALECT, comments=False)


def _near(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(known)}"
