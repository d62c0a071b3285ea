"""What an activation would do and did, to look at before and after: counts, and rows that name nobody."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from clv_helpers.activation.delivery import planned
from clv_helpers.activation.ledger import ActivationResult
from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.rounding import people_text, rounded
from clv_helpers.charts.show import Output, percent, upper_first
from clv_helpers.config.destinations import STATUS_FIELD, Activation
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import literal

EXAMPLES = """
SELECT $fields
FROM activation.decision AS d JOIN profile.customer AS p ON p.customer_id = d.customer_id
WHERE d.campaign = $campaign AND d.destination = $destination AND d.outcome = 'sent'
ORDER BY MD5(d.customer_id)
LIMIT 5
"""
# What an example row shows as it is: it places a person among thousands.
UNMASKED = re.compile(rf"decile_\w+|category|{STATUS_FIELD}")
ADDRESS = re.compile(r"[^\s<>]+@[^\s<>]+")
POWER, CONFIDENCE = 0.8, 0.95


def waterfall(workbook: Workbook) -> Output:
    """From everyone in the audience to those who are sent: a row per step, a column per planned activation.

    Example:
        >>> activation.waterfall(wb).bundle["text/plain"]
        '9 rows'
    """
    rows = workbook.query("activation.fact_waterfall", order_by="step_order")
    rows["activation"] = rows["campaign"] + " → " + rows["destination"]
    wide = rows.pivot(index=["step_order", "title"], columns="activation", values="customers")
    wide = wide.reset_index().rename_axis(columns=None)
    names = list(wide.columns[2:])
    columns = {"title": "Step", **{name: f"{name}|,.0f" for name in names}}
    return show.table(wide, columns, people={name: name for name in names}, min_cell=workbook.params.min_cell)


def chart(workbook: Workbook, campaign: str = "") -> Output:
    """The waterfall of a campaign as a chart; of the first planned activation where none is named.

    Raises ParamsError for a campaign that is not planned.

    Example:
        >>> activation.chart(wb, "win-back").bundle["text/plain"]
        '... members are sent the campaign win-back'
    """
    first, customers = _first(workbook, campaign), workbook.words.customers
    names: dict[str, Any] = {"campaign": first.campaign, "destination": first.destination}
    steps = workbook.query("activation.fact_waterfall", **names).set_index("step")["customers"]
    matched, few = steps["matched"], workbook.params.min_cell
    nobody = [step for step, count in steps.items() if count == 0 and step not in ("matched", "sent")]
    widget = Widget(
        title=f"{{customers}} {customers} are sent the campaign {first.campaign}",
        title_from={"step": "sent"},
        subtitle=f"Of {people_text(matched, few)} in the audience {first.audience}, who is not sent at each step",
        table="activation.fact_waterfall",
        filters=names,
        exclude={"step": nobody} if nobody else {},
        mark="bar",
        x=Channel(column="high", title=upper_first(customers), format=",.0f"),
        x2="low",
        y=Channel(column="title", title="", sort="step_order"),
        highlight={"step": "sent"},
        labels=True,
        tooltip=[
            Channel(column="title", title="Step"),
            Channel(column="customers", title=upper_first(customers), format=",.0f"),
        ],
    )
    return draw(workbook, widget)


def changes(workbook: Workbook) -> Output:
    """How each planned activation differs from the last one: how many are new (realized), how many have exited.

    Example:
        >>> activation.changes(wb).bundle["text/plain"]
        '1 rows'
    """
    rows = workbook.query("activation.fact_change", order_by="campaign, destination")
    return show.table(
        rows,
        campaign="Campaign",
        audience="Audience",
        destination="Destination",
        before="Last time|,.0f",
        realized="Realized|+,.0f",
        exited="Exited|,.0f",
        now="Now|,.0f",
        people={name: name for name in ("before", "realized", "exited", "now")},
        min_cell=workbook.params.min_cell,
    )


def examples(workbook: Workbook, campaign: str = "") -> Output:
    """Five rows as the destination gets them, masked: a letter and dots, but for deciles and statuses.

    Only for who steps through the notebook: a run's notebooks and report are shared, and hold no row of a person.
    Raises ParamsError for a campaign that is not planned.

    Example:
        >>> activation.examples(wb, "win-back").bundle["text/plain"]
        '5 rows'
    """
    if not workbook.interactive:
        return show.note("Rows are shown, masked, to who steps through this notebook; a report holds no person's row.")
    first = _first(workbook, campaign)
    params = workbook.params.destinations[first.destination]
    status = literal(params.status_values.get("realized", "realized"))
    fields = [
        (status if field == STATUS_FIELD else exp.column(field, table="p", quoted=True)).as_(field, quoted=True)
        for field in params.columns
    ]
    with workbook.engine.read() as session:
        rows = session.rows(EXAMPLES, fields=fields, campaign=first.campaign, destination=first.destination)
    if not rows:
        return show.note(f"{first.campaign}: nobody is to be sent, so there is no row to show.")
    masked = [{field: mask(field, value) for field, value in row.items()} for row in rows]
    return show.table(masked, params.columns, people=None)


def mask(field: str, value: Any) -> str:
    """A value of a person as it may be shown: its first letter, and three dots for each further run of letters."""
    if value is None or UNMASKED.fullmatch(field):
        return show.MISSING if value is None else str(value)
    text = str(value)
    return text[:1] + re.sub(r"\w+", "•••", text[1:])


def control(workbook: Workbook) -> Output:
    """For each campaign with a control group: its size, and the smallest effect that it can show.

    Example:
        >>> activation.control(wb).bundle["text/plain"]
        'win-back: ... members are control against ... treated...'
    """
    query = "SELECT campaign, arm, COUNT(*) AS customers FROM activation.arm GROUP BY campaign, arm"
    with workbook.engine.read() as session:
        sizes = {(row["campaign"], row["arm"]): row["customers"] for row in session.rows(query)}
    groups = {plan.campaign: plan.control for plan in workbook.params.activations if plan.control}
    sentences = []
    for campaign, group in groups.items():
        treated, controls = (sizes.get((campaign, arm), 0) for arm in ("treated", "control"))
        texts = [people_text(count, workbook.params.min_cell) for count in (treated, controls)]
        who = f"{campaign}: {texts[1]} {workbook.words.customers} are control against {texts[0]} treated"
        sentences.append(f"{who}{_power(treated, controls, group.expected_rate, workbook.params.min_cell)}")
    none = "No campaign has a control group, so none can show what it added (control: {share: 0.1} under activations)."
    return show.note(" ".join(sentences) or none)


def _power(treated: int, control: int, rate: float, min_cell: int) -> str:
    """What two groups of these sizes can show, as the end of a sentence."""
    effect = detectable_effect(treated, control, rate)
    if effect is None:
        return ", too few to show any effect."
    effect = float(rounded([effect], [min(treated, control)], min_cell)[0])
    return (
        f". If {percent(rate)} respond by themselves, the smallest effect that this can show is {effect * 100:.1f} "
        f"percentage points (to {percent(rate + effect)}; with {POWER:.0%} power at {CONFIDENCE:.0%} confidence)."
    )


def detectable_effect(treated: int, control: int, rate: float) -> float | None:
    """The smallest rise of a response rate that a two-sided test of two proportions finds with 80 % power at 95 %.

    Gives the rise as a share (0.02: two percentage points), None where not even a rise to 100 % would be found.
    Formula: Fleiss, Statistical Methods for Rates and Proportions (3rd ed., 2003), section 4.2, unequal sizes,
    without continuity correction.

    Example:
        >>> round(activation.detectable_effect(435, 435, 0.05), 3)
        0.05
    """
    from scipy.optimize import brentq
    from statsmodels.stats.proportion import power_proportions_2indep

    if min(treated, control) < 1:
        return None

    def missing_power(effect: float) -> float:
        ratio, alpha = control / treated, 1 - CONFIDENCE
        return power_proportions_2indep(effect, rate, treated, ratio, alpha, return_results=False) - POWER

    return float(brentq(missing_power, 0, 1 - rate)) if missing_power(1 - rate) > 0 else None


def done(workbook: Workbook, results: Sequence[ActivationResult]) -> Output:
    """What `activate_planned` did, a row per activation; below it, what stops one, and why customers were rejected.

    Example:
        >>> activation.done(wb, activation.activate_planned(wb)).bundle["text/plain"]
        '1 rows'
    """
    rows = [{**vars(result), "files": ", ".join(file.name for file in result.files) or None} for result in results]
    few = workbook.params.min_cell
    outcomes = show.table(
        rows,
        campaign="Campaign",
        destination="Destination",
        outcome="Outcome",
        to_send="To send|,.0f",
        delivered="Delivered|,.0f",
        rejected="Rejected|,.0f",
        in_doubt="In doubt|,.0f",
        files="Files",
        people={name: name for name in ("to_send", "delivered", "rejected", "in_doubt")},
        min_cell=few,
    )
    below = [show.note(result.stops) for result in results if result.stops]
    reasons: Counter[str] = Counter()
    for reason in (reason for result in results for reason in result.reasons):
        reasons[ADDRESS.sub("…", reason.reason)] += reason.customers  # a mail server names whom it does not know
    if reasons:
        listed = [{"reason": reason, "customers": customers} for reason, customers in reasons.most_common()]
        columns = {"reason": "Rejected because", "customers": "Rejected|,.0f"}
        below.append(show.table(listed, columns, people="customers", min_cell=few))
    return show.stack(outcomes, *below)


def _first(workbook: Workbook, campaign: str) -> Activation:
    return planned(workbook, campaign or workbook.params.activations[0].campaign)[0]
