"""Effects as points with their intervals about a line at zero, and the Qini curve, as Vega-Lite specs."""

from __future__ import annotations

from typing import Any

from clv_helpers.charts import CHART_MIME, PALETTE
from clv_helpers.charts.show import Output
from clv_helpers.charts.theme import CONFIG, INK

SURE, UNSURE, TRUE = PALETTE[0], PALETTE[6], PALETTE[1]
SHOWN_AS = {"known": "leaves out zero", "not known": "holds zero", "planted": "planted"}
Rows = list[dict[str, Any]]


def by_campaign(rows: Rows, title: str, unit: str) -> Output:
    """A point per campaign with its 95% interval. Rows: campaign, cuped, cuped_low, cuped_high; perhaps planted."""
    y = {"field": "campaign", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 240}}
    height = max(120, 60 + 44 * len(rows))
    return _effects(
        rows, title, f"Revenue added per customer drawn, in {unit}, with 95% interval", "x", y, unit, height
    )


def by_decile(rows: Rows, title: str, unit: str) -> Output:
    """A point per value decile with its 95% interval. Rows: decile, cuped, cuped_low, cuped_high; perhaps planted."""
    x = {"field": "decile", "type": "ordinal", "title": "Value decile when drawn (1 = best)", "axis": {"labelAngle": 0}}
    about = f"Revenue added per customer drawn, in {unit}, with 95% interval, by value decile"
    return _effects(rows, title, about, "y", x, unit, 300)


def _effects(
    rows: Rows, title: str, subtitle: str, along: str, other: dict[str, Any], unit: str, height: int
) -> Output:
    across = "y" if along == "x" else "x"
    shown = [
        {**row, "state": SHOWN_AS["known" if row["cuped_low"] > 0 or row["cuped_high"] < 0 else "not known"]}
        for row in rows
    ]
    value = {"type": "quantitative", "title": f"{unit} per customer", "axis": {"grid": True, "tickCount": 6}}
    tooltip = [
        {"field": other["field"], "type": other["type"]},
        {"field": "cuped", "title": f"Added ({unit} per customer)", "type": "quantitative", "format": ".2f"},
        {"field": "cuped_low", "title": "from", "type": "quantitative", "format": ".2f"},
        {"field": "cuped_high", "title": "to", "type": "quantitative", "format": ".2f"},
    ]
    states = [each for each in SHOWN_AS.values() if each in {row["state"] for row in shown}]
    if any(row.get("planted") is not None for row in rows):
        states.append(SHOWN_AS["planted"])
    colors = dict(zip(SHOWN_AS.values(), (SURE, UNSURE, TRUE), strict=True))
    color = {
        "field": "state",
        "type": "nominal",
        "scale": {"domain": states, "range": [colors[each] for each in states]},
        "legend": {"title": None, "orient": "top", "symbolOpacity": 1, "columns": 3},
    }
    encoding = {across: other, along: {**value, "field": "cuped"}, "color": color, "tooltip": tooltip}
    layers: Rows = [
        {
            "data": {"values": [{"zero": 0}]},
            "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3]},
            "encoding": {along: {"field": "zero", "type": "quantitative", "title": value["title"]}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2.5},
            "encoding": {**encoding, along: {**value, "field": "cuped_low"}, f"{along}2": {"field": "cuped_high"}},
        },
        {"mark": {"type": "point", "filled": True, "size": 90, "opacity": 1}, "encoding": encoding},
    ]
    if SHOWN_AS["planted"] in states:
        planted = [
            {other["field"]: row[other["field"]], "planted": row["planted"], "state": SHOWN_AS["planted"]}
            for row in rows
        ]
        layers.append(
            {
                "data": {"values": planted},
                "mark": {"type": "point", "shape": "diamond", "size": 110, "strokeWidth": 2.5, "filled": False},
                "encoding": {
                    across: other,
                    along: {**value, "field": "planted"},
                    "color": color,
                    "tooltip": [
                        {
                            "field": "planted",
                            "title": f"Planted ({unit} per customer)",
                            "type": "quantitative",
                            "format": ".2f",
                        }
                    ],
                },
            }
        )
    return _shown({"data": {"values": shown}, "layer": layers, "height": height}, title, subtitle, "half")


def qini(rows: Rows, title: str, subtitle: str, unit: str) -> Output:
    """What is added as more customers are reached, the best deciles first, beside reaching them at random."""
    named = {"added": "best deciles first", "at_random": "at random"}
    values = [
        {"share": row["share_of_customers"], "added": row[key], "order": label}
        for row in rows
        for key, label in named.items()
    ]
    encoding = {
        "x": {
            "field": "share",
            "type": "quantitative",
            "title": "Customers reached",
            "axis": {"format": "%", "tickCount": 6},
        },
        "y": {"field": "added", "type": "quantitative", "title": f"{unit} added, per customer of all"},
        "color": {
            "field": "order",
            "type": "nominal",
            "scale": {"domain": list(named.values()), "range": [SURE, UNSURE]},
            "legend": {"title": None, "orient": "top"},
        },
        "strokeDash": {
            "field": "order",
            "type": "nominal",
            "legend": None,
            "scale": {"domain": list(named.values()), "range": [[1, 0], [5, 4]]},
        },
    }
    mark = {"type": "line", "strokeWidth": 2.5, "point": {"size": 30}}
    return _shown(
        {"data": {"values": values}, "mark": mark, "encoding": encoding, "height": 300}, title, subtitle, "half"
    )


def _shown(spec: dict[str, Any], title: str, subtitle: str, width: str) -> Output:
    texts = {"title": {"text": title, "subtitle": subtitle}, "description": f"{title}. {subtitle}"}
    whole = {**spec, **texts, "width": 420, "config": CONFIG, "usermeta": {"width": width}}
    return Output({CHART_MIME: whole, "text/plain": title})
