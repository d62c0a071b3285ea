"""SQL of one's own over the published tables: a single SELECT, read-only, with an end to rows, time and memory."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from clv_helpers import show
from clv_helpers.engines.dialect import DIALECT
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.workbook import Workbook

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 1_000
MAX_SECONDS = 30.0
MEMORY = "2GB"
BEGINNINGS = {"SELECT", "WITH", "FROM", "("}
ROWS_FROM = (exp.GenerateSeries, exp.Unnest)  # the functions that may stand where a table stands: they read nothing
WRITES = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Pragma, exp.Set, exp.Copy, exp.Attach, exp.Use)


class QueryError(UserError):
    """A query that is not a single SELECT, that the engine refuses, or that takes too much."""


@dataclass(frozen=True)
class Answer:
    """The rows of a query; `cut_at`: the number of rows after which they were cut off, None where they are all."""

    frame: pd.DataFrame
    cut_at: int | None

    @property
    def note(self) -> str:
        """That there is more, where there is."""
        return f"cut off after {self.cut_at:,} rows: there are more" if self.cut_at else ""

    def __str__(self) -> str:
        return self.frame.to_string(index=False) if len(self.frame) else "no rows"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        forms = {"i": "|d", "u": "|d", "f": "|,.4f"}
        columns = {name: name.replace("|", "¦") + forms.get(kind.kind, "") for name, kind in self.frame.dtypes.items()}
        table = show.table(self.frame, **columns).bundle["text/html"] if len(self.frame) else "<p>no rows</p>"
        note = show.note(self.note[:1].upper() + self.note[1:] + ".").bundle["text/html"] if self.note else ""
        return {"text/html": table + note, "text/plain": "\n".join(filter(None, [str(self), self.note]))}


def query(
    workbook: Workbook, sql: str, file: Path | None = None, rows: int = MAX_ROWS, seconds: float = MAX_SECONDS
) -> Answer:
    """The result of one SELECT over the published tables: at most so many rows, within so many seconds and 2 GB.

    It runs where there is no way to files, network or Python's variables, and nothing can be changed. `file` is where
    the SQL stands, for messages.
    Raises QueryError, with file and line, for anything but a single SELECT, and for SQL that fails, with the reason.
    """
    where = str(file) if file else "SQL"
    select = parse_select(sql, where)
    asked = exp.select("*").from_(select.subquery("answer")).limit(rows + 1)
    with workbook.engine.read(memory=MEMORY) as session:
        timer = threading.Timer(seconds, session.interrupt)
        timer.start()
        try:
            frame = session.frame(asked)
        except duckdb.InterruptException:
            reason = f"it took longer than {seconds:g} seconds and was stopped; ask for less, or allow more"
            raise QueryError(f"{where}: {reason}") from None
        except duckdb.OutOfMemoryException:
            raise QueryError(f"{where}: it needs more than {MEMORY} of memory; filter or aggregate first") from None
        except session.errors as error:
            raise QueryError(_explained(session, sql, where, error)) from None
        finally:
            timer.cancel()
    return Answer(frame.head(rows), rows if len(frame) > rows else None)


def parse_select(sql: str, where: str = "SQL") -> exp.Query:
    """One SELECT as a tree. Raises QueryError for anything else, and for functions that read more than tables."""
    try:
        tokens = sqlglot.tokenize(sql, read=DIALECT)
        if not tokens or tokens[0].text.upper() not in BEGINNINGS:
            beginning = tokens[0].text.upper() if tokens else "nothing"
            raise QueryError(f"{where}: it begins with {beginning}; allowed: a single SELECT, which changes nothing")
        statements = [each for each in sqlglot.parse(sql, read=DIALECT) if each]
    except ParseError as error:
        detail = error.errors[0]
        raise QueryError(f"{where}, line {detail['line']}: {detail['description']}") from None
    except TokenError as error:
        raise QueryError(f"{where}: no SQL ({str(error).splitlines()[0]})") from None
    if len(statements) != 1:
        raise QueryError(f"{where}: it holds {len(statements)} statements; allowed: a single SELECT")
    if not isinstance(statements[0], exp.Query) or statements[0].find(*WRITES):
        raise QueryError(f"{where}: it would change something; allowed: a single SELECT, which changes nothing")
    for table in statements[0].find_all(exp.Table):
        if isinstance(table.this, exp.Func) and not isinstance(table.this, ROWS_FROM):
            name = (table.this.name if isinstance(table.this, exp.Anonymous) else table.this.sql_name()).lower()
            allowed = "tables, and the functions range, generate_series and unnest"
            raise QueryError(f"{where}: rows cannot come from {name}(…); allowed: {allowed}")
    return statements[0]


def _explained(session: Session, sql: str, where: str, error: Exception) -> str:
    """Why the engine refuses the query, and in which line of it: what ran was written anew from its tree."""
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException | duckdb.ParserException):
        try:
            session.check(sql)
        except duckdb.Error as of_original:
            error = of_original
    text, _, place = str(error).partition("LINE ")
    line = re.match(r"\d+", place)
    reason = " ".join(re.sub(r"^\w+ Error: ", "", text).split())
    return f"{where}{f', line {line[0]}' if line else ''}: {reason}"
