"""SQL that is not ours, run: at most so many rows, within so many seconds, and explained where it fails."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlglot import exp

from clv_helpers.engines.guarded_select import QueryError, parse_select
from clv_helpers.engines.session import Session

if TYPE_CHECKING:
    import pandas as pd

MAX_SECONDS = 30.0
MEMORY = "2GB"  # what a session of `Engine.read` is opened with for it
AGAIN = 0.5  # seconds: between two queries of one answer, or while it is planned, there is nothing to interrupt


def ask(session: Session, sql: str, where: str, rows: int, seconds: float = MAX_SECONDS) -> pd.DataFrame:
    """The first rows of one SELECT; `where` is where it stands, for messages.

    Raises QueryError for anything but a single SELECT, for SQL that fails, and for what takes longer.
    """
    asked = exp.select("*").from_(parse_select(sql, where).subquery("answer")).limit(rows)
    try:
        with _stopped_after(seconds, session) as late:
            return session.frame(asked)
    except session.errors as error:
        reason = f"it took longer than {seconds:g} seconds and was stopped; ask for less, or allow more"
        line, why = (None, reason) if late.is_set() else session.explain(sql, error)
        raise QueryError(f"{where}{f', line {line}' if line else ''}: {why}") from None


@contextlib.contextmanager
def _stopped_after(seconds: float, session: Session) -> Iterator[threading.Event]:
    """Interrupt what runs in the session when the time is up, until it ends; the event says that it came to that."""
    late, ended = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(AGAIN if late.is_set() else seconds):
            late.set()
            session.interrupt()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield late
    finally:
        ended.set()
        watching.join()  # whoever asks next finds the engine at rest
