"""Expected spend per purchase day: Gamma-Gamma where the data bear it, the observed mean where not."""

from __future__ import annotations

from typing import Any

from clv_helpers.engines.dialect import bind, literal, parse, table
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.counts import read_spends
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.records import Fit

FEWEST_SPENDERS = 20


def fit_spend(session: Session, source: str) -> tuple[Fit | None, dict[str, Any]]:
    """Gamma-Gamma on a table of histories, and the expressions by which the engine computes expected spend.

    Expected spend per purchase day is p (gamma + total) / (p x + q - 1); of who did not come back, p gamma / (q - 1).
    Where there is no such model or no such mean, the observed mean spend per purchase day stands in.
    """
    spends = read_spends(session, source)
    mean = session.scalar("SELECT SUM(spend) / SUM(frequency + 1) AS mean FROM $source AS h", source=table(source))
    observed = literal(max(float(mean or 0.0), 0.0))
    if spends.total < FEWEST_SPENDERS:
        return None, {"spend_of_repeater": observed, "spend_of_others": observed}
    fitted = fit("gamma_gamma", spends)
    p, q, gamma = map(float, fitted.theta)
    repeater = bind(parse("$p * ($gamma + repeat_spend) / ($p * frequency + $q - 1)"), {"p": p, "q": q, "gamma": gamma})
    return fitted, {
        "spend_of_repeater": repeater if p + q > 1 else observed,
        "spend_of_others": literal(p * gamma / (q - 1)) if q > 1 else observed,
    }


def correlation(session: Session) -> float | None:
    """How spend per purchase goes with frequency, among those who came back; Gamma-Gamma takes it to be 0."""
    return session.scalar(
        "SELECT CORR(CAST(frequency AS DOUBLE), repeat_spend / frequency) AS correlation "
        "FROM lifetime.customer_history WHERE frequency > 0 AND repeat_spend > 0"
    )
