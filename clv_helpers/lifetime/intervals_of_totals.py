"""The 80 % interval of totals: of all customers, of a decile, of an audience.

A total is wrong because the model is, or the times change, and hardly by chance alone. So its width comes from the
workbook's own past: how far the totals of rolling origins were off. There are few of them, so two errors of PRIOR,
which is what shops' forecasts of a quarter to a year are usually off by, are counted among them.
"""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
from sqlglot import exp

from clv_helpers.engines.dialect import literal
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.level import left_out
from clv_helpers.lifetime.records import Total
from clv_helpers.lifetime.tables import load

PRIOR, PRIOR_ERRORS = 0.15, 2
Z_80 = 1.281552
TOTALS = """
    SELECT
        SUM(lifetime_value) AS lifetime_value,
        SUM(expected_purchases) AS expected_purchases,
        SUM(lifetime_value_spread * lifetime_value_spread) AS variance
    FROM lifetime.customer_lifetime_value
"""
# The last ones, whose outcome is known by now: those of the holdout's choice end earlier.
ERRORS = """
    SELECT LN(forecast / actual) AS error, days
    FROM lifetime.origin
    WHERE model = $model AND measure = $measure AND forecast > 0 AND actual > 0
        AND known_by = (SELECT MAX(known_by) FROM lifetime.origin)
    ORDER BY cut_off
"""


def past_errors(session: Session, model: str, measure: str, horizon_days: int, level: float = 1.0) -> list[float]:
    """How far a model's totals were off at each rolling origin, as the log of forecast over actual; perhaps none.

    Where an origin went less far than the horizon, its error is taken to grow with the root of the days. Where the
    level was moved by them, each is what the others would have left of it.
    """
    if not session.has_table("lifetime.origin"):
        return []
    rows = session.rows(ERRORS, model=model, measure=measure)
    missed = np.array([row["error"] for row in rows], float)
    if level != 1 and len(missed) > 1:
        missed = left_out(missed)
    growth = math.sqrt(max(horizon_days / rows[0]["days"], 1.0)) if rows else 1.0
    return [float(error) * growth for error in missed]


def level_spread(errors: list[float], level: float = 1.0) -> float:
    """The standard deviation of the log of forecast over actual, from errors of the past and the prior.

    A level that was moved counts as one error more, as large as the move: what was so at all cut-offs may end.

    Example:
        >>> level_spread([]), round(level_spread([0.5, 0.4]), 3)
        (0.15, 0.337)
    """
    known = [*errors, math.log(level)] if level != 1 else errors
    squares = PRIOR_ERRORS * PRIOR**2 + sum(error**2 for error in known)
    return round(math.sqrt(squares / (PRIOR_ERRORS + len(known))), 6)


def bounds(value: float, level: float, variance: float = 0.0) -> tuple[float, float]:
    """The 80 % interval of a total: even in its logarithm, with the sum of the customers' variances where told.

    Example:
        >>> [round(bound, 2) for bound in bounds(3.0, 0.15)]
        [2.48, 3.64]
    """
    width = Z_80 * math.sqrt(level**2 + variance / value**2) if value > 0 else 0.0
    return value * math.exp(-width), value * math.exp(width)


def bindings(level: float) -> dict[str, exp.Expr]:
    """What the tables of groups are built with."""
    return {"z_80": literal(Z_80), "level_variance": literal(level**2)}


def totals(
    session: Session, value_errors: list[float], purchase_errors: list[float], moved: float = 1.0
) -> list[Total]:
    """What all customers will bring and buy, each with its interval; kept as lifetime.total."""
    import pandas as pd

    found = session.rows(TOTALS)[0]
    made = []
    for measure, errors, variance in (
        ("lifetime_value", value_errors, float(found["variance"])),
        ("expected_purchases", purchase_errors, 0.0),
    ):
        value, level = float(found[measure]), level_spread(errors, moved)
        low, high = bounds(value, level, variance)
        made.append(Total(measure, value, low, high, level, len(errors)))
    load(session, "lifetime.total", pd.DataFrame([asdict(total) for total in made]))
    return made
