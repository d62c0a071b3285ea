"""A session with the store for as long as one piece of work takes: SQL in, rows out, whichever engine does it."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from clv_helpers.engines.dialect import bind, cast, parse, table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Delta:
    """How a table differs from what it was under an earlier mark: its key, and two temporary tables of whole rows."""

    since: str | None
    key: tuple[str, ...]
    gone: str
    came: str


class Session(abc.ABC):
    """Takes SQL text or sqlglot trees in DuckDB's dialect, and values by name. Each engine has its own."""

    errors: Any = ()  # what the engine raises for a statement that it refuses

    def __init__(self) -> None:
        self.deltas: dict[str, Delta] = {}

    @abc.abstractmethod
    def run(self, query: str | exp.Expression, **bindings: Any) -> None:
        """Execute a statement that returns nothing."""

    @abc.abstractmethod
    def rows(self, query: str | exp.Expression, **bindings: Any) -> list[dict[str, Any]]:
        """The result as one dict per row."""

    @abc.abstractmethod
    def frame(self, query: str | exp.Expression, **bindings: Any) -> pd.DataFrame:
        """The result as a DataFrame."""

    @abc.abstractmethod
    def columns(self, source: exp.Expression) -> dict[str, str]:
        """The columns of a table or a query: name → type, by DuckDB's name for it. Reads no rows."""

    @abc.abstractmethod
    def tables(self) -> list[str]:
        """The tables of this store as `schema.table`, sorted."""

    @abc.abstractmethod
    def has_table(self, name: str) -> bool:
        """Whether a table `schema.table` exists."""

    @abc.abstractmethod
    def commit(self) -> None:
        """Make what was done so far lasting, and go on in a new transaction, with the lake still held."""

    @abc.abstractmethod
    def rollback(self) -> None:
        """Undo what was done since the last commit, and go on in a new transaction, with the lake still held."""

    @abc.abstractmethod
    def create_if_absent(self, name: str, columns: dict[str, str]) -> None:
        """An empty table with columns of the contract's types, where there is none of that name."""

    @abc.abstractmethod
    def create_temporary(self, name: str, query: exp.Expression) -> None:
        """A table of this session alone."""

    @abc.abstractmethod
    def load_file(self, name: str, query: exp.Expression, *more: exp.Expression) -> None:
        """A query over a file as a table of this session alone, and statements that add to it while the file is open.

        Raises duckdb.Error, on any engine, for a file that cannot be read: files come in one by one, and DuckDB reads
        each, streaming, wherever the rows go then. So every engine accepts and rejects the same rows.
        """

    @abc.abstractmethod
    def load_frame(self, name: str, frame: pd.DataFrame) -> None:
        """A DataFrame as a table of this session alone: how results of Python come to where the rows are."""

    @abc.abstractmethod
    def add_column(self, name: str, column_name: str, kind: str) -> None:
        """Add an empty column of one of the contract's types."""

    @abc.abstractmethod
    def create_table(self, name: str, query: exp.Expression) -> None:
        """Replace a table by the result of a query, and mark it as new."""

    @abc.abstractmethod
    def create_view(self, name: str, query: exp.Expression, mark: str) -> None:
        """Replace a view. The mark is the caller's, who knows from what it is made."""

    @abc.abstractmethod
    def change_rows(self, name: str, delta: Delta) -> None:
        """Take the rows that went from a table, add those that came, and mark it as new."""

    @abc.abstractmethod
    def marks(self) -> dict[str, str | None]:
        """The mark of each table's and view's content, changed with it. None: rows are added unmarked."""

    @abc.abstractmethod
    def set_mark(self, name: str, mark: str) -> None:
        """Give a table its mark."""

    @abc.abstractmethod
    def drop(self, name: str) -> None:
        """Drop a table or a view."""

    @abc.abstractmethod
    def copy_to(self, query: exp.Expression, file: Path, **options: Any) -> int:
        """Write the result of a query to a file, with options of DuckDB's COPY; gives how many rows."""

    @abc.abstractmethod
    def interrupt(self) -> None:
        """Stop the query that runs in another thread: it ends there with an error."""

    @abc.abstractmethod
    def explain(self, sql: str, error: Exception) -> tuple[int | None, str]:
        """In which line the SQL of others is wrong, where the engine knows, and why: one of `errors` in a sentence."""

    def scalar(self, query: str | exp.Expression, **bindings: Any) -> Any:
        """The first value of the first row."""
        return next(iter(self.rows(query, **bindings)[0].values()))

    def count(self, source: exp.Expression) -> int:
        """How many rows a table or a subquery has."""
        return self.scalar(exp.select(exp.Count(this=exp.Star()).as_("rows")).from_(source))

    def type_name(self, kind: str) -> str:
        """The name that `columns` gives to one of the contract's types."""
        return next(iter(self.columns(exp.select(cast(exp.null(), kind).as_("t")).subquery("s")).values()))

    def mark(self, name: str) -> str | None:
        """The mark of one table; None where there is no such table, or it has none."""
        return self.marks().get(name)

    def difference(self, name: str, key: tuple[str, ...], old: str, new: str, since: str | None) -> Delta | None:
        """How the rows of one table differ from those of another; None where they do not.

        The session keeps it as the delta of table `name` since a mark, for what follows from it.
        """
        gone, came = (f"{name.replace('.', '_')}_{side}" for side in ("gone", "came"))
        rows = [exp.select("*").from_(table(side)) for side in (old, new)]
        self.create_temporary(gone, exp.except_(*rows))
        self.create_temporary(came, exp.except_(*reversed(rows)))
        if not self.count(table(gone)) + self.count(table(came)):
            return None
        self.deltas[name] = Delta(since, key, gone, came)
        return self.deltas[name]


def bound(query: str | exp.Expression, bindings: dict[str, Any]) -> exp.Expression:
    """SQL text or a tree with its values in it."""
    return bind(parse(query) if isinstance(query, str) else query, bindings)
