"""Where a column comes from: through the SQL of the tables, down to the headers of the source files."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlglot import exp
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer import build_scope
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope
from sqlglot.schema import MappingSchema

from clv_helpers.config.datasets import DATASETS, WRITTEN
from clv_helpers.config.sql_params import params_bindings
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import DIALECT, bind, table
from clv_helpers.errors import UserError
from clv_helpers.models import all_tables
from clv_helpers.models.table_file import DAILY, SCHEMAS, SQL_FOLDER, Table

ROWS = "*"  # stands for the rows of a table, where none of its columns is meant
# Who writes the tables that no SQL file describes, by schema.
WRITERS = {
    "lake": "ingestion (clv_helpers/ingest)",
    "lifetime": "the fitted models (clv_helpers/lifetime)",
    "audiences": "the evaluation of audiences (clv_helpers/audiences)",
    "activation": "the ledger of activations (clv_helpers/activation)",
    "campaigns": "the campaigns' stage (clv_helpers/campaigns)",
    "schedule": "the schedule (clv_helpers/run)",
}

Column = tuple[str, str]


class LineageError(UserError):
    """A column that is not there."""


@dataclass(frozen=True)
class Inputs:
    """Of a query: for each column the columns that its values are made of, how, and by what its rows are chosen."""

    values: dict[str, list[Column]]
    expressions: dict[str, str]
    rows: list[Column]


@dataclass
class Lineage:
    """A column and all that it is made of. `values` and `rows`: from a column to what its values, its rows come of."""

    root: Column
    values: dict[Column, list[Column]] = field(default_factory=dict)
    rows: dict[Column, list[Column]] = field(default_factory=dict)
    expressions: dict[Column, str] = field(default_factory=dict)
    made_by: dict[Column, str] = field(default_factory=dict)
    ends: set[Column] = field(default_factory=set)

    @property
    def sources(self) -> list[Column]:
        """What no SQL makes, at the end of the way of the values."""
        return [each for each in _reached(self.root, self.values) if each in self.ends]

    @property
    def chosen_by(self) -> list[Column]:
        """The further columns that no SQL makes, by which rows are filtered, joined or grouped on the way."""
        both = {each: self.values.get(each, []) + self.rows.get(each, []) for each in self.made_by}
        found = [each for each in _reached(self.root, both) if each in self.ends and each[1] != ROWS]
        return [each for each in found if each not in self.sources]

    def as_json(self) -> dict[str, Any]:
        """Nodes and edges; an edge runs the way that data flow, its kind is value or rows."""
        edges = [("value", self.values), ("rows", self.rows)]
        return {
            "column": name_of(self.root),
            "nodes": [
                {"name": name_of(each), "made_by": by, "expression": self.expressions.get(each, "")}
                for each, by in self.made_by.items()
            ],
            "edges": [
                {"from": name_of(source), "to": name_of(target), "kind": kind}
                for kind, known in edges
                for target, sources in known.items()
                for source in sources
            ],
            "sources": list(map(name_of, self.sources)),
            "rows_chosen_by": list(map(name_of, self.chosen_by)),
        }


class Graph:
    """The tables of a workbook and what each is made of; tables are looked into when they are asked for."""

    def __init__(self, workbook: Workbook):
        self.workbook = workbook
        self.tables: dict[str, Table] = {each.name: each for each in all_tables(workbook, *SCHEMAS)}
        self.bindings = _Unbound(params_bindings(workbook.params))
        self._inputs: dict[str, Inputs | None] = {}
        self._columns: dict[str, list[str]] = {}

    def follow(self, root: Column, inputs: list[Column] | None = None) -> Lineage:
        """The lineage of a column, or of something that is made of columns (`inputs`). No data are read."""
        found, todo = Lineage(root), [root]
        if inputs is not None:
            found, todo = Lineage(root, {root: inputs}, made_by={root: ""}), list(inputs)
        while todo:
            each = todo.pop()
            if each in found.made_by:
                continue
            found.made_by[each] = self.made_by(each)
            made_of = self.inputs(each[0])
            if made_of is None:
                found.ends.add(each)
                continue
            rows_read = [source for source in made_of.rows if source[1] == ROWS]
            found.values[each] = rows_read if each[1] == ROWS else made_of.values.get(each[1], [])
            found.rows[each] = made_of.rows
            found.expressions[each] = made_of.expressions.get(each[1], "")
            todo += [*found.values[each], *found.rows[each]]
        return found

    @cached_property
    def published(self) -> dict[str, list[str]]:
        """The columns of the tables as published; none before anything is."""
        if not self.workbook.engine.published.exists():
            return {}
        with self.workbook.engine.read() as session:
            return {name: list(session.columns(table(name))) for name in session.tables()}

    def columns(self, name: str) -> list[str]:
        """The columns of a table: as published, or as its SQL has them. None where there is no such table."""
        if name not in self._columns:
            known = self.published.get(name) or list(WRITTEN.get(name, [])) or self._of_dataset(name)
            if not known and name in self.tables:
                query = self.qualified(self.tables[name].query)
                known = [each for each in query.named_selects if each != ROWS]
            self._columns[name] = known
        return self._columns[name]

    def _of_dataset(self, name: str) -> list[str]:
        dataset = name.removeprefix("lake.")
        if dataset not in DATASETS or dataset == name:
            return []
        return [*(DATASETS[dataset] | self.workbook.params.contract(dataset)), "_batch_id"]

    def column(self, place: str) -> Column:
        """The column that a text names. Raises LineageError."""
        name, _, column = place.rpartition(".")
        if name not in self.tables and name not in self.published:
            known = sorted({*self.tables, *self.published})
            raise LineageError(f"there is no table {name or place!r}; {_near(name or place, known)}")
        if column not in self.columns(name):
            raise LineageError(f"{name} has no column {column!r}; {_near(column, self.columns(name))}")
        return name, column

    def made_by(self, each: Column) -> str:
        """Who makes a column: the SQL file, the header of a source, or the part of the package that writes it."""
        name, column = each
        schema, _, bare = name.partition(".")
        if made := self.tables.get(name.removesuffix(DAILY)):
            ours = made.file.is_relative_to(SQL_FOLDER)
            place = f"{f'sql/{schema}' if ours else f'params/{self.workbook.name}/sql'}/{made.file.name}"
            return f"column {column!r} of {place}" if made.file.suffix == ".csv" else place
        if schema == "lake" and bare in DATASETS and self.workbook.has(bare):
            contract = self.workbook.params.contract(bare)
            path = self.workbook.params.sources[bare].path
            file = path if "*" in path else Path(path).name
            if column in contract:
                return f"column {contract[column].header!r} of {file}"
            return f"the rows of {file}" if column == ROWS else WRITERS["lake"]
        return f"written by {WRITERS.get(schema, schema)}"

    def inputs(self, name: str) -> Inputs | None:
        """What a table is made of; None where no query says it: Python writes it, or it is a seed."""
        if name not in self._inputs:
            self._inputs[name] = self._inputs_of(name)
        return self._inputs[name]

    def _inputs_of(self, name: str) -> Inputs | None:
        made, of_days = self.tables.get(name), self.tables.get(name.removesuffix(DAILY))
        if made is None and of_days is not None:  # its rows of each day
            values = {each: [(of_days.name, each)] for each in self.columns(of_days.name)}
            return Inputs({"as_of": [], **values}, {"as_of": "$as_of"}, [(of_days.name, ROWS)])
        if made is None or made.file.suffix == ".csv":
            return None
        found = self.of_query(made.query)
        values = {self._spelled(name, each)[1]: columns for each, columns in found.values.items()}
        texts = {self._spelled(name, each)[1]: text for each, text in found.expressions.items()}
        return Inputs(values, texts, found.rows)

    def of_query(self, query: exp.Expression) -> Inputs:
        """What a query is made of."""
        qualified = self.qualified(query)
        scope, schema = build_scope(qualified), MappingSchema()
        assert scope
        nodes = lineage(None, qualified, schema, dialect=DIALECT, scope=scope, trim_selects=False, copy=False)
        values = {column: _unique(self._ends(node)) for column, node in nodes.items()}
        return Inputs(values, {c: _expression(node) for c, node in nodes.items()}, _unique(self._rows(scope)))

    def qualified(self, query: exp.Expression) -> exp.Expression:
        """A query with its stars expanded and each column beside its table; what the params choose is put in."""
        bound = bind(query, self.bindings)
        schema: dict[str, dict[str, dict[str, str]]] = {}
        for each in bound.find_all(exp.Table):
            if each.db:
                known = self.columns(f"{each.db}.{each.name}")
                schema.setdefault(each.db, {})[each.name] = dict.fromkeys(known, "VARCHAR")
        return qualify(bound, schema=schema, dialect=DIALECT, validate_qualify_columns=False, quote_identifiers=False)

    def _rows(self, root: Scope) -> list[Column]:
        """By what the rows of a query are chosen: columns of filters, joins and groups, and the rows that it reads."""
        found: list[Column] = []
        for scope in root.traverse():
            found += [(name, ROWS) for source in scope.sources.values() if (name := _table_name(source))]
            for clause in _choosing(scope):
                for column in clause.find_all(exp.Column):
                    found += self._resolved(column, scope)
        return found

    def _resolved(self, column: exp.Column, scope: Scope) -> list[Column]:
        source = scope.sources.get(column.table)
        if isinstance(source, Scope):
            if column.name not in source.expression.named_selects:
                return []
            node = lineage(
                column.name, source.expression, MappingSchema(), dialect=DIALECT, scope=source, trim_selects=False
            )
            return self._ends(node)
        name = _table_name(source)
        return [self._spelled(name, column.name)] if name else []

    def _ends(self, node: Node) -> list[Column]:
        """The columns of tables at the end of a node, and the rows of those that it only counts."""
        found = []
        for each in node.walk():
            name = _table_name(each.expression)
            if name:
                found.append(self._spelled(name, _unquoted(each.name)))
            elif any(isinstance(count.this, exp.Star) for count in each.expression.find_all(exp.Count)):
                tables = map(_table_name, each.source.find_all(exp.Table))
                found += [(counted, ROWS) for counted in tables if counted]
        return found

    def _spelled(self, name: str, column: str) -> Column:
        """A column as its table spells it: case does not count in SQL."""
        return name, next((known for known in self.columns(name) if known.lower() == column.lower()), column)


class _Unbound(dict[str, Any]):
    """What the params choose; any other `$name` is a value, and stays as it is."""

    def __missing__(self, name: str) -> exp.Expression:
        return exp.Placeholder(this=name)


def name_of(each: Column) -> str:
    """A column as people write it; of rows, their table."""
    name, column = each
    return f"the rows of {name}" if column == ROWS else f"{name}.{column}" if name else column


def _choosing(scope: Scope) -> list[exp.Expression]:
    """The clauses of a scope that choose its rows."""
    query = scope.expression
    if isinstance(query, exp.SetOperation):
        return []
    clauses = [query.args.get(key) for key in ("where", "group", "having", "qualify")]
    clauses += [join.args.get("on") for join in query.args.get("joins") or []]
    if query.args.get("limit"):
        clauses.append(query.args.get("order"))
    inside_set = isinstance(query.parent, exp.SetOperation) and query.parent.args.get("distinct")
    if query.args.get("distinct") or inside_set or scope.is_subquery:
        clauses += query.selects
    return [clause for clause in clauses if clause is not None]


def _table_name(source: Any) -> str:
    """The name of a table with its schema; empty for anything else."""
    return f"{source.db}.{source.name}" if isinstance(source, exp.Table) and source.db else ""


def _unquoted(name: str) -> str:
    """The column of a node's name, `alias.column` or `alias."column"`."""
    return name.rpartition('."')[2].removesuffix('"') if name.endswith('"') else name.rpartition(".")[2]


def _expression(node: Node) -> str:
    """How a column is computed: the innermost expression that is more than another column's name."""
    if isinstance(node.source, exp.SetOperation):  # each of its queries has its own
        return ""
    while isinstance(_bare(node.expression), exp.Column) and len(node.downstream) == 1:
        if isinstance(node.downstream[0].expression, exp.Table):
            return ""
        node = node.downstream[0]
    bare = _bare(node.expression)
    return "" if isinstance(bare, exp.Column | exp.Star | exp.Table | exp.Query) else bare.sql(DIALECT, comments=False)


def _bare(expression: exp.Expression) -> exp.Expression:
    return expression.this if isinstance(expression, exp.Alias) else expression


def _reached(root: Column, edges: dict[Column, list[Column]]) -> list[Column]:
    found, todo = [], [root]
    while todo:
        each = todo.pop(0)
        if each not in found:
            found.append(each)
            todo += edges.get(each, [])
    return found


def _unique(columns: list[Column]) -> list[Column]:
    return sorted(set(columns))


def _near(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(known)}"
