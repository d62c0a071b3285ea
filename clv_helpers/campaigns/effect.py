"""The effect of each campaign as tables: by campaign and audience, and by value decile; or why it is not known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from clv_helpers.campaigns import estimates
from clv_helpers.campaigns.effect_rows import CampaignEffect, DecileEffect, QiniPoint, plain, to_frame
from clv_helpers.campaigns.estimates import CONTROL, TREATED, Difference, Interval
from clv_helpers.charts.show import percent
from clv_helpers.config.params import CampaignSettings, Params
from clv_helpers.config.sql_params import NO_CATEGORY

if TYPE_CHECKING:
    import pandas as pd

EVERYONE = NO_CATEGORY  # the audience, and the group of deciles, that the SQL writes as $no_category
SMALLEST_ARM = 20  # of a campaign: with fewer, an interval of heavy-tailed revenue means nothing
RATIO_ALERT, BALANCE_ALERT = 0.001, 0.1
WORTH_IT, NOT_KNOWN, TOO_FEW = "worth it", "not known", "too few"


def effect_tables(groups: pd.DataFrame, campaigns: list[str], params: Params) -> dict[str, pd.DataFrame]:
    """The tables fact_effect, fact_effect_decile and fact_qini, from the sums of all campaigns.

    A campaign whose effect is not known has a row in fact_effect with `measured` false, and the reason as `sentence`.
    """
    groups = groups.sort_values(["campaign", "audience", "decile", "arm"])  # sums depend on the order of their parts
    rows: list[CampaignEffect] = []
    deciles: list[DecileEffect] = []
    points: list[QiniPoint] = []
    for campaign in [*campaigns, *sorted(set(groups["campaign"]) - set(campaigns))]:
        own = groups[groups["campaign"] == campaign]
        treated, control = _sizes(own)
        if reason := _why_not(campaign, own, params):
            rows.append(CampaignEffect(campaign, EVERYONE, False, reason, treated, control))
            continue
        theta = estimates.slope(estimates.as_cells(own))
        for audience, part in _parts(own):
            if audience == EVERYONE or min(_sizes(part)) >= SMALLEST_ARM:
                rows.append(_effect(campaign, audience, part, theta, params))
            deciles += _by_decile(campaign, audience, part, theta, params)
        points += _curve(campaign, own)
    return {
        "fact_effect": to_frame(rows, CampaignEffect),
        "fact_effect_decile": to_frame(deciles, DecileEffect),
        "fact_qini": to_frame(points, QiniPoint),
    }


def planned_control_share(params: Params, campaign: str) -> float | None:
    """The share that was to be control: of the activation, or as the params say of another system's assignment."""
    shares = [plan.control.share for plan in params.activations if plan.campaign == campaign and plan.control]
    return shares[0] if shares else params.campaign(campaign).control_share


def _parts(own: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Everyone, and each audience where there are several."""
    yield EVERYONE, own
    audiences = sorted(set(own["audience"]) - {EVERYONE})
    for audience in audiences if len(audiences) > 1 else ():
        yield audience, own[own["audience"] == audience]


def _why_not(campaign: str, own: pd.DataFrame, params: Params) -> str:
    """Why the effect is not known; empty where it is."""
    treated, control = _sizes(own)
    if not control:
        return f"{campaign} has no control group, so its effect cannot be known."
    if min(treated, control) < SMALLEST_ARM:
        few = params.min_cell
        sizes = [f"{size:,}" if size >= few else f"fewer than {few}" for size in (treated, control)]
        return (
            f"{campaign}: {sizes[0]} treated and {sizes[1]} control {params.in_words().customers} are too few to know "
            f"its effect; at least {SMALLEST_ARM} are needed in each arm."
        )
    if "observed_days" in own and own["observed_days"].notna().any() and own["observed_days"].min() < 1:
        window, start = int(own["window_days"].max()), own["starts_on"].max()
        return f"{campaign}: its window of {window} days begins on {start:%d %b %Y}, and no day of it has passed yet."
    return ""


def _sizes(own: pd.DataFrame) -> tuple[int, int]:
    """How many customers are treated, and how many control."""
    by_arm = own.groupby("arm")["customers"].sum()
    return int(by_arm.get(TREATED, 0)), int(by_arm.get(CONTROL, 0))


def _messages(own: pd.DataFrame, arm: str) -> int:
    return int(own.loc[own["arm"] == arm, "messages"].sum())


def _effect(campaign: str, audience: str, own: pd.DataFrame, theta: float, params: Params) -> CampaignEffect:
    cells, settings = estimates.as_cells(own), params.campaign(campaign)
    revenue, cuped, bought = estimates.revenue(cells), estimates.revenue(cells, theta), estimates.conversion(cells)
    (treated, control), messages = _sizes(own), _messages(own, TREATED)
    planned = planned_control_share(params, campaign)
    row = CampaignEffect(
        campaign=campaign,
        audience=audience,
        measured=True,
        sentence="",
        treated=treated,
        control=control,
        messages=messages,
        treated_mean=cuped.treated,
        control_mean=cuped.control,
        revenue=revenue.difference,
        cuped=cuped.difference,
        theta=theta,
        variance_removed=_variance_removed(revenue.difference, cuped.difference),
        treated_conversion=bought.treated,
        control_conversion=bought.control,
        conversion=bought.difference,
        incremental_revenue=_scaled(cuped.difference, treated),
        cost=(messages or treated) * settings.cost_per_message,
        value_per_message=_per_message(cuped.difference, treated, messages, settings),
        planned_control_share=planned,
        sample_ratio_p=None
        if planned is None or audience != EVERYONE
        else estimates.sample_ratio_p(treated, control, planned),
        standardised_difference=estimates.balance(own),
    )
    if "observed_days" in own:
        days = (plain(own[name].min()) for name in ("starts_on", "observed_days", "window_days"))
        row = replace(row, **dict(zip(("starts_on", "observed_days", "window_days"), days, strict=True)))
    warnings = _warnings(row, _messages(own, CONTROL), params.in_words().customers)
    return replace(row, sentence=_sentence(row, params), warnings=" ".join(warnings))


def _variance_removed(revenue: Difference, cuped: Difference) -> float:
    """The share of the variance that CUPED takes away."""
    width = revenue.high - revenue.low
    return 1 - ((cuped.high - cuped.low) / width) ** 2 if width > 0 else 0.0


def _scaled(value: Interval, times: float, less: float = 0.0) -> Interval:
    return Interval(value.estimate * times - less, value.low * times - less, value.high * times - less)


def _per_message(cuped: Interval, treated: int, messages: int, settings: CampaignSettings) -> Interval:
    """What a message added, less what it cost. Where no sending is known, one message to each treated customer."""
    messages_each = messages / treated if messages else 1.0
    return _scaled(cuped, settings.margin / messages_each, settings.cost_per_message)


def _by_decile(campaign: str, audience: str, own: pd.DataFrame, theta: float, params: Params) -> list[DecileEffect]:
    """A row per decile; where an arm has fewer than min_cell customers, without an estimate."""
    rows, least = [], max(params.min_cell, estimates.SMALLEST_STRATUM)
    for decile, cells in estimates.by_decile(own).items():
        treated, control = map(int, cells.customers[0])
        row = DecileEffect(campaign, audience, decile, treated, control, TOO_FEW)
        if min(treated, control) >= least:
            cuped = estimates.revenue(cells, theta).difference
            value = _per_message(cuped, treated, int(cells.messages[0, 0]), params.campaign(campaign))
            bought = estimates.conversion(cells).difference
            row = replace(row, cuped=cuped, conversion=bought, value_per_message=value, verdict=_verdict(value))
        rows.append(row)
    return rows


def _verdict(value: Interval) -> str:
    if value.low > 0:
        return WORTH_IT
    return "costs more than it adds" if value.high < 0 else NOT_KNOWN


def _curve(campaign: str, own: pd.DataFrame) -> list[QiniPoint]:
    points = estimates.qini(own)
    end = points[-1][1] if points else 0.0
    return [QiniPoint(campaign, share, added, share * end) for share, added in points]


def _sentence(row: CampaignEffect, params: Params) -> str:
    whom = row.campaign if row.audience == EVERYONE else f"{row.campaign} to {row.audience}"
    days = f" in {row.observed_days} days" if row.observed_days else ""
    effect, measure = row.cuped, f"{params.spending.unit} per {params.in_words().customer}{days}"
    interval = f"95% interval {effect.low:.2f} to {effect.high:.2f}"
    if effect.low > 0:
        return f"{whom} added {effect.estimate:.2f} {measure} ({interval})."
    if effect.high < 0:
        return f"{whom} took away {-effect.estimate:.2f} {measure} ({interval})."
    return (
        f"{whom}: no effect that a group of this size could show: {effect.estimate:.2f} {measure} ({interval}); "
        f"it would have found {effect.detectable:.2f} or more in four cases of five."
    )


def _warnings(row: CampaignEffect, messages_to_control: int, customers: str) -> list[str]:
    warnings = []
    if messages_to_control:
        what = "1 message" if messages_to_control == 1 else f"{messages_to_control:,} messages"
        warnings.append(f"{what} went to {customers} of the control group: the effect comes out too small.")
    if row.planned_control_share and row.sample_ratio_p is not None and row.sample_ratio_p < RATIO_ALERT:
        share = percent(row.control / (row.treated + row.control))
        warnings.append(
            f"The arms are not split as planned: {share} control, {percent(row.planned_control_share)} planned "
            f"(p = {row.sample_ratio_p:.1g}); do not believe the effect before the reason is known."
        )
    differences = vars(row.standardised_difference).items()
    uneven = [f"{name.replace('_', ' ')} ({value:+.2f})" for name, value in differences if abs(value) > BALANCE_ALERT]
    if uneven:
        warnings.append(
            f"The arms differed before the campaign by more than {BALANCE_ALERT} standard deviations in "
            f"{', '.join(uneven)}."
        )
    if row.observed_days and row.window_days and row.observed_days < row.window_days:
        warnings.append(f"Its window is open: {row.observed_days} of {row.window_days} days have passed.")
    return warnings
