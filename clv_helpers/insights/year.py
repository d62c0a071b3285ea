"""The last 52 weeks beside the 52 before: what was spent, who bought, who came for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv_helpers.charts import show
from clv_helpers.charts.rounding import people_text, rounded
from clv_helpers.charts.show import Metric, Output
from clv_helpers.config.workbook import Workbook

if TYPE_CHECKING:
    import pandas as pd

A_YEAR = 52  # weeks


def year(workbook: Workbook) -> Output:
    """Key figures of the last 52 weeks, each with its change on the 52 before where the data reach back so far.

    Example:
        >>> insights.year(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        'revenue, 52 weeks: ... EUR; members who bought, 52 weeks: ...; new members, 52 weeks: ...'
    """
    weeks = workbook.query("insights.fact_year_by_week", order_by="week_end")
    few, words, unit = workbook.params.min_cell, workbook.words, workbook.params.spending.unit
    if weeks.empty or weeks["customers"].iloc[-1] < few:
        return show.note("The data reach back less than a year, so no year is told.")
    return show.metrics(
        _figure(weeks, "spend", f"revenue, {A_YEAR} weeks", unit, few),
        _figure(weeks, "customers", f"{words.customers} who bought, {A_YEAR} weeks", "", few),
        _figure(weeks, "new_customers", f"new {words.customers}, {A_YEAR} weeks", "", few),
    )


def _figure(weeks: pd.DataFrame, measure: str, label: str, unit: str, few: int) -> Metric:
    """A figure as of the latest week; each of its weeks is rounded by the people that it is about."""
    people = weeks["customers" if measure == "spend" else measure].astype(float)
    shown = rounded(weeks[measure].astype(float), people, few)
    enough = bool((people >= few).all())
    told = f"{show.about(shown[-1], people.iloc[-1], few)} {unit}" if unit else people_text(people.iloc[-1], few)
    return Metric(
        label,
        told if people.iloc[-1] >= few else f"<{few}",
        topic=f"{measure}_{A_YEAR}_weeks",
        change=_change(shown.tolist()) if enough else "",
        number=float(shown[-1]) if people.iloc[-1] >= few else None,
        weekly=tuple(shown.tolist()) if enough else (),
    )


def _change(shown: list[float]) -> str:
    """How the latest differs from a year before, in words; empty where that is not known."""
    if len(shown) <= A_YEAR or shown[-1 - A_YEAR] <= 0:
        return ""
    change = f"{shown[-1] / shown[-1 - A_YEAR] - 1:+.0%}"
    return f"{'the same as' if change in ('+0%', '-0%') else f'{change} on'} the year before"
