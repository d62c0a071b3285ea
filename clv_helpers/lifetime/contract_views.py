"""What notebook 1 shows of contracts: the survival curve, the holdout, and the value of renewals by cohort."""

from __future__ import annotations

from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.contract import FURTHEST
from clv_helpers.lifetime.records import ContractHoldout, LifetimeRecord
from clv_helpers.lifetime.views import OF_HOLDOUT, nothing, warnings


def contracts(workbook: Workbook, made: LifetimeRecord) -> Output:
    """How long contracts last and what their renewals will bring, and how such a forecast did where it is known."""
    if made.contract is None or made.status != "predicted":
        return nothing(made, "holdout")
    few, held = workbook.params.min_cell, made.contract.holdout
    curve = workbook.query("lifetime.contract_survival", series=made.title, renewal=FURTHEST).iloc[0]
    surviving = show.about(curve["share_surviving"], curve["customers"], few, show.percent)
    chart = Widget(
        title=f"{surviving} of new contracts are renewed {FURTHEST} times or more",
        subtitle="Share of contracts that were renewed at least so often: as observed, and by the model, which goes on",
        table="lifetime.contract_survival",
        mark="line",
        x=Channel(column="renewal", title="Renewals"),
        y=Channel(column="share_surviving", title="Share of contracts", format="%"),
        color=Channel(column="series", title="", sort="series_order"),
        width="full",
    )
    parts = [draw(workbook, chart), _ages(workbook), _cohorts(workbook)]
    if held:
        parts.insert(0, _outcome(held, few))
        parts.append(_errors(held, few))
    return show.stack(*parts, *warnings(made, OF_HOLDOUT))


def _outcome(held: ContractHoldout, few: int) -> Output:
    ours, naive = held.errors
    forecast, at_rate, came = (
        show.about(number, held.customers, few, "{:,.0f}".format)
        for number in (ours.forecast, naive.forecast, ours.actual)
    )
    return show.finding(
        f"Fitted on the days up to {held.calibration_end}, the model forecast {forecast} renewals in the {held.days} "
        f"days after; {came} came. At the retention of the last period they would have been {at_rate}.",
        topic="contract_holdout",
        board="forecast",
    )


def _errors(held: ContractHoldout, few: int) -> Output:
    def told(number: float) -> str:
        return show.about(number, held.customers, few, "{:,.0f}".format)

    rows = [
        {
            "series": error.series,
            "forecast": told(error.forecast),
            "actual": told(error.actual),
            "mae": show.about(error.mae, held.customers, few, "{:.2f}".format),
            "rmse": show.about(error.rmse, held.customers, few, "{:.2f}".format),
        }
        for error in held.errors
    ]
    columns = {
        "series": "Forecast by", "forecast": "Renewals|>", "actual": "Came|>",
        "mae": "Mean absolute error per contract|>", "rmse": "Root mean squared error|>",
    }  # fmt: skip
    return show.folded(
        show.table(rows, columns, people=None), "Renewals forecast and made, and the errors per contract"
    )


def _ages(workbook: Workbook) -> Output:
    words = workbook.words
    rows = workbook.query("lifetime.contract_age", order_by="renewals")
    shown = show.table(
        rows,
        renewals="Renewals made|>",
        customers=f"{show.upper_first(words.customers)}|,.0f",
        retention="Renewed next|.1%",
        residual_renewals="Renewals to come, discounted|.1f",
        people="customers",
        min_cell=workbook.params.min_cell,
    )
    return show.folded(shown, "Retention and renewals to come, by the age of running contracts")


def _cohorts(workbook: Workbook) -> Output:
    words, unit = workbook.words, workbook.params.spending.unit
    rows = workbook.query("lifetime.contract_cohort", order_by="cohort")
    shown = show.table(
        rows.assign(each=rows["renewal_value"] / rows["customers"]),
        first_quarter="Contract began",
        customers=f"{show.upper_first(words.customers)}|,.0f",
        share_running="Still running|.0%",
        renewals_per_customer="Renewals made each|.1f",
        lifetime_value=f"Value within the horizon ({unit})|,.0f",
        each=f"Value of all renewals to come, each ({unit})|,.0f",
        people="customers",
        min_cell=workbook.params.min_cell,
    )
    return show.folded(shown, "Value of the renewals to come, by the quarter in which contracts began")
