"""What notebook 1 shows of stage 1: what came in, what does not count, deciles, recency and frequency."""

from __future__ import annotations

import functools
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv_helpers.charts import Widget, draw, show
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import Metric, Output
from clv_helpers.charts.texts import fill
from clv_helpers.config.params import Params
from clv_helpers.config.sql_params import NO_CATEGORY
from clv_helpers.config.validation import read_yaml
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.engine import NothingPublished
from clv_helpers.ingest import Batch

if TYPE_CHECKING:
    import pandas as pd

AT_EDGE = 50  # as of how many customers, at most, the value at a decile's edge is rounded: to a tenth of it
# What some reasons for which rows are left out are called here; the others are named in the params.
LEFT_OUT = {"where": "what `where` does not let in", "exclude": "the accounts under `exclude`"}


def metrics(workbook: Workbook) -> Output:
    """The workbook at a glance: the day as of which it is computed, its customers, revenue and value.

    Example:
        >>> derived.metrics(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        'as of: ...; members: ...; revenue: ... EUR; miles: ...'
    """
    row, params, words = workbook.query("derived.summary").iloc[0], workbook.params, workbook.words
    few, of_all = params.min_cell, functools.partial(show.about, people=row.customers, min_cell=params.min_cell)
    back = show.share(row.share_with_repeat * row.customers, row.customers, few)
    purchases, days = (of_all(count, write="{:,.0f}".format) for count in (row.purchases, row.purchase_days))
    unit, told = params.spending.unit, _gross_and_refunds(row, few)
    entries = [
        Metric("as of", f"{row.as_of:%d %b %Y}", f"events since {row.first_event_on:%b %Y}", topic="as_of"),
        Metric(
            words.customers,
            people_text(row.customers, few),
            f"{back} came back",
            topic="customers",
            number=show.rounded_sum(row.customers, row.customers, few) or None,
        ),
        Metric(
            "revenue",
            f"{of_all(row.spend)} {unit}{' net' if told else ''}",
            f"{told}{purchases} {words.purchases} on {days} {words.purchase} days",
            topic="spend",
            number=show.rounded_sum(row.spend, row.customers, few) or None,
        ),
    ]
    if params.value.unit != unit:
        number = show.rounded_sum(row.value, row.customers, few) or None
        note = f"that count as {words.value}"
        entries.append(Metric(params.value.unit, of_all(row.value), note, topic="value", number=number))
    return show.stack(show.metrics(*entries), *_beside_the_head(workbook, row))


def _gross_and_refunds(row: Any, few: int) -> str:
    """What the net revenue is made of; nothing where nothing was paid back, or to fewer than `min_cell`."""
    if row.refunded_customers < few:
        return ""
    gross = show.about(row.gross_spend, row.customers, few)
    return f"{gross} gross, {show.about(row.refunded_spend, row.refunded_customers, few)} refunded; "


def _beside_the_head(workbook: Workbook, row: Any) -> list[Output]:
    """What the key figures do not say: who has no purchase, or has paid nothing, and what was left out."""
    words, unit, few = workbook.words, workbook.params.spending.unit, workbook.params.min_cell
    sentences = []
    if row.refund_only_customers >= few:
        sentences.append(
            f"{people_text(row.refund_only_customers, few)} more have refunds only and are not among the "
            f"{words.customers}; their {show.about(row.refund_only_spend, row.refund_only_customers, few)} {unit} are "
            "in the revenue."
        )
    elif row.refund_only_customers:
        sentences.append(
            f"A few more have refunds only: their amounts are in the revenue, they are not among the {words.customers}."
        )
    if row.paid_nothing >= few:
        sentences.append(f"{people_text(row.paid_nothing, few)} of the {words.customers} have paid nothing in all.")
    if left_out := _left_out(workbook):
        sentences.append(f"Left out, as the params say: {'; '.join(left_out)}.")
    notes = [show.note(" ".join(sentences))] if sentences else []
    return notes + [
        show.finding(sentence, topic="collective_accounts", warning=True) for sentence in _collective_accounts(workbook)
    ]


def _collective_accounts(workbook: Workbook) -> list[str]:
    """What is said of ids that may be nobody's: in a report, which may be passed on, neither ids nor shares."""
    if workbook.interactive:
        return collective_accounts(workbook)
    count = len(workbook.query("derived.collective_account"))
    if not count:
        return []
    ids = "An id stands" if count == 1 else f"{count} ids stand"
    return [
        f"{ids} under so many rows that nobody may be meant, but all guests or a till: clv check says which, and "
        "sources.purchases.exclude leaves them out."
    ]


def collective_accounts(workbook: Workbook) -> list[str]:
    """A sentence for each published id that may be a collective account, with the id: for the owner alone.

    None where nothing is published yet.

    Example:
        >>> derived.collective_accounts(wb)
        []
    """
    try:
        with workbook.engine.read() as session:
            if not session.has_table("derived.collective_account"):
                return []
    except NothingPublished:
        return []
    rows = workbook.query("derived.collective_account", order_by="customer_id")
    return [asked_of_account(row) for row in rows.to_dict("records")]


def asked_of_account(row: dict[str, Any]) -> str:
    """The question whether an id is a collective account, of a row of derived.collective_account."""
    spent, who = row["share_of_spend"], row["customer_id"]
    spend = "" if spent is None or spent != spent else f" and {spent:.0%} of the revenue"
    return (
        f"the id {who!r} has {row['share_of_events']:.0%} of all rows{spend}: a collective account? then "
        f'sources.purchases.exclude: ["{who}"] leaves it out'
    )


def _left_out(workbook: Workbook) -> list[str]:
    """What is left out of the purchases, by reason: how many rows, and their money."""
    few, unit = workbook.params.min_cell, workbook.params.spending.unit
    parts = []
    for part in workbook.query("derived.left_out_reason", dataset="purchases", order_by="reason").itertuples():
        money = part.events >= few and part.amount == part.amount and part.amount is not None
        amount = f", {show.about(part.amount, part.events, few)} {unit}" if money else ""
        parts.append(f"{people_text(part.events, few)} rows of {LEFT_OUT.get(part.reason, part.reason)}{amount}")
    return parts


def batches(ingested: list[Batch], min_cell: int = Params.model_fields["min_cell"].default) -> Output:
    """What an ingestion gave: which files came in, and how many of their rows were accepted and rejected.

    Numbers of rows are rounded as those of people are: each may be one's. `clv batches` tells them exactly.

    Example:
        >>> derived.batches(ingest.ingest_files(wb)).bundle["text/plain"]
        '6 rows'
    """
    counts = ("rows_read", "rows_accepted", "rows_rejected")
    rows = [asdict(batch) for batch in ingested]
    for row in rows:
        row["last_event_at"] = row["last_event_at"] if (row["rows_accepted"] or 0) >= min_cell else None
    return show.table(
        rows,
        batch_id="Batch|>",
        dataset="Dataset",
        file="File",
        rows_read="Rows read|,.0f",
        rows_accepted="Accepted|,.0f",
        rows_rejected="Rejected|,.0f",
        last_event_at="Last event",
        status="Status",
        people={name: name for name in counts},
        min_cell=min_cell,
    )


def contract(workbook: Workbook) -> Output:
    """The columns of each dataset: what they must hold, and in which namespace they identify a customer.

    Example:
        >>> derived.contract(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        '... rows'
    """
    rows = [
        {
            **vars(column),
            "dataset": dataset,
            "rule": "needed" if column.required else "",
            "values": ", ".join(column.enum),
        }
        for dataset in workbook.params.sources
        for column in workbook.params.contract(dataset).values()
    ]
    columns = show.table(
        rows,
        dataset="Dataset",
        name="Column",
        header="Read from",
        type="Type",
        rule="Rule",
        values="Allowed values",
        identity="Identifies in",
        people=None,
    )
    datasets = len(workbook.params.sources)
    return show.folded(columns, f"{len(rows)} columns in {datasets} dataset{'s' if datasets > 1 else ''}")


def not_counted(workbook: Workbook) -> Output:
    """Which events count nowhere, and which rows and whole files were rejected: how many, and why.

    Example:
        >>> derived.not_counted(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        '... rows'
    """
    rows = workbook.query("derived.not_counted").sort_values(
        ["dataset", "events", "reason"], ascending=[True, False, True]
    )
    if rows.empty:
        return show.note("Every row that was read kept the contract and counts: none was rejected.")
    return show.table(
        rows,
        dataset="Dataset",
        reason="What",
        events="Rows|,.0f",
        becomes="What becomes of them",
        people={"events": "events"},
        min_cell=workbook.params.min_cell,
    )


def deciles(workbook: Workbook, lookback_months: int = 12) -> Output:
    """Sizes and edges of the deciles over all customers, for one look-back in months (0 = lifetime).

    Each edge is one customer's, so it is rounded as of few; without the highest of all, and the lowest.

    Example:
        >>> derived.deciles(wb, lookback_months=0).bundle["text/plain"]
        '10 rows'
    """
    rows, unit = _decile_edges(workbook, lookback_months), workbook.params.value.unit
    rows = rows.assign(mean=rows["value"] / rows["customers"])
    rows["highest_value"] = rows["highest_value"].where(rows.index != rows.index[:1].max())
    rows["lowest_value"] = rows["lowest_value"].where(rows.index != rows.index[-1:].max())
    rows["at_edge"] = rows["customers"].clip(upper=AT_EDGE)
    of_all = dict.fromkeys(("customers", "mean", "share_of_value"), "customers")
    of_edge = dict.fromkeys(("lowest_value", "highest_value"), "at_edge")
    return show.table(
        rows,
        decile="Decile|>",
        customers=f"{show.upper_first(workbook.words.customers)}|,.0f",
        lowest_value=f"From ({unit})|,.0f",
        highest_value=f"To ({unit})|,.0f",
        mean=f"Mean ({unit})|,.0f",
        share_of_value=f"Share of {workbook.words.value}|.1%",
        ties_crossing="Tied across its lower edge|,.0f",
        people={**of_all, **of_edge, "ties_crossing": "ties_crossing"},
        min_cell=workbook.params.min_cell,
    )


def top_decile(workbook: Workbook, lookback_months: int = 12) -> Output:
    """A sentence on the share of the value that decile 1 brings, over one look-back in months (0 = lifetime).

    Example:
        >>> derived.top_decile(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        'The best tenth of the members brings ... of all miles over 12 months.'
    """
    rows = _decile_edges(workbook, lookback_months)
    if rows.empty:
        return show.note(f"No {workbook.words.customer} is ranked in this look-back.")
    when, share = (
        f"over {lookback_months} months" if lookback_months else "over their lifetime",
        rows["share_of_value"].iloc[0],
    )
    who = workbook.words.customers
    if share != share:
        return show.note(
            f"Of {_all_value(workbook)} {when}, refunds take so much away that no tenth of the {who} has a share."
        )
    few, people = workbook.params.min_cell, rows["customers"].iloc[0]
    if people < few:
        return show.note(f"The best tenth is fewer than {few} {who}, so what they bring is not told.")
    told = show.about(share, people, few, show.percent)
    sentence = f"The best tenth of the {who} brings {told} of {_all_value(workbook)} {when}."
    return show.finding(sentence, topic="best_tenth", board="value")


def _decile_edges(workbook: Workbook, lookback_months: int) -> pd.DataFrame:
    """The deciles over all customers in one look-back, as a DataFrame."""
    return workbook.query(
        "derived.decile_edge", order_by="decile", category=NO_CATEGORY, lookback_months=lookback_months
    )


def _all_value(workbook: Workbook) -> str:
    """What a share of the value is a share of, in words."""
    params = workbook.params
    if params.value.unit != params.spending.unit:
        return f"all {params.value.unit}"
    return "the revenue" if params.spend is None else f"the {workbook.words.value} ({params.value.unit})"


def concentration(workbook: Workbook) -> Output:
    """A chart of the share of the value that the most valuable customers bring.

    Example:
        >>> derived.concentration(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        'The best tenth of the members brings ... of all miles over their lifetime...'
    """
    return _chart(workbook, "concentration")


def recency_frequency(workbook: Workbook) -> Output:
    """Two charts of the customers: how many came back how often, and by how often they bought and how long ago.

    Example:
        >>> derived.recency_frequency(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        '... of the members bought on one day only...The largest group, ... of members: ...'
    """
    return show.stack(_chart(workbook, "repeat_purchases"), _chart(workbook, "recency_frequency"))


def rfm_segments(workbook: Workbook) -> Output:
    """A chart and a table of the RFM segments: how many customers each holds, and what they brought.

    Example:
        >>> derived.rfm_segments(wb).bundle["text/plain"]  # doctest: +ELLIPSIS
        '...: ... of the members bring ... of all miles...'
    """
    rows, words = workbook.query("derived.value_by_rfm_segment", order_by="rfm_segment"), workbook.words
    rows = rows.sort_values("value", ascending=False, kind="stable")
    rows = rows.assign(spend_per_customer=rows["spend"] / rows["customers"])
    table = show.table(
        rows,
        rfm_segment="RFM segment",
        customers=f"{show.upper_first(words.customers)}|,.0f",
        share_of_customers=f"Share of {words.customers}|.1%",
        share_of_value=f"Share of {words.value}|.1%",
        share_of_spend="Share of the revenue|.1%",
        spend_per_customer=f"Mean spend ({workbook.params.spending.unit})|,.0f",
        people="customers",
        min_cell=workbook.params.min_cell,
    )
    return show.stack(_chart(workbook, "rfm_segments"), table)


def _chart(workbook: Workbook, name: str) -> Output:
    """A chart of charts.yml, in the words of the business."""
    widget = Widget.model_validate(read_yaml(Path(__file__).with_name("charts.yml"))[name])
    title = fill(widget.title, {"all_value": _all_value(workbook)})
    return draw(workbook, widget.model_copy(update={"title": title}))


def literal_guide_windows(workbook: Workbook) -> Output:
    """How far the guide's cut-offs, read literally, are from trailing windows; nothing unless the params ask for them.

    Example:
        >>> len(derived.literal_guide_windows(wb).parts)
        2
    """
    if not workbook.params.literal_guide_windows:
        return show.stack()
    who = show.upper_first(workbook.words.customers)
    about = show.note(
        "The guide's query, read literally, keeps everything before a cut-off, not a window that ends there. "
        f"Compared with trailing windows, it ranks other {workbook.words.customers}."
    )
    rows = workbook.query("derived.literal_guide_window", order_by="lookback_order")
    table = show.table(
        rows,
        lookback="Look-back",
        trailing=f"{who} ranked, trailing window|,.0f",
        literal=f"{who} ranked, literal window|,.0f",
        differing="Ranked by both, in another decile|,.0f",
        people={name: name for name in ("trailing", "literal", "differing")},
        min_cell=workbook.params.min_cell,
    )
    return show.stack(about, table)
