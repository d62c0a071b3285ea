"""Charts of effects: points with their intervals about a line at zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv_helpers.campaigns.estimates import Interval
from clv_helpers.charts import CHART_MIME, PALETTE
from clv_helpers.charts.marks import altair
from clv_helpers.charts.show import Output, upper_first
from clv_helpers.charts.theme import CONFIG, HEIGHT, INK, WIDTHS

if TYPE_CHECKING:
    import altair as alt

GAIN, LOSS, UNSURE, TRUTH = "clear gain", "clear loss", "not clear", "true value (simulated)"
COLORS = {GAIN: PALETTE[0], LOSS: PALETTE[4], UNSURE: PALETTE[6], TRUTH: PALETTE[1]}
Scale = tuple[float, float]


@dataclass(frozen=True)
class EffectMark:
    """One effect to draw: the campaign or decile it is of, its interval, and its ground truth where that is known."""

    of: str | int
    effect: Interval
    truth: float | None = None


def by_campaign(marks: list[EffectMark], title: str, measure: str) -> Output:
    """A point per campaign with its 95% interval. `measure`: the unit, such as EUR per customer."""
    y = altair().Y(field="campaign", type="nominal", sort=None, title=None, axis={"labelLimit": 240})
    subtitle = f"Revenue added, in {measure}, with 95% interval"
    chart = _effects(marks, "campaign", y, measure)
    return _output(chart, title, subtitle, max(120, 60 + 44 * len(marks)))


def common_scale(charts: Iterable[list[EffectMark]]) -> Scale:
    """From the least to the most that several charts show, zero among them: so that they can be compared.

    Example:
        >>> from clv_helpers.campaigns.effect_charts import EffectMark, common_scale
        >>> from clv_helpers.campaigns.estimates import Interval
        >>> common_scale([[EffectMark(1, Interval(4, 1, 7))], [EffectMark(1, Interval(-1, -3, 1), truth=-4)]])
        (-4, 7)
    """
    marks = [mark for chart in charts for mark in chart]
    values = [end for mark in marks for end in (mark.effect.low, mark.effect.high, mark.truth) if end is not None]
    return min([0, *values]), max([0, *values])


def by_decile(
    marks: list[EffectMark], title: str, measure: str, *, left_out: int = 0, scale: Scale | None = None
) -> Output:
    """A point per value decile with its interval. `measure`: the unit, such as EUR per customer.

    `scale`: that of the charts beside it, see `common_scale`.
    """
    axis = {"labelAngle": 0}
    x = altair().X(field="decile", type="ordinal", title="Value decile when assigned (1 = best)", axis=axis)
    subtitle = f"Revenue added, in {measure}, by value decile, with intervals that hold all at once (95%)"
    subtitle += f"; {left_out} with too few buyers left out" if left_out else ""
    return _output(_effects(marks, "decile", x, measure, scale), title, subtitle, HEIGHT)


def _effects(
    marks: list[EffectMark], name: str, category: alt.X | alt.Y, measure: str, scale: Scale | None = None
) -> alt.LayerChart:
    """Along the axis that `category` leaves free: a line at zero, the intervals, the estimates, the ground truth."""
    import pandas as pd

    alt = altair()
    value, value2 = (alt.X, alt.X2) if isinstance(category, alt.Y) else (alt.Y, alt.Y2)
    rows = [{name: mark.of, **vars(mark.effect), "truth": mark.truth, "state": _state(mark)} for mark in marks]
    states = [state for state in (GAIN, LOSS, UNSURE) if state in {row["state"] for row in rows}]
    states += [TRUTH] if any(mark.truth is not None for mark in marks) else []
    color = {
        "type": "nominal",
        "scale": {"domain": states, "range": [COLORS[state] for state in states]},
        "legend": {"title": None, "orient": "top", "symbolOpacity": 1, "columns": 3},
    }
    titles = {"estimate": f"Added ({measure})", "low": "from", "high": "to"}
    tooltip = [alt.Tooltip(field=name, type="nominal")]
    tooltip += [alt.Tooltip(field=part, title=of, type="quantitative", format=".2f") for part, of in titles.items()]
    axis = {"grid": True, "tickCount": 6}

    def along(part: str) -> Any:
        domain = alt.Scale(domain=scale, nice=True) if scale else alt.Undefined
        return value(field=part, type="quantitative", title=upper_first(measure), axis=axis, scale=domain)

    base = alt.Chart(pd.DataFrame(rows)).encode(category, alt.Color(field="state", **color), tooltip=tooltip)
    layers = [
        alt.Chart(pd.DataFrame({"zero": [0]})).mark_rule(color=INK, strokeDash=[4, 3]).encode(along("zero")),
        base.mark_rule(strokeWidth=2.5).encode(along("low"), value2(field="high")),
        base.mark_point(filled=True, size=90, opacity=1).encode(along("estimate")),
    ]
    if TRUTH in states:
        tooltip = [alt.Tooltip(field="truth", title=f"True value ({measure})", type="quantitative", format=".2f")]
        diamond = base.mark_point(shape="diamond", size=110, strokeWidth=2.5, filled=False)
        layers.append(diamond.encode(along("truth"), color=alt.ColorDatum(TRUTH, **color), tooltip=tooltip))
    return alt.layer(*layers)


def _state(mark: EffectMark) -> str:
    if mark.effect.low > 0:
        return GAIN
    return LOSS if mark.effect.high < 0 else UNSURE


def _output(chart: alt.Chart | alt.LayerChart | alt.FacetChart, title: str, subtitle: str, height: int) -> Output:
    spec = chart.properties(width=WIDTHS["half"], height=height).to_dict(validate=False)
    del spec["$schema"]  # each reader draws with its own release
    texts = {"title": {"text": title, "subtitle": subtitle}, "description": f"{title}. {subtitle}"}
    return Output({CHART_MIME: {**spec, **texts, "config": CONFIG, "usermeta": {"width": "half"}}, "text/plain": title})
