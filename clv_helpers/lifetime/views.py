"""What notebook 1 shows of the prediction: values, holdout, track record, models. Each function gives one `Output`."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Hashable
from typing import Any

from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import Metric, Output
from clv_helpers.config.settings import Lifetime
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.covariate_levels import EFFECT
from clv_helpers.lifetime.diagnostics import CORRELATION
from clv_helpers.lifetime.interval_views import about_width
from clv_helpers.lifetime.prediction import record
from clv_helpers.lifetime.records import TITLES, LifetimeRecord

SWITCH_ON = "lifetime:\n  horizon_months: 12   # how far ahead\n  margin: 0.3          # what is left of the spend"
# The simulated airline's truth is in days; a fit's times are in weeks.
IN_DAYS = {"alpha"}
# Where a diagnostic is said: beside the forecast, beside the holdout, or with the models.
OF_TOTAL = {
    "level",
    "baseline_used",
    "spend_of_first",
    "season",
    "level_of_the_past",
    "large_bias",
    "large_bias_of_spend",
}
OF_HOLDOUT = {
    "no_holdout", "short_calibration", "short_holdout", "holdout_shorter_than_horizon", "worse_than_baseline",
}  # fmt: skip
OF_PLAN = {"no_newcomers", "months_of_nothing", "refunds_beyond_sales"}


def values(workbook: Workbook) -> Output:
    """What the customers will bring, and which decile of them: or why nothing is predicted.

    Example:
        >>> any("predicted per member: " in part.bundle["text/plain"] for part in lifetime.values(wb).parts)
        True
    """
    made, words, unit = record(workbook), workbook.words, workbook.params.spending.unit
    if made.status == "refused":
        reasons = show.note(f"There is no prediction on this data: {'; '.join(made.refused)}.")
        return show.stack(reasons, *warnings(made))
    if made.settings is None:
        how = show.note("Nothing is predicted. To switch it on, add to the params file:")
        return show.stack(how, show.code(SWITCH_ON))
    deciles = workbook.query("lifetime.value_by_decile", order_by="decile")
    months, total, customers = made.settings.horizon_months, deciles["lifetime_value"].sum(), deciles["customers"].sum()
    best, purchases = deciles.iloc[0], deciles["expected_purchases"].sum()
    past = (deciles["historic_value_per_customer"] * deciles["customers"]).sum()
    few = workbook.params.min_cell
    mean, mean_so_far = (f"{show.about(value / customers, customers, few)} {unit}" for value in (total, past))
    ahead = f"next {months} months, {_assumptions(made.settings)}"
    whole = made.totals[0]
    bounded = show.with_bounds([whole.forecast, whole.low, whole.high], unit, customers, few)
    metrics = show.metrics(
        Metric(
            "predicted value",
            f"{show.about(whole.forecast, customers, few)} {unit}",
            f"{show.bounds(whole.low, whole.high, customers, few)} in four cases of five; {ahead}",
            topic="predicted_value",
            number=show.rounded_sum(total, customers, few) or None,
        ),
        Metric(
            f"predicted per {words.customer}",
            mean,
            f"so far {mean_so_far}, at the same margin",
            topic="predicted_value_per_customer",
            number=show.rounded_sum(total / customers, customers, few) or None,
        ),
    )
    share = show.about(best.share_of_value, best.customers, few, show.percent)
    finding = show.finding(
        f"Over the next {months} months the best tenth by prediction will bring {share} of the value: "
        f"{show.about(best.value_per_customer, best.customers, few)} {unit} each, at margin and discounted. "
        f"{show.upper_first(made.title)} expects {show.about(purchases, customers, few)} {words.purchases}. "
        f"{about_width(made, months)}",
        topic="predicted_value",
        stake=show.rounded_sum(total, customers, few),
        board="forecast",
        brief=f"In the next {months} months all {words.customers} together will bring a value of "
        f"{bounded} (80% interval), at margin and discounted; the best tenth "
        f"{share} of it.",
    )
    value = _decile_chart(
        f"The best tenth will bring {{share_of_value}} of the next {months} months' value",
        f"Share of predicted value by decile of {words.customers} (1 = best)",
        Channel(column="share_of_value", title="Share of predicted value", format="%"),
    )
    returns = _decile_chart(
        f"In the best tenth, {{share_purchase}} of the {words.customers} are expected back within {months} months",
        f"Mean probability of at least one {words.purchase} in the next {months} months, by decile of predicted value",
        Channel(column="share_purchase", title=f"Probability of one {words.purchase} or more", format="%"),
    )
    return show.stack(finding, *warnings(made, OF_TOTAL), metrics, draw(workbook, value), draw(workbook, returns))


def models(workbook: Workbook) -> Output:
    """The fits, the simulation's truth beside them where there is one, and what limits the trust in them.

    Example:
        >>> lifetime.models(wb).parts[-1].bundle["text/plain"]  # doctest: +ELLIPSIS
        '... rows'
    """
    made = record(workbook)
    if made.status != "predicted":
        return nothing(made, "fit")
    truth = _truth(workbook)
    end, few = made.holdout.calibration_end if made.holdout else "", workbook.params.min_cell
    rows = [
        {
            "data": "all" if whole.data == "all" else f"to {end}",
            "model": fit.title,
            "parameter": name,
            "value": f"{_told(value, fit.standard_errors[name]):.4g}",
            "error": fit.standard_errors[name],
            "interval": _interval(fit.intervals[name], fit.standard_errors[name]),
            "truth": truth.get(fit.title, {}).get(name),
            "log_likelihood": "" if index else show.about(fit.log_likelihood, fit.customers, few, "{:,.0f}".format),
            "customers": "" if index else people_text(fit.customers, few),
        }
        for whole in made.fits
        for fit in whole.each
        for index, (name, value) in enumerate(fit.parameters.items())
    ]
    columns = {
        "data": "Fitted on", "model": "Model", "parameter": "Parameter (weeks)", "value": "Value|>",
        "error": "Standard error|.2g", "interval": "95% interval", "log_likelihood": "Log-likelihood|>",
        "customers": f"{show.upper_first(workbook.words.customers)}|>",
    }  # fmt: skip
    if truth:
        columns["truth"] = "Simulated|.4g"
    table = show.folded(show.table(rows, columns, people=None), f"{len(made.fits)} fits and their parameters")
    recovered = held_truth(made, truth, _first_campaign(workbook), workbook.words.purchases)
    notes = [show.note(recovered)] if recovered else []
    return show.stack(*_assumption_of_spend(made), *notes, *warnings(made), *_effects(workbook, made), table)


def _effects(workbook: Workbook, made: LifetimeRecord) -> list[Output]:
    """What each level of the covariates does beside the base level; none where none are used."""
    if not made.levels:
        return []
    few, rows = workbook.params.min_cell, workbook.query(EFFECT, order_by="position, place")
    told = rows.assign(
        **{name: [_factor(row, name) for row in rows.to_dict("records")] for name in ("rate", "dropout")},
        people=[people_text(count, few) for count in rows["customers"]],
    )
    columns = {
        "covariate": "Covariate", "level": "Level", "people": f"{show.upper_first(workbook.words.customers)}|>",
        "rate": "Purchase rate (80% interval)|>", "dropout": "Dropout (80% interval)|>",
    }  # fmt: skip
    return [show.table(told, columns, people=None)]


def _factor(row: dict[Hashable, Any], name: str) -> str:
    """A factor with its interval; the base's says what it is."""
    if not row["place"]:
        return "1 (base)"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"× {row[f'{name}_factor']:.2f} " + ("(not identified)" if math.isnan(low) else f"({low:.2f} – {high:.2f})")


def track_record(workbook: Workbook) -> Output:
    """Earlier forecasts of this workbook against what was bought since, by decile of predicted value.

    Example:
        >>> lifetime.track_record(wb).bundle["text/plain"]
        'This forecast is logged: a run a month or more ahead shows what came of it.'
    """
    made = record(workbook)
    if made.status != "predicted":
        return nothing(made, "forecast")
    outcome = workbook.query("lifetime.forecast_outcome", order_by="as_of, decile")
    if outcome.empty:
        return show.note("This forecast is logged: a run a month or more ahead shows what came of it.")
    rows = outcome[outcome["as_of"] == outcome["as_of"].min()]
    first, unit, words = rows.iloc[0], workbook.params.spending.unit, workbook.words
    expected, came = (
        show.about(rows[name].sum(), rows["customers"].sum(), workbook.params.min_cell, "{:,.0f}".format)
        for name in ("expected_purchases", "realized_purchases")
    )
    sentence = (
        f"The forecast made as of {first.as_of:%Y-%m-%d} expected {expected} {words.purchases} within {first.month} "
        f"month{'s' if first.month > 1 else ''}; {came} came. Both are of the {words.customers} known on that day: "
        "what those who joined since brought is in neither."
    )
    table = show.table(
        rows.assign(
            spend_forecast=rows["expected_spend"] / rows["customers"],
            spend_actual=rows["realized_spend"] / rows["customers"],
        ),
        decile="Decile then|>",
        customers=f"{show.upper_first(words.customers)}|,.0f",
        expected_purchases=f"{show.upper_first(words.purchases)} forecast|,.0f",
        realized_purchases="Actual|,.0f",
        spend_forecast=f"{unit} each, forecast|,.2f",
        spend_actual=f"{unit} each, actual|,.2f",
        people="customers",
        min_cell=workbook.params.min_cell,
    )
    return show.stack(show.finding(sentence, topic="forecast_outcome", board="forecast"), table)


def nothing(made: LifetimeRecord, what: str) -> Output:
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


def warnings(made: LifetimeRecord, codes: Collection[str] = ()) -> list[Output]:
    """Those of these codes; without any, those that no other view says."""
    said = [
        each
        for each in made.warnings
        if (each.code in codes if codes else each.code not in OF_TOTAL | OF_HOLDOUT | OF_PLAN)
    ]
    return [show.note(each.sentence) for each in said]


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


def held_truth(made: LifetimeRecord, truth: dict[str, dict[str, float]], first_campaign: str, purchases: str) -> str:
    """On simulated data: how many intervals hold the truth, and which of the others did before the first campaign."""
    held, before = _held(made, truth, "all"), _held(made, truth, "calibration")
    missed = [name for name, holds in held.items() if not holds]
    moved = [name for name in missed if before.get(name) and name not in truth[TITLES["gamma_gamma"]]]
    text = (
        f"This data is simulated, so the truth is known: {len(held) - len(missed)} of the {len(held)} true parameters "
        f"lie within their 95% intervals{', not ' if missed else ''}{', '.join(missed)}."
    )
    if moved and made.holdout and first_campaign > made.holdout.calibration_end:
        text += (
            f" Fitted on the days up to {made.holdout.calibration_end}, before the first campaign with a control group "
            f"({first_campaign}), and with wider intervals, {', '.join(moved)} did; {purchases} since then are those "
            "with campaigns."
        )
    return text if held else ""


def _held(made: LifetimeRecord, truth: dict[str, dict[str, float]], data: str) -> dict[str, bool]:
    """Of each parameter fitted on this data and truly known: whether its interval holds the truth."""
    return {
        name: (bounds := fit.intervals[name]) is not None and bounds[0] <= value <= bounds[1]
        for whole in made.fits
        if whole.data == data
        for fit in whole.each
        for name, value in truth.get(fit.title, {}).items()
    }


def _first_campaign(workbook: Workbook) -> str:
    """The day on which customers were first assigned to treated and control; empty where none were."""
    with workbook.engine.read() as session:
        if not session.has_table("lake.assignments"):
            return ""
        return str(session.scalar("SELECT CAST(MIN(assigned_at) AS DATE) AS day FROM lake.assignments") or "")


def _truth(workbook: Workbook) -> dict[str, dict[str, float]]:
    """The simulated airline's true parameters by the model's title, times in weeks; none on real data."""
    file = workbook.folder / "source" / "truth.json"
    if workbook.params.simulate is None or workbook.params.simulate.business != "airline" or not file.exists():
        return {}
    truth = json.loads(file.read_text(encoding="utf-8"))
    flights = truth["flights_mbg_nbd_per_day"]
    weeks = {name: value / 7 if name in IN_DAYS else value for name, value in flights.items()}
    return {TITLES["mbg_nbd"]: weeks, TITLES["gamma_gamma"]: truth["fares_gamma_gamma"]}


def _assumptions(settings: Lifetime) -> str:
    return f"{settings.margin:.0%} margin, {settings.annual_discount_rate:.0%} discount a year"


def _interval(bounds: tuple[float, float] | None, error: float | None) -> str:
    return " – ".join(f"{_told(bound, error):.4g}" for bound in bounds) if bounds else "not identified"


def _told(value: float, error: float | None) -> float:
    """A parameter to the first digit of its standard error, or to two: what is beyond would tell one purchase."""
    step = 10.0 ** math.floor(math.log10(error)) if error else 10.0 ** (math.floor(math.log10(abs(value) or 1)) - 1)
    return round(value / step) * step
