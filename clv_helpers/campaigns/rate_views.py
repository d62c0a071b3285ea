"""What notebook 6 shows of responses: rates with their intervals, the delivery funnel, what was rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv_helpers.campaigns.effect import EVERYONE
from clv_helpers.charts import show
from clv_helpers.charts.rounding import rounded, share_text
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook

if TYPE_CHECKING:
    import pandas as pd

RESPONSES = {
    "open rate": "Open rate",
    "open rate with machines": "… with machines",
    "click rate": "Click rate",
    "click-to-open rate": "Click-to-open",
}
DELIVERY = {
    "hard bounce rate": "Hard bounces",
    "block rate": "Blocks",
    "unsubscribe rate": "Unsubscribed",
    "complaint rate": "Complaints",
}
MESSAGES = "accepted messages"
GMAIL_ASKS, GMAIL_LIMITS = 0.001, 0.003


def summary(workbook: Workbook) -> Output:
    """How much of the opens are machines: the number that says whether open rates can be believed.

    Example:
        >>> campaigns.summary(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        'People opened ...'
    """
    if not workbook.has("email_events"):
        return show.note("No e-mail events are known (sources.email_events): there are effects, and no rates.")
    rows = workbook.query("campaigns.fact_campaign_result")
    if not rows["accepted"].sum():
        return show.note("No message has been accepted yet.")
    untold = rows[rows["opened"].isna()]
    few = workbook.params.min_cell
    notes = [show.note(_untold(untold, few))] if len(untold) else []
    told = rows[rows["opened"].notna()]
    accepted, people, machines = (told[name].sum() for name in ("accepted", "opened", "opened_with_machines"))
    if not accepted:
        return show.stack(*notes)
    finding = (
        f"People opened {show.share_of(people, accepted, MESSAGES, few)}; counting machine opens it would look like "
        f"{show.share(machines, accepted, few)}."
    )
    return show.stack(show.finding(finding, topic="opens", board="campaign_results"), *notes)


def _untold(rows: pd.DataFrame, min_cell: int) -> str:
    opened, accepted = rows["opened_with_machines"].sum(), rows["accepted"].sum()
    campaigns = ", ".join(sorted(set(rows["campaign"])))
    return (
        f"{show.share_of(opened, accepted, MESSAGES, min_cell)} were opened, by people or by machines: without a user "
        f"agent it cannot be told ({campaigns})."
    )


def rates(workbook: Workbook) -> Output:
    """Per campaign its responses and its delivery; behind a line to click on, each rate of each audience as n / d.

    Example:
        >>> len(campaigns.rates(wb).parts) > 3
        True
    """
    if not workbook.has("email_events"):
        return show.stack()
    few = workbook.params.min_cell
    rows, hidden = _without_small(workbook, workbook.query("campaigns.fact_campaign_rate", decile_group="ALL"))
    sent = workbook.query("campaigns.fact_campaign_result").groupby("campaign")["sent_on"].min()
    everyone = rows[rows["audience"] == EVERYONE]
    wide = everyone.assign(text=[_in_brief(row, few) for row in everyone.itertuples()])
    wide = wide.pivot(index="campaign", columns="kpi", values="text").rename_axis(columns=None)
    sizes = everyone[everyone["kpi"] == "accepted rate"].set_index("campaign")
    wide = wide.assign(sent_on=sent, sent=sizes["denominator"], accepted=sizes["numerator"])
    wide = wide.sort_values("sent_on", ascending=False).reset_index()
    first, second = (
        {"campaign": "Campaign", "sent_on": "Sent on", "accepted": "Accepted|,.0f"},
        {"campaign": "Campaign"},
    )
    people = {"sent": "sent", "accepted": "accepted"}  # the rates are texts, each rounded as of its own people
    responses = show.table(wide, first | RESPONSES, people=people, min_cell=few)
    delivery = show.table(wide, second | DELIVERY, people=people, min_cell=few)
    details = show.folded(_details(rows, few), f"Each rate with its n / d and interval: {len(rows)} rates")
    return show.stack(responses, delivery, details, _complaints(everyone, few), *hidden)


def _details(rows: pd.DataFrame, min_cell: int) -> Output:
    rows = rows.sort_values(["campaign", "audience", "kpi_order"])
    return show.table(
        rows.assign(
            share=[_share(row, min_cell) for row in rows.itertuples()],
            interval=[_interval(row, min_cell) for row in rows.itertuples()],
        ),
        campaign="Campaign",
        audience="Audience",
        kpi="Rate",
        numerator="n|,.0f",
        denominator="d|,.0f",
        share="n / d",
        interval="95% interval",
        people={"numerator": "numerator", "denominator": "denominator"},
        min_cell=min_cell,
    )


def _without_small(workbook: Workbook, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Output]]:
    """Rates of at least min_cell people, and a note on how many groups are smaller."""
    least = workbook.params.min_cell
    sizes = rows[rows["kpi"] == "delivery rate"].set_index(["campaign", "audience"])["denominator"]
    small = set(sizes.index[sizes < least])
    if not small:
        return rows, []
    kept = [key not in small for key in rows[["campaign", "audience"]].itertuples(index=False, name=None)]
    names = ", ".join(sorted({campaign for campaign, audience in small if audience == EVERYONE}))
    about = f": {names}" if names else ""
    return rows[kept], [show.note(f"{len(small)} groups of fewer than {least} people are left out{about}.")]


def _complaints(everyone: pd.DataFrame, min_cell: int) -> Output:
    rows = everyone[(everyone["kpi"] == "complaint rate") & (everyone["denominator"] > 0)]
    above = rows[rows["rate"] >= GMAIL_ASKS].sort_values("rate", ascending=False)
    if above.empty:
        return show.note(f"No campaign reached {GMAIL_ASKS:.2%} complaints, below which Gmail asks senders to stay.")
    told = (share_text(n, d, min_cell, ".2%") for n, d in zip(above["numerator"], above["denominator"], strict=True))
    campaigns = ", ".join(f"{campaign} {share}" for campaign, share in zip(above["campaign"], told, strict=True))
    limit = f"; from {GMAIL_LIMITS:.2%} on it limits the sender" if above["rate"].max() >= GMAIL_LIMITS else ""
    return show.note(
        f"Complaints at or above the {GMAIL_ASKS:.2%} below which Gmail asks senders to stay: {campaigns}{limit}."
    )


def _in_brief(row: Any, min_cell: int) -> str:
    interval = _interval(row, min_cell)
    return _share(row, min_cell) + (f" ({interval})" if interval != show.MISSING else "")


def _share(row: Any, min_cell: int) -> str:
    import pandas as pd

    if pd.isna(row.rate) or pd.isna(row.numerator):
        return show.MISSING
    return share_text(row.numerator, row.denominator, min_cell, ".1%" if row.rate >= 0.01 or row.rate == 0 else ".2%")


def _interval(row: Any, min_cell: int) -> str:
    """The interval of a rate; of one about too few people none, as they could be worked out from it."""
    import pandas as pd

    rest = row.denominator - row.numerator
    if pd.isna(row.low) or pd.isna(rest) or 0 < row.numerator < min_cell or 0 < rest < min_cell:
        return show.MISSING
    low, high = rounded([row.low, row.high], [min(row.numerator, rest) or row.denominator] * 2, min_cell)
    return f"{_percent(float(low)).removesuffix('%')}–{_percent(float(high))}"


def _percent(rate: float) -> str:
    return f"{rate:.1%}" if rate >= 0.01 or rate == 0 else f"{rate:.2%}"


def glossary(workbook: Workbook) -> Output:
    """What each rate is taken over, and how machines are told from people; a row per rate.

    Example:
        >>> campaigns.glossary(wb).bundle["text/plain"]
        '12 rows'
    """
    if not workbook.has("email_events"):
        return show.note("Rates have no glossary here, as there are no e-mail events.")
    rows = workbook.query("campaigns.dim_kpi", order_by="kpi_order")
    formulas = [f"{row.numerator_is} / {row.denominator_is}".replace("_", " ") for row in rows.itertuples()]
    return show.table(rows.assign(formula=formulas), kpi="Rate", formula="n / d", definition="Definition", people=None)


def delivery_funnel(workbook: Workbook) -> Output:
    """Who was targeted, and for which reason some were not sent: a row per campaign, with those of stage 5 by step.

    Example:
        >>> campaigns.delivery_funnel(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        '... rows'
    """
    if not workbook.has("purchases"):
        return show.note("Everyone of a finished experiment is in its data: nobody is known to have been left out.")
    rows = workbook.query("campaigns.fact_campaign_funnel", order_by="campaign, step_order")
    counts = rows.groupby(["campaign", "step_order", "step"], as_index=False)["customers"].agg(["sum", "max"])
    steps = counts.sort_values("step_order")["step"].drop_duplicates()
    wide = counts.pivot(index="campaign", columns="step", values="sum").reindex(columns=steps)
    names = [str(name) for name in wide.columns[wide.fillna(0).any()]]
    # who is in two audiences is counted twice, so the people of a step are those of its largest part
    largest = counts.pivot(index="campaign", columns="step", values="max").add_suffix(" people")
    wide = wide.join(largest).rename_axis(columns=None).reset_index()
    columns = {"campaign": "Campaign", **{name: f"{show.upper_first(name)}|,.0f" for name in names}}
    people = {name: f"{name} people" for name in names}
    return show.table(wide, columns, people=people, min_cell=workbook.params.min_cell)


def rejected(workbook: Workbook) -> Output:
    """Which e-mail events are rejected, and why: none is lost, each counts once its reason is gone.

    Example:
        >>> campaigns.rejected(wb)  # doctest: +ELLIPSIS
        Output(...)
    """
    if not workbook.has("purchases"):
        return show.note("There are no e-mail events, so none is rejected.")
    rows = workbook.query("campaigns.rejected_response")
    if rows.empty:
        return show.note(
            f"Every e-mail event belongs to a known {workbook.words.customer} and campaign, and to a message sent "
            "before it."
        )
    counts = rows.groupby(["reason", "campaign"], as_index=False)["events"].sum()
    counts = counts.assign(reason=counts["reason"].str.replace("customer", workbook.words.customer))
    return show.table(
        counts.sort_values("events", ascending=False),
        reason="Rejected",
        campaign="Campaign",
        events="Events|,.0f",
        people={"events": "events"},
        min_cell=workbook.params.min_cell,
    )
