"""An editor's texts as HTML: problems, lists, code, small tables. All texts are escaped."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

ORANGE = "#A33B00"


def problem(text: str) -> str:
    """What is wrong, in words; empty where nothing is."""
    style = f"color:var(--clv-wrong,{ORANGE});white-space:pre-wrap"
    return f"<div class='clv-problem' style='{style}'>{html.escape(text)}</div>" if text else ""


def done(text: str, css: str = "clv-saved") -> str:
    """What has been done, for the line of the file bar."""
    return f"<span class='{css}'>{html.escape(text)}</span>"


def code(text: str) -> str:
    """Text as it is, in lines that wrap."""
    style = "white-space:pre-wrap;overflow-wrap:anywhere;max-height:300px;overflow-y:auto;line-height:1.35;margin:4px 0"
    return f"<pre style='{style}'>{html.escape(text)}</pre>"


def sentences(lines: list[str], nothing: str = "") -> str:
    """Sentences one below the other."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    style = "line-height:1.45;margin:6px 0;padding-left:1.2em"
    return f"<ul style='{style}'>{items}</ul>" if lines else f"<p>{html.escape(nothing)}</p>"


def rows_table(
    rows: Sequence[Mapping[Any, Any]],
    *,
    nothing: str = "No rows.",
    heading: Callable[[str], str] = str,
    number: str = "",
    css: str = "",
) -> str:
    """A few rows as a small table; `heading` gives what a column is headed with, `number` the form of decimals."""
    if not rows:
        return f"<p>{html.escape(nothing)}</p>"
    head = "".join(f"<th>{html.escape(heading(str(name)))}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(in_short(value, number))}</td>" for value in row.values()) + "</tr>"
        for row in rows
    )
    return f"<div style='overflow-x:auto'><table class='{css}'><tr>{head}</tr>{body}</table></div>"


def in_short(value: Any, number: str = "") -> str:
    """A value in a cell: a dash where it is missing, decimals rounded, a day without its midnight."""
    if value is None:
        return "–"
    if isinstance(value, float | Decimal):
        return format(value, number or (",.0f" if abs(float(value)) >= 1000 else ".4g"))
    return str(value).removesuffix(" 00:00:00")
