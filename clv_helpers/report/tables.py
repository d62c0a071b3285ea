"""The tables of a report as HTML, without the numbers of rows that count fewer than `min_cell` people."""

from __future__ import annotations

import html
from typing import Any

from clv_helpers.charts.disclosure import complete
from clv_helpers.charts.rows import POPULATION
from clv_helpers.charts.show import MISSING


def table_html(table: dict[str, Any], min_cell: int) -> str:
    """The table of show.table as HTML. A row of too few people keeps its name, and no number.

    Where the other rows would give it away as what is missing of their sum, the next smallest row loses its too; not so
    where the rows are audiences, which overlap.
    """
    hidden = _hidden(table, min_cell)
    numeric = [bool(form) for form in table["formats"]]
    wide = [max((len(row[i]) for row in table["rows"]), default=0) > 40 for i in range(len(numeric))]
    names = [" ".join(n for n, on in (("number", a), ("wide", b)) if on) for a, b in zip(numeric, wide, strict=True)]
    kinds = [f' class="{name}"' if name else "" for name in names]
    headers = zip(table["headers"], kinds, strict=True)
    head = "".join(f'<th scope="col"{kind}>{html.escape(text)}</th>' for text, kind in headers)
    body = []
    for index, row in enumerate(table["rows"]):
        texts = [hidden.get(index, text) if form else text for text, form in zip(row, table["formats"], strict=True)]
        body.append("".join(f"<td{kind}>{html.escape(t)}</td>" for t, kind in zip(texts, kinds, strict=True)))
    rows = "".join(f"<tr>{row}</tr>" for row in body)
    return f'<table class="clv-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _hidden(table: dict[str, Any], min_cell: int) -> dict[int, str]:
    """The rows that are hidden, for their own sake or for another's, and what stands in the place of their numbers."""
    people = next((name for name in POPULATION if name in table["values"]), None)
    if people is None:
        return {}
    counts = [float(value or 0) for value in table["values"][people]]
    small = {index: f"< {min_cell}" for index, count in enumerate(counts) if 0 < count < min_cell}
    if not small or table.get("overlapping"):  # audiences share customers: their sizes add up to nothing
        return small
    hidden = complete({(index,) for index in small}, {(i,): count for i, count in enumerate(counts)}, min_cell)
    return {i: small.get(i, MISSING) for i in range(len(counts)) if (i,) in hidden}
