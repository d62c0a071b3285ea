"""What notebook 1 shows of the holdout: forecast beside what came, and where the model lost to what needs none."""

from __future__ import annotations

import functools

from clv_helpers.charts import Channel, Widget, draw, show
from clv_helpers.charts.rounding import share_text
from clv_helpers.charts.show import Output
from clv_helpers.config.settings import Words
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.contract_views import contracts
from clv_helpers.lifetime.prediction import record
from clv_helpers.lifetime.records import AVERAGED, MEANS, NEAR, TITLES, Holdout, LifetimeRecord, ProbabilityBand
from clv_helpers.lifetime.views import OF_HOLDOUT, nothing, warnings


def holdout(workbook: Workbook) -> Output:
    """How the model did on the days after its calibration: charts, errors beside two baselines, and the best decile.

    Of contracts: the survival curve, renewals forecast and made, and the value of those to come by cohort.

    Example:
        >>> print(lifetime.holdout(wb).parts[0].bundle["text/plain"])  # doctest: +ELLIPSIS
        How it did where the outcome is known: ...
    """
    made, words = record(workbook), workbook.words
    if made.contract:
        return contracts(workbook, made)
    if made.holdout is None:
        return show.stack(nothing(made, "holdout"), *warnings(made, OF_HOLDOUT))
    outcome, few = made.holdout, workbook.params.min_cell
    last_year = outcome.best_decile[-1].series
    begin = show.note(
        f"How it did where the outcome is known: {outcome.title}, fitted on the days up to {outcome.calibration_end}, "
        f"forecast the {outcome.days} days after. Beside it, what needs no model: each {words.customer}'s rate as "
        f"before, and each {words.customer}'s {last_year[0].lower()}{last_year[1:]} again, first {words.purchases} too"
        f"{f', scaled to {outcome.days} days' if last_year != 'Last year' or outcome.days != 365 else ''}."
        f"{_choice(made, words)}"
    )
    charts = [
        _week_chart(outcome, words, few),
        _frequency_chart(workbook, outcome.title),
        _probability_chart(outcome, words),
    ]
    if outcome.best_decile[1].share_of_spend is not None:  # else refunds outweigh what was spent: there are no shares
        charts += [_gain_chart(outcome, words, few), _lift_chart(workbook)]
    tables = (
        _errors(outcome, workbook.params.spending.unit, words, few),
        _bands(workbook, outcome, words),
    )
    doubts = warnings(made, OF_HOLDOUT)
    drawn = (draw(workbook, chart) for chart in charts)
    return show.stack(begin, *_capture(outcome.title, outcome, few), *doubts, *drawn, *tables)


def _series_chart(table: str, title: str, subtitle: str, x: Channel, y: Channel) -> Widget:
    """Forecasts and what came as lines of one table of the holdout."""
    series = Channel(column="series", title="", sort="series_order")
    return Widget(title=title, subtitle=subtitle, table=f"lifetime.{table}", mark="line", x=x, y=y, color=series)


def _week_chart(outcome: Holdout, words: Words, min_cell: int) -> Widget:
    ours = next(error for error in outcome.errors if error.measure == "purchases" and error.series == outcome.title)
    bias = ours.bias or 0.0
    of_all = functools.partial(show.about, people=outcome.customers, min_cell=min_cell)
    forecast, actual = (of_all(number, write="{:,.0f}".format) for number in (ours.forecast, ours.actual))
    return _series_chart(
        "holdout_week",
        f"{outcome.title} forecast {forecast} {words.purchases}, {actual} came: "
        f"{of_all(abs(bias), write=show.percent)} too {'many' if bias > 0 else 'few'}",
        f"Repeat {words.purchase} days since the end of the calibration, added up",
        Channel(column="week", title="Weeks of the holdout"),
        Channel(column="purchases", title=f"Repeat {words.purchase} days", format="~s"),
    )


def _frequency_chart(workbook: Workbook, model: str) -> Widget:
    rows, words = workbook.query("lifetime.holdout_frequency", order_by="frequency"), workbook.words
    fewest = rows[rows["frequency"] == rows["frequency"].min()]
    told = functools.partial(show.about, people=fewest["customers"].min(), min_cell=workbook.params.min_cell)
    texts = [told(mean, write="{:.2f}".format) for mean in fewest["purchases_per_customer"]]
    means = dict(zip(fewest["series"], texts, strict=True))
    who = f"One-time {words.customers}" if fewest["frequency"].iloc[0] == 0 else "The least frequent"
    days = f"{show.upper_first(words.purchase)} days per {words.customer}"
    return _series_chart(
        "holdout_frequency",
        f"{who} came back {means['Actual']} times each; {model} forecast {means[model]}",
        f"{days} in the holdout, by those repeated before it",
        Channel(column="frequency_label", title=f"Repeat {words.purchase} days before", sort="frequency"),
        Channel(column="purchases_per_customer", title=days),
    )


def _probability_chart(outcome: Holdout, words: Words) -> Widget:
    off = sum(band.customers * abs(band.forecast - band.actual) for band in outcome.bands) / outcome.customers
    return _series_chart(
        "holdout_probability",
        f"{outcome.title}'s probability of one {words.purchase} or more was off by {100 * off:.1f} points on the mean",
        f"{show.upper_first(words.customers)} who came in the holdout, and the forecast of them, by that probability",
        Channel(column="band_label", title=f"Probability of one {words.purchase} or more, forecast (%)", sort="band"),
        Channel(column="share_buying", title="Came in the holdout", format="%"),
    )


def _gain_chart(outcome: Holdout, words: Words, min_cell: int) -> Widget:
    brought = show.about(outcome.best_decile[1].share_of_spend or 0, outcome.customers / 10, min_cell, show.percent)
    return _series_chart(
        "holdout_gain",
        f"The model's best tenth brought {brought} of the spend",
        f"Gain: share of the holdout's spend by the best tenths of {words.customers}, ranked before it",
        Channel(column="percent_of_customers", title=f"Best {words.customers} (%)"),
        Channel(column="share_of_spend", title="Share of spend", format="%"),
    )


def _lift_chart(workbook: Workbook) -> Widget:
    rows = workbook.query("lifetime.holdout_decile", series="Actual", order_by="decile")
    mean, customer = rows["spend"].sum() / rows["customers"].sum(), workbook.words.customer
    times, people = rows["spend_per_customer"].iloc[0] / mean, rows["customers"].iloc[0]
    told = show.about(times, people, workbook.params.min_cell, "{:.1f}".format)
    chart = _series_chart(
        "holdout_decile",
        f"Lift: {workbook.words.customers} of the model's best tenth spent {told} times the mean",
        f"Spend per {customer} in the holdout, forecast and actual, by decile of forecast spend",
        Channel(column="decile", title="Decile of forecast spend"),
        Channel(column="spend_per_customer", title=f"{{currency}} per {customer}", format="~s"),
    )
    return chart.model_copy(update={"width": "full"})


def _capture(title: str, outcome: Holdout, min_cell: int) -> list[Output]:
    """What the best tenth brought; nothing where refunds make it no share."""
    _, model, _, last_year = outcome.best_decile
    if model.share_of_spend is None or model.share_captured is None or not 0 <= model.share_of_spend <= 1:
        return []
    brought, captured, again = (
        show.about(share, outcome.customers / 10, min_cell, show.percent)
        for share in (model.share_of_spend, model.share_captured, last_year.share_captured or 0)
    )
    return [
        show.finding(
            f"The tenth that {title} ranked best on {outcome.calibration_end} brought {brought} of the spend of the "
            f"{outcome.days} days after: {captured} of what the best tenth in truth brought (ranked by the spend of "
            f"the {last_year.series.lower()}: {again}).",
            topic="holdout_best_tenth",
            board="forecast",
        )
    ]


def _errors(outcome: Holdout, unit: str, words: Words, min_cell: int) -> Output:
    names = {"purchases": (f"{show.upper_first(words.purchase)} days", 2), "spend": (unit, 0)}
    rows = []
    for error in outcome.errors:
        measure, digits = names[error.measure]
        write = f"{{:,.{digits}f}}".format
        off = {name: show.about(getattr(error, name), outcome.customers, min_cell, write) for name in ("mae", "rmse")}
        if error.measure == "spend" and min_cell > 1:
            off["rmse"] = show.MISSING  # see diagnostics.SQUARED
        rows.append({**vars(error), **off, "measure": measure, "customers": outcome.customers})
    return show.table(
        rows,
        measure="Of",
        series="Forecast by",
        forecast="Forecast|,.0f",
        actual="Actual|,.0f",
        bias="Bias|+.1%",
        mae="Mean absolute error|>",
        rmse="Root mean squared error|>",
        people="customers",
        min_cell=min_cell,
    )


def _bands(workbook: Workbook, outcome: Holdout, words: Words) -> Output:
    """Calibration of the probability of a purchase, as the chart draws it."""
    few = workbook.params.min_cell

    def came(band: ProbabilityBand) -> str:
        return share_text(round(band.actual * band.customers), band.customers, few)

    shown = show.table(
        [{**vars(band), "came": came(band)} for band in outcome.bands],
        band_label=f"Probability of one {words.purchase} or more (%)",
        customers=f"{show.upper_first(words.customers)}|,.0f",
        forecast=f"Mean forecast by {outcome.title}|.1%",
        came="Came|>",
        people="customers",
        min_cell=few,
    )
    return show.folded(shown, f"Probability of one {words.purchase} or more, forecast and actual, by band")


def _choice(made: LifetimeRecord, words: Words) -> str:
    """Why this model, where several were tried."""
    if len(made.choice) < 2:
        return ""
    cut_offs = made.choice[0].cut_offs
    when = f"{len(cut_offs)} earlier cut-offs" if len(cut_offs) > 1 else f"an earlier cut-off, {cut_offs[0]}"
    totals = {score.model: score.total for score in made.choice}
    listed = ", ".join(f"{TITLES[model]} {totals[model]:.3f}" for model in (*AVERAGED, *MEANS) if model in totals)
    return (
        f" It was chosen on {when}, without the holdout, by the sum of three errors (of {words.purchases} and spend "
        f"per {words.customer}, of their totals, of the probability of one): {listed}. Within "
        f"{NEAR:.0%} of the best, the most even mean is used.{_baselines(made, words)}"
    )


def _baselines(made: LifetimeRecord, words: Words) -> str:
    """What needs no model beside the model, at the cut-offs up to today, where the model was as good alone."""
    scores, blend = made.blend.scores, made.blend
    if not scores or blend.baseline:
        return ""
    names = {"model": "the model's", "same_rate": "the same rate's", "last_year": "last year's"}
    told = ", ".join(f"{says} {scores[name]:.3f}" for name, says in names.items())
    return f" Up to today no baseline did better (errors of {words.purchases} and spend, and of their totals: {told})."
