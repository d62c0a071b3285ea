"""The one sentence on a campaign: what it added in revenue, and in how many bought, each with its interval."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import TypeVar

from clv_helpers.campaigns.effect_rows import CampaignEffect
from clv_helpers.campaigns.estimates import FEWEST_BUYERS, Interval
from clv_helpers.charts.rounding import people_text, rounded, share_text
from clv_helpers.config.params import Params
from clv_helpers.config.sql_params import NO_CATEGORY

SMALL_RATE = 0.02  # below it a tenth of a percent is too coarse
AnyInterval = TypeVar("AnyInterval", bound=Interval)


def shows_effect(interval: Interval) -> bool:
    """Whether an interval leaves out zero."""
    return interval.low > 0 or interval.high < 0


def shows_effect_among(interval: Interval, looks: int) -> bool:
    """Whether it would leave out zero were it one of so many intervals that hold together (Bonferroni)."""
    half = (interval.high - interval.low) / 2 * NormalDist().inv_cdf(1 - 0.025 / looks) / NormalDist().inv_cdf(0.975)
    return abs(interval.estimate) > half


def sentence(row: CampaignEffect, negative: list[str], params: Params) -> str:
    """Both outcomes, each judged alone; `negative`: the arms whose revenue is below zero."""
    whom = row.campaign if row.audience == NO_CATEGORY else f"{row.campaign} to {row.audience}"
    bought = _conversion(row, params.min_cell)
    if not row.revenue_known:
        return f"{whom}: {_no_revenue(negative, params)}; {bought}."
    if shows_effect(row.cuped):
        return f"{whom} {_revenue(row, params)}; {bought}."
    if shows_effect(row.conversion):
        revenue = _revenue(row, params)
        return f"{whom}: no effect on revenue that a group of this size could show ({revenue}), but {bought}."
    return f"{whom}: no effect that a group of this size could show: {_revenue(row, params)}; {bought}."


def _no_revenue(negative: list[str], params: Params) -> str:
    if negative:
        return f"refunds exceed revenue in the {negative[0]} group, so what it added in revenue is not told"
    customers = params.in_words().customers
    return (
        f"too few {customers} bought to tell what it added in revenue (an interval needs {FEWEST_BUYERS} buyers to be "
        f"expected in the smaller group, and {FEWEST_BUYERS // 2} in each)"
    )


def shown(interval: AnyInterval, people: float, min_cell: int) -> AnyInterval:
    """An interval rounded as of so many people: of an effect, the buyers of the arm that has fewer."""
    values = {name: float(rounded([value], [people], min_cell)[0]) for name, value in vars(interval).items()}
    values["low"], values["high"] = min(values["low"], values["estimate"]), max(values["high"], values["estimate"])
    return replace(interval, **values)


def people_of(row: CampaignEffect) -> int:
    """Whose purchases an effect hangs on most: the buyers of the arm that has fewer."""
    return min(row.treated_buyers, row.control_buyers)


def _revenue(row: CampaignEffect, params: Params) -> str:
    days = f" in {row.window_days} days" if row.window_days else ""
    effect = shown(row.cuped, people_of(row), params.min_cell)
    measure = f"{params.spending.unit} per {params.in_words().customer}{days}"
    interval = f"95% interval {effect.low:.2f} to {effect.high:.2f}"
    if row.cuped.low > 0:
        return f"added {effect.estimate:.2f} {measure} ({interval})"
    if row.cuped.high < 0:
        return f"took away {-effect.estimate:.2f} {measure} ({interval})"
    return f"{effect.estimate:+.2f} {measure}, {interval}; {effect.detectable:.2f} would be found in four cases of five"


def _conversion(row: CampaignEffect, min_cell: int) -> str:
    groups = ((row.treated_buyers, row.treated), (row.control_buyers, row.control))
    digits = 1 if max(buyers / customers for buyers, customers in groups) >= SMALL_RATE else 2
    arms = [_bought(buyers, customers, min_cell, digits) for buyers, customers in groups]
    compared = f"{arms[0]} bought against {arms[1]} of the control group"
    if people_of(row) < min_cell:  # rounded as of so few, a difference would be nothing or anything
        return compared
    effect = shown(row.conversion, people_of(row), min_cell)
    estimate, low, high = (f"{100 * value:+.{digits}f}" for value in (effect.estimate, effect.low, effect.high))
    return f"{compared}: {estimate} points (95% interval {low} to {high})"


def _bought(buyers: int, customers: int, min_cell: int, digits: int) -> str:
    share = share_text(buyers, customers, min_cell, f".{digits}%")
    return share if "<" in share else f"{share} ({people_text(buyers, min_cell)} of {people_text(customers, min_cell)})"
