"""Stage 6: what came back from the campaigns. Every rate is shown with its denominator."""

from __future__ import annotations

from typing import Any

from clv_helpers import lake, show
from clv_helpers.show import Shown
from clv_helpers.workbook import Workbook


def build(workbook: Workbook) -> list[dict[str, Any]]:
    """Build the campaign tables from the e-mail events. Raises StageSkipped where the workbook has none."""
    workbook.needs("email_events", "Stage 6")
    return lake.refresh(workbook, "campaigns", *lake.MODEL)


def results(workbook: Workbook) -> Shown:
    """Counts and rates per campaign, newest first: opens by people beside opens with machines."""
    rows = workbook.query("campaigns.fact_campaign_result")
    counts = ["sent", "delivered", "opened", "opened_with_machines", "clicked", "unsubscribed"]
    rows = rows.groupby("campaign").agg({"sent_on": "min", **dict.fromkeys(counts, "sum")})
    rows = rows.sort_values("sent_on", ascending=False).reset_index()
    for name, part in (
        ("open_rate", "opened"),
        ("with_machines", "opened_with_machines"),
        ("click_rate", "clicked"),
    ):
        rows[name] = rows[part] / rows["delivered"]
    return show.table(
        rows,
        campaign="Campaign",
        sent_on="Sent on",
        sent="Sent|,.0f",
        delivered="Delivered|,.0f",
        opened="Opened by people|,.0f",
        open_rate="Open rate|.1%",
        with_machines="… with machines|.1%",
        clicked="Clicked|,.0f",
        click_rate="Click rate|.1%",
        unsubscribed="Unsubscribed|,.0f",
    )


def summary(workbook: Workbook) -> Shown:
    """How much of the opens are machines: the figure that tells whether open rates can be believed."""
    rows = workbook.query("campaigns.fact_campaign_result")
    delivered, people = rows["delivered"].sum(), rows["opened"].sum()
    with_machines = rows["opened_with_machines"].sum()
    return show.finding(
        f"People opened {people / delivered:.0%} of {show.compact(delivered)} delivered messages; "
        f"counting machine opens it would look like {with_machines / delivered:.0%}."
    )
