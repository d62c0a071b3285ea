"""From fitted models to what each history may expect: purchases month by month, and spend per purchase day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clv_helpers.engines.dialect import expression, literal, table
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.counts import DAYS_PER_MONTH, DAYS_PER_WEEK, KEY, Array, read_spends, spend_columns
from clv_helpers.lifetime.covariates import by_cell
from clv_helpers.lifetime.fitting import fit, purchase_model
from clv_helpers.lifetime.records import Fit
from clv_helpers.lifetime.season import paced

if TYPE_CHECKING:
    import pandas as pd

FEWEST_SPENDERS = 20


def month_curve(fitted: Fit, groups: pd.DataFrame, months: int) -> pd.DataFrame:
    """Expected purchases of who is still there, added up to the end of each month ahead.

    One row: a frequency, an age in days, a phase (see beta_geometric; 0 but for even intervals) and a month ahead
    (365.25 / 12 days). Whether a customer is still there, and in which phase, depends on recency too; what one who is
    does next does not: so these are few, whatever the customers.
    """
    import pandas as pd

    model = purchase_model(fitted)
    pairs = groups[["frequency", "age_days"]].drop_duplicates()
    ahead = np.arange(1, months + 1)
    parts = []
    for phase in range(model.k):
        rows = pairs.loc[pairs.index.repeat(months)].reset_index(drop=True)
        rows["phase"] = np.int32(phase)
        rows["month"] = np.tile(ahead, len(pairs)).astype(np.int32)
        rows["purchases_if_alive"] = model.expected_if_alive(
            fitted.theta,
            rows["frequency"].to_numpy(float),
            rows["age_days"].to_numpy(float) / DAYS_PER_WEEK,
            weeks_ahead(fitted, rows["month"].to_numpy(float) * DAYS_PER_MONTH),
            phase,
        )
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def phase_shares(fitted: Fit, groups: pd.DataFrame) -> pd.DataFrame:
    """How likely each phase is of who is still there. One row: a history and a phase, with its share."""
    import pandas as pd

    shares = purchase_model(fitted).phase_shares(fitted.theta, *_times(groups))
    parts = [groups[KEY].assign(phase=np.int32(phase), share=share) for phase, share in enumerate(shares)]
    return pd.concat(parts, ignore_index=True)


def score(fitted: Fit, groups: pd.DataFrame, curve: pd.DataFrame, annual_discount_rate: float) -> pd.DataFrame:
    """What each history may expect over the months of the curve: of the future only, whatever was bought so far.

    One row: a history, with probability_alive, expected_purchases, probability_purchase (at least one), and
    discounted_purchases: each month's purchases times (1 + annual rate)^(-month / 12).
    """
    months = int(curve["month"].max())
    added_up = curve["purchases_if_alive"].to_numpy().reshape(-1, months)
    by_month = np.diff(added_up, axis=1, prepend=0.0)
    discount = (1.0 + annual_discount_rate) ** (-np.arange(1, months + 1) / 12)
    pairs = curve.loc[curve["month"] == months, ["frequency", "age_days", "phase"]].reset_index(drop=True)
    pairs["expected"], pairs["discounted"] = added_up[:, -1], by_month @ discount
    scored, alive = groups[KEY].reset_index(drop=True), probability_alive(fitted, groups)
    scored["probability_alive"] = alive
    for name in ("expected", "discounted"):
        scored[f"{name}_purchases"] = 0.0
    for phase, share in enumerate(purchase_model(fitted).phase_shares(fitted.theta, *_times(groups))):
        ahead = scored[KEY].merge(pairs[pairs["phase"] == phase], on=["frequency", "age_days"], how="left")
        for name in ("expected", "discounted"):
            scored[f"{name}_purchases"] += alive * share * ahead[name]
    scored["probability_purchase"] = probability_purchase(fitted, groups, months * DAYS_PER_MONTH)
    return scored


def expected_purchases(fitted: Fit, groups: pd.DataFrame, days: float) -> Array:
    """Expected purchases of each history in the next days."""
    return _ahead("expected_if_alive", fitted, groups, days)


def probability_purchase(fitted: Fit, groups: pd.DataFrame, days: float) -> Array:
    """The probability of at least one purchase of each history in the next days."""
    return _ahead("purchase_if_alive", fitted, groups, days)


def weeks_ahead(fitted: Fit, days: Array | float) -> Array:
    """The next days in weeks of even pace: as many as they are, where a fit has no season and no level."""
    ahead = fitted.ahead
    even = paced(days, dt.date.fromisoformat(ahead.first), ahead.months, ahead.level) if ahead else np.asarray(days)
    return even / DAYS_PER_WEEK


def _ahead(what: str, fitted: Fit, groups: pd.DataFrame, days: float) -> Array:
    """What each history may expect: `what` is a method of the models, of who is still there."""
    result = np.empty(len(groups))
    for _, there, rows in by_cell(fitted, groups):
        result[rows] = _ahead_of_cell(getattr(purchase_model(there), what), there, groups.iloc[rows], days)
    return result


def _ahead_of_cell(if_alive: Callable[..., Array], fitted: Fit, groups: pd.DataFrame, days: float) -> Array:
    """What who is still there may expect, which depends on frequency, age and phase alone, times being there."""
    frequency, recency, age = _times(groups)
    pairs, index = np.unique(np.stack([frequency, age]), axis=1, return_inverse=True)
    weeks = np.full(pairs.shape[1], weeks_ahead(fitted, days))
    expected = np.zeros(len(frequency))
    for phase, share in enumerate(purchase_model(fitted).phase_shares(fitted.theta, frequency, recency, age)):
        expected += share * if_alive(fitted.theta, pairs[0], pairs[1], weeks, phase)[index.ravel()]
    return probability_alive(fitted, groups) * expected


def probability_alive(fitted: Fit, groups: pd.DataFrame) -> Array:
    """The probability that a customer of each history has not left yet."""
    return purchase_model(fitted).probability_alive(fitted.theta, *_times(groups))


def _times(groups: pd.DataFrame) -> tuple[Array, Array, Array]:
    """Frequency, and recency and age in weeks."""
    frequency, recency, age = (groups[name].to_numpy(float) for name in KEY)
    return frequency, recency / DAYS_PER_WEEK, age / DAYS_PER_WEEK


def fit_spend(session: Session, source: str, of_first: bool = False, near: Fit | None = None) -> Fit | None:
    """Gamma-Gamma on a table of histories, with first purchases or without; None where too few came back.

    `near`: see fitting.fit.
    """
    spends = read_spends(session, source, of_first)
    return None if spends.total < FEWEST_SPENDERS else replace(fit("gamma_gamma", spends, near=near), of_first=of_first)


def spend_bindings(session: Session, source: str, fitted: Fit | None) -> dict[str, Any]:
    """The expression by which the engine computes expected spend, from the fit of Gamma-Gamma.

    Expected spend per purchase day is p (gamma + total) / (p x + q - 1); of who spent nothing that the fit counts,
    p gamma / (q - 1). Where there is no such model or no such mean, the observed mean spend per purchase day stands in.
    """
    mean = session.scalar("SELECT SUM(spend) / SUM(frequency + 1) AS mean FROM $source AS h", source=table(source))
    observed = literal(max(float(mean or 0.0), 0.0))
    if fitted is None:
        return {"expected_spend": observed}
    p, q, gamma = map(float, fitted.theta)
    total, x = spend_columns(fitted.of_first)
    own = expression("$p * ($gamma + $total) / ($p * $x + $q - 1)", p=p, q=q, gamma=gamma, total=total, x=x)
    others = literal(p * gamma / (q - 1)) if q > 1 else observed
    return {
        "expected_spend": expression(
            "CASE WHEN $total > 0 THEN $own ELSE $others END",
            total=total,
            own=own if p + q > 1 else observed,
            others=others,
        )
    }
