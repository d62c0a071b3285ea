"""The builder's panels as HTML: estimate, funnel, a column's description, sample customers. All texts are escaped."""

from __future__ import annotations

import html
from typing import Any

from clv_helpers.audiences.estimate import Estimate
from clv_helpers.audiences.sentence import part_in_words
from clv_helpers.charts import PALETTE, QUIET
from clv_helpers.charts.show import compact, percent, upper_first
from clv_helpers.charts.texts import header
from clv_helpers.config.params import Words
from clv_helpers.editors import Attribute
from clv_helpers.editors.html import rows_table

BLUE, GREY = PALETTE[0], "#595959"


def estimate_panel(
    estimate: Estimate, seconds: float, overlap: dict[str, int], *, units: tuple[str, str], words: Words
) -> str:
    """How many, how large a share, their value and spend (in `units`), their deciles, and which other audiences."""
    number = f"{estimate.count:,}" if estimate.exact else f"about {estimate.count:,}"
    kind = "exact" if estimate.exact else f"estimate, 95% interval {estimate.low:,} to {estimate.high:,}"
    means = zip(units, (estimate.mean_value, estimate.mean_spend), strict=True)
    by_unit = {unit: mean for unit, mean in means if mean is not None}  # where both have one unit: the spend
    worth = " · ".join(f"{compact(mean)} {unit} each" for unit, mean in by_unit.items())
    head = (
        f"<div class='clv-count' style='font-size:2em;font-weight:600;line-height:1.1'>{number}</div>"
        f"<div>of {estimate.customers:,} {html.escape(words.customers)}, {percent(estimate.share)}</div>"
        f"<div style='color:{GREY};font-size:.85em'>{kind} · {seconds * 1000:,.0f} ms</div>"
    )
    body = f"<div style='margin:.5em 0'>{html.escape(worth)}</div>" if worth else ""
    return head + body + _deciles(estimate, words) + _overlap(estimate, overlap)


def _deciles(estimate: Estimate, words: Words) -> str:
    most = max(estimate.deciles.values(), default=0)
    if not most:
        return ""
    bars = "".join(
        f"<div style='flex:1;text-align:center' title='decile {n}: {count:,} {html.escape(words.customers)}'>"
        f"<div style='height:44px;display:flex;align-items:end'><div style='width:100%;background:{BLUE};"
        f"height:{max(1, round(44 * count / most)) if count else 0}px'></div></div>"
        f"<div style='font-size:.75em;color:{GREY}'>{n}</div></div>"
        for n, count in estimate.deciles.items()
    )
    return f"<div style='margin-top:.6em'>By lifetime decile</div><div style='display:flex;gap:3px'>{bars}</div>"


def _overlap(estimate: Estimate, overlap: dict[str, int]) -> str:
    if not overlap or not estimate.count:
        return ""
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td style='text-align:right'>{count:,}</td>"
        f"<td style='text-align:right'>{percent(min(1.0, count / estimate.count))}</td></tr>"
        for name, count in list(overlap.items())[:6]
    )
    return f"<div style='margin-top:.8em'>Of them also in</div><table style='width:100%'>{rows}</table>"


def funnel_panel(estimate: Estimate, words: Words) -> str:
    """From everyone to those who meet the rule: a bar per condition, with how many it removes."""
    steps = [(part_in_words(step.part, words), step.left, step.removed) for step in estimate.funnel]
    lines = "".join(
        f"<div style='display:grid;grid-template-columns:minmax(0,2.2fr) minmax(60px,1fr) 5.5em 6.5em;gap:10px;"
        f"align-items:center;padding:3px 0;border-top:1px solid #eee'>"
        f"<div style='overflow-wrap:anywhere'>{html.escape(upper_first(condition))}</div>"
        f"<div style='background:{QUIET}55;height:12px'><div style='background:{BLUE};height:12px;"
        f"width:{100 * left / estimate.customers if estimate.customers else 0:.2f}%'></div></div>"
        f"<div style='text-align:right'>{left:,}</div>"
        f"<div style='text-align:right;color:{GREY}'>{'' if removed is None else f'−{removed:,}'}</div></div>"
        for condition, left, removed in [("Everyone", estimate.customers, None), *steps]
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


def customers_panel(rows: list[dict[str, Any]], words: Words) -> str:
    """A few customers as a table; who they are is masked."""
    return rows_table(
        rows,
        nothing="Nobody meets this rule.",
        heading=lambda name: header(name, words),
        number=",.0f",
        css="clv-customers",
    )
