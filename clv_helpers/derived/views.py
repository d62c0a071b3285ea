"""Stage 1: from events to deciles, recency and frequency, and a profile per customer."""

from __future__ import annotations

import dataclasses

from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.show import Metric, Output
from clv_helpers.config.sql_params import NO_CATEGORY, params_bindings
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import parse
from clv_helpers.ingest import Batch

LEFT_OUT = parse("""
    SELECT 'purchases' AS dataset, 'transactions of type ' || COALESCE(transaction_type, '(none)') AS what,
        COUNT(*) AS events, 'kept, and counted neither as value nor as spend' AS becomes
    FROM lake.purchases
    WHERE occurred_at < $as_of AND NOT ($counts_as_value OR $counts_as_spend)
    GROUP BY transaction_type
    UNION ALL
    SELECT 'purchases', 'events on ' || CAST($as_of AS VARCHAR) || ' or later', COUNT(*),
        'kept, and counted once as_of has passed them'
    FROM lake.purchases
    WHERE occurred_at >= $as_of
    HAVING COUNT(*) > 0
    UNION ALL
    SELECT 'purchases', 'counted events of the month that is not over', COUNT(*),
        'in the profile and the months; in the deciles from the next month on'
    FROM lake.purchases
    WHERE occurred_at >= DATE_TRUNC('month', $as_of) AND occurred_at < $as_of AND ($counts_as_value OR $counts_as_spend)
    HAVING COUNT(*) > 0
    UNION ALL
    SELECT dataset, column_name || ' ' || reason, rejected_rows, 'rejected in lake.rejected_rows'
    FROM derived.rejected_reason
    UNION ALL
    SELECT f.dataset, 'the whole file ' || f.file || ', which failed', MAX(f.rows_read),
        CASE WHEN MAX(t._batch_id) IS NULL THEN 'none of it is in the lake; clv batches tells why'
            ELSE 'taken in since, as batch ' || CAST(MAX(t._batch_id) AS VARCHAR) END
    FROM lake.batches AS f
    LEFT JOIN lake.batches AS t
        ON t.status = 'success' AND t.dataset = f.dataset AND (t.file = f.file OR t.sha256 = f.sha256)
    WHERE f.status = 'failed'
    GROUP BY f.dataset, f.file
    ORDER BY dataset, events DESC, what
""")
AS_PRINTED = parse("""
    WITH ranked AS (
        SELECT customer_id, lookback_months, ABS(lookback_months) AS months, decile
        FROM derived.customer_decile
        WHERE category = $no_category AND ABS(lookback_months) IN (1, 3, 6)
    ),
    pairs AS (
        SELECT
            customer_id,
            months,
            MAX(CASE WHEN lookback_months > 0 THEN decile END) AS trailing,
            MAX(CASE WHEN lookback_months < 0 THEN decile END) AS printed
        FROM ranked
        GROUP BY customer_id, months
    )
    SELECT
        l.lookback,
        COUNT(p.trailing) AS trailing,
        COUNT(p.printed) AS printed,
        COUNT(CASE WHEN p.trailing <> p.printed THEN 1 END) AS differing
    FROM pairs AS p
    JOIN derived.lookback AS l ON l.lookback_months = p.months
    GROUP BY l.lookback, p.months
    ORDER BY p.months
""")


def figures(workbook: Workbook) -> Output:
    """The workbook at a glance: the day as of which it is computed, its customers, revenue and value."""
    row = workbook.query("derived.summary").iloc[0]
    params = workbook.params
    entries = [
        Metric("as of", f"{row.as_of:%d %b %Y}", f"events since {row.first_event_on:%b %Y}"),
        Metric("customers", f"{row.customers:,.0f}", f"{show.percent(row.share_with_repeat)} came back"),
        Metric("revenue", f"{show.compact(row.spend)} {params.spending.unit}", f"{row.purchases:,.0f} purchases"),
    ]
    if params.value.unit != params.spending.unit:
        entries.append(Metric(params.value.unit, show.compact(row.value), "that count as value"))
    return show.metrics(*entries)


def batches(ingested: list[Batch]) -> Output:
    """What `ingest.ingest_files` gave: which files came in, and how many of their rows were accepted and rejected."""
    return show.table(
        [dataclasses.asdict(batch) for batch in ingested],
        batch_id="Batch|.0f",
        dataset="Dataset",
        file="File",
        rows_read="Rows read|,.0f",
        rows_accepted="Accepted|,.0f",
        rows_rejected="Rejected|,.0f",
        last_event_at="Last event",
        status="Status",
    )


def contract(workbook: Workbook) -> Output:
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
    datasets = len(workbook.params.sources)
    return show.folded(shown, f"{len(rows)} columns in {datasets} dataset{'s' if datasets > 1 else ''}")


def left_out(workbook: Workbook) -> Output:
    """Which events count nowhere, and which rows and whole files were rejected: how many, and why."""
    with workbook.engine.read() as session:
        bindings = {**params_bindings(workbook.params), "as_of": session.scalar("SELECT as_of FROM derived.as_of")}
        rows = session.rows(LEFT_OUT, **bindings)
    if not rows:
        return show.note("Every row that was read kept the contract, and every event counts: nothing was left out.")
    return show.table(rows, dataset="Dataset", what="What", events="Rows|,.0f", becomes="What becomes of them")


def identities(workbook: Workbook) -> Output:
    """A sentence on the identity graph: whom it joins, and whom it leaves apart."""
    rows = workbook.query("profile.namespace", order_by="namespace")
    primary, others = rows[rows["is_primary"]].iloc[0], rows[~rows["is_primary"]]
    text = f"{primary.identities:,.0f} customers, each with one number in the namespace {primary.namespace}."
    for each in others.itertuples():
        text += f" {each.identities:,.0f} identities in the namespace {each.namespace}"
        if each.shared_identities:
            text += (
                f", {each.shared_identities:,.0f} of them shared, by {each.sharing_customers:,.0f} customers in all: "
                "these stay apart, as a shared address does not make one person."
            )
        else:
            text += ", none shared by several customers."
    return show.note(text)


def deciles(workbook: Workbook, lookback_months: int = 12) -> Output:
    """Sizes and edges of the deciles over all customers, for one look-back (0 = lifetime)."""
    rows = workbook.query(
        "derived.decile_edge", order_by="decile", category=NO_CATEGORY, lookback_months=lookback_months
    )
    unit = workbook.params.value.unit
    return show.table(
        rows.assign(mean=rows["value"] / rows["customers"], share=rows["value"] / rows["value"].sum()),
        decile="Decile|.0f",
        customers="Customers|,.0f",
        lowest_value=f"From ({unit})|,.0f",
        highest_value=f"To ({unit})|,.0f",
        mean=f"Mean ({unit})|,.0f",
        share="Share of value|.1%",
        ties_crossing="Tied across its lower edge|,.0f",
    )


def top_decile(workbook: Workbook, lookback_months: int = 12) -> Output:
    """The sentence that the guide's deciles are made for: what the best tenth brings."""
    rows = workbook.query(
        "derived.decile_edge", order_by="decile", category=NO_CATEGORY, lookback_months=lookback_months
    )
    if rows.empty:
        return show.note("Nobody earned anything in this look-back.")
    share = rows["value"].iloc[0] / rows["value"].sum()
    when = f"over {lookback_months} months" if lookback_months else "over their lifetime"
    whole = _whole_of_value(workbook)
    return show.finding(f"The best tenth of the customers brings {show.percent(share)} of {whole} {when}.")


def _whole_of_value(workbook: Workbook) -> str:
    """What a share of the value is a share of, in words."""
    params = workbook.params
    if params.value.unit != params.spending.unit:
        return f"all {params.value.unit}"
    return "the revenue" if params.spend is None else f"the value ({params.value.unit})"


def repeat_purchases(workbook: Workbook) -> Output:
    """How many customers came back how often."""
    widget = Widget(
        title="{share_of_customers} of the customers bought on one day only",
        title_from={"repeat_days": 0},
        subtitle="Customers by the number of days on which they bought again",
        table="derived.repeat_purchase",
        mark="bar",
        x=Channel(column="repeat_days_label", title="Repeat purchase days", sort="repeat_days"),
        y=Channel(column="customers", title="Customers", format="~s"),
        highlight={"repeat_days": 0},
    )
    return draw(workbook, widget)


def concentration(workbook: Workbook) -> Output:
    """Which share of the value the most valuable customers bring."""
    unit, whole = workbook.params.value.unit, _whole_of_value(workbook).replace("{", "{{").replace("}", "}}")
    widget = Widget(
        title=f"The best tenth of the customers brings {{share_of_value}} of {whole} over their lifetime",
        title_from={"percent_of_customers": 10},
        subtitle=f"Cumulative share of lifetime {unit}, customers sorted from the most valuable to the least",
        table="derived.concentration",
        mark="area",
        x=Channel(column="percent_of_customers", title="Customers (%)"),
        y=Channel(column="share_of_value", title=f"Share of {unit}", format="%"),
    )
    return draw(workbook, widget)


def recency_frequency(workbook: Workbook) -> Output:
    """Customers by how often they bought and by how long ago: where they are kept, and where they are lost."""
    widget = Widget(
        title="The largest group, {share_of_customers} of customers: {frequency_band} repeat days, last: {recency_band}",
        title_from="top",
        subtitle="Customers by the number of days on which they bought again, and by the time since the last purchase",
        table="derived.recency_frequency",
        mark="heatmap",
        x=Channel(column="frequency_band", title="Repeat purchase days", sort="frequency_order"),
        y=Channel(column="recency_band", title="Last purchase", sort="recency_order"),
        color=Channel(column="customers", title="Customers"),
    )
    return draw(workbook, widget)


def literal_guide_windows(workbook: Workbook) -> list[Output]:
    """How far the guide's cut-offs as printed are from trailing windows; nothing unless `literal_guide_windows` asks for them."""
    if not workbook.params.literal_guide_windows:
        return []
    about = show.note(
        "The guide's cut-offs, as printed: its query keeps everything before a cut-off, not a window that ends there. "
        "Set side by side, the two rank other customers."
    )
    with workbook.engine.read() as session:
        rows = session.rows(AS_PRINTED, no_category=NO_CATEGORY)
    table = show.table(
        rows,
        lookback="Look-back",
        trailing="Customers ranked, trailing window|,.0f",
        printed="Customers ranked, as printed|,.0f",
        differing="Ranked by both, in another decile|,.0f",
    )
    return [about, table]
