"""Stage 1: from events to deciles, recency and frequency, and a profile per member."""

from __future__ import annotations

from typing import Any

from clv_helpers import show
from clv_helpers.charts import Channel, Widget, draw
from clv_helpers.show import Figure, Shown
from clv_helpers.workbook import NO_CATEGORY, Workbook


def figures(workbook: Workbook) -> Shown:
    """The workbook at a glance: the day as of which it is computed, its members, revenue and value."""
    row = workbook.query("derived.summary").iloc[0]
    params = workbook.params
    entries = [
        Figure("as of", f"{row.as_of:%d %b %Y}", f"events since {row.first_event_on:%b %Y}"),
        Figure("members", f"{row.members:,.0f}", f"{show.percent(row.share_with_repeat)} came back"),
        Figure("revenue", f"{show.compact(row.spend)} {params.spending.unit}", f"{row.purchases:,.0f} purchases"),
    ]
    if params.value.unit != params.spending.unit:
        entries.append(Figure(params.value.unit, show.compact(row.value), "that count as value"))
    return show.figures(*entries)


def batches(ingested: list[dict[str, Any]]) -> Shown:
    """What `lake.ingest` gave: which files came in, and how many of their rows were accepted and rejected."""
    return show.table(
        ingested,
        _batch_id="Batch|.0f",
        dataset="Dataset",
        file="File",
        rows_read="Rows read|,.0f",
        rows_accepted="Accepted|,.0f",
        rows_rejected="Rejected|,.0f",
        last_event_at="Last event",
        status="Status",
    )


def contract(workbook: Workbook) -> Shown:
    """The columns of each dataset: what they must hold, and in which namespace they identify a person."""
    rows = [
        {
            "dataset": dataset,
            "column": each.name,
            "header": each.header,
            "type": each.type,
            "rule": "needed" if each.required else "",
            "values": ", ".join(each.enum),
            "identity": each.identity,
        }
        for dataset in workbook.params.sources
        for each in workbook.params.contract(dataset).values()
    ]
    shown = show.table(
        rows,
        dataset="Dataset",
        column="Column",
        header="Read from",
        type="Type",
        rule="Rule",
        values="Allowed values",
        identity="Identifies in",
    )
    return show.folded(shown, f"{len(rows)} columns in {len(workbook.params.sources)} datasets")


def rejected(workbook: Workbook) -> Shown:
    """What was set aside and why, in counts."""
    rows = workbook.query("derived.rejected_reason", order_by="dataset, column_name, reason")
    if rows.empty:
        return show.note("Every row that was read kept the contract: nothing was set aside.")
    return show.table(
        rows,
        dataset="Dataset",
        column_name="Column",
        reason="The value",
        rejected_rows="Rows|,.0f",
        batches="Batches|,.0f",
    )


def deciles(workbook: Workbook, lookback_months: int = 12) -> Shown:
    """Sizes and edges of the deciles over all members, for one look-back (0 = lifetime)."""
    rows = workbook.query(
        "derived.decile_edge", order_by="decile", category=NO_CATEGORY, lookback_months=lookback_months
    )
    unit = workbook.params.value.unit
    return show.table(
        rows.assign(mean=rows["value"] / rows["members"], share=rows["value"] / rows["value"].sum()),
        decile="Decile|.0f",
        members="Members|,.0f",
        lowest_value=f"From ({unit})|,.0f",
        highest_value=f"To ({unit})|,.0f",
        mean=f"Mean ({unit})|,.0f",
        share="Share of value|.1%",
        ties_crossing="Tied across its lower edge|,.0f",
    )


def top_decile(workbook: Workbook, lookback_months: int = 12) -> Shown:
    """The sentence that the guide's deciles are made for: what the best tenth brings."""
    rows = workbook.query(
        "derived.decile_edge", order_by="decile", category=NO_CATEGORY, lookback_months=lookback_months
    )
    if rows.empty:
        return show.note("Nobody earned anything in this look-back.")
    share = rows["value"].iloc[0] / rows["value"].sum()
    when = f"over {lookback_months} months" if lookback_months else "over their lifetime"
    unit = workbook.params.value.unit
    return show.finding(f"The best tenth of the members brings {show.percent(share)} of all {unit} {when}.")


def repeat_purchases(workbook: Workbook) -> Shown:
    """How many members came back how often."""
    widget = Widget(
        title="{share_of_members} of the members bought on one day only",
        title_from={"repeat_days": 0},
        subtitle="Members by the number of days on which they bought again",
        table="derived.repeat_purchase",
        mark="bar",
        x=Channel(column="repeat_days_label", title="Repeat purchase days", sort="repeat_days"),
        y=Channel(column="members", title="Members", format="~s"),
        highlight={"repeat_days": 0},
    )
    return draw(workbook, widget)
