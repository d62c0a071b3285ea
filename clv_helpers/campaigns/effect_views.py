"""What notebook 6 shows of effects: what each campaign added, whether that can be believed, and what to do next."""

from __future__ import annotations

from typing import Any

from clv_helpers.campaigns import effect_charts
from clv_helpers.campaigns.effect import EVERYONE, NOT_KNOWN, TOO_FEW
from clv_helpers.campaigns.effect_charts import EffectMark
from clv_helpers.campaigns.effect_rows import CampaignEffect, DecileEffect, QiniPoint, from_frame
from clv_helpers.campaigns.estimates import Interval
from clv_helpers.campaigns.record import read_deciles, read_effects
from clv_helpers.charts import show
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook

LATEST, IN_ONE_CHART = 4, 20  # campaigns shown by decile, and in one chart
MOST = 0.8
HOW_TO_GO_ON = (
    "Value per message: revenue added × margin − cost, with its 95% interval; intervals are not widened for looking "
    "at many. The deciles that are worth it become an audience by one call: campaigns.recommended_audience(wb, "
    "CAMPAIGN), or clv results PARAMS CAMPAIGN --next NAME."
)


def effects(workbook: Workbook, truth: dict[str, Any] | None = None) -> Output:
    """What each campaign with a control group added; a sentence for each that has none, or too small a one.

    `truth`: the ground truth of a simulated workbook (`simulate.truth`), drawn beside the estimates.

    Example:
        >>> len(campaigns.effects(wb, simulate.truth(wb)).parts) > 3
        True
    """
    rows, measure = read_effects(workbook), _measure(workbook)
    measured = [row for row in rows if row.measured and row.audience == EVERYONE]
    outputs = [show.finding(row.sentence) for row in measured[-LATEST:]]
    outputs += [show.note(row.warnings) for row in measured if row.warnings]
    outputs += _not_measured([row for row in rows if not row.measured])
    if not measured:
        return show.stack(*outputs)
    truths = (truth or {}).get("campaign_effects", {})
    marks = [
        EffectMark(row.campaign, row.cuped, truths.get(row.campaign, {}).get("revenue_per_customer"))
        for row in sorted(measured[-IN_ONE_CHART:], key=lambda row: -row.cuped.estimate)
    ]
    outputs.append(effect_charts.by_campaign(marks, _headline(measured, measure), measure))
    for row in measured[-LATEST:]:
        outputs.append(_by_decile(workbook, row.campaign, truths.get(row.campaign, {}), measure))
    return show.stack(*outputs)


def _measure(workbook: Workbook) -> str:
    return f"{workbook.params.spending.unit} per {workbook.words.customer}"


def _not_measured(rows: list[CampaignEffect]) -> list[Output]:
    """One sentence for all without a control group; one each for whatever else stands in the way."""
    without = [row.campaign for row in rows if not row.control]
    others = [show.note(row.sentence) for row in rows if row.control]
    if not without:
        return others
    campaigns, they = ("campaign has", "its effect") if len(without) == 1 else ("campaigns have", "their effects")
    sentence = f"{len(without)} {campaigns} no control group, so {they} cannot be known: {', '.join(without)}."
    return [show.note(sentence), *others]


def _headline(measured: list[CampaignEffect], measure: str) -> str:
    best = max(measured, key=lambda row: row.cuped.low)
    effect = best.cuped
    if effect.low > 0:
        return f"{best.campaign} added {effect.estimate:.1f} {measure} ({effect.low:.1f} to {effect.high:.1f})"
    return f"No campaign shows an effect that its size could prove; {best.campaign} comes closest"


def _by_decile(workbook: Workbook, campaign: str, truth: dict[str, Any], measure: str) -> Output:
    rows = read_deciles(workbook, campaign=campaign, audience=EVERYONE)
    known = [row for row in rows if row.verdict != TOO_FEW and row.decile > 0]
    if not known:
        return show.note(f"{campaign}: its deciles are too small to be told apart.")
    truths = truth.get("revenue_per_customer_by_decile", {})
    marks = [EffectMark(row.decile, row.cuped, truths.get(str(row.decile))) for row in known]
    sure = [str(row.decile) for row in known if row.cuped.low > 0]
    title = f"{campaign}: no single decile shows an effect"
    if sure:
        deciles = f"decile {sure[0]}" if len(sure) == 1 else f"deciles {', '.join(sure[:-1])} and {sure[-1]}"
        title = f"{campaign} added revenue for certain in {deciles}"
    return effect_charts.by_decile(marks, title, measure)


def effect_table(workbook: Workbook) -> Output:
    """The numbers behind, a row per campaign and audience: arms, means, effects; conversion, and what it cost.

    Example:
        >>> len(campaigns.effect_table(wb).parts)
        2
    """
    rows = [
        {
            **vars(row),
            "audience": _audience(row),
            "plain": _with_interval(row.revenue),
            "adjusted": _with_interval(row.cuped),
            "detectable": row.cuped.detectable,
            "bought": _with_interval(row.conversion, "+.1f", times=100),
            "added": row.incremental_revenue.estimate,
            "per_message": _with_interval(row.value_per_message),
        }
        for row in read_effects(workbook, measured=True)
    ]
    if not rows:
        return show.stack()
    unit, measure = workbook.params.spending.unit, _measure(workbook)
    whose = {"campaign": "Campaign", "audience": "Audience"}
    revenue = show.table(
        rows,
        **whose,
        treated="Treated|,.0f",
        control="Control|,.0f",
        treated_mean=f"{measure} treated, adjusted|,.2f",
        control_mean="… control, adjusted|,.2f",
        plain="Effect, not adjusted",
        adjusted="Effect, adjusted (CUPED)",
        detectable="Smallest to be found|,.2f",
    )
    money = show.table(
        rows,
        **whose,
        treated_conversion="Bought, treated|.1%",
        control_conversion="… control|.1%",
        bought="Effect (percentage points)",
        added=f"Added in all ({unit})|,.0f",
        cost=f"Cost ({unit})|,.0f",
        per_message=f"Value per message ({unit})",
    )
    return show.stack(revenue, money)


def _audience(row: CampaignEffect | DecileEffect) -> str:
    return "everyone" if row.audience == EVERYONE else row.audience


def checks(workbook: Workbook) -> Output:
    """Whether the effects can be believed: the split against its plan, the arms before the campaign, shared addresses.

    Example:
        >>> len(campaigns.checks(wb).parts)
        2
    """
    rows = [
        {**vars(row), **vars(row.standardised_difference), "share": row.control / (row.treated + row.control)}
        for row in read_effects(workbook, measured=True, audience=EVERYONE)
    ]
    if not rows:
        return show.stack()
    table = show.table(
        rows,
        campaign="Campaign",
        share="Control|.2%",
        planned_control_share="Planned|.2%",
        sample_ratio_p="Sample ratio, p|.3f",
        spend_before="Spend before|+.3f",
        bought_before="Bought before|+.3f",
        decile="Decile|+.3f",
        variance_removed="Variance removed by CUPED|.0%",
    )
    return show.stack(table, *_shared_addresses(workbook))


def _shared_addresses(workbook: Workbook) -> list[Output]:
    if not workbook.has("purchases"):
        return []
    rows, customers = workbook.query("campaigns.shared_address", order_by="campaign"), workbook.words.customers
    if rows.empty:
        return [show.note(f"No e-mail address is shared by {customers} of both arms.")]
    counts = ", ".join(f"{row.campaign} {row.customers:,}" for row in rows.itertuples())
    return [
        show.note(
            f"{show.upper_first(customers)} who share an e-mail address with one of the other arm: {counts}. The "
            "message reached their household, so the effect is estimated too small by about their share."
        )
    ]


def targeting(workbook: Workbook) -> Output:
    """The Qini curve of each campaign whose deciles are large enough: is it worth treating the best deciles first?

    Example:
        >>> all("application/vnd.vegalite.v5+json" in part.bundle for part in campaigns.targeting(wb).parts)
        True
    """
    unit, words = workbook.params.spending.unit, workbook.words
    points = from_frame(workbook.query("campaigns.fact_qini"), QiniPoint)
    effects = {row.campaign: row.cuped for row in read_effects(workbook, measured=True, audience=EVERYONE)}
    outputs = []
    for campaign in list(dict.fromkeys(point.campaign for point in points))[-LATEST:]:
        curve = sorted((point for point in points if point.campaign == campaign), key=lambda p: p.share_of_customers)
        total = curve[-1].added
        enough = next((point for point in curve if point.added >= MOST * total), None) if total > 0 else None
        if effects[campaign].low > 0 and enough:
            share, brought = enough.share_of_customers, enough.added / total
            title = f"{campaign}: the best {share:.0%} of the {words.customers} bring {brought:.0%} of what it added"
        else:
            title = f"{campaign}: no certain effect, so no deciles to treat first"
        outputs.append(effect_charts.qini(curve, title, words, unit))
    return show.stack(*outputs)


def ground_truth(workbook: Workbook, truth: dict[str, Any]) -> Output:
    """The ground truth of a simulated workbook (`simulate.truth`) beside the estimates; nothing of real data.

    Example:
        >>> campaigns.ground_truth(wb, {}).parts
        ()
    """
    truths = truth.get("campaign_effects", {})
    effects = [row for row in read_effects(workbook, measured=True, audience=EVERYONE) if row.campaign in truths]
    if not effects:
        return show.stack()
    true = {row.campaign: truths[row.campaign]["revenue_per_customer"] for row in effects}
    held = [row.cuped.low <= true[row.campaign] <= row.cuped.high for row in effects]
    table = show.table(
        [
            {
                "campaign": row.campaign,
                "truth": true[row.campaign],
                "estimate": _with_interval(row.cuped),
                "interval": "holds it" if holds else "misses it",
            }
            for row, holds in zip(effects, held, strict=True)
        ],
        campaign="Campaign",
        truth=f"Ground truth ({_measure(workbook)})|,.2f",
        estimate="Estimated",
        interval="The interval",
    )
    sentence = f"Of {len(held)} intervals, {sum(held)} hold the ground truth; 95 in 100 should."
    return show.stack(table, show.note(sentence))


def next_steps(workbook: Workbook) -> Output:
    """Per decile and audience what a message adds after its cost: whom to write to next, and whom not.

    Example:
        >>> len(campaigns.next_steps(wb).parts) > 1
        True
    """
    every = read_deciles(workbook)
    several = {row.campaign for row in every if row.audience != EVERYONE}
    rows = [row for row in every if (row.audience != EVERYONE) == (row.campaign in several)]
    if not rows:
        return show.note("What to do next cannot be known before a campaign with a control group has been measured.")
    known = [row for row in rows if row.verdict not in (TOO_FEW, NOT_KNOWN)]
    unknown = [row for row in rows if row.verdict == NOT_KNOWN]
    small = sum(row.verdict == TOO_FEW for row in rows)
    first = _steps_table(workbook, known) if known else show.note("No decile is known to be worth a message yet.")
    outputs = [first]
    if unknown:
        table = _steps_table(workbook, unknown)
        outputs.append(show.folded(table, f"{len(unknown)} groups of which it is not known"))
    outputs.append(show.note(HOW_TO_GO_ON))
    if small:
        outputs.append(show.note(f"{small} groups with fewer than {workbook.params.min_cell} in an arm are left out."))
    return show.stack(*outputs)


def _steps_table(workbook: Workbook, rows: list[DecileEffect]) -> Output:
    return show.table(
        [
            {
                **vars(row),
                "audience": _audience(row),
                "decile": str(row.decile) if row.decile else "not ranked",
                "value": _with_interval(row.value_per_message),
            }
            for row in rows
        ],
        campaign="Campaign",
        audience="Audience",
        decile="Decile",
        treated="Treated|,.0f",
        control="Control|,.0f",
        value=f"Value per message ({workbook.params.spending.unit})",
        verdict="Verdict",
    )


def _with_interval(value: Interval, form: str = ".2f", times: float = 1) -> str:
    estimate, low, high = (format(times * number, form) for number in (value.estimate, value.low, value.high))
    return f"{estimate} ({low} to {high})"
