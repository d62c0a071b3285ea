"""SQL of one's own over the published tables: a single SELECT, read-only, with an end to rows, time and memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv_helpers.charts import show
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.guarded_query import MAX_SECONDS, MEMORY, ask

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
    workbook: Workbook, sql: str, file: Path | None = None, rows: int = MAX_ROWS, seconds: float = MAX_SECONDS
) -> Answer:
    """The result of one SELECT over the published tables: at most so many rows, within so many seconds and 2 GB.

    It runs where there is no way to files, network or Python's variables, and nothing can be changed. `file` is where
    the SQL stands, for messages.
    Raises QueryError, with file and line, for anything but a single SELECT, and for SQL that fails, with the reason.

    Example:
        >>> insights.query(wb, "SELECT as_of FROM derived.as_of").frame.shape
        (1, 1)
    """
    with workbook.engine.read(memory=MEMORY) as session:
        frame = ask(session, sql, str(file) if file else "SQL", rows + 1, seconds)
    return Answer(frame.head(rows), rows if len(frame) > rows else None)
