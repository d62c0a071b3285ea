"""SQL of one's own over the published tables: a single SELECT, read-only, with an end to rows, time and memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv_helpers.charts import ChartError, show
from clv_helpers.charts.declared import as_shown
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.guarded_query import MAX_SECONDS, MEMORY, QueryError, ask

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 1_000


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

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        forms = {"i": "|d", "u": "|d", "f": "|,.4f"}
        columns = {
            str(name): str(name).replace("|", "¦") + forms.get(kind.kind, "")
            for name, kind in self.frame.dtypes.items()
        }
        table = (
            show.table(self.frame, columns, people=None).bundle["text/html"] if len(self.frame) else "<p>no rows</p>"
        )
        note = show.note(self.note[:1].upper() + self.note[1:] + ".").bundle["text/html"] if self.note else ""
        return {"text/html": table + note, "text/plain": "\n".join(filter(None, [str(self), self.note]))}


def query(
    workbook: Workbook,
    sql: str,
    file: Path | None = None,
    rows: int = MAX_ROWS,
    seconds: float = MAX_SECONDS,
    people: str | None = None,
) -> Answer:
    """The result of one SELECT over the published tables, as it may be shown: at most so many rows, seconds, and 2 GB.

    It runs where there is no way to files, network or Python's variables, and nothing can be changed. `file` is where
    the SQL stands, for messages. Rows about customers need a column that counts them: `customers` or the like, or the
    one that `people` names. Groups of fewer than `min_cell` are left out, and the numbers of the others are rounded,
    in the answer's `frame` too. `clv sql` gives exact numbers on a terminal, `people` single persons.
    Raises QueryError, with file and line, for anything but a single SELECT, for SQL that fails, with the reason, and
    for columns that name a person and rows of single persons.

    Example:
        >>> insights.query(wb, "SELECT as_of FROM derived.as_of").frame.shape
        (1, 1)
    """
    answer = exact(workbook, sql, file, rows, seconds)
    where = str(file) if file else "SQL"
    try:
        return replace(answer, frame=as_shown(workbook, sql, answer.frame, people))
    except ChartError as error:
        raise QueryError(f"{where}: {error}; or insights.people(wb, ...), which shows persons live") from None


def exact(
    workbook: Workbook, sql: str, file: Path | None = None, rows: int = MAX_ROWS, seconds: float = MAX_SECONDS
) -> Answer:
    """As `query`, with whatever the SELECT gives: for the terminal of who may see it, and for no notebook."""
    with workbook.engine.read(memory=MEMORY) as session:
        frame = ask(session, sql, str(file) if file else "SQL", rows + 1, seconds)
    return Answer(frame.head(rows), rows if len(frame) > rows else None)


def people(workbook: Workbook, sql: str, rows: int = MAX_ROWS, seconds: float = MAX_SECONDS) -> Answer | Output:
    """The one place of a notebook in which single persons are looked at: the rows of a SELECT, exact, with its limits.

    Only live in JupyterLab. In a batch run, whose notebooks are kept and shared, nothing is read, and a sentence says
    so. Clear the output before you hand a notebook on.

    Example:
        >>> len(insights.people(wb, "SELECT customer_id FROM profile.customer LIMIT 3").frame)
        3
    """
    if not workbook.interactive:
        return show.note("Single customers are looked at live in JupyterLab alone; a run shows none.")
    return exact(workbook, sql, None, rows, seconds)
