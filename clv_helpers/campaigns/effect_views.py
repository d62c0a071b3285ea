"""What notebook 6 shows of effects: what each campaign added, whether that can be believed, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv_helpers.campaigns import effect_charts
from clv_helpers.campaigns.effect import EVERYONE
from clv_helpers.charts import show
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook

if TYPE_CHECKING:
    import pandas as pd

LATEST, DRAWN = 4, 20  # campaigns drawn by decile, and in one chart
MOST = 0.8
HOW_TO_GO_ON = (
    "Value per message: revenue added × margin − cost, with its 95% interval; intervals are not widened for looking "
    "at many. The deciles that are worth it become an audience by one call: campaigns.next_audience(wb, CAMPAIGN), or "
    "clv results PARAMS CAMPAIGN --next NAME."
)


def lift(workbook: Workbook, truth: dict[str, Any] | None = None) -> list[Output]:
    """What each campaign with a control group added; a sentence for each that has none, or too small a one.

    `truth`: what the simulator planted (`simulate.truth`), drawn beside the estimates; nothing of real data.
    """
    rows, unit = workbook.query("campaigns.fact_lift"), workbook.params.spending.unit
    measured = rows[rows["measured"] & (rows["audience"] == EVERYONE)]
    told = [show.finding(sentence) for sentence in measured["sentence"].tail(LATEST)]
    told += [show.note(text) for text in measured["warnings"] if text]
    told += _not_measured(rows[~rows["measured"]])
    if measured.empty:
        return told
    planted = (truth or {}).get("campaign_effects", {})
    drawn = [
        {
            **_estimate(row),
            "campaign": row.campaign,
            "planted": planted.get(row.campaign, {}).get("revenue_per_customer"),
        }
        for row in measured.tail(DRAWN).sort_values("cuped", ascending=False).itertuples()
    ]
    told.append(effect_charts.by_campaign(drawn, _headline(measured, unit), unit))
    for campaign in measured["campaign"].tail(LATEST):
        told.append(_by_decile(workbook, campaign, planted.get(campaign, {}), unit))
    return told


def _not_measured(rows: pd.DataFrame) -> list[Output]:
    """One sentence for all that held back nobody; one each for whatever else stands in the way."""
    none = rows[rows["sentence"].str.contains("held back no control group")]
    others = [show.note(sentence) for sentence in rows.drop(none.index)["sentence"]]
    if none.empty:
        return others
    names = ", ".join(none["campaign"])
    verb = "campaign held" if len(none) == 1 else "campaigns held"
    return [
        show.note(f"{len(none)} {verb} back no control group, so what they added cannot be known: {names}."),
        *others,
    ]


def _estimate(row: Any) -> dict[str, Any]:
    return {"cuped": row.cuped, "cuped_low": row.cuped_low, "cuped_high": row.cuped_high}


def _headline(measured: pd.DataFrame, unit: str) -> str:
    best = measured.loc[measured["cuped_low"].idxmax()]
    if best["cuped_low"] > 0:
        return (
            f"{best['campaign']} added {best['cuped']:.1f} {unit} per customer "
            f"({best['cuped_low']:.1f} to {best['cuped_high']:.1f})"
        )
    return f"No campaign shows an effect that its size could prove; {best['campaign']} comes closest"


def _by_decile(workbook: Workbook, campaign: str, planted: dict[str, Any], unit: str) -> Output:
    rows = workbook.query("campaigns.fact_lift_decile", order_by="decile", campaign=campaign, audience=EVERYONE)
    known = rows[(rows["verdict"] != "too few") & (rows["decile"] > 0)]
    if known.empty:
        return show.note(f"{campaign}: its deciles are too small to be told apart.")
    truths = planted.get("revenue_per_customer_by_decile", {})
    drawn = [
        {**_estimate(row), "decile": row.decile, "planted": truths.get(str(row.decile))} for row in known.itertuples()
    ]
    sure = known[known["cuped_low"] > 0]["decile"]
    if sure.empty:
        title = f"{campaign}: no single decile shows an effect"
    else:
        title = f"{campaign} added revenue for certain in {_deciles(list(sure))}"
    return effect_charts.by_decile(drawn, title, unit)


def _deciles(found: list[int]) -> str:
    names = [str(each) for each in found]
    return f"decile {names[0]}" if len(names) == 1 else f"deciles {', '.join(names[:-1])} and {names[-1]}"


def effects(workbook: Workbook) -> list[Output]:
    """The figures behind, a row per campaign and audience: arms, means, differences; conversion, and what it cost."""
    rows = workbook.query("campaigns.fact_lift")
    rows = rows[rows["measured"]]
    unit = workbook.params.spending.unit
    if rows.empty:
        return []
    rows = rows.assign(
        plain=_with_interval(rows, "revenue", "{:.2f}"),
        adjusted=_with_interval(rows, "cuped", "{:.2f}"),
        bought=_with_interval(rows, "conversion", "{:+.1f}", times=100),
        per_message=_with_interval(rows, "value_per_message", "{:.2f}"),
        audience=rows["audience"].replace(EVERYONE, "everyone"),
    )
    whose = {"campaign": "Campaign", "audience": "Audience"}
    revenue = show.table(
        rows,
        **whose,
        treated="Drawn|,.0f",
        control="Held back|,.0f",
        treated_mean=f"{unit} each, adjusted|,.2f",
        control_mean="… held back, adjusted|,.2f",
        plain="Added, not adjusted",
        adjusted="Added, adjusted (CUPED)",
        cuped_detectable="Smallest to be found|,.2f",
    )
    money = show.table(
        rows,
        **whose,
        treated_conversion="Bought|.1%",
        control_conversion="… held back|.1%",
        bought="Difference (percentage points)",
        incremental_revenue=f"Added in all ({unit})|,.0f",
        cost=f"Cost ({unit})|,.0f",
        per_message=f"Value per message ({unit})",
    )
    return [revenue, money]


def checks(workbook: Workbook) -> list[Output]:
    """Whether the draw can be believed: the split against its plan, the arms before the campaign, shared addresses."""
    rows = workbook.query("campaigns.fact_lift")
    rows = rows[rows["measured"] & (rows["audience"] == EVERYONE)]
    if rows.empty:
        return []
    shown = show.table(
        rows.assign(share=rows["control"] / (rows["treated"] + rows["control"])),
        campaign="Campaign",
        share="Held back|.2%",
        planned_control_share="Planned|.2%",
        sample_ratio_p="Sample ratio, p|.3f",
        difference_spend_before="Spend before|+.3f",
        difference_bought_before="Bought before|+.3f",
        difference_decile="Decile|+.3f",
        variance_removed="Variance removed by CUPED|.0%",
    )
    return [shown, *_shared(workbook)]


def _shared(workbook: Workbook) -> list[Output]:
    if not workbook.has("purchases"):
        return []
    rows = workbook.query("campaigns.shared_address", order_by="campaign")
    if rows.empty:
        return [show.note("No e-mail address is shared by customers of both arms.")]
    told = ", ".join(f"{row.campaign} {row.customers:,}" for row in rows.itertuples())
    return [
        show.note(
            f"Customers who share an e-mail address with one of the other arm: {told}. The message reached their "
            "household, so the effect is estimated too small by about their share."
        )
    ]


def targeting(workbook: Workbook) -> list[Output]:
    """The Qini curve of each campaign whose deciles are large enough: is it worth reaching the best deciles first?"""
    rows, unit, told = workbook.query("campaigns.fact_qini"), workbook.params.spending.unit, []
    effects = workbook.query("campaigns.fact_lift", audience=EVERYONE).set_index("campaign")
    for campaign in list(dict.fromkeys(rows["campaign"]))[-LATEST:]:
        own = rows[rows["campaign"] == campaign].sort_values("share_of_customers")
        total = own["added"].iloc[-1]
        enough = own[own["added"] >= MOST * total].iloc[0] if total > 0 else None
        if effects.loc[campaign, "cuped_low"] > 0 and enough is not None:
            reached, brought = enough["share_of_customers"], enough["added"] / total
            title = f"{campaign}: the best {reached:.0%} of the customers bring {brought:.0%} of what it added"
        else:
            title = f"{campaign}: no certain effect, so no deciles to reach first"
        about = "Qini curve: revenue added as customers are reached decile by decile, the best first"
        told.append(effect_charts.qini(own.to_dict("records"), title, about, unit))
    return told


def planted(workbook: Workbook, truth: dict[str, Any]) -> list[Output]:
    """What the simulator planted beside what was estimated; nothing where the workbook is not simulated."""
    if not truth:
        return []
    rows = workbook.query("campaigns.fact_lift")
    rows = rows[rows["measured"] & (rows["audience"] == EVERYONE) & rows["campaign"].isin(truth["campaign_effects"])]
    if rows.empty:
        return []
    true = [truth["campaign_effects"][name]["revenue_per_customer"] for name in rows["campaign"]]
    held = [low <= value <= high for value, low, high in zip(true, rows["cuped_low"], rows["cuped_high"], strict=True)]
    return [
        show.table(
            rows.assign(
                planted=true,
                adjusted=_with_interval(rows, "cuped", "{:.2f}"),
                held=["holds it" if each else "misses it" for each in held],
            ),
            campaign="Campaign",
            planted=f"Planted ({workbook.params.spending.unit} per customer)|,.2f",
            adjusted="Estimated",
            held="The interval",
        ),
        show.note(f"Of {len(held)} intervals, {sum(held)} hold what the simulator planted; 95 in 100 should."),
    ]


def next_steps(workbook: Workbook) -> list[Output]:
    """Per decile and audience what a message adds after its cost: whom to write to next, and whom not."""
    rows = workbook.query("campaigns.fact_lift_decile", order_by="campaign, audience, decile")
    several = rows.groupby("campaign")["audience"].transform("nunique") > 1
    rows = rows[(several & (rows["audience"] != EVERYONE)) | (~several & (rows["audience"] == EVERYONE))]
    if rows.empty:
        return [show.note("What to do next cannot be told before a campaign with a control group has been measured.")]
    unit, small = workbook.params.spending.unit, rows["verdict"] == "too few"
    kept = rows[~small]
    kept = kept.assign(
        value=_with_interval(kept, "value_per_message", "{:.2f}"),
        audience=kept["audience"].replace(EVERYONE, "everyone"),
        decile=kept["decile"].map(lambda each: str(each) if each else "not ranked"),
    )
    columns = {
        "campaign": "Campaign",
        "audience": "Audience",
        "decile": "Decile",
        "treated": "Drawn|,.0f",
        "control": "Held back|,.0f",
        "value": f"Value per message ({unit})",
        "verdict": "Verdict",
    }
    known, unknown = kept[kept["verdict"] != "not known"], kept[kept["verdict"] == "not known"]
    told = (
        [show.table(known, **columns)] if len(known) else [show.note("No decile is known to be worth a message yet.")]
    )
    if len(unknown):
        told.append(show.folded(show.table(unknown, **columns), f"{len(unknown)} groups of which it is not known"))
    told.append(show.note(HOW_TO_GO_ON))
    if small.any():
        told.append(
            show.note(f"{small.sum()} groups with fewer than {workbook.params.min_cell} in an arm are left out.")
        )
    return told


def _with_interval(rows: pd.DataFrame, name: str, form: str, times: float = 1) -> list[str]:
    return [
        f"{form.format(times * value)} ({form.format(times * low)} to {form.format(times * high)})"
        for value, low, high in zip(rows[name], rows[f"{name}_low"], rows[f"{name}_high"], strict=True)
    ]
