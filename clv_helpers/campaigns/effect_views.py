"""What notebook 6 shows of effects: what each campaign added, whether that can be believed, and what to do next."""

from __future__ import annotations

from typing import Any

from clv_helpers.campaigns import effect_charts
from clv_helpers.campaigns.effect import EVERYONE, NOT_KNOWN
from clv_helpers.campaigns.effect_charts import EffectMark
from clv_helpers.campaigns.effect_rows import CampaignEffect, DecileEffect, known
from clv_helpers.campaigns.effect_sentence import people_of, shown, shows_effect, shows_effect_among
from clv_helpers.campaigns.estimates import FEWEST_BUYERS, Interval
from clv_helpers.campaigns.recommendation import worth
from clv_helpers.campaigns.record import read_deciles, read_effects
from clv_helpers.charts import show
from clv_helpers.charts.rounding import people_text, share_text
from clv_helpers.charts.show import MISSING, Output
from clv_helpers.config.workbook import Workbook

AMONG = "It is one of {} campaigns that were looked at, and one of so many looks like this by chance too easily."
LATEST, IN_ONE_CHART = 4, 20  # campaigns shown by decile, and in one chart
DIFFER = 0.05  # a test of heterogeneity below it is said to show that deciles differ
HOW_TO_GO_ON = (
    "A campaign is worth repeating where its effect on revenue leaves out zero. To whom is estimated: each decile's "
    "effect, drawn towards the whole effect and its trend over the deciles as far as its noise asks (empirical Bayes), "
    "× margin − cost per message. These deciles become an audience by one call: campaigns.recommended_audience(wb, "
    "CAMPAIGN), or clv results PARAMS CAMPAIGN --next NAME."
)


def effects(workbook: Workbook, truth: dict[str, Any] | None = None) -> Output:
    """What each campaign with a control group added; a sentence for each that has none, or too small a one.

    `truth`: the ground truth of a simulated workbook (`simulate.truth`), drawn beside the estimates.

    Example:
        >>> len(campaigns.effects(wb, simulate.truth(wb)).parts) > 3
        True
    """
    rows, measure, few = read_effects(workbook), _measure(workbook), workbook.params.min_cell
    measured = [row for row in rows if row.measured and row.audience == EVERYONE]
    deciles = read_deciles(workbook, audience=EVERYONE)
    looks = sum(row.revenue_known for row in measured)
    outputs = [_finding(workbook, row, deciles, looks) for row in measured[-LATEST:]]
    outputs += [show.note(row.warnings) for row in measured if row.warnings]
    outputs += _not_measured([row for row in rows if not row.measured])
    told = [row for row in measured if row.revenue_known]
    if not told:
        return show.stack(*outputs)
    truths = (truth or {}).get("campaign_effects", {})
    marks = [
        EffectMark(
            row.campaign,
            shown(row.cuped, people_of(row), few),
            truths.get(row.campaign, {}).get("revenue_per_customer"),
        )
        for row in sorted(told[-IN_ONE_CHART:], key=lambda row: -row.cuped.estimate)
    ]
    outputs.append(effect_charts.by_campaign(marks, _headline(told, measure, few), measure))
    return show.stack(*outputs, *_by_decile(workbook, told[-LATEST:], truths))


def _finding(workbook: Workbook, row: CampaignEffect, deciles: list[DecileEffect], looks: int) -> Output:
    """What a campaign added; at stake is that, or where no effect is shown what it cost. `looks`: campaigns judged."""
    few, fewer, unit = workbook.params.min_cell, people_of(row), workbook.params.spending.unit
    told: dict[str, Any] = {"topic": f"effect: {row.campaign}", "board": "campaign_results"}
    if not row.revenue_known or fewer < few:
        return show.finding(row.sentence, **told)
    added = shown(row.incremental_revenue, fewer, few)
    between = f"95% interval {show.compact(added.low)} to {show.compact(added.high)} {unit}"
    if not shows_effect(row.cuped):
        cost = show.rounded_sum(row.cost, row.treated, few)
        spent = f"; it cost {show.compact(cost)} {unit}" if cost else ""
        brief = f"{row.campaign}: no effect on revenue that a group of this size could show ({between} in all){spent}."
        return show.finding(row.sentence, stake=cost, brief=brief, **told)
    total = f"{show.compact(abs(added.estimate))} {unit} in all ({between})"
    is_sure = shows_effect_among(row.cuped, looks)
    brief = f"{row.campaign} {_verb(row.cuped, is_sure)} {total}, as against its control group. "
    brief += show.upper_first(worth(row.campaign, deciles)) if is_sure else AMONG.format(looks)
    return show.finding(row.sentence, stake=abs(added.estimate), brief=brief, **told)


def _verb(effect: Interval, is_sure: bool) -> str:
    if is_sure:
        return "added" if effect.estimate > 0 else "took away"
    return "may have added" if effect.estimate > 0 else "may have taken away"


def _measure(workbook: Workbook) -> str:
    return f"{workbook.params.spending.unit} per {workbook.words.customer}"


def _not_measured(rows: list[CampaignEffect]) -> list[Output]:
    """One sentence for all without a control group; one each for whatever else stands in the way."""
    without = [row.campaign for row in rows if not row.control and not row.open_control]
    others = [show.note(row.sentence) for row in rows if row.campaign not in without]
    if not without:
        return others
    campaigns, they = ("campaign has", "its effect") if len(without) == 1 else ("campaigns have", "their effects")
    sentence = f"{len(without)} {campaigns} no control group, so {they} cannot be known: {', '.join(without)}."
    return [show.note(sentence), *others]


def _headline(measured: list[CampaignEffect], measure: str, min_cell: int) -> str:
    best = max(measured, key=lambda row: row.cuped.low)
    effect = shown(best.cuped, people_of(best), min_cell)
    if best.cuped.low > 0:
        return f"{best.campaign} added {effect.estimate:.2f} {measure} ({effect.low:.2f} to {effect.high:.2f})"
    return f"No campaign shows an effect on revenue that its size could prove; {best.campaign} comes closest"


def _by_decile(workbook: Workbook, campaigns: list[CampaignEffect], truths: dict[str, Any]) -> list[Output]:
    """A chart per campaign, all on one scale; a note for each whose deciles cannot be told apart."""
    names = [whole.campaign for whole in campaigns]
    read = {name: read_deciles(workbook, campaign=name, audience=EVERYONE) for name in names}
    ranked = {name: [row for row in rows if row.decile > 0] for name, rows in read.items()}
    told = {name: [row for row in rows if known(row.cuped)] for name, rows in ranked.items()}
    marks = {name: _decile_marks(workbook, rows, truths.get(name, {})) for name, rows in told.items()}
    scale = effect_charts.common_scale(marks.values())
    outputs = []
    for whole in campaigns:
        name, rows = whole.campaign, told[whole.campaign]
        if not rows:
            needed = f"an interval needs {FEWEST_BUYERS} buyers expected in the smaller arm of a decile"
            outputs.append(show.note(f"{name}: too few bought to tell its deciles apart; {needed}."))
            continue
        title, left_out = _heterogeneity(whole, rows), len(ranked[name]) - len(rows)
        drawn = effect_charts.by_decile(marks[name], title, _measure(workbook), left_out=left_out, scale=scale)
        outputs.append(drawn)
    return outputs


def _decile_marks(workbook: Workbook, rows: list[DecileEffect], truth: dict[str, Any]) -> list[EffectMark]:
    truths, few = truth.get("revenue_per_customer_by_decile", {}), workbook.params.min_cell
    return [
        EffectMark(row.decile, shown(row.cuped, min(row.treated, row.control), few), truths.get(str(row.decile)))
        for row in rows
    ]


def _heterogeneity(whole: CampaignEffect, rows: list[DecileEffect]) -> str:
    """Whether deciles differ at all; then in which the effect is clear, all looked at together."""
    p = whole.heterogeneity_p
    if p is None:
        title = f"{whole.campaign}: one decile alone has enough buyers"
    elif p < DIFFER:
        title = f"{whole.campaign}: the effect differs by decile (p = {p:.2g})"
    else:
        title = f"{whole.campaign}: no sign that the effect differs by decile (p = {p:.2f})"
    apart = [str(row.decile) for row in rows if shows_effect(row.cuped)]
    if not apart:
        return title
    deciles = f"decile {apart[0]}" if len(apart) == 1 else f"deciles {', '.join(apart[:-1])} and {apart[-1]}"
    return f"{title}; clear in {deciles}"


def effect_table(workbook: Workbook) -> Output:
    """The numbers behind, a row per campaign and audience: arms, means, effects; conversion, and what it cost.

    Example:
        >>> len(campaigns.effect_table(wb).parts)
        3
    """
    found = read_effects(workbook, measured=True)
    rows = [_in_table(row, workbook.params.min_cell) for row in found]
    if not rows:
        return show.stack()
    unit, measure, purchase = workbook.params.spending.unit, _measure(workbook), workbook.words.purchase
    few = workbook.params.min_cell
    whose = {"campaign": "Campaign", "audience": "Audience"}
    revenue = show.table(
        rows,
        whose,
        treated="Treated|,.0f",
        control="Control|,.0f",
        treated_mean=f"{measure} treated, adjusted|,.2f",
        control_mean="… control, adjusted|,.2f",
        plain="Effect, not adjusted",
        adjusted="Effect, adjusted (CUPED)",
        detectable="Smallest to be found|,.2f",
        people={
            "treated": "treated",
            "control": "control",
            "treated_mean": "treated_buyers",
            "control_mean": "control_buyers",
            "detectable": "fewer_buyers",
        },
        min_cell=few,
    )
    conversion = show.table(
        rows,
        whose,
        bought="Bought, treated (n / d)",
        treated_share="… share|>",
        bought_control="Bought, control (n / d)",
        control_share="… share|>",
        points="Effect (percentage points)",
        people=None,  # texts, each rounded where it is made
    )
    earned = {
        "added": f"Added in all ({unit})|,.0f",
        "cost": f"Cost ({unit})|,.0f",
        "per_message": f"Added per message ({unit})",
        "value": "… after margin and cost",
    }
    per_purchase = {
        "treated_per_purchase": f"{unit} per {purchase}, treated|,.2f",
        "control_per_purchase": "… control|,.2f",
        "per_purchase": "Difference",
    }
    money = show.table(
        rows,
        whose | earned | (per_purchase if any(known(row.revenue_per_purchase) for row in found) else {}),
        people={
            "added": "fewer_buyers",
            "cost": "treated",
            "treated_per_purchase": "treated_buyers",
            "control_per_purchase": "control_buyers",
        },
        min_cell=few,
    )
    return show.stack(revenue, conversion, money)


def _in_table(row: CampaignEffect, min_cell: int) -> dict[str, Any]:
    """A campaign's row of the tables: its numbers, and what is a text with an interval."""
    fewer, treated, control = people_of(row), (row.treated_buyers, row.treated), (row.control_buyers, row.control)

    def text(value: Interval, form: str = ".2f", times: float = 1) -> str:
        told = known(value) and fewer >= min_cell
        return _with_interval(shown(value, fewer, min_cell), form, times) if told else MISSING

    return {
        **vars(row),
        "fewer_buyers": fewer,
        "audience": _audience(row),
        "plain": text(row.revenue),
        "adjusted": text(row.cuped),
        "detectable": row.cuped.detectable,
        "bought": " / ".join(people_text(count, min_cell) for count in treated),
        "bought_control": " / ".join(people_text(count, min_cell) for count in control),
        "treated_share": share_text(*treated, min_cell, ".2%"),
        "control_share": share_text(*control, min_cell, ".2%"),
        "points": text(row.conversion, "+.2f", times=100),
        "added": row.incremental_revenue.estimate,
        "per_message": text(row.revenue_per_message),
        "value": text(row.value_per_message),
        "per_purchase": text(row.revenue_per_purchase, "+.2f"),
    }


def _audience(row: CampaignEffect) -> str:
    return "everyone" if row.audience == EVERYONE else row.audience


def checks(workbook: Workbook) -> Output:
    """Whether the effects can be believed: the split against its plan, the arms before the campaign, shared addresses.

    Example:
        >>> len(campaigns.checks(wb).parts)
        2
    """
    rows = [
        {
            **vars(row),
            **vars(row.standardised_difference),
            "share": row.control / (row.treated + row.control),
            "planned": MISSING if row.planned_control_share is None else f"{row.planned_control_share:.2%}",
            "fewer": min(row.treated, row.control),
            "fewer_buyers": people_of(row),
        }
        for row in _measured(workbook)
    ]
    if not rows:
        return show.stack()
    table = show.table(
        rows,
        campaign="Campaign",
        share="Control|.2%",
        planned="Planned|>",
        sample_ratio_p="Sample ratio, p|.3f",
        spend_before="Spend before|+.3f",
        bought_before="Bought before|+.3f",
        decile="Decile|+.3f",
        variance_removed="Variance removed by CUPED|.0%",
        people={
            **dict.fromkeys(("share", "sample_ratio_p", "spend_before", "bought_before", "decile"), "fewer"),
            "variance_removed": "fewer_buyers",
        },
        min_cell=workbook.params.min_cell,
    )
    return show.stack(table, *_shared_addresses(workbook))


def _shared_addresses(workbook: Workbook) -> list[Output]:
    if not workbook.has("purchases"):
        return []
    rows, customers = workbook.query("campaigns.shared_address", order_by="campaign"), workbook.words.customers
    few = workbook.params.min_cell
    if rows.empty:
        return [show.note(f"No e-mail address is shared by {customers} of both arms.")]
    counts = ", ".join(f"{row.campaign} {people_text(row.customers, few)}" for row in rows.itertuples())
    return [
        show.note(
            f"{show.upper_first(customers)} who share an e-mail address with one of the other arm: {counts}. The "
            "message reached their household, so the effect is estimated too small by about their share."
        )
    ]


def _measured(workbook: Workbook) -> list[CampaignEffect]:
    return read_effects(workbook, measured=True, audience=EVERYONE)


def ground_truth(workbook: Workbook, truth: dict[str, Any]) -> Output:
    """The ground truth of a simulated workbook (`simulate.truth`) beside the estimates; nothing of real data.

    Example:
        >>> campaigns.ground_truth(wb, {}).parts
        ()
    """
    truths = truth.get("campaign_effects", {})
    effects = [row for row in _measured(workbook) if row.revenue_known and row.campaign in truths]
    if not effects:
        return show.stack()
    true = {row.campaign: truths[row.campaign]["revenue_per_customer"] for row in effects}
    held = [row.cuped.low <= true[row.campaign] <= row.cuped.high for row in effects]
    table = show.table(
        [
            {
                "campaign": row.campaign,
                "truth": true[row.campaign],
                "estimate": _with_interval(shown(row.cuped, people_of(row), workbook.params.min_cell)),
                "interval": "holds it" if holds else "misses it",
            }
            for row, holds in zip(effects, held, strict=True)
        ],
        campaign="Campaign",
        truth=f"Ground truth ({_measure(workbook)})|,.2f",
        estimate="Estimated",
        interval="The interval",
        people=None,  # the truth of a simulation, and a text that is rounded where it is made
    )
    sentence = f"Of {len(held)} intervals, {sum(held)} hold the ground truth; 95 in 100 should."
    return show.stack(table, show.note(sentence))


def next_steps(workbook: Workbook) -> Output:
    """Per decile what a message adds after its cost, by the estimate that decides: whom to write to next, and whom not.

    Example:
        >>> len(campaigns.next_steps(wb).parts) > 1
        True
    """
    rows = read_deciles(workbook, audience=EVERYONE)
    if not rows:
        return show.note("What to do next cannot be known before a campaign with a control group has been measured.")
    least = workbook.params.min_cell
    outputs = [show.note(f"{row.campaign}: {worth(row.campaign, rows)}") for row in _measured(workbook)]
    large = [row for row in rows if min(row.treated, row.control) >= least and row.verdict != NOT_KNOWN]
    if large:
        outputs.append(_steps_table(workbook, large))
        outputs.append(show.note(HOW_TO_GO_ON))
    small = sum(min(row.treated, row.control) < least for row in rows)
    if small:
        outputs.append(show.note(f"{small} groups with fewer than {least} in an arm are left out."))
    return show.stack(*outputs)


def _steps_table(workbook: Workbook, rows: list[DecileEffect]) -> Output:
    measure, few = _measure(workbook), workbook.params.min_cell
    return show.table(
        [
            {
                **vars(row),
                "decile": str(row.decile) if row.decile else "not ranked",
                "fewer": (fewer := min(row.treated, row.control)),
                "alone": _with_interval(shown(row.cuped, fewer, few) if known(row.cuped) else row.cuped),
            }
            for row in rows
        ],
        campaign="Campaign",
        decile="Decile",
        treated="Treated|,.0f",
        control="Control|,.0f",
        alone=f"{measure}, the decile alone",
        shrunken="… drawn together|,.2f",
        shrunken_value=f"Value per message ({workbook.params.spending.unit})|,.2f",
        verdict="Verdict",
        people={"treated": "treated", "control": "control", "shrunken": "fewer", "shrunken_value": "fewer"},
        min_cell=few,
    )


def _with_interval(value: Interval, form: str = ".2f", times: float = 1) -> str:
    if not known(value):
        return MISSING
    estimate, low, high = (format(times * number, form) for number in (value.estimate, value.low, value.high))
    return f"{estimate} ({low} to {high})"
