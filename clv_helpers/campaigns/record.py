"""The results of stage 6 as plain values: what `clv results` prints, for people and for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from clv_helpers.campaigns.effect import EVERYONE
from clv_helpers.campaigns.effect_rows import CampaignEffect, DecileEffect, from_frame, plain
from clv_helpers.campaigns.effect_sentence import shows_effect, shows_effect_among
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook

TABLES = {  # key of the record → table, its order, its columns
    "delivery_funnel": (
        "campaigns.fact_campaign_funnel",
        "audience, destination, step_order",
        ["audience", "destination", "step", "customers"],
    ),
    "rates": (
        "campaigns.fact_campaign_rate",
        "audience, kpi_order",
        ["audience", "kpi", "numerator", "denominator", "rate", "low", "high"],
    ),
}


def results(workbook: Workbook, campaign: str = "") -> list[dict[str, Any]]:
    """Per campaign: delivery funnel, rates with numerator, denominator and interval, events rejected, and effects.

    Audience ALL is everyone, each once. Where an effect is not known, it holds `measured` false and the reason as
    `sentence`. Raises ParamsError for a campaign that is not known.

    Example:
        >>> sorted(campaigns.results(wb, "double-miles")[0])
        ['campaign', 'delivery_funnel', 'effects', 'rates', 'rejected']
    """
    effects = read_effects(workbook)
    return [_campaign(workbook, name, effects) for name in chosen(workbook, effects, campaign)]


def chosen(workbook: Workbook, effects: list[CampaignEffect], campaign: str) -> list[str]:
    """The campaign that is named, or all. Raises ParamsError for one that is not known."""
    known = list(dict.fromkeys(effect.campaign for effect in effects))
    if campaign and campaign not in known:
        allowed = ", ".join(known) or "no campaign is known yet"
        raise ParamsError(str(workbook.file), [Problem("the campaign", repr(campaign), allowed)])
    return [campaign] if campaign else known


def read_effects(workbook: Workbook, **where: Any) -> list[CampaignEffect]:
    """The effects of all campaigns, the oldest first, filtered by equality: a row per campaign and audience."""
    return from_frame(workbook.query("campaigns.fact_effect", **where), CampaignEffect)


def read_deciles(workbook: Workbook, **where: Any) -> list[DecileEffect]:
    """The effects by value decile, filtered by equality: a row per campaign, audience and decile."""
    order = "campaign, audience, decile"
    return from_frame(workbook.query("campaigns.fact_effect_decile", order_by=order, **where), DecileEffect)


def _campaign(workbook: Workbook, name: str, effects: list[CampaignEffect]) -> dict[str, Any]:
    record: dict[str, Any] = {"campaign": name, "delivery_funnel": [], "rates": [], "rejected": []}
    if workbook.has("purchases"):
        for key, (table, order, columns) in TABLES.items():
            where = {"decile_group": EVERYONE} if key == "rates" else {}
            rows = workbook.query(table, order, campaign=name, **where)[columns]
            if key == "rates":  # where people cannot be told from machines, there is none
                rows = rows.dropna(subset=["numerator", "denominator"])
            record[key] = [{column: plain(value) for column, value in row.items()} for row in rows.to_dict("records")]
        rejected = workbook.query("campaigns.rejected_response", campaign=name).groupby("reason")["events"].sum()
        record["rejected"] = [{"reason": reason, "events": int(events)} for reason, events in rejected.items()]
    deciles = read_deciles(workbook, campaign=name)
    looks = sum(effect.revenue_known for effect in effects if effect.audience == EVERYONE)
    own = [effect for effect in effects if effect.campaign == name]
    record["effects"] = [_effect(effect, deciles) | {"verdict": verdict(effect, looks)} for effect in own]
    return record


def verdict(effect: CampaignEffect, looks: int) -> str:
    """In a few words, whether a campaign changed revenue. `looks`: campaigns that were judged beside it."""
    if not effect.measured:
        return "not known: no control group, or none yet to compare with"
    if not effect.revenue_known:
        return "not known: too few bought"
    if not shows_effect(effect.cuped):
        return "no effect that a group of this size could show"
    if not shows_effect_among(effect.cuped, looks):
        return f"perhaps: one of {looks} looks like this by chance too easily"
    return "added revenue" if effect.cuped.estimate > 0 else "took revenue away"


def _effect(effect: CampaignEffect, deciles: list[DecileEffect]) -> dict[str, Any]:
    values = asdict(effect)
    if not effect.measured:
        return {key: values[key] for key in ("audience", "measured", "sentence")}
    own = [asdict(decile) for decile in deciles if decile.audience == effect.audience]
    own = [{key: value for key, value in row.items() if key not in ("campaign", "audience")} for row in own]
    return {key: value for key, value in values.items() if key != "campaign"} | {"by_decile": own}
