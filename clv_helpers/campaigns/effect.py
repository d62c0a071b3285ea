"""The effect of each campaign as tables: by campaign and audience, and by value decile; or why it is not known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from clv_helpers.campaigns import estimates
from clv_helpers.campaigns.decile_estimates import effects_by_decile
from clv_helpers.campaigns.effect_rows import CampaignEffect, DecileEffect, plain, to_frame
from clv_helpers.campaigns.effect_sentence import sentence
from clv_helpers.campaigns.estimates import ARMS, CONTROL, TREATED, Cells, Difference, Interval
from clv_helpers.charts.rounding import people_text, share_text
from clv_helpers.charts.show import percent
from clv_helpers.config.params import Params
from clv_helpers.config.settings import CampaignSettings
from clv_helpers.config.sql_params import NO_CATEGORY

if TYPE_CHECKING:
    import pandas as pd

EVERYONE = NO_CATEGORY  # the audience, and the group of deciles, that the SQL writes as $no_category
SMALLEST_ARM = 20  # of a campaign: with fewer, an interval of heavy-tailed revenue means nothing
RATIO_ALERT, BALANCE_ALERT = 0.001, 0.1
WORTH_IT, NOT_WORTH_IT, NOT_KNOWN = "worth it", "not worth it", "not known"


def effect_tables(groups: pd.DataFrame, campaigns: list[str], params: Params) -> dict[str, pd.DataFrame]:
    """The tables fact_effect and fact_effect_decile, from the sums of all campaigns.

    A campaign whose effect is not known has a row in fact_effect with `measured` false, and the reason as `sentence`.
    """
    groups = groups.sort_values(["campaign", "audience", "decile", "arm"])  # sums depend on the order of their parts
    rows: list[CampaignEffect] = []
    deciles: list[DecileEffect] = []
    for campaign in [*campaigns, *sorted(set(groups["campaign"]) - set(campaigns))]:
        parts = [(audience, *_split(part)) for audience, part in _parts(groups[groups["campaign"] == campaign])]
        _, known, own = parts[0]
        treated, control = _sizes(own)
        if reason := _why_open(campaign, known, own, params) or _why_not(campaign, own, params):
            rows.append(CampaignEffect(campaign, EVERYONE, False, reason, treated, control, **known.as_columns))
            continue
        theta = estimates.slope(estimates.as_cells(own))
        found = [
            _effect(campaign, audience, part, theta, waves, params)
            for audience, waves, part in parts
            if audience == EVERYONE or not _why_not(audience, part, params)
        ]
        whole, of_deciles = _by_decile(found[0], own, known.tail, params)
        rows += [whole, *found[1:]]
        deciles += of_deciles
    return {
        "fact_effect": to_frame(rows, CampaignEffect),
        "fact_effect_decile": to_frame(deciles, DecileEffect),
    }


def planned_control_share(params: Params, campaign: str) -> float | None:
    """The share that was to be control: of the activation, or as the params say of another system's assignment."""
    shares = [plan.control.share for plan in params.activations if plan.campaign == campaign and plan.control]
    return shares[0] if shares else params.campaign(campaign).control_share


@dataclass(frozen=True)
class Waves:
    """The waves of a campaign: how many have closed, and who waits for the end of the others' windows."""

    starts_on: dt.date | None = None
    window_days: int | None = None
    waves: int = 1
    open_treated: int = 0
    open_control: int = 0
    closes_on: dt.date | None = None
    tail: float = estimates.TAIL

    @property
    def as_columns(self) -> dict[str, Any]:
        """What fact_effect keeps of them."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "tail"}

    def said(self, params: Params) -> str:
        """What is said of the open ones beside a verdict, and of an interval that is read again and again."""
        if self.waves == 1 and not self.open_treated:
            return ""
        text = (
            f"Measured over {self.waves} waves whose windows have closed"
            if self.waves > 1
            else "Measured over its first wave alone"
        )
        if self.open_treated:
            sizes = _in_words((self.open_treated, self.open_control), params)
            text += f"; the windows of {sizes} are open, the next closes on {self.closes_on:%d %b %Y}"
        return (
            f"{text}. Its intervals are wider than those of a single wave, so that they hold however often one looks."
        )


def _split(own: pd.DataFrame) -> tuple[Waves, pd.DataFrame]:
    """A campaign's waves, and the sums of those that have closed. A mailing that came as one table has no window."""
    if "is_open" not in own or own["is_open"].isna().all():
        return Waves(), own
    is_open, days = own["is_open"].astype(bool), int(own["window_days"].max())
    opened, closed = own[is_open], own[~is_open]
    customers = closed.groupby("starts_on")["customers"].sum()
    treated, control = _sizes(opened)
    next_close = opened["starts_on"].min() + dt.timedelta(days=days) if len(opened) else None
    tail = estimates.TAIL
    if len(customers) and (len(customers) > 1 or len(opened)):
        tail = estimates.always_valid_tail(customers.sum() / customers.iloc[0])
    first = plain(own["starts_on"].min())
    return Waves(first, days, max(len(customers), 1), treated, control, plain(next_close), tail), closed


def _why_open(campaign: str, known: Waves, closed: pd.DataFrame, params: Params) -> str:
    """Why nothing is said yet: no window has closed."""
    if len(closed) or not known.closes_on or not known.open_control:
        return ""
    return (
        f"{campaign}: its window of {known.window_days} days is open until {known.closes_on:%d %b %Y} for "
        f"{_in_words((known.open_treated, known.open_control), params)}; nothing is concluded before."
    )


def _in_words(sizes: tuple[int, int], params: Params) -> str:
    """How many treated and control customers, small groups without their number."""
    treated, control = (people_text(size, params.min_cell) for size in sizes)
    return f"{treated} treated and {control} control {params.in_words().customers}"


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
        return (
            f"{campaign}: {_in_words((treated, control), params)} are too few to know its effect; at least "
            f"{SMALLEST_ARM} are needed in each arm."
        )
    for arm, buyers in zip(ARMS, _by_arm(own, "converted"), strict=True):
        if not buyers:
            return f"{campaign}: nobody of the {arm} group has bought in its window, so its effect cannot be told."
    return ""


def _sizes(own: pd.DataFrame) -> tuple[int, int]:
    """How many customers are treated, and how many control."""
    return _by_arm(own, "customers")


def _by_arm(own: pd.DataFrame, name: str) -> tuple[int, int]:
    """A sum of the treated, and of the control group."""
    by_arm = own.groupby("arm")[name].sum()
    return int(by_arm.get(TREATED, 0)), int(by_arm.get(CONTROL, 0))


def _effect(
    campaign: str, audience: str, own: pd.DataFrame, theta: float, waves: Waves, params: Params
) -> CampaignEffect:
    cells = estimates.as_cells(own)
    bought = estimates.conversion(cells, waves.tail)
    (treated, control), buyers, messages = _sizes(own), _by_arm(own, "converted"), _by_arm(own, "sum_m")
    planned = planned_control_share(params, campaign)
    row = CampaignEffect(
        campaign=campaign,
        audience=audience,
        measured=True,
        sentence="",
        treated=treated,
        control=control,
        messages=messages[0],
        treated_buyers=buyers[0],
        control_buyers=buyers[1],
        treated_conversion=bought.treated,
        control_conversion=bought.control,
        conversion=bought.difference,
        cost=(messages[0] or treated) * params.campaign(campaign).cost_per_message,
        planned_control_share=planned,
        sample_ratio_p=None
        if planned is None or audience != EVERYONE
        else estimates.sample_ratio_p(treated, control, planned),
        standardised_difference=estimates.balance(own),
        **waves.as_columns,
    )
    negative = [arm for arm, spent in zip(ARMS, cells.together.sum_y[0], strict=True) if spent < 0]
    if not negative and estimates.enough_buyers(cells.together).all():
        row = _with_revenue(row, cells, theta, waves.tail, params.campaign(campaign))
    warnings = _warnings(row, messages[1], params)
    warnings += filter(None, [waves.said(params)])
    return replace(row, sentence=sentence(row, negative, params), warnings=" ".join(warnings))


def _with_revenue(
    row: CampaignEffect, cells: Cells, theta: float, tail: float, settings: CampaignSettings
) -> CampaignEffect:
    revenue, cuped = estimates.revenue(cells, tail=tail), estimates.revenue(cells, theta, tail=tail)
    per_message, per_purchase = estimates.per_message(cells, theta, tail), estimates.per_purchase(cells, tail)
    return replace(
        row,
        treated_mean=cuped.treated,
        control_mean=cuped.control,
        revenue=revenue.difference,
        cuped=cuped.difference,
        theta=theta,
        variance_removed=_variance_removed(revenue.difference, cuped.difference),
        incremental_revenue=_scaled(cuped.difference, row.treated),
        revenue_per_message=per_message,
        value_per_message=_scaled(per_message, settings.margin, settings.cost_per_message),
        treated_per_purchase=per_purchase.treated,
        control_per_purchase=per_purchase.control,
        revenue_per_purchase=per_purchase.difference,
    )


def _variance_removed(revenue: Difference, cuped: Difference) -> float:
    """The share of the variance that CUPED takes away."""
    width = revenue.high - revenue.low
    return 1 - ((cuped.high - cuped.low) / width) ** 2 if width > 0 else 0.0


def _scaled(value: Interval, times: float, less: float = 0.0) -> Interval:
    return Interval(value.estimate * times - less, value.low * times - less, value.high * times - less)


def _by_decile(
    whole: CampaignEffect, own: pd.DataFrame, tail: float, params: Params
) -> tuple[CampaignEffect, list[DecileEffect]]:
    """The campaign with its test of heterogeneity, and a row per decile.

    A decile is worth a message where the campaign has shown an effect and the shrunken estimate clears the cost:
    whether there is anything to gain is tested once, whom to write to is estimated.
    """
    settings, (deciles, cells) = params.campaign(whole.campaign), estimates.by_decile(own)
    found = effects_by_decile(deciles, cells, whole.theta if whole.revenue_known else 0.0, tail)
    if whole.revenue_known:
        whole = replace(whole, heterogeneity_p=found.heterogeneity_p)
    goes_on, messages_each = found.shows_gain(whole.cuped), whole.messages / whole.treated or 1.0
    rows = []
    for index, decile in enumerate(deciles):
        treated, control = map(int, cells.customers[index])
        row = DecileEffect(whole.campaign, whole.audience, int(decile), treated, control, NOT_KNOWN)
        if whole.revenue_known:
            added = float(found.shrunken[index])
            value = added * settings.margin / messages_each - settings.cost_per_message
            verdict = NOT_KNOWN if not goes_on else WORTH_IT if value > 0 else NOT_WORTH_IT
            row = replace(row, shrunken=added, shrunken_value=value, verdict=verdict)
        if whole.revenue_known and found.known[index] and min(treated, control) >= params.min_cell:
            bought = estimates.conversion(cells.rows(slice(index, index + 1)), found.tail).difference
            row = replace(row, cuped=found.effects[index], conversion=bought)
        rows.append(row)
    return whole, rows


def _warnings(row: CampaignEffect, messages_to_control: int, params: Params) -> list[str]:
    warnings, few = [], params.min_cell
    if messages_to_control:
        messages, customers = people_text(messages_to_control, few), params.in_words().customers
        warnings.append(
            f"{messages} messages went to {customers} of the control group: the effect comes out too small."
        )
    if row.planned_control_share and row.sample_ratio_p is not None and row.sample_ratio_p < RATIO_ALERT:
        share = share_text(row.control, row.treated + row.control, few)
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
    return warnings
