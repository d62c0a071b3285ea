"""What limits the trust in a prediction, and which data it does not use: each a sentence for an analyst."""

from __future__ import annotations

import calendar
from collections.abc import Iterator

from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import about, percent, upper_first
from clv_helpers.config.settings import Lifetime, Words
from clv_helpers.lifetime.data_sufficiency import SEASON_DAYS, Facts, count, customers, horizon_days
from clv_helpers.lifetime.records import Diagnostic, Fit, Holdout, HoldoutError, LifetimeRecord

CORRELATION = 0.3  # beyond, spend depends on frequency more than Gamma-Gamma's assumption bears
FEW_REPEATERS = 100
SHORT_CALIBRATION_DAYS = 182
SHORT_HOLDOUT_DAYS = 56
LARGE_BIAS = 0.15
CLEARLY = 0.01  # by less than a hundredth, no forecast is called better
NO_DROPOUT = 0.002  # mean probability of dropping out at a purchase
YEAR = 365
MONTHS = calendar.month_name[1:]
SQUARED = "root mean squared error"  # of spend not told: one customer who spends much is nearly all of it
BLIND = "That may be so, or purchases come too regularly for a model that takes them to come at random."


def about_model(model: str, one_time: int, words: Words, min_cell: int) -> Iterator[Diagnostic]:
    """What the model takes for granted, where that is known to be untrue of most businesses."""
    if model == "bg_nbd" and one_time:
        text = (
            f"BG/NBD takes it that nobody leaves before a second {words.purchase}: the "
            f"{customers(one_time, words, min_cell)} with one {words.purchase} day count as still there, however long "
            "they have been silent (MBG/NBD, the default, does not)."
        )
        yield Diagnostic("one_time_never_leave", text)


def about_fit(fit: Fit, words: Words) -> Iterator[Diagnostic]:
    """Parameters at a boundary, or that the data do not tell apart; of a mean of models, those of each."""
    for part in fit.parts:
        yield from about_fit(part, words)
    lost, values = set(fit.unidentified), fit.parameters
    if lost and fit.model == "gamma_gamma":
        text = f"The spend model's {_list(fit.unidentified)} cannot be told from this data: "
        yield Diagnostic("spend_not_identified", f"{text}read expected spend as an average.")
        return
    if {"r", "alpha"} & lost:
        text = (
            f"{upper_first(words.customers)} who are there buy at rates that this data cannot tell apart: only the "
            f"mean rate r/alpha, {values['r'] / values['alpha'] / fit.k:.2g} {words.purchases} a week, is identified."
        )
        yield Diagnostic("rates_not_identified", text)
    if {"a", "b"} & lost:
        share = values["a"] / (values["a"] + values["b"])
        mean = f"share that drops out after each {words.purchase}, a/(a+b) = {percent(share)}"
        yield _about_dropout(fit.title, share < NO_DROPOUT, mean)
    if {"s", "beta"} & lost:
        rate = values["s"] / values["beta"]
        yield _about_dropout(fit.title, rate < NO_DROPOUT / 10, f"dropout rate s/beta, {rate:.2g} a week")


def _about_dropout(title: str, none: bool, mean: str) -> Diagnostic:
    if none:
        return Diagnostic("no_dropout", f"{title} cannot tell who has left: it counts everyone as still there. {BLIND}")
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


def about_size(facts: Facts, words: Words, min_cell: int) -> Iterator[Diagnostic]:
    """Enough to predict from, and yet few."""
    if facts.repeaters < FEW_REPEATERS:
        text = f"Only {customers(facts.repeaters, words, min_cell)} came back: "
        yield Diagnostic("few_repeaters", f"{text}parameters and values are rough.")


def about_level(facts: Facts, settings: Lifetime, forecast: float, words: Words, min_cell: int) -> Iterator[Diagnostic]:
    """The forecast beside what was bought, without a model."""
    days = min(horizon_days(settings), facts.history_days)
    months = f"{settings.horizon_months} months"
    last = months if days == horizon_days(settings) else f"{days} days, which is all there are"
    earlier = ""
    if 0 < facts.earlier_customers < facts.customers:
        theirs = about(facts.earlier_customers_purchases, facts.earlier_customers, min_cell)
        earlier = f", {theirs} of them by the {people_text(facts.earlier_customers, min_cell)} known before"
    recent, ahead = (about(count, facts.customers, min_cell) for count in (facts.recent_purchases, forecast))
    text = (
        f"Without a model: these {customers(facts.customers, words, min_cell)} made {recent} {words.purchases} in the "
        f"last {last}{earlier}; the forecast for the next {months} is {ahead}."
    )
    yield Diagnostic("level", text)


def no_holdout(reason: str) -> Diagnostic:
    """Why nothing can be held out."""
    return Diagnostic("no_holdout", f"There is no holdout: {reason}")


def about_choice(made: LifetimeRecord, words: Words) -> Iterator[Diagnostic]:
    """The part that a baseline has in the forecast, and first purchases in expected spend, and why; else nothing."""
    blend = made.blend
    if blend.baseline:
        baseline = {
            "same_rate": f"the rate at which each {words.customer} has bought so far",
            "last_year": f"what each {words.customer} bought in the last year, or so far where that is less",
        }[blend.baseline]
        half = "Half of the forecast is" if blend.share < 1 else "The forecast is"
        told = {name: f"{score:.3f}" for name, score in blend.scores.items()}
        text = (
            f"{half} {baseline}{', brought to the total of the model' if blend.scaled else ''}: at "
            f"{count(blend.cut_offs, 'earlier cut-off')} its errors added up to {told['used']}, those of the model "
            f"alone to {told['model']}, of the same rate to {told['same_rate']}, of last year to {told['last_year']}. "
            f"Intervals and the probability of a {words.purchase} are the model's."
        )
        yield Diagnostic("baseline_used", text)
    if made.spends:
        repeat, every = (sum(getattr(each, name) for each in made.spends) for name in ("repeat", "every"))
        text = (
            f"Expected spend rests on first {words.purchases} too: at {count(len(made.spends), 'earlier cut-off')} "
            f"that brought the error of spend on the {words.purchases} that came from "
            f"{percent(repeat / len(made.spends))} to {percent(every / len(made.spends))}."
        )
        yield Diagnostic("spend_of_first", text)


def about_ahead(made: LifetimeRecord, words: Words) -> Iterator[Diagnostic]:
    """The season and the level that the forecast follows, and why; nothing where it follows none."""
    if made.ahead is None:
        return
    if months := made.ahead.months:
        most, least = (MONTHS[months.index(pick(months))] for pick in (max, min))
        even, seasonal = (
            sum(each.off(name) for each in made.seasons) / len(made.seasons) for name in ("even", "seasonal")
        )
        cut_offs = count(len(made.seasons), "earlier cut-off")
        text = (
            f"{upper_first(words.purchases)} have a season, and the forecast follows it: {most} has {max(months):.2f} "
            f"times those of a mean month, {least} {min(months):.2f}. At {cut_offs} it brought the error of "
            f"{made.seasons[0].days} days' total from {percent(even)} to {percent(seasonal)}."
        )
        yield Diagnostic("season", text)
    if made.ahead.level != 1:
        more, few = ("more", "few") if made.ahead.level > 1 else ("fewer", "many")
        text = (
            f"The forecast is of {percent(abs(made.ahead.level - 1))} {more} {words.purchases} than the model's own: "
            f"at every earlier cut-off that was too {few}, by more than chance. That may end, so the bounds are wider."
        )
        yield Diagnostic("level_of_the_past", text)


def about_data(facts: Facts, words: Words, min_cell: int) -> Iterator[Diagnostic]:
    """Refunds, zero amounts, events after as_of, repeated rows: counted."""
    if facts.refunded_days:
        text = (
            f"{upper_first(customers(facts.refunded_customers, words, min_cell))} got back more than they spent on a "
            f"day: refunds net against the {words.purchase} day before them, and are no {words.purchases}; "
            f"{people_text(facts.refunds_before_purchase, min_cell)} had no {words.purchase} before and are not used."
        )
        yield Diagnostic("refunds", text)
    if facts.repeaters_without_spend:
        text = (
            f"{customers(facts.repeaters_without_spend, words, min_cell)} came back and spent nothing "
            "(zero, or refunded): the spend model does not use them."
        )
        yield Diagnostic("repeat_without_spend", text)
    if facts.events_after_as_of:
        later = people_text(facts.events_after_as_of, min_cell)
        text = f"Not used, as they are not before as_of ({facts.as_of}): {later} events."
        yield Diagnostic("events_after_as_of", text)
    if facts.repeated_rows:
        text = (
            f"Alike in {words.customer}, moment and amount to another: {people_text(facts.repeated_rows, min_cell)} "
            f"rows. A day counts as one {words.purchase}, but its spend is added up: if they are duplicates, give "
            "events an event_id."
        )
        yield Diagnostic("repeated_rows", text)


def about_holdout(
    holdout: Holdout, horizon_days: int, words: Words, min_cell: int, level: float = 1.0
) -> Iterator[Diagnostic]:
    """A holdout of too little time, or one on which the model failed, or lost to what needs no model.

    `level`: by how much the forecast ahead is moved.
    """
    if holdout.calibration_days < SHORT_CALIBRATION_DAYS:
        text = f"The calibration is {holdout.calibration_days:,} days long; dropout takes half a year to show."
        yield Diagnostic("short_calibration", text)
    if holdout.days < min(SHORT_HOLDOUT_DAYS, horizon_days):
        text = f"The holdout is {holdout.days:,} days long: too short to judge a forecast by."
        yield Diagnostic("short_holdout", text)
    elif holdout.days < horizon_days:
        seasons, rest = divmod(holdout.days, SEASON_DAYS)
        whole = "no whole seasons" if rest or not seasons else count(seasons, "whole season")
        text = (
            f"The holdout is {holdout.days:,} days long ({whole}), and the forecast goes {horizon_days:,} days ahead: "
            "how the model does over a whole horizon is not known."
        )
        yield Diagnostic("holdout_shorter_than_horizon", text)
    captured = {row.series: row.share_captured or 0.0 for row in holdout.best_decile}
    for start in range(0, len(holdout.errors), 3):
        ours, *baselines = holdout.errors[start : start + 3]
        yield from _about_total(ours, holdout.days, words, level)
        for baseline in baselines:
            lost = _lost(ours, baseline, holdout.customers, min_cell)
            if ours.measure == "spend" and captured[baseline.series] > captured[ours.series] + CLEARLY:
                shares = (
                    f"{percent(captured[baseline.series])} of what it brought against {percent(captured[ours.series])}"
                )
                lost.append(f"finds the best tenth better, {shares}")
            if lost:
                what = words.purchases if ours.measure == "purchases" else "spend"
                again = f"Each {words.customer}'s {baseline.series.lower()} again"
                who = "The same rate as before" if baseline.series == "Same rate" else again
                text = f"{who} forecast {what} better than {ours.series}: {_list(lost)}."
                yield Diagnostic("worse_than_baseline", text)


def _about_total(ours: HoldoutError, days: int, words: Words, level: float) -> Iterator[Diagnostic]:
    """A total that the model missed; what it means for the forecast hangs on the seasons that the holdout saw."""
    if ours.bias is None or abs(ours.bias) <= LARGE_BIAS:
        return
    code, more, fewer, what = "large_bias", "many", "few", words.purchases
    if ours.measure == "spend":
        code, more, fewer, what = "large_bias_of_spend", "much", "little", "spend"
    more = more if ours.bias > 0 else fewer
    text = f"On the holdout {ours.series} forecast {percent(abs(ours.bias))} too {more} {what}: "
    season = f"whether that is the season, or an error to expect ahead, {days:,} days cannot tell."
    if level != 1 and (level < 1) == (ours.bias > 0):
        season = "the forecast ahead allows for such an error."
    elif days >= YEAR:
        season = "expect a like error ahead."
    yield Diagnostic(code, text + season)


def _lost(ours: HoldoutError, baseline: HoldoutError, people: int, min_cell: int) -> list[str]:
    """In which errors a forecast without a model was closer; without the squared ones of spend, see SQUARED."""
    lost = []
    for label, own, theirs in (
        ("mean absolute error", ours.mae, baseline.mae),
        (SQUARED, ours.rmse, baseline.rmse),
    ):
        if theirs < own * (1 - CLEARLY):
            write = f"{{:,.{2 if own < 100 else 0}f}}".format
            told = [about(error, people, min_cell, write) for error in (theirs, own)]
            hidden = min_cell > 1 and label == SQUARED and ours.measure == "spend"
            lost.append(label if hidden else f"{label} {told[0]} against {told[1]}")
    if baseline.bias is not None and ours.bias is not None and abs(baseline.bias) < abs(ours.bias) - CLEARLY:
        lost.append(f"total {baseline.bias:+.0%} against {ours.bias:+.0%}")
    return lost


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
