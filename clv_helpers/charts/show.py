"""What people see beside charts: tables, key figures, findings and notes, in a notebook and in the report."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# The report collects these from the executed notebooks and sets them at its top.
METRICS_MIME = "application/vnd.clv.metrics+json"
FINDING_MIME = "application/vnd.clv.finding+json"
BOARD_MIME = "application/vnd.clv.board+json"
TABLE_MIME = "application/vnd.clv.table+json"
MISSING = "–"


@dataclass(frozen=True)
class Metric:
    """One key figure: what it counts, its value as text, and a few words on how to read it."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Output:
    """Something to display: one representation per MIME type; of several outputs each has its own in `parts`."""

    bundle: dict[str, Any]
    parts: tuple[Output, ...] = ()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for part in self.parts or (self,):
            display(part.bundle, raw=True)


def stack(*outputs: Output) -> Output:
    """Several outputs as one, displayed one below the other."""
    parts = tuple(part for output in outputs for part in output.parts or (output,))  # a stack in a stack is one
    return Output({"text/plain": "\n".join(str(part.bundle.get("text/plain", "")) for part in parts)}, parts)


def metrics(*entries: Metric) -> Output:
    """Key figures in a row."""
    cards = "".join(
        f"<div style='min-width:9em'><div style='font-size:1.7em;font-weight:600'>{html.escape(e.value)}</div>"
        f"<div>{html.escape(e.label)}</div><div style='opacity:.7;font-size:.85em'>{html.escape(e.note)}</div></div>"
        for e in entries
    )
    text = "; ".join(f"{e.label}: {e.value}" for e in entries)
    row = f"<div class='clv-metrics' style='display:flex;gap:2em;flex-wrap:wrap'>{cards}</div>"
    return Output({METRICS_MIME: [asdict(e) for e in entries], "text/html": row, "text/plain": text})


def finding(sentence: str) -> Output:
    """A sentence that was computed from the data, worth repeating at the top of the report."""
    shown = f"<p class='clv-finding'><strong>{html.escape(sentence)}</strong></p>"
    return Output({FINDING_MIME: sentence, "text/html": shown, "text/plain": sentence})


def note(sentence: str) -> Output:
    """A plain sentence."""
    return Output({"text/html": f"<p class='clv-note'>{html.escape(sentence)}</p>", "text/plain": sentence})


def code(text: str) -> Output:
    """Code or SQL, as it is."""
    return Output({"text/html": f"<pre class='clv-code'>{html.escape(text)}</pre>", "text/plain": text})


def table(rows: pd.DataFrame | list[dict[str, Any]], /, **columns: str) -> Output:
    """Rows as a table with the named columns, in order: `column="Header|format"`.

    The format is Python's (`,.0f`, `.1%`); a column without one is shown as text. Texts are escaped.
    """
    import pandas as pd

    frame = pd.DataFrame(rows)
    content = _table_content(frame, {name: spec.partition("|")[::2] for name, spec in columns.items()})
    # the classes of the columns (numeric, wide) stand on the table, as cells carry none of their own
    marks = [f"n{index}" for index, form in enumerate(content["formats"], 1) if form]
    marks += [f"w{index}" for index, name in enumerate(columns, 1) if frame[name].astype(str).str.len().max() > 40]
    head, body = _line(content["headers"], "th"), "".join(_line(cells, "td") for cells in content["rows"])
    inside = f'<thead style="text-align: right;">{head}</thead><tbody>{body}</tbody>'
    shown = f'<table class="{" ".join(["dataframe", "clv-table", *marks])}">{inside}</table>'
    return Output({"text/html": shown, TABLE_MIME: content, "text/plain": f"{len(frame)} rows"})


def _table_content(frame: pd.DataFrame, parts: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """A table as the report takes it, which leaves out what is about too few people; `parts`: header and format."""
    import pandas as pd

    texts = [[_cell(value, form) for value in frame[name]] for name, (_, form) in parts.items()]
    counts = {
        name: [None if pd.isna(v) else float(v) for v in frame[name]]
        for name, (_, form) in parts.items()
        if form and pd.api.types.is_numeric_dtype(frame[name])
    }
    return {
        "names": list(parts),
        "headers": [header for header, _ in parts.values()],
        "formats": [form for _, form in parts.values()],
        "rows": [list(row) for row in zip(*texts, strict=True)],
        "values": counts,
        "overlapping": "audience" in frame and bool(frame["audience"].is_unique),
    }


def folded(shown: Output, summary: str) -> Output:
    """The same behind a line to click on: for what is long and looked up rather than read."""
    body = f"<details><summary>{html.escape(summary)}</summary>{shown.bundle['text/html']}</details>"
    return Output({"text/html": body, "text/plain": shown.bundle["text/plain"]})


def _cell(value: Any, form: str = "") -> str:
    import pandas as pd

    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return MISSING
    if form:
        return format(value, form)
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return str(value)


def _line(cells: list[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"


def escaped(text: str) -> str:
    """Text for HTML."""
    return html.escape(text)


def upper_first(text: str) -> str:
    """The text with a capital."""
    return text[:1].upper() + text[1:]


def compact(value: float) -> str:
    """A number short enough for a title: 1234567 → 1.2 M, 1234 → 1,234."""
    for size, unit in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= max(size, 10_000):
            scaled = value / size
            return f"{scaled:.0f}{unit}" if abs(scaled) >= 100 else f"{scaled:.1f}{unit}"
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """A share as a percentage, with a decimal below ten."""
    return f"{share:.0%}" if share >= 0.1 or share == 0 else f"{share:.1%}"
