"""SQL of one's own over the published tables: a single SELECT, read-only, with an end to rows, time and memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv_helpers.charts import show
from clv_helpers.charts.declared import query_refused
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.guarded_query import MAX_SECONDS, MEMORY, ask

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 1_000


@dataclass(frozen=True)
class Answer:
    """The rows of a query; `cut_at`: the number of rows after which they were cut off, None where they are all.

    `frame` is exact. What a notebook displays is what may be shared: nobody is named, rows of too few people have no
    number, the others are rounded; `people` is the column that counts those of a row. `refused`: why nothing is.
    """

    frame: pd.DataFrame
    cut_at: int | None
    people: str = ""
    refused: str = ""
    min_cell: int = 1

    @property
    def note(self) -> str:
        """That there is more, where there is."""
        return f"cut off after {self.cut_at:,} rows: there are more" if self.cut_at else ""

    def __str__(self) -> str:
        return self.frame.to_string(index=False) if len(self.frame) else "no rows"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if self.refused:
            return show.note(f"Not shown: {self.refused}. clv sql shows it, and people(wb, …) in JupyterLab.").bundle
        if not len(self.frame):
            return show.note("No rows.").bundle
        forms = {"i": "|.0f", "u": "|.0f", "f": "|,.4f"}
        columns = {str(name): f"{_header(name)}{forms.get(kind.kind, '')}" for name, kind in self.frame.dtypes.items()}
        shown = show.table(self.frame, columns, people=self.people or None, min_cell=self.min_cell).bundle
        note = show.note(show.upper_first(self.note) + ".").bundle if self.note else {"text/html": "", "text/plain": ""}
        return {**shown, **{kind: f"{shown[kind]}\n{note[kind]}".strip() for kind in note}}


def _header(name: Any) -> str:
    return str(name).replace("|", "¦")


def people(workbook: Workbook, sql: str, rows: int = 100, seconds: float = MAX_SECONDS) -> Output:
    """The one place to look at people: the rows of a SELECT as they are, in JupyterLab alone.

    In a batch run, whose notebooks and report are shared, it reads nothing and says so. Raises QueryError as `query`.

    Example:
        >>> insights.people(wb, "SELECT * FROM profile.customer").bundle["text/plain"]
        'People are shown in JupyterLab alone: a run is shared.'
    """
    if not workbook.interactive:
        return show.note("People are shown in JupyterLab alone: a run is shared.")
    frame = query(workbook, sql, rows=rows, seconds=seconds).frame
    return show.table(frame, {str(name): _header(name) for name in frame}, people=None)


def query(
    workbook: Workbook,
    sql: str,
    file: Path | None = None,
    rows: int = MAX_ROWS,
    seconds: float = MAX_SECONDS,
    people: str = "",
) -> Answer:
    """The result of one SELECT over the published tables: at most so many rows, within so many seconds and 2 GB.

    It runs where there is no way to files, network or Python's variables, and nothing can be changed. `file` is where
    the SQL stands, for messages; `people` the column that counts the people of a row (none: customers or the like).
    Raises QueryError, with file and line, for anything but a single SELECT, and for SQL that fails, with the reason.

    Example:
        >>> insights.query(wb, "SELECT as_of FROM derived.as_of").frame.shape
        (1, 1)
    """
    place = str(file) if file else "SQL"
    with workbook.engine.read(memory=MEMORY) as session:
        frame = ask(session, sql, place, rows + 1, seconds)
    refused, people = query_refused(workbook, sql, place, people)
    cut_at, min_cell = rows if len(frame) > rows else None, workbook.params.min_cell
    return Answer(frame.head(rows), cut_at, people, refused, min_cell)
