"""What cannot be believed, and what was left out: each a sentence for an analyst, and a field in run.json."""

from __future__ import annotations

from typing import Any

from clv_helpers.charts.show import percent
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.data_sufficiency import Facts, count
from clv_helpers.lifetime.fitting import Fit

CORRELATION = 0.3  # beyond, spend depends on frequency more than Gamma-Gamma's assumption bears
FEW_REPEATERS = 100
SHORT_CALIBRATION_DAYS = 182
SHORT_HOLDOUT_DAYS = 56
LARGE_BIAS = 0.2
NO_DROPOUT = 0.002  # mean probability of dropping out at a purchase
NO_DROPOUT_TEXT = "No dropout is visible in this data: everyone counts as still there."


def warning(code: str, sentence: str) -> dict[str, str]:
    """One entry of `warnings`: a name for machines, a sentence for people."""
    return {"code": code, "sentence": sentence}


def about_fit(fit: Fit) -> list[dict[str, str]]:
    """Parameters at a boundary, or that the data do not tell apart."""
    lost, values = fit.unidentified, fit.parameters
    if not lost:
        return []
    found = []
    if fit.model == "gamma_gamma":
        text = f"The spend model's {_list(lost)} cannot be told from this data: read expected spend as an average."
        return [warning("spend_not_identified", text)]
    if {"r", "alpha"} & set(lost):
        rate = values["r"] / values["alpha"]
        text = (
            f"Customers who are there buy at rates that this data cannot tell apart: only the mean rate "
            f"r/alpha, {rate:.3g} purchases a week, is identified."
        )
        found.append(warning("rates_not_identified", text))
    if {"a", "b"} & set(lost):
        share = values["a"] / (values["a"] + values["b"])
        if share < NO_DROPOUT:
            found.append(warning("no_dropout", NO_DROPOUT_TEXT))
        else:
            text = f"Only the mean share that drops out at a purchase, a/(a+b) = {percent(share)}, is identified."
            found.append(warning("dropout_not_identified", text))
    if {"s", "beta"} & set(lost):
        rate = values["s"] / values["beta"]
        if rate < NO_DROPOUT / 10:
            found.append(warning("no_dropout", NO_DROPOUT_TEXT))
        else:
            text = f"Only the mean dropout rate s/beta, {rate:.3g} a week, is identified."
            found.append(warning("dropout_not_identified", text))
    return found


def about_spend(fit: Fit | None, correlation: float | None) -> list[dict[str, str]]:
    """Gamma-Gamma's assumption that spend does not depend on frequency, and means that are not finite."""
    found = []
    if fit is None:
        text = "Too few customers came back and spent something for a spend model: everyone is given the mean spend."
        return [warning("no_spend_model", text)]
    if correlation is not None and abs(correlation) > CORRELATION:
        direction = "more" if correlation > 0 else "less"
        found.append(
            warning(
                "spend_depends_on_frequency",
                f"Who buys more often spends {direction} each time (correlation {correlation:.2f}; up to "
                f"{CORRELATION} the spend model holds): values of the most frequent are "
                f"{'too low' if correlation > 0 else 'too high'}.",
            )
        )
    if fit.parameters["q"] <= 1:
        text = "Spend is so uneven that it has no finite mean (q ≤ 1): who did not come back gets the observed mean."
        found.append(warning("spend_without_mean", text))
    return found


def about_size(facts: Facts) -> list[dict[str, str]]:
    """Enough for the gate, and yet few."""
    if facts.repeaters >= FEW_REPEATERS:
        return []
    text = f"Only {count(facts.repeaters, 'customer')} came back: parameters and values are rough."
    return [warning("few_repeaters", text)]


def about_data(session: Session, bindings: dict[str, Any], has_event_key: bool) -> list[dict[str, str]]:
    """Refunds, zero amounts, events after as_of, repeated rows: counted."""
    found = []
    refunds = session.rows(
        "SELECT COUNT(CASE WHEN is_purchase = 0 THEN 1 END) AS days, COUNT(DISTINCT customer_id) AS customers, "
        "COUNT(CASE WHEN is_purchase = 0 AND purchases_so_far = 0 THEN 1 END) AS alone FROM lifetime.refunded_day"
    )[0]
    if refunds["days"]:
        text = (
            f"On {count(refunds['days'], 'day')}, {count(refunds['customers'], 'customer')} got back more than they "
            "spent: refunds net against the purchase day before them, and are no purchases; "
            f"{refunds['alone']:,} had no purchase before and are left out."
        )
        found.append(warning("refunds", text))
    unspent = session.scalar(
        "SELECT COUNT(*) AS customers FROM lifetime.customer_history WHERE frequency > 0 AND repeat_spend <= 0"
    )
    if unspent:
        text = (
            f"{count(unspent, 'customer')} came back and spent nothing (zero, or refunded): "
            "the spend model leaves them out."
        )
        found.append(warning("repeat_without_spend", text))
    later = session.scalar(
        "SELECT COUNT(*) AS events FROM lake.purchases WHERE occurred_at >= $as_of", as_of=bindings["as_of"]
    )
    if later:
        text = f"Left out, as they are not before as_of ({bindings['as_of']}): {count(later, 'event')}."
        found.append(warning("events_after_as_of", text))
    repeated = 0 if has_event_key else _repeated_rows(session, bindings)
    if repeated:
        text = (
            f"Alike in customer, moment and amount to another: {count(repeated, 'row')}. A day counts as one purchase, "
            "but its spend is added up: if they are duplicates, give events an event_id."
        )
        found.append(warning("repeated_rows", text))
    return found


def about_proof(holdout: dict[str, Any]) -> list[dict[str, str]]:
    """A proof on too little time, or one that the model failed. `holdout` is the record's."""
    found = []
    if holdout["calibration_days"] < SHORT_CALIBRATION_DAYS:
        text = f"The calibration is {holdout['calibration_days']:,} days long; dropout takes half a year to show."
        found.append(warning("short_calibration", text))
    if holdout["days"] < SHORT_HOLDOUT_DAYS:
        text = f"The holdout is {holdout['days']:,} days long: too short to judge a forecast by."
        found.append(warning("short_holdout", text))
    bias = next(error["bias"] for error in holdout["errors"] if error["measure"] == "purchases")
    if bias is not None and abs(bias) > LARGE_BIAS:
        text = (
            f"On the holdout the model forecast {percent(abs(bias))} too {'many' if bias > 0 else 'few'} purchases: "
            "expect a like error ahead. The order of customers can hold all the same; see the gain curve."
        )
        found.append(warning("large_bias", text))
    _, model, _, status_quo = (row["share_captured"] or 0.0 for row in holdout["best_tenth"])
    if model < status_quo:
        text = (
            f"Last year's spend finds the best tenth better than the model: {percent(status_quo)} of what it brought, "
            f"against {percent(model)}."
        )
        found.append(warning("no_better_than_status_quo", text))
    return found


def _repeated_rows(session: Session, bindings: dict[str, Any]) -> int:
    return session.scalar(
        "SELECT COALESCE(SUM(same - 1), 0) AS repeated FROM ("
        "SELECT COUNT(*) AS same FROM lake.purchases WHERE occurred_at < $as_of AND $counts "
        "GROUP BY customer_id, occurred_at, $spend HAVING COUNT(*) > 1) AS repeats",
        as_of=bindings["as_of"],
        counts=bindings["counts_as_spend"],
        spend=bindings["spend"],
    )


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
