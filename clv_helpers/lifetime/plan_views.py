"""What a shop plans with: spend to come by month, and the value at risk with customers who are overdue."""

from __future__ import annotations

from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.lateness import TABLE as OUTCOME
from clv_helpers.lifetime.prediction import record
from clv_helpers.lifetime.views import OF_PLAN, nothing, warnings

LEAST_NEW = 0.005  # of what known customers bring; less is none
CAME_BACK = """
    SELECT days, SUM(customers) AS customers, SUM(came_back) AS came_back FROM lifetime.overdue_outcome GROUP BY days
"""
LEAST_AT_RISK = 0.01  # of the predicted value; less is little


def plan(workbook: Workbook) -> Output:
    """Spend to come by month, from known customers and new ones, beside the year before; and what limits it.

    Example:
        >>> print(lifetime.plan(wb).parts[0].bundle["text/plain"])  # doctest: +ELLIPSIS
        In the 12 months from ... on, the members of today will bring ...
    """
    made = record(workbook)
    if made.status != "predicted":
        return nothing(made, "plan")
    if made.contract:
        return show.note("Of contracts, spend is not planned by month: their renewals are told by age and by cohort.")
    rows, words = workbook.query("lifetime.plan_by_month", order_by="month"), workbook.words
    few, unit = workbook.params.min_cell, workbook.params.spending.unit
    known, new, last_year = (rows[name].sum() for name in ("known", "new", "last_year"))
    people = int(rows["customers"].min())
    first, months = f"{rows['month'].iloc[0]:%B %Y}", len(rows)
    text = (
        f"In the {months} months from {first} on, the {words.customers} of today will bring "
        f"{show.about(known, people, few)} {unit}"
    )
    if rows["new"].notna().all():
        text += (
            f" and new ones {show.about(new, people, few)}"
            if new > LEAST_NEW * known
            else "; new ones count for nothing, as hardly any came of late"
        )
    if rows["last_year"].notna().all():
        text += f"; the same months a year before brought {show.about(last_year, people, few)}"
    spread = draw(workbook, _plan_chart(unit, words.customers)) if few <= people else None
    stake = show.rounded_sum(known + new, people, few)  # an empty sum is 0
    told = show.finding(f"{text}.", topic="plan", stake=stake, board="forecast")
    return show.stack(told, *warnings(made, OF_PLAN), *filter(None, [spread]))


def at_risk(workbook: Workbook) -> Output:
    """How many customers are overdue, how many such came back before, and what of the predicted value is at risk.

    Example:
        >>> "overdue" in lifetime.at_risk(wb).parts[0].bundle["text/plain"]
        True
    """
    made = record(workbook)
    if made.status != "predicted":
        return nothing(made, "value at risk")
    rows, words, few = workbook.query("lifetime.value_at_risk"), workbook.words, workbook.params.min_cell
    overdue = rows[rows["rhythm"] == "overdue"]
    people, unit = int(overdue["customers"].sum()), workbook.params.spending.unit
    share = overdue["share_at_risk"].sum()
    value = show.about(overdue["value_at_risk"].sum(), people, few)
    told = show.about(share, people, few, show.percent)
    text = (
        f"{people_text(people, few)} {words.customers} are overdue: nine in ten of the gaps that their own rhythm "
        f"leads to expect are shorter than their silence. {_came_back(workbook)}"
    )
    if share >= LEAST_AT_RISK:
        text += f" {value} {unit} of the predicted value, {told}, are likely to be with those who stay away."
    else:
        text += f" Less than {LEAST_AT_RISK:.0%} of the predicted value is likely to be with those who stay away."
    chart = Widget(
        title=f"{{share_of_value}} of the predicted value is with the best tenth's {words.customers} in rhythm",
        title_from={"decile": 1, "rhythm": "in rhythm"},
        subtitle=f"Share of all predicted value by decile of it, {words.customers} overdue and in rhythm",
        table="lifetime.value_at_risk",
        mark="bar",
        x=Channel(column="decile", title="Decile of predicted value"),
        y=Channel(column="share_of_value", title="Share of predicted value", format="%"),
        color=Channel(column="rhythm", title=""),
    )
    stake = show.rounded_sum(overdue["value_at_risk"].sum(), people, few)
    return show.stack(show.finding(text, topic="overdue", stake=stake, board="at_risk"), draw(workbook, chart))


def _came_back(workbook: Workbook) -> str:
    """What became of who was overdue at earlier cut-offs, where enough were."""
    with workbook.engine.read() as session:
        late = session.rows(CAME_BACK) if session.has_table(OUTCOME) else []
    few = workbook.params.min_cell
    if not late or late[0]["customers"] < few:
        return "Late is not gone; how many come back is the model's word alone, as too few were overdue before."
    back, away = late[0]["came_back"], late[0]["customers"] - late[0]["came_back"]
    share = "nearly all" if away < few else "hardly any" if back < few else show.percent(back / (back + away))
    return f"Late is not gone: of those who were at earlier cut-offs, {share} bought within {late[0]['days']} days."


def _plan_chart(unit: str, customers: str) -> Widget:
    return Widget(
        title=f"The {customers} of today will still bring {{spend}} {unit} in {{month}}",
        title_from={"series": "Known today"},
        subtitle=f"Spend by month ({unit}): all that is to come, what of it known {customers} bring, and a year before",
        sql="plan_by_month",
        mark="line",
        x=Channel(column="month", title="", format="%b %Y"),
        y=Channel(column="spend", title=unit, format="~s"),
        color=Channel(column="series", title="", sort="series_order"),
    )
