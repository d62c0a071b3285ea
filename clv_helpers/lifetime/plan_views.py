"""What a shop plans with: spend to come by month, and the value that hangs on customers who are overdue."""

from __future__ import annotations

from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.prediction import record
from clv_helpers.lifetime.views import OF_PLAN, nothing, warnings

LEAST_NEW = 0.005  # of what known customers bring; less is none


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
    first, months = f"{rows['month'].iloc[0]:%Y-%m}", len(rows)
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
    return show.stack(show.finding(f"{text}."), *warnings(made, OF_PLAN), *filter(None, [spread]))


def at_risk(workbook: Workbook) -> Output:
    """How many customers are overdue against their own rhythm, and what of the predicted value hangs on them.

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
    value = show.about(overdue["lifetime_value"].sum(), people, few)
    share = show.about(overdue["share_of_value"].sum(), people, few, show.percent)
    text = (
        f"{people_text(people, few)} {words.customers} are overdue: nine in ten of the gaps that their own rhythm "
        f"leads to expect are shorter than their silence. {value} {unit} of the predicted value, {share}, go if they "
        "have left."
    )
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
    return show.stack(show.finding(text), draw(workbook, chart))


def _plan_chart(unit: str, customers: str) -> Widget:
    return Widget(
        title=f"The {customers} of today will still bring {{spend}} {unit} in {{in_month}}",
        title_from={"series": "Known today"},
        subtitle=f"Spend by month ({unit}): all that is to come, what of it known {customers} bring, and a year before",
        sql="plan_by_month",
        mark="line",
        x=Channel(column="month", title="", format="%b %Y"),
        y=Channel(column="spend", title=unit, format="~s"),
        color=Channel(column="series", title="", sort="series_order"),
    )
