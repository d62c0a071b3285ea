"""What notebook 1 shows of the prediction. Each function gives a list, empty where there is nothing to show."""

from __future__ import annotations

import json
from typing import Any

from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.show import Metric, Output
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime import diagnostics
from clv_helpers.lifetime.fitting import MODELS
from clv_helpers.lifetime.prediction import record

SWITCH_ON = "lifetime:\n  horizon_months: 12   # how far ahead\n  margin: 0.3          # what is left of the spend"
SERIES = Channel(column="series", title="", sort="series_order")
# The simulated airline's truth is in days; a fit's times are in weeks.
IN_DAYS = {"alpha"}


def values(workbook: Workbook) -> list[Output]:
    """What the customers will bring, and who: or why nothing is predicted."""
    found = record(workbook)
    if found["status"] == "off":
        return [show.note("Nothing is predicted. To switch it on, add to the params file:"), show.code(SWITCH_ON)]
    if found["status"] == "refused":
        reasons = show.note(f"There is no prediction on this data: {'; '.join(found['refused'])}.")
        return [reasons, *_warnings(found)]
    deciles = workbook.query("lifetime.value_by_decile", order_by="decile")
    settings, unit = found["settings"], workbook.params.spending.unit
    months, total, customers = settings["horizon_months"], deciles["lifetime_value"].sum(), deciles["customers"].sum()
    best, purchases = deciles.iloc[0], deciles["expected_purchases"].sum()
    past = (deciles["historic_value_per_customer"] * deciles["customers"]).sum()
    each, so_far = (f"{show.compact(value / customers)} {unit}" for value in (total, past))
    figures = show.metrics(
        Metric("predicted value", f"{show.compact(total)} {unit}", f"next {months} months, {_assumptions(settings)}"),
        Metric("predicted per customer", each, f"so far {so_far}, at the same margin"),
    )
    finding = show.finding(
        f"Over the next {months} months the best tenth by prediction will bring {show.percent(best.share_of_value)} "
        f"of the value: {show.compact(best.value_per_customer)} {unit} each, at margin and discounted. "
        f"{_title(found)} expects {show.compact(purchases)} purchases."
    )
    return [finding, figures, draw(workbook, _value_chart(months)), draw(workbook, _alive_chart())]


def proof(workbook: Workbook) -> list[Output]:
    """How the model did on the days kept back: charts, errors beside the two baselines, and the best tenth."""
    found = record(workbook)
    holdout = found.get("holdout")
    if not holdout:
        return []
    model = _title(found)
    begin = show.note(
        f"How it did where the outcome is known: {model}, fitted on the days up to {holdout['calibration_end']}, "
        f"forecast the {holdout['days']} days after. Beside it, what needs no model: each customer's rate as before, "
        f"and each customer's last year again.{_chosen(found)}"
    )
    purchases = {each["series"]: each for each in holdout["errors"] if each["measure"] == "purchases"}
    ours = purchases[model]
    off = abs(ours["bias"] or 0.0)
    weeks = Widget(
        title=f"{model} forecast {ours['forecast']:,.0f} purchases, {ours['actual']:,.0f} came: "
        f"{show.percent(off)} too {'many' if (ours['bias'] or 0) > 0 else 'few'}",
        subtitle="Repeat purchase days since the end of the calibration, added up",
        table="lifetime.holdout_week",
        mark="line",
        x=Channel(column="week", title="Weeks kept back"),
        y=Channel(column="purchases", title="Repeat purchase days", format="~s"),
        color=SERIES,
    )
    frequency = Widget(
        title=_frequency_title(workbook, model),
        subtitle="Purchase days per customer in the holdout, by purchase days repeated before it",
        table="lifetime.holdout_frequency",
        mark="line",
        x=Channel(column="frequency_label", title="Repeat purchase days before", sort="frequency"),
        y=Channel(column="purchases_per_customer", title="Purchase days per customer"),
        color=SERIES,
    )
    return [
        begin,
        _capture(found, holdout),
        *(draw(workbook, widget) for widget in (weeks, frequency, _gain_chart(holdout), _lift_chart(workbook))),
        _errors(holdout, workbook.params.spending.unit),
    ]


def models(workbook: Workbook) -> list[Output]:
    """The fits, the simulation's truth beside them where there is one, and what cannot be believed."""
    found = record(workbook)
    if found["status"] != "predicted":
        return []
    truth = _truth(workbook)
    rows = [
        {
            "data": "all" if fit["data"] == "all" else f"to {found['holdout']['calibration_end']}",
            "model": MODELS[fit["model"]].title,
            "parameter": name,
            "value": value,
            "error": fit["standard_errors"][name],
            "interval": _interval(fit["intervals"][name]),
            "truth": truth.get(fit["model"], {}).get(name),
            "log_likelihood": f"{fit['log_likelihood']:,.1f}" if first else "",
            "customers": f"{fit['customers']:,}" if first else "",
        }
        for fit in found["fits"]
        for first, (name, value) in zip((True, *[False] * 9), fit["parameters"].items(), strict=False)
    ]
    columns = {
        "data": "Fitted on", "model": "Model", "parameter": "Parameter (weeks)", "value": "Value|.4g",
        "error": "Standard error|.2g", "interval": "95% interval", "log_likelihood": "Log-likelihood|>",
        "customers": "Customers|>",
    }  # fmt: skip
    if truth:
        columns["truth"] = "Simulated|.4g"
    table = show.folded(show.table(rows, **columns), f"{len(found['fits'])} fits and their parameters")
    return [*_assumed(found), *_recovery(found, truth), *_warnings(found), table]


def track_record(workbook: Workbook) -> list[Output]:
    """Earlier forecasts of this workbook against what came since, by decile of predicted value."""
    if record(workbook)["status"] != "predicted":
        return []
    outcome = workbook.query("lifetime.forecast_outcome", order_by="as_of, decile")
    if outcome.empty:
        return [show.note("This forecast is kept: a run a month or more ahead shows what came of it.")]
    rows = outcome[outcome["as_of"] == outcome["as_of"].min()]
    first, unit = rows.iloc[0], workbook.params.spending.unit
    expected, came = rows["expected_purchases"].sum(), rows["realized_purchases"].sum()
    sentence = (
        f"The forecast made as of {first.as_of:%Y-%m-%d} expected {expected:,.0f} purchases within "
        f"{first.month} month{'s' if first.month > 1 else ''}; {came:,.0f} came. Both are of the customers known on that "
        "day: what those who joined since brought is in neither."
    )
    table = show.table(
        rows.assign(
            each_expected=rows["expected_spend"] / rows["customers"], each=rows["realized_spend"] / rows["customers"]
        ),
        decile="Decile then|.0f",
        customers="Customers|,.0f",
        expected_purchases="Purchases forecast|,.0f",
        realized_purchases="Came|,.0f",
        each_expected=f"{unit} each, forecast|,.2f",
        each=f"{unit} each, came|,.2f",
    )
    return [show.finding(sentence), table]


def _value_chart(months: int) -> Widget:
    return Widget(
        title=f"The best tenth will bring {{share_of_value}} of the next {months} months' value",
        title_from={"decile": 1},
        subtitle="Share of predicted value by decile of customers (1 = best)",
        table="lifetime.value_by_decile",
        mark="bar",
        x=Channel(column="decile", title="Decile of predicted value"),
        y=Channel(column="share_of_value", title="Share of predicted value", format="%"),
        highlight={"decile": 1},
    )


def _alive_chart() -> Widget:
    return Widget(
        title="In the best tenth, a customer is still there with {share_alive} probability",
        title_from={"decile": 1},
        subtitle="Mean probability that a customer will buy again at all, by decile of predicted value",
        table="lifetime.value_by_decile",
        mark="bar",
        x=Channel(column="decile", title="Decile of predicted value"),
        y=Channel(column="share_alive", title="Probability of being there", format="%"),
        highlight={"decile": 1},
    )


def _gain_chart(holdout: dict[str, Any]) -> Widget:
    ours = holdout["best_tenth"][1]
    return Widget(
        title=f"The model's best tenth brought {show.percent(ours['share_of_spend'] or 0)} of the spend",
        subtitle="Gain: share of the holdout's spend by the best tenths of customers, ranked before it",
        table="lifetime.holdout_gain",
        mark="line",
        x=Channel(column="percent_of_customers", title="Best customers (%)"),
        y=Channel(column="share_of_spend", title="Share of spend", format="%"),
        color=SERIES,
    )


def _lift_chart(workbook: Workbook) -> Widget:
    rows = workbook.query("lifetime.holdout_decile", series="Actual", order_by="decile")
    spent = rows["spend_per_customer"]
    mean = rows["spend"].sum() / rows["customers"].sum()
    times = spent.iloc[0] / mean if mean > 0 else 0.0
    return Widget(
        title=f"Lift: a customer of the model's best tenth spent {times:.1f} times the mean",
        subtitle="Spend per customer in the holdout, forecast and actual, by decile of forecast spend",
        table="lifetime.holdout_decile",
        mark="line",
        x=Channel(column="decile", title="Decile of forecast spend"),
        y=Channel(column="spend_per_customer", title="{currency} per customer", format="~s"),
        color=SERIES,
    )


def _frequency_title(workbook: Workbook, model: str) -> str:
    rows = workbook.query("lifetime.holdout_frequency", order_by="frequency")
    fewest = rows[rows["frequency"] == rows["frequency"].min()]
    means = dict(zip(fewest["series"], fewest["purchases_per_customer"], strict=True))
    who = "One-time customers" if fewest["frequency"].iloc[0] == 0 else "The least frequent"
    return f"{who} came back {means['Actual']:.2f} times each; {model} said {means[model]:.2f}"


def _capture(found: dict[str, Any], holdout: dict[str, Any]) -> Output:
    _, model, _, status_quo = holdout["best_tenth"]
    return show.finding(
        f"The tenth that {_title(found)} ranked best on {holdout['calibration_end']} brought "
        f"{show.percent(model['share_of_spend'] or 0)} of the spend of the {holdout['days']} days after: "
        f"{show.percent(model['share_captured'] or 0)} of what the best tenth in truth brought "
        f"(ranked by last year's spend: {show.percent(status_quo['share_captured'] or 0)})."
    )


def _errors(holdout: dict[str, Any], unit: str) -> Output:
    names, digits = {"purchases": "Purchase days", "spend": unit}, {"purchases": 2, "spend": 0}
    rows = [
        {**each, "measure": names[each["measure"]]}
        | {name: f"{each[name]:,.{digits[each['measure']]}f}" for name in ("mae", "rmse")}
        for each in holdout["errors"]
    ]
    return show.table(
        rows,
        measure="Of",
        series="Forecast by",
        forecast="Forecast|,.0f",
        actual="Came|,.0f",
        bias="Bias|+.1%",
        mae="Mean absolute error|>",
        rmse="Root mean squared error|>",
    )


def _warnings(found: dict[str, Any]) -> list[Output]:
    return [show.note(each["sentence"]) for each in found["warnings"]]


def _assumed(found: dict[str, Any]) -> list[Output]:
    """The spend model's assumption, where it holds; where not, a warning says so."""
    related = found["correlation_of_frequency_and_spend"]
    if related is None or abs(related) > diagnostics.CORRELATION:
        return []
    return [
        show.note(
            "The spend model takes spend not to depend on frequency: here their correlation is "
            f"{round(related, 2) + 0:.2f}, and up to {diagnostics.CORRELATION} it holds."
        )
    ]


def _chosen(found: dict[str, Any]) -> str:
    """Why this model, where several were tried."""
    errors = found["holdout"]["rmse_by_model"]
    if len(errors) < 2:
        return ""
    listed = ", ".join(f"{MODELS[name].title} {errors[name]:.4f}" for name in sorted(errors, key=errors.get))
    return f" It was chosen for its root mean squared error in purchases: {listed}."


def _recovery(found: dict[str, Any], truth: dict[str, dict[str, float]]) -> list[Output]:
    """On simulated data: how many intervals hold the truth."""
    true = [
        (name, value, fit["intervals"][name])
        for fit in found["fits"]
        if fit["data"] == "all"
        for name, value in truth.get(fit["model"], {}).items()
    ]
    missed = [name for name, value, bounds in true if not bounds or not bounds[0] <= value <= bounds[1]]
    if not true:
        return []
    but = f", not {', '.join(missed)}: purchases are seen by the day, and two on a day as one" if missed else ""
    return [
        show.note(
            f"This data is simulated, so the truth is known: {len(true) - len(missed)} of the {len(true)} true "
            f"parameters lie within their 95% intervals{but}."
        )
    ]


def _truth(workbook: Workbook) -> dict[str, dict[str, float]]:
    """The simulated airline's true parameters by model, times in weeks; none on real data."""
    file = workbook.folder / "source" / "truth.json"
    if workbook.params.simulate is None or not file.exists():
        return {}
    truth = json.loads(file.read_text(encoding="utf-8"))
    flights = truth["flights_mbg_nbd_per_day"]
    weeks = {name: value / 7 if name in IN_DAYS else value for name, value in flights.items()}
    return {"mbg_nbd": weeks, "gamma_gamma": truth["fares_gamma_gamma"]}


def _title(found: dict[str, Any]) -> str:
    return MODELS[found["model"]].title


def _assumptions(settings: dict[str, Any]) -> str:
    return f"{settings['margin']:.0%} margin, {settings['annual_discount_rate']:.0%} discount a year"


def _interval(bounds: list[float] | None) -> str:
    return f"{bounds[0]:.4g} – {bounds[1]:.4g}" if bounds else "not identified"
