"""A session with the store for as long as one piece of work takes: SQL in, rows out, whichever engine does it."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from clv_helpers.engines.dialect import bind, cast, expression, parse, table
from clv_helpers.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


class LakeBusyError(UserError):
    """Another process holds the lake for longer than we are ready to wait."""

    def __init__(self, workbook: str, holder: str, patience: float):
        super().__init__(
            f"{workbook}: {holder} is writing to the lake, and did not finish within {patience:.0f} seconds; "
            "wait for it or stop it, then run again"
        )


class NothingPublished(UserError):
    """There is nothing to read yet: no refresh has passed its checks."""

    def __init__(self, workbook: str):
        super().__init__(f"nothing is published yet in {workbook}: run stage 1 first")


@dataclass(frozen=True)
class Delta:
    """How a table differs from what it was under an earlier version: its key, and two temporary tables of its rows."""

    since: str | None
    key: tuple[str, ...]
    removed: str
    added: str


class Session(abc.ABC):
    """Takes SQL text or sqlglot trees in DuckDB's dialect, and values by name. Each engine has its own."""

    errors: tuple[type[Exception], ...] = ()  # what the engine raises for a statement that it refuses

    def __init__(self) -> None:
        self.deltas: dict[str, Delta] = {}

    @abc.abstractmethod
    def run(self, query: str | exp.Expr, **bindings: Any) -> None:
        """Execute a statement that returns nothing."""

    @abc.abstractmethod
    def rows(self, query: str | exp.Expr, **bindings: Any) -> list[dict[str, Any]]:
        """The result as one dict per row."""

    @abc.abstractmethod
    def frame(self, query: str | exp.Expr, **bindings: Any) -> pd.DataFrame:
        """The result as a DataFrame."""

    @abc.abstractmethod
    def copy_to(self, query: exp.Expr, file: Path, **options: Any) -> int:
        """Write the result of a query to a file, with options of DuckDB's COPY; gives how many rows."""

    @abc.abstractmethod
    def columns(self, source: exp.Expr) -> dict[str, str]:
        """The columns of a table or a query: name → type, by DuckDB's name for it. Reads no rows."""

    @abc.abstractmethod
    def commit(self) -> None:
        """Make what was done so far lasting, and go on in a new transaction, with the lake still held."""

    @abc.abstractmethod
    def rollback(self) -> None:
        """Undo what was done since the last commit, and go on in a new transaction, with the lake still held."""

    @abc.abstractmethod
    def create_if_absent(self, name: str, columns: dict[str, Any]) -> None:
        """An empty table with columns of the contract's types, where there is none of that name."""

    @abc.abstractmethod
    def add_column(self, name: str, column_name: str, kind: str) -> None:
        """Add an empty column of one of the contract's types."""

    @abc.abstractmethod
    def create_temporary(self, name: str, query: exp.Expr) -> None:
        """A table of this session alone."""

    @abc.abstractmethod
    def load_file(self, name: str, query: exp.Expr, *more: exp.Expr) -> None:
        """A query over a file as a table of this session alone, and statements that add to it while the file is open.

        Raises duckdb.Error, on any engine, for a file that cannot be read: files come in one by one, and DuckDB reads
        each, streaming, wherever the rows go then. So every engine accepts and rejects the same rows.
        """

    @abc.abstractmethod
    def load_frame(self, name: str, frame: pd.DataFrame) -> None:
        """A DataFrame as a table of this session alone: how results of Python come to where the rows are."""

    @abc.abstractmethod
    def create_table(self, name: str, query: exp.Expr) -> None:
        """Replace a table by the result of a query, and give it a new version."""

    @abc.abstractmethod
    def create_view(self, name: str, query: exp.Expr, version: str) -> None:
        """Replace a view. The version is the caller's, who knows from what it is made."""

    @abc.abstractmethod
    def change_rows(self, name: str, delta: Delta) -> None:
        """Remove and add the rows of a difference, and give the table a new version."""

    @abc.abstractmethod
    def drop(self, name: str) -> None:
        """Drop a table or a view."""

    @abc.abstractmethod
    def versions(self) -> dict[str, str | None]:
        """The version of each table and view, `schema.table`: it changes with the rows. None: rows come without one."""

    @abc.abstractmethod
    def set_version(self, name: str, version: str) -> None:
        """Give a table its version."""

    @abc.abstractmethod
    def interrupt(self) -> None:
        """Stop the query that runs in another thread: it ends there with an error."""

    @abc.abstractmethod
    def explain(self, sql: str, error: Exception) -> tuple[int | None, str]:
        """In which line the SQL of others is wrong, where the engine knows, and why: one of `errors` in a sentence."""

    def version(self, name: str) -> str | None:
        """The version of one table; None where there is no such table, or it has none."""
        return self.versions().get(name)

    def tables(self) -> list[str]:
        """The tables and views of this store as `schema.table`, sorted."""
        return sorted(self.versions())

    def has_table(self, name: str) -> bool:
        """Whether a table or view `schema.table` exists."""
        return name in self.versions()

    def scalar(self, query: str | exp.Expr, **bindings: Any) -> Any:
        """The first value of the first row."""
        return next(iter(self.rows(query, **bindings)[0].values()))

    def count(self, source: exp.Expr) -> int:
        """How many rows a table or a subquery has."""
        return self.scalar("SELECT COUNT(*) AS rows FROM $source", source=source)

    def type_name(self, kind: str) -> str:
        """The name that `columns` gives to one of the contract's types."""
        return next(iter(self.columns(exp.select(cast(exp.null(), kind).as_("t")).subquery("s")).values()))

    def difference(self, name: str, key: tuple[str, ...], old: str, new: str, since: str | None) -> Delta | None:
        """How the rows of one table differ from those of another; None where they do not.

        The session keeps it as the delta of table `name` since a version, for what is refreshed after it.
        """
        delta = Delta(since, key, *(f"{name.replace('.', '_')}_{side}" for side in ("removed", "added")))
        for side, rows, others in ((delta.removed, old, new), (delta.added, new, old)):
            difference = "SELECT * FROM $rows EXCEPT SELECT * FROM $others"
            self.create_temporary(side, expression(difference, rows=table(rows), others=table(others)))
        if not self.count(table(delta.removed)) + self.count(table(delta.added)):
            return None
        self.deltas[name] = delta
        return delta


def bound(query: str | exp.Expr, bindings: dict[str, Any]) -> exp.Expression:
    """SQL text or a tree with its values in it."""
    return bind(parse(query) if isinstance(query, str) else query, bindings)
