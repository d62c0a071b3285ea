"""What limits the trust in a prediction, and which data it does not use: each a sentence for an analyst."""

from __future__ import annotations

from collections.abc import Iterator

from clv_helpers.charts.show import percent, upper_first
from clv_helpers.config.params import Words
from clv_helpers.lifetime.data_sufficiency import Facts, count, customers
from clv_helpers.lifetime.records import Diagnostic, Fit, Holdout

CORRELATION = 0.3  # beyond, spend depends on frequency more than Gamma-Gamma's assumption bears
FEW_REPEATERS = 100
SHORT_CALIBRATION_DAYS = 182
SHORT_HOLDOUT_DAYS = 56
LARGE_BIAS = 0.2
NO_DROPOUT = 0.002  # mean probability of dropping out at a purchase


def about_fit(fit: Fit, words: Words) -> Iterator[Diagnostic]:
    """Parameters at a boundary, or that the data do not tell apart."""
    lost, values = set(fit.unidentified), fit.parameters
    if lost and fit.model == "gamma_gamma":
        text = f"The spend model's {_list(fit.unidentified)} cannot be told from this data: "
        yield Diagnostic("spend_not_identified", f"{text}read expected spend as an average.")
        return
    if {"r", "alpha"} & lost:
        text = (
            f"{upper_first(words.customers)} who are there buy at rates that this data cannot tell apart: only the "
            f"mean rate r/alpha, {values['r'] / values['alpha']:.3g} {words.purchases} a week, is identified."
        )
        yield Diagnostic("rates_not_identified", text)
    if {"a", "b"} & lost:
        share = values["a"] / (values["a"] + values["b"])
        mean = f"share that drops out after each {words.purchase}, a/(a+b) = {percent(share)}"
        yield _about_dropout(share < NO_DROPOUT, mean)
    if {"s", "beta"} & lost:
        rate = values["s"] / values["beta"]
        yield _about_dropout(rate < NO_DROPOUT / 10, f"dropout rate s/beta, {rate:.3g} a week")


def _about_dropout(none: bool, mean: str) -> Diagnostic:
    if none:
        return Diagnostic("no_dropout", "No dropout is visible in this data: everyone counts as still there.")
    return Diagnostic("dropout_not_identified", f"Only the mean {mean}, is identified.")


def about_spend(fit: Fit | None, correlation: float | None, words: Words) -> Iterator[Diagnostic]:
    """Gamma-Gamma's assumption that spend does not depend on frequency, and means that are not finite."""
    if fit is None:
        text = (
            f"Too few {words.customers} came back and spent something for a spend model: all are given the mean spend."
        )
        yield Diagnostic("no_spend_model", text)
        return
    if correlation is not None and abs(correlation) > CORRELATION:
        more, low = ("more", "low") if correlation > 0 else ("less", "high")
        text = (
            f"Who buys more often spends {more} each time (correlation {correlation:.2f}; up to {CORRELATION} the "
            f"spend model holds): values of the most frequent are too {low}."
        )
        yield Diagnostic("spend_depends_on_frequency", text)
    if fit.parameters["q"] <= 1:
        text = "Spend is so uneven that it has no finite mean (q ≤ 1): who did not come back gets the observed mean."
        yield Diagnostic("spend_without_mean", text)


def about_size(facts: Facts, words: Words) -> Iterator[Diagnostic]:
    """Enough to predict from, and yet few."""
    if facts.repeaters < FEW_REPEATERS:
        text = f"Only {customers(facts.repeaters, words)} came back: "
        yield Diagnostic("few_repeaters", f"{text}parameters and values are rough.")


def about_data(facts: Facts, words: Words) -> Iterator[Diagnostic]:
    """Refunds, zero amounts, events after as_of, repeated rows: counted."""
    if facts.refunded_days:
        text = (
            f"On {count(facts.refunded_days, 'day')}, {customers(facts.refunded_customers, words)} "
            f"got back more than they spent: refunds net against the {words.purchase} day before them, and are no "
            f"{words.purchases}; {facts.refunds_before_purchase:,} had no {words.purchase} before and are not used."
        )
        yield Diagnostic("refunds", text)
    if facts.repeaters_without_spend:
        text = (
            f"{customers(facts.repeaters_without_spend, words)} came back and spent nothing "
            "(zero, or refunded): the spend model does not use them."
        )
        yield Diagnostic("repeat_without_spend", text)
    if facts.events_after_as_of:
        text = f"Not used, as they are not before as_of ({facts.as_of}): {count(facts.events_after_as_of, 'event')}."
        yield Diagnostic("events_after_as_of", text)
    if facts.repeated_rows:
        text = (
            f"Alike in {words.customer}, moment and amount to another: {count(facts.repeated_rows, 'row')}. A day "
            f"counts as one {words.purchase}, but its spend is added up: if they are duplicates, give events "
            "an event_id."
        )
        yield Diagnostic("repeated_rows", text)


def about_holdout(holdout: Holdout, words: Words) -> Iterator[Diagnostic]:
    """A holdout of too little time, or one on which the model failed."""
    if holdout.calibration_days < SHORT_CALIBRATION_DAYS:
        text = f"The calibration is {holdout.calibration_days:,} days long; dropout takes half a year to show."
        yield Diagnostic("short_calibration", text)
    if holdout.days < SHORT_HOLDOUT_DAYS:
        text = f"The holdout is {holdout.days:,} days long: too short to judge a forecast by."
        yield Diagnostic("short_holdout", text)
    bias = next(error.bias for error in holdout.errors if error.measure == "purchases")
    if bias is not None and abs(bias) > LARGE_BIAS:
        text = (
            f"On the holdout the model forecast {percent(abs(bias))} too {'many' if bias > 0 else 'few'} "
            f"{words.purchases}: expect a like error ahead. The order of {words.customers} can hold all the same; "
            "see the gain curve."
        )
        yield Diagnostic("large_bias", text)
    _, model, _, last_year = (row.share_captured or 0.0 for row in holdout.best_decile)
    if model < last_year:
        text = "Last year's spend finds the best tenth better than the model: "
        text += f"{percent(last_year)} of what it brought, against {percent(model)}."
        yield Diagnostic("no_better_than_last_year", text)


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
