"""Chooses a model on cut-offs before the holdout: fitted on what was known then, judged by what came after it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np

from clv_helpers.lifetime.counts import KEY, as_histories, log_gaps, read_groups
from clv_helpers.lifetime.data_sufficiency import FEWEST_REPEATERS, SEASON_DAYS, Inputs
from clv_helpers.lifetime.fitting import fit
from clv_helpers.lifetime.records import ModelScore
from clv_helpers.lifetime.scoring import expected_purchases, probability_purchase
from clv_helpers.lifetime.tables import CALIBRATION, build

# BG/NBD is not among them: to it, nobody leaves before a second purchase.
CANDIDATES = ("mbg_cnbd_k", "pareto_nbd")
CUT_OFFS = 4  # a season apart: a year of them sees every season
SCORES = """
    SELECT
        s.model,
        AVG(ABS(s.expected_purchases - c.actual_purchases)) / AVG(c.actual_purchases) AS error,
        -AVG(LN(CASE WHEN c.actual_purchases > 0 THEN s.buys ELSE 1 - s.buys END)) AS log_loss,
        ABS(SUM(s.expected_purchases) / SUM(c.actual_purchases) - 1) AS miss
    FROM lifetime.customer_calibration AS c
    JOIN candidate_score AS s
        ON s.frequency = c.frequency AND s.recency_days = c.recency_days AND s.age_days = c.age_days
    GROUP BY s.model
    HAVING SUM(c.actual_purchases) > 0
    ORDER BY s.model
"""


def choose(inputs: Inputs, end: dt.date) -> list[ModelScore]:
    """What each candidate scores at each cut-off before `end`, the best model first; none where there is no cut-off.

    A score adds up three errors without a unit, each 0 at best: the mean absolute error over the mean purchases, the
    log loss of P(at least one purchase), and how far the total was off. Cost: a pass over the days, a fit per
    candidate and a join with the customers for each cut-off.
    """
    rows = [row for cut_off in _cut_offs(inputs, end) for row in _scores(inputs, cut_off, end)]
    scores = []
    for model in CANDIDATES:
        own = [row for row in rows if row["model"] == model]
        if own:
            parts = {
                part: round(float(np.mean([row[part] for row in own])), 6) for part in ("error", "log_loss", "miss")
            }
            scores.append(ModelScore(model, [row["cut_off"] for row in own], **parts))
    return sorted(scores, key=lambda score: round(score.total, 4))  # in a draw, the first of the candidates


def _cut_offs(inputs: Inputs, end: dt.date) -> Iterator[dt.date]:
    """Each a season before the last, with a season of history at least."""
    first = inputs.facts.as_of - dt.timedelta(days=inputs.facts.history_days)
    days = [end - dt.timedelta(days=SEASON_DAYS * number) for number in range(1, CUT_OFFS + 1)]
    return (day for day in days if (day - first).days >= SEASON_DAYS)


def _scores(inputs: Inputs, cut_off: dt.date, end: dt.date) -> list[dict]:
    """A row per candidate, judged on the days from the cut-off to `end`, at most a horizon."""
    import pandas as pd

    session = inputs.session
    days = min((end - cut_off).days, inputs.horizon_days)
    until = cut_off + dt.timedelta(days=days)
    build(
        session,
        inputs.bindings | {"calibration_end": cut_off, "year_before": cut_off, "holdout_end": until},
        CALIBRATION,
    )
    groups = read_groups(session, CALIBRATION)
    histories = as_histories(groups)
    if histories.repeaters < FEWEST_REPEATERS:
        return []
    scored, gaps = [], log_gaps(session, cut_off)
    for model in CANDIDATES:
        fitted = fit(model, histories, gaps)
        buys = probability_purchase(fitted, groups, days).clip(1e-9, 1 - 1e-9)
        expected = expected_purchases(fitted, groups, days)
        scored.append(groups[KEY].assign(model=model, expected_purchases=expected, buys=buys))
    session.load_frame("candidate_score", pd.concat(scored))
    return [row | {"cut_off": str(cut_off)} for row in session.rows(SCORES)]
