"""The builder's panels as HTML: estimate, funnel, a column's description, sample customers. All texts are escaped."""

from __future__ import annotations

import html
from typing import Any

from clv_helpers.audiences.catalog import Attribute
from clv_helpers.audiences.estimate import Estimate
from clv_helpers.audiences.sentence import part_in_words
from clv_helpers.charts import PALETTE, QUIET
from clv_helpers.charts.show import compact, percent

BLUE, GREY = PALETTE[0], "#595959"


def estimate_panel(found: Estimate, seconds: float, overlap: dict[str, int], unit: str, currency: str) -> str:
    """How many, how large a share, what they are worth, their deciles, and whom else they belong to."""
    number = f"{found.count:,}" if found.exact else f"about {found.count:,}"
    kind = "exact" if found.exact else f"estimate, 95% interval {found.low:,} to {found.high:,}"
    worth = " · ".join(
        f"{compact(value)} {what} each"
        for value, what in ((found.mean_value, unit), (found.mean_spend, currency))
        if value is not None
    )
    if unit == currency and " · " in worth:
        worth = worth.split(" · ")[1]
    head = (
        f"<div class='clv-count' style='font-size:2em;font-weight:600;line-height:1.1'>{number}</div>"
        f"<div>of {found.customers:,} customers, {percent(found.share)}</div>"
        f"<div style='color:{GREY};font-size:.85em'>{kind} · {seconds * 1000:,.0f} ms</div>"
    )
    body = f"<div style='margin:.5em 0'>{html.escape(worth)}</div>" if worth else ""
    return head + body + _deciles(found) + _overlap(found, overlap)


def _deciles(found: Estimate) -> str:
    most = max(found.deciles.values(), default=0)
    if not most:
        return ""
    bars = "".join(
        f"<div style='flex:1;text-align:center' title='decile {n}: {count:,} customers'>"
        f"<div style='height:44px;display:flex;align-items:end'><div style='width:100%;background:{BLUE};"
        f"height:{max(1, round(44 * count / most)) if count else 0}px'></div></div>"
        f"<div style='font-size:.75em;color:{GREY}'>{n}</div></div>"
        for n, count in found.deciles.items()
    )
    return f"<div style='margin-top:.6em'>By lifetime decile</div><div style='display:flex;gap:3px'>{bars}</div>"


def _overlap(found: Estimate, overlap: dict[str, int]) -> str:
    if not overlap or not found.count:
        return ""
    rows = "".join(
        f"<tr><td style='text-align:left'>{html.escape(name)}</td><td>{count:,}</td>"
        f"<td>{percent(min(1.0, count / found.count))}</td></tr>"
        for name, count in list(overlap.items())[:6]
    )
    return f"<div style='margin-top:.8em'>Of them also in</div><table style='width:100%'>{rows}</table>"


def funnel_panel(found: Estimate) -> str:
    """From everyone to those who meet the rule: a bar per condition, with how many it removes."""
    rows = [("Everyone", found.customers, None)] + [(part_in_words(s.part), s.left, s.removed) for s in found.funnel]
    lines = "".join(
        f"<div style='display:grid;grid-template-columns:minmax(0,2.2fr) minmax(60px,1fr) 5.5em 6.5em;gap:10px;"
        f"align-items:center;padding:3px 0;border-top:1px solid #eee'>"
        f"<div style='overflow-wrap:anywhere'>{html.escape(_upper_first(words))}</div>"
        f"<div style='background:{QUIET}55;height:12px'><div style='background:{BLUE};height:12px;"
        f"width:{100 * left / found.customers if found.customers else 0:.2f}%'></div></div>"
        f"<div style='text-align:right'>{left:,}</div>"
        f"<div style='text-align:right;color:{GREY}'>{'' if removed is None else f'−{removed:,}'}</div></div>"
        for words, left, removed in rows
    )
    return f"<div class='clv-funnel' style='line-height:1.35'>{lines}</div>"


def describe_panel(attribute: Attribute, facts: dict[str, Any]) -> str:
    """What a column means, how often it is filled, and its most frequent values."""
    top = "".join(
        f"<div style='display:flex;justify-content:space-between'><span>{html.escape(str(row['value']))}</span>"
        f"<span style='color:{GREY}'>{row['how_many']:,}</span></div>"
        for row in facts["top"]
    )
    return (
        f"<div style='line-height:1.35'><strong>{html.escape(attribute.about)}</strong>"
        f"<div style='color:{GREY}'>{attribute.kind} · filled {percent(facts['filled'])} · "
        f"about {facts['different']:,} values</div>{top}</div>"
    )


def customers_panel(rows: list[dict[str, Any]]) -> str:
    """A few customers as a table; who they are cannot be told."""
    if not rows:
        return "<p>Nobody meets this rule.</p>"
    head = "".join(
        f"<th style='text-align:left;padding-right:1.2em'>{html.escape(_header(name))}</th>" for name in rows[0]
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td style='text-align:left;padding-right:1.2em'>{_cell(v)}</td>" for v in row.values())
        + "</tr>"
        for row in rows
    )
    return f"<table class='clv-customers'><tr>{head}</tr>{body}</table>"


def code_panel(text: str) -> str:
    """Text as it is, in lines that wrap."""
    style = "white-space:pre-wrap;overflow-wrap:anywhere;max-height:300px;overflow-y:auto;line-height:1.35;margin:4px 0"
    return f"<pre style='{style}'>{html.escape(text)}</pre>"


def list_panel(lines: list[str], nothing: str) -> str:
    """Sentences one below the other."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return (
        f"<ul style='line-height:1.45;margin:6px 0;padding-left:1.2em'>{items}</ul>" if lines else f"<p>{nothing}</p>"
    )


def problem_panel(text: str) -> str:
    """What is wrong, in words."""
    return f"<div class='clv-problem' style='color:#A33B00;white-space:pre-wrap'>{html.escape(text)}</div>"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return html.escape(f"{value:,.0f}" if isinstance(value, float) or "Decimal" in type(value).__name__ else str(value))


def _header(name: str) -> str:
    return _upper_first(name.replace("_", " "))


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]
