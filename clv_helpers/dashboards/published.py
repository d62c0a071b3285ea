"""The published tables as a live board reads them: a session, and what was drawn of it, until others are published."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from clv_helpers.charts import Picture, Widget, picture, sql_of
from clv_helpers.charts.rows import followed
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.guarded_query import MEMORY
from clv_helpers.engines.session import Session

MOST_DRAWN = 500  # pictures that are kept: a board stays open for hours


class Drawn(NamedTuple):
    """A widget's picture, its query, and the columns by which it was narrowed."""

    picture: Picture
    sql: str
    columns: list[str]


class Published:
    """To open the tables, to read what is there and to judge small groups takes longer than a changed filter's rows."""

    def __init__(self, workbook: Workbook):
        self.workbook = workbook
        self._open = contextlib.ExitStack()
        self._session: Session | None = None
        self._version: tuple[int, int] | None = None
        self._drawn: dict[Any, Drawn] = {}

    @property
    def session(self) -> Session:
        """One on the tables as published now. Raises NothingPublished."""
        file = self.workbook.engine.published
        version = (stat.st_ino, stat.st_mtime_ns) if file.exists() and (stat := file.stat()) else None
        if self._session is None or version != self._version:
            self.let_go()
            self._session = self._open.enter_context(self.workbook.engine.read(memory=MEMORY))
            self._version = version
        return self._session

    def let_go(self) -> None:
        """Close the session, and forget what was drawn."""
        self._open.close()
        self._session, self._drawn = None, {}

    def draw(self, widget: Widget, filters: dict[str, Any], across: Iterable[str]) -> Drawn:
        """A widget narrowed by those filters that it follows; as before where these are as before.

        `across`: see charts.picture. Raises UserError for what cannot be drawn.
        """
        session, workbook = self.session, self.workbook
        columns = followed(session, workbook, widget, filters)
        narrowed = {name: filters[name] for name in columns}
        key = (widget.model_dump_json(), repr(narrowed), *across)
        if key not in self._drawn:
            if len(self._drawn) == MOST_DRAWN:
                del self._drawn[next(iter(self._drawn))]  # the oldest
            drawn = picture(session, workbook, widget, narrowed, across)
            _ = drawn.spec  # which it keeps
            self._drawn[key] = Drawn(drawn, sql_of(session, workbook, widget, narrowed), columns)
        return self._drawn[key]
