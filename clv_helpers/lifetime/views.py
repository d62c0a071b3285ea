"""What notebook 1 shows of the prediction: values, holdout, track record, models. Each function gives one `Output`."""

from __future__ import annotations

import json

from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.show import Metric, Output
from clv_helpers.config.params import Lifetime, Words
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.diagnostics import CORRELATION
from clv_helpers.lifetime.prediction import record
from clv_helpers.lifetime.records import TITLES, Holdout, LifetimeRecord

SWITCH_ON = "lifetime:\n  horizon_months: 12   # how far ahead\n  margin: 0.3          # what is left of the spend"
# The simulated airline's truth is in days; a fit's times are in weeks.
IN_DAYS = {"alpha"}


def values(workbook: Workbook) -> Output:
    """What the customers will bring, and which decile of them: or why nothing is predicted.

    Example:
        >>> lifetime.values(wb).parts[1].bundle["text/plain"]  # doctest: +ELLIPSIS
        'predicted value: ... EUR; predicted per member: ... EUR'
    """
    made, words, unit = record(workbook), workbook.words, workbook.params.spending.unit
    if made.status == "refused":
        reasons = show.note(f"There is no prediction on this data: {'; '.join(made.refused)}.")
        return show.stack(reasons, *_warnings(made))
    if made.settings is None:
        how = show.note("Nothing is predicted. To switch it on, add to the params file:")
        return show.stack(how, show.code(SWITCH_ON))
    deciles = workbook.query("lifetime.value_by_decile", order_by="decile")
    months, total, customers = made.settings.horizon_months, deciles["lifetime_value"].sum(), deciles["customers"].sum()
    best, purchases = deciles.iloc[0], deciles["expected_purchases"].sum()
    past = (deciles["historic_value_per_customer"] * deciles["customers"]).sum()
    mean, mean_so_far = (f"{show.compact(value / customers)} {unit}" for value in (total, past))
    ahead = f"next {months} months, {_assumptions(made.settings)}"
    metrics = show.metrics(
        Metric("predicted value", f"{show.compact(total)} {unit}", ahead),
        Metric(f"predicted per {words.customer}", mean, f"so far {mean_so_far}, at the same margin"),
    )
    finding = show.finding(
        f"Over the next {months} months the best tenth by prediction will bring {show.percent(best.share_of_value)} "
        f"of the value: {show.compact(best.value_per_customer)} {unit} each, at margin and discounted. "
        f"{made.title} expects {show.compact(purchases)} {words.purchases}."
    )
    value = _decile_chart(
        f"The best tenth will bring {{share_of_value}} of the next {months} months' value",
        f"Share of predicted value by decile of {words.customers} (1 = best)",
        Channel(column="share_of_value", title="Share of predicted value", format="%"),
    )
    alive = _decile_chart(
        f"In the best tenth, a {words.customer} is still there with {{share_alive}} probability",
        f"Mean probability that a {words.customer} will buy again at all, by decile of predicted value",
        Channel(column="share_alive", title="Probability of being there", format="%"),
    )
    return show.stack(finding, metrics, draw(workbook, value), draw(workbook, alive))


def holdout(workbook: Workbook) -> Output:
    """How the model did on the days after its calibration: charts, errors beside two baselines, and the best decile.

    Example:
        >>> len(lifetime.holdout(wb).parts)
        7
    """
    made, words = record(workbook), workbook.words
    if made.holdout is None:
        return _nothing(made, "holdout")
    outcome = made.holdout
    begin = show.note(
        f"How it did where the outcome is known: {made.title}, fitted on the days up to {outcome.calibration_end}, "
        f"forecast the {outcome.days} days after. Beside it, what needs no model: each {words.customer}'s rate as "
        f"before, and each {words.customer}'s last year again.{_choice(outcome, words)}"
    )
    charts = (
        _week_chart(made.title, outcome, words),
        _frequency_chart(workbook, made.title),
        _gain_chart(outcome, words),
        _lift_chart(workbook),
    )
    errors = _errors(outcome, workbook.params.spending.unit, words)
    return show.stack(begin, _capture(made.title, outcome), *(draw(workbook, chart) for chart in charts), errors)


def models(workbook: Workbook) -> Output:
    """The fits, the simulation's truth beside them where there is one, and what limits the trust in them.

    Example:
        >>> lifetime.models(wb).parts[-1].bundle["text/plain"]  # doctest: +ELLIPSIS
        '... rows'
    """
    made = record(workbook)
    if made.status != "predicted":
        return _nothing(made, "fit")
    truth = _truth(workbook)
    end = made.holdout.calibration_end if made.holdout else ""
    rows = [
        {
            "data": "all" if fit.data == "all" else f"to {end}",
            "model": fit.title,
            "parameter": name,
            "value": value,
            "error": fit.standard_errors[name],
            "interval": _interval(fit.intervals[name]),
            "truth": truth.get(fit.model, {}).get(name),
            "log_likelihood": "" if index else f"{fit.log_likelihood:,.1f}",
            "customers": "" if index else f"{fit.customers:,}",
        }
        for fit in made.fits
        for index, (name, value) in enumerate(fit.parameters.items())
    ]
    columns = {
        "data": "Fitted on", "model": "Model", "parameter": "Parameter (weeks)", "value": "Value|.4g",
        "error": "Standard error|.2g", "interval": "95% interval", "log_likelihood": "Log-likelihood|>",
        "customers": f"{show.upper_first(workbook.words.customers)}|>",
    }  # fmt: skip
    if truth:
        columns["truth"] = "Simulated|.4g"
    table = show.folded(show.table(rows, **columns), f"{len(made.fits)} fits and their parameters")
    return show.stack(*_assumption_of_spend(made), *_recovery(made, truth, workbook.words), *_warnings(made), table)


def track_record(workbook: Workbook) -> Output:
    """Earlier forecasts of this workbook against what was bought since, by decile of predicted value.

    Example:
        >>> lifetime.track_record(wb).bundle["text/plain"]
        'This forecast is logged: a run a month or more ahead shows what came of it.'
    """
    made = record(workbook)
    if made.status != "predicted":
        return _nothing(made, "forecast")
    outcome = workbook.query("lifetime.forecast_outcome", order_by="as_of, decile")
    if outcome.empty:
        return show.note("This forecast is logged: a run a month or more ahead shows what came of it.")
    rows = outcome[outcome["as_of"] == outcome["as_of"].min()]
    first, unit, words = rows.iloc[0], workbook.params.spending.unit, workbook.words
    sentence = (
        f"The forecast made as of {first.as_of:%Y-%m-%d} expected {rows['expected_purchases'].sum():,.0f} "
        f"{words.purchases} within {first.month} month{'s' if first.month > 1 else ''}; "
        f"{rows['realized_purchases'].sum():,.0f} came. Both are of the {words.customers} known on that day: what "
        "those who joined since brought is in neither."
    )
    table = show.table(
        rows.assign(
            spend_forecast=rows["expected_spend"] / rows["customers"],
            spend_actual=rows["realized_spend"] / rows["customers"],
        ),
        decile="Decile then|.0f",
        customers=f"{show.upper_first(words.customers)}|,.0f",
        expected_purchases=f"{show.upper_first(words.purchases)} forecast|,.0f",
        realized_purchases="Actual|,.0f",
        spend_forecast=f"{unit} each, forecast|,.2f",
        spend_actual=f"{unit} each, actual|,.2f",
    )
    return show.stack(show.finding(sentence), table)


def _nothing(made: LifetimeRecord, what: str) -> Output:
    """A text for the notebook alone; the report leaves it out."""
    why = "the warnings below say why" if made.status == "predicted" else "nothing is predicted"
    return Output({"text/plain": f"There is no {what}: {why}."})


def _decile_chart(title: str, subtitle: str, y: Channel) -> Widget:
    return Widget(
        title=title,
        title_from={"decile": 1},
        subtitle=subtitle,
        table="lifetime.value_by_decile",
        mark="bar",
        x=Channel(column="decile", title="Decile of predicted value"),
        y=y,
        highlight={"decile": 1},
    )


def _series_chart(table: str, title: str, subtitle: str, x: Channel, y: Channel) -> Widget:
    """Forecasts and what came as lines of one table of the holdout."""
    series = Channel(column="series", title="", sort="series_order")
    return Widget(title=title, subtitle=subtitle, table=f"lifetime.{table}", mark="line", x=x, y=y, color=series)


def _week_chart(model: str, outcome: Holdout, words: Words) -> Widget:
    ours = next(error for error in outcome.errors if error.measure == "purchases" and error.series == model)
    bias = ours.bias or 0.0
    return _series_chart(
        "holdout_week",
        f"{model} forecast {ours.forecast:,.0f} {words.purchases}, {ours.actual:,.0f} came: "
        f"{show.percent(abs(bias))} too {'many' if bias > 0 else 'few'}",
        f"Repeat {words.purchase} days since the end of the calibration, added up",
        Channel(column="week", title="Weeks of the holdout"),
        Channel(column="purchases", title=f"Repeat {words.purchase} days", format="~s"),
    )


def _frequency_chart(workbook: Workbook, model: str) -> Widget:
    rows, words = workbook.query("lifetime.holdout_frequency", order_by="frequency"), workbook.words
    fewest = rows[rows["frequency"] == rows["frequency"].min()]
    means = dict(zip(fewest["series"], fewest["purchases_per_customer"], strict=True))
    who = f"One-time {words.customers}" if fewest["frequency"].iloc[0] == 0 else "The least frequent"
    days = f"{show.upper_first(words.purchase)} days per {words.customer}"
    return _series_chart(
        "holdout_frequency",
        f"{who} came back {means['Actual']:.2f} times each; {model} forecast {means[model]:.2f}",
        f"{days} in the holdout, by those repeated before it",
        Channel(column="frequency_label", title=f"Repeat {words.purchase} days before", sort="frequency"),
        Channel(column="purchases_per_customer", title=days),
    )


def _gain_chart(outcome: Holdout, words: Words) -> Widget:
    return _series_chart(
        "holdout_gain",
        f"The model's best tenth brought {show.percent(outcome.best_decile[1].share_of_spend or 0)} of the spend",
        f"Gain: share of the holdout's spend by the best tenths of {words.customers}, ranked before it",
        Channel(column="percent_of_customers", title=f"Best {words.customers} (%)"),
        Channel(column="share_of_spend", title="Share of spend", format="%"),
    )


def _lift_chart(workbook: Workbook) -> Widget:
    rows = workbook.query("lifetime.holdout_decile", series="Actual", order_by="decile")
    mean, customer = rows["spend"].sum() / rows["customers"].sum(), workbook.words.customer
    times = rows["spend_per_customer"].iloc[0] / mean if mean > 0 else 0.0
    return _series_chart(
        "holdout_decile",
        f"Lift: a {customer} of the model's best tenth spent {times:.1f} times the mean",
        f"Spend per {customer} in the holdout, forecast and actual, by decile of forecast spend",
        Channel(column="decile", title="Decile of forecast spend"),
        Channel(column="spend_per_customer", title=f"{{currency}} per {customer}", format="~s"),
    )


def _capture(title: str, outcome: Holdout) -> Output:
    _, model, _, last_year = outcome.best_decile
    return show.finding(
        f"The tenth that {title} ranked best on {outcome.calibration_end} brought "
        f"{show.percent(model.share_of_spend or 0)} of the spend of the {outcome.days} days after: "
        f"{show.percent(model.share_captured or 0)} of what the best tenth in truth brought "
        f"(ranked by last year's spend: {show.percent(last_year.share_captured or 0)})."
    )


def _errors(outcome: Holdout, unit: str, words: Words) -> Output:
    names = {"purchases": (f"{show.upper_first(words.purchase)} days", 2), "spend": (unit, 0)}
    rows = []
    for error in outcome.errors:
        measure, digits = names[error.measure]
        texts = {"measure": measure, "mae": f"{error.mae:,.{digits}f}", "rmse": f"{error.rmse:,.{digits}f}"}
        rows.append({**vars(error), **texts})
    return show.table(
        rows,
        measure="Of",
        series="Forecast by",
        forecast="Forecast|,.0f",
        actual="Actual|,.0f",
        bias="Bias|+.1%",
        mae="Mean absolute error|>",
        rmse="Root mean squared error|>",
    )


def _warnings(made: LifetimeRecord) -> list[Output]:
    return [show.note(warning.sentence) for warning in made.warnings]


def _assumption_of_spend(made: LifetimeRecord) -> list[Output]:
    """The spend model's assumption, where it holds; where not, a warning says so."""
    related = made.correlation_of_frequency_and_spend
    if related is None or abs(related) > CORRELATION:
        return []
    return [
        show.note(
            "The spend model takes spend not to depend on frequency: here their correlation is "
            f"{round(related, 2) + 0:.2f}, and up to {CORRELATION} it holds."
        )
    ]


def _choice(outcome: Holdout, words: Words) -> str:
    """Why this model, where several were tried."""
    errors = outcome.rmse_by_model
    if len(errors) < 2:
        return ""
    listed = ", ".join(f"{TITLES[name]} {errors[name]:.4f}" for name in sorted(errors, key=lambda name: errors[name]))
    return f" It was chosen for its root mean squared error in {words.purchases}: {listed}."


def _recovery(made: LifetimeRecord, truth: dict[str, dict[str, float]], words: Words) -> list[Output]:
    """On simulated data: how many intervals hold the truth."""
    tried = [
        (name, value, fit.intervals[name])
        for fit in made.fits
        if fit.data == "all"
        for name, value in truth.get(fit.model, {}).items()
    ]
    if not tried:
        return []
    missed = [name for name, value, bounds in tried if not bounds or not bounds[0] <= value <= bounds[1]]
    but = f", not {', '.join(missed)}: {words.purchases} are seen by the day, and two on a day as one" if missed else ""
    return [
        show.note(
            f"This data is simulated, so the truth is known: {len(tried) - len(missed)} of the {len(tried)} true "
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


def _assumptions(settings: Lifetime) -> str:
    return f"{settings.margin:.0%} margin, {settings.annual_discount_rate:.0%} discount a year"


def _interval(bounds: tuple[float, float] | None) -> str:
    return f"{bounds[0]:.4g} – {bounds[1]:.4g}" if bounds else "not identified"
