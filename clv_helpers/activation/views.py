"""What an activation would do, for people to look at before they say yes: counts, and rows that name nobody."""

from __future__ import annotations

import math
import re
from statistics import NormalDist
from typing import Any

from sqlglot import exp

from clv_helpers.activation.delivery import planned
from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.show import Output, percent
from clv_helpers.config.destinations import STATUS_FIELD, Activation
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import literal, table

EXAMPLES = 5
# What an example row shows as it is: it places a person among thousands.
SHOWN_FIELDS = re.compile(rf"decile_\w+|category|{STATUS_FIELD}")
POWER, CONFIDENCE = 0.8, 0.95


def waterfall(workbook: Workbook) -> Output:
    """From everyone in the audience to those who are sent, for each planned activation: a column each."""
    rows = workbook.query("activation.fact_waterfall", order_by="step_order")
    rows["activation"] = rows["campaign"] + " → " + rows["destination"]
    wide = rows.pivot(index=["step_order", "step"], columns="activation", values="customers")
    wide = wide.reset_index().rename_axis(columns=None)
    return show.table(wide, step="Step", **{name: f"{name}|,.0f" for name in wide.columns[2:]})


def chart(workbook: Workbook, campaign: str = "") -> Output:
    """The waterfall of a campaign as a chart; of the first planned activation where none is named."""
    first = _first(workbook, campaign)
    names = {"campaign": first.campaign, "destination": first.destination}
    matched = workbook.query("activation.fact_waterfall", step="matched", **names)["customers"].iloc[0]
    widget = Widget(
        title="{customers} customers are sent the campaign " + first.campaign,
        title_from={"step": "sent"},
        subtitle=f"Of {show.compact(matched)} in the audience {first.audience}, who stays behind at each step",
        table="activation.fact_waterfall",
        filters=names,
        mark="bar",
        x=Channel(column="high", title="Customers", format=",.0f"),
        x2="low",
        y=Channel(column="step", title="", sort="step_order"),
        highlight={"step": "sent"},
        tooltip=[Channel(column="step"), Channel(column="customers", format=",.0f")],
    )
    return draw(workbook, widget)


def changes(workbook: Workbook) -> Output:
    """How each planned activation differs from the last one: who joins, who leaves."""
    rows = workbook.query("activation.fact_change", order_by="campaign, destination")
    return show.table(
        rows,
        campaign="Campaign",
        audience="Audience",
        destination="Destination",
        before="Last time|,.0f",
        joined="Joined|+,.0f",
        has_left="Left|,.0f",
        now="Now|,.0f",
    )


def examples(workbook: Workbook, campaign: str = "") -> Output:
    """Five rows as the destination gets them, masked: a letter and dots, but for deciles and statuses.

    Only for who steps through the notebook: a run's notebooks and report are shared, and hold no row of a person.
    """
    if not workbook.interactive:
        return show.note("Rows are shown, masked, to who steps through this notebook; a report holds no person's row.")
    first = _first(workbook, campaign)
    columns = workbook.params.destinations[first.destination].columns
    wanted = {"campaign": first.campaign, "destination": first.destination, "outcome": "sent"}
    where = [exp.EQ(this=exp.column(key, table="d"), expression=literal(value)) for key, value in wanted.items()]
    chosen = [
        (literal("active") if field == STATUS_FIELD else exp.column(field, table="p", quoted=True)).as_(
            header, quoted=True
        )
        for field, header in columns.items()
    ]
    query = (
        exp.select(*chosen)
        .from_(table("activation.decision").as_("d"))
        .join(table("profile.customer").as_("p"), on="p.customer_id = d.customer_id")
        .where(*where)
        .order_by(exp.func("MD5", exp.column("customer_id", table="d")))
        .limit(EXAMPLES)
    )
    with workbook.engine.read() as session:
        rows = session.rows(query)
    headers = list(columns.values())
    masked = [{f"c{i}": mask(field, row[columns[field]]) for i, field in enumerate(columns)} for row in rows]
    if not masked:
        return show.note(f"{first.campaign}: nobody is to be sent, so there is no row to show.")
    return show.table(masked, **{f"c{index}": header for index, header in enumerate(headers)})


def mask(field: str, value: Any) -> str:
    """A value of a person as it may be shown: its first letter, and three dots for each further run of letters."""
    if value is None or SHOWN_FIELDS.fullmatch(field):
        return show.MISSING if value is None else str(value)
    text = str(value)
    return text[:1] + re.sub(r"\w+", "•••", text[1:])


def control(workbook: Workbook) -> Output:
    """For each campaign with a control group: its size, and the smallest effect that it can show."""
    sentences, query = [], "SELECT campaign, arm, COUNT(*) AS customers FROM activation.arm GROUP BY campaign, arm"
    with workbook.engine.read() as session:
        sizes = {(row["campaign"], row["arm"]): row["customers"] for row in session.rows(query)}
    for campaign, group in _controls(workbook).items():
        treated, kept = (sizes.get((campaign, arm), 0) for arm in ("treated", "control"))
        sentences.append(_in_words(campaign, treated, kept, group.expected_rate))
    if not sentences:
        return show.note(
            "No campaign keeps back a control group, so none can show what it added "
            "(control: {share: 0.1} under activations)."
        )
    return show.note(" ".join(sentences))


def _controls(workbook: Workbook) -> dict[str, Any]:
    return {each.campaign: each.control for each in workbook.params.activations if each.control}


def _in_words(campaign: str, treated: int, kept: int, rate: float) -> str:
    effect = detectable_effect(treated, kept, rate)
    if effect is None:
        return f"{campaign}: {kept:,} control against {treated:,} treated customers are too few to show any effect."
    return (
        f"{campaign}: {kept:,} customers are kept back as control against {treated:,} treated. If {percent(rate)} "
        f"respond by themselves, the smallest effect that this can show is {effect * 100:.1f} percentage points (to "
        f"{percent(rate + effect)}; with {POWER:.0%} power at {CONFIDENCE:.0%} confidence)."
    )


def detectable_effect(treated: int, control: int, rate: float) -> float | None:
    """The smallest rise of a response rate that a two-sided test of two proportions finds with 80 % power at 95 %.

    Gives the rise as a share (0.02: two percentage points), None where not even a rise to 100 % would be found.
    Formula: Fleiss, Statistical Methods for Rates and Proportions (3rd ed., 2003), section 4.2, unequal sizes,
    without continuity correction, solved for the second rate by bisection.
    """
    if min(treated, control) < 1:
        return None
    z_alpha, z_beta = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2), NormalDist().inv_cdf(POWER)

    def is_found(effect: float) -> bool:
        other = rate + effect
        mean = (rate * control + other * treated) / (control + treated)
        under_null = math.sqrt(mean * (1 - mean) * (1 / control + 1 / treated))
        under_effect = math.sqrt(rate * (1 - rate) / control + other * (1 - other) / treated)
        return effect >= z_alpha * under_null + z_beta * under_effect

    low, high = 0.0, 1 - rate
    if not is_found(high):
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if is_found(middle) else (middle, high)
    return high


def done(rows: list[dict[str, Any]]) -> Output:
    """What `activate_planned` did, a row per activation; below it, what stops one, and why customers were rejected."""
    for row in rows:
        row["shown_files"] = ", ".join(file["name"] for file in row.get("files", [])) or show.MISSING
    shown = show.table(
        rows,
        campaign="Campaign",
        destination="Destination",
        outcome="Outcome",
        to_send="To send|,.0f",
        delivered="Delivered|,.0f",
        rejected="Rejected|,.0f",
        **{"in doubt": "In doubt|,.0f"},
        shown_files="Files",
    )
    reasons = [reason for row in rows for reason in row.get("reasons", [])]
    notes = "".join(show.note(row["stops"]).bundle["text/html"] for row in rows if row.get("stops"))
    shown.bundle["text/html"] += notes
    if not reasons:
        return shown
    listed = show.table(reasons, reason="Rejected because", customers="Customers|,.0f")
    return Output({**shown.bundle, "text/html": shown.bundle["text/html"] + listed.bundle["text/html"]})


def _first(workbook: Workbook, campaign: str) -> Activation:
    return planned(workbook, campaign or workbook.params.activations[0].campaign)[0]
