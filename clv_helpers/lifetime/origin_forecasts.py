"""The forecasts of one cut-off, by each model, alone and together with a baseline, beside what came since."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from clv_helpers.engines.dialect import expression
from clv_helpers.engines.session import Session, bound
from clv_helpers.lifetime.baselines import expressions
from clv_helpers.lifetime.records import Blend, Fit, SpendTried
from clv_helpers.lifetime.scoring import spend_bindings

if TYPE_CHECKING:
    import pandas as pd

KNOWN = "known_then"  # lifetime.customer_calibration, of another day
EVERY = "spend_every"  # the measure spend, by Gamma-Gamma on all purchases
MEASURES = ("purchases", "spend", EVERY)
ALONE = Blend(share=1.0)  # a baseline, without a model
DIGITS = 6  # a sum of floats has its last ones from the order of the rows
# A row per model and baseline: the model's forecast, and what it makes together with the baseline's.
FORECASTS = """
    WITH beside AS (
        SELECT *, 'same_rate' AS baseline, rate_purchases AS baseline_purchases, rate_spend AS baseline_spend
        FROM spent_then
        UNION ALL
        SELECT *, 'last_year', year_purchases, year_spend FROM spent_then
    ),
    made AS (
        SELECT
            s.model, b.baseline, s.buys, b.actual_purchases, b.actual_spend, b.baseline_purchases, b.baseline_spend,
            b.baseline_spend AS baseline_spend_every,
            s.expected_purchases AS purchases,
            s.expected_purchases * b.expected_spend AS spend,
            s.expected_purchases * b.expected_spend_every AS spend_every,
            b.baseline_purchases * t.purchases AS scaled_purchases,
            b.baseline_spend * t.spend AS scaled_spend,
            b.baseline_spend * t.spend_every AS scaled_spend_every
        FROM beside AS b
        JOIN candidate_score AS s
            ON s.frequency = b.frequency AND s.recency_days = b.recency_days AND s.age_days = b.age_days
                AND s.cell = b.cell
        JOIN candidate_scale AS t ON t.model = s.model AND t.baseline = b.baseline
    )
    SELECT
        model,
        baseline,
        COUNT(*) AS customers,
        CAST(SUM(actual_purchases) AS DOUBLE) AS actual_purchases,
        CAST(SUM(actual_spend) AS DOUBLE) AS actual_spend,
        $errors,
        -AVG(LN(CASE WHEN actual_purchases > 0 THEN buys ELSE 1 - buys END)) AS log_loss
    FROM made
    GROUP BY model, baseline
    ORDER BY model, baseline
"""
SPENT = """
    SELECT *, $own AS expected_spend, $every AS expected_spend_every,
        $rate_purchases AS rate_purchases, $rate_spend AS rate_spend,
        $year_purchases AS year_purchases, $year_spend AS year_spend
    FROM known_then
"""
# Of each history, in the order of the groups.
SPENT_BY_HISTORY = """
    SELECT frequency, recency_days, age_days, cell, COUNT(*) AS customers,
        SUM(expected_spend) AS spend, SUM(expected_spend_every) AS spend_every,
        SUM(rate_purchases) AS rate_purchases, SUM(rate_spend) AS rate_spend,
        SUM(year_purchases) AS year_purchases, SUM(year_spend) AS year_spend
    FROM spent_then
    GROUP BY frequency, recency_days, age_days, cell
    ORDER BY frequency, recency_days, age_days, cell
"""
SPEND_TRIED = """
    SELECT
        CAST(SUM(actual_spend) AS DOUBLE) AS came,
        SUM(ABS(actual_purchases * expected_spend - actual_spend)) AS error_of_repeat,
        SUM(ABS(actual_purchases * expected_spend_every - actual_spend)) AS error_of_every
    FROM spent_then
"""


@dataclass(frozen=True)
class Forecast:
    """A forecast that would have been made: of a measure, by a model or a baseline, for the `days` after `cut_off`.

    `known_by`: the last day that was looked at to judge it. `forecast` and `actual` are totals of `customers`, who had
    bought by the cut-off; `mae` is the mean absolute error per customer; `log_loss` that of P(at least one purchase).
    """

    known_by: dt.date
    cut_off: dt.date
    days: int
    model: str
    measure: str
    customers: int
    forecast: float
    actual: float
    mae: float
    log_loss: float | None


def judged(
    session: Session, scored: list[pd.DataFrame], spends: list[Fit | None], days: int, ratio: float, shapes: list[Blend]
) -> list[dict[str, Any]]:
    """A row per model and baseline, of the customers in known_then: what as_forecasts reads.

    `scored`: of each model what it forecasts of each history, in the order of read_groups; `spends`: as fitted then.
    """
    import pandas as pd

    session.create_temporary("spent_then", bound(SPENT, _spending(session, spends, days, ratio)))
    session.load_frame("candidate_score", pd.concat(scored))
    session.load_frame("candidate_scale", pd.DataFrame(_scales(session, scored)))
    return session.rows(FORECASTS, errors=_errors(tuple(shapes)))


def _spending(session: Session, spends: list[Fit | None], days: int, ratio: float) -> dict[str, exp.Expr]:
    """The expressions of spend per purchase by the first and the last of these fits, and of the baselines."""
    own, every = (spend_bindings(session, KNOWN, spends[at])["expected_spend"] for at in (0, -1))
    rate, year = (expressions(name, days, ratio) for name in ("same_rate", "last_year"))
    return {
        "own": own, "every": every, "rate_purchases": rate["baseline_purchases"], "rate_spend": rate["baseline_spend"],
        "year_purchases": year["baseline_purchases"], "year_spend": year["baseline_spend"],
    }  # fmt: skip


def _scales(session: Session, scored: list[pd.DataFrame]) -> Iterator[dict[str, Any]]:
    """A row per model and baseline: by what the baseline's purchases and spend are brought to the model's total."""
    spent = session.frame(SPENT_BY_HISTORY)
    weights = {"purchases": spent["customers"], "spend": spent["spend"], EVERY: spent[EVERY]}
    for part, (baseline, of) in itertools.product(scored, {"same_rate": "rate", "last_year": "year"}.items()):
        expected, row = part["expected_purchases"].to_numpy(float), {"model": part["model"].iloc[0]}
        for measure, weight in weights.items():
            total = float(spent[f"{of}_{measure.removesuffix('_every')}"].sum())
            row[measure] = float(weight.to_numpy(float) @ expected) / total if total > 0 else 0.0
        yield row | {"baseline": baseline}


@functools.cache
def _errors(shapes: tuple[Blend, ...]) -> list[exp.Expr]:
    """The total and the mean absolute error of each measure and shape, as the columns that as_forecasts reads."""
    columns = []
    for measure, (number, shape) in itertools.product(MEASURES, enumerate(shapes)):
        made = expression(
            "(1 - $share) * $own + $share * $baseline", share=shape.share, own=exp.column(measure),
            baseline=exp.column(f"{'scaled' if shape.scaled else 'baseline'}_{measure}"),
        )  # fmt: skip
        actual = exp.column(f"actual_{measure.removesuffix('_every')}")
        columns += [
            exp.alias_(expression("CAST(SUM($made) AS DOUBLE)", made=made), f"{measure}_{number}"),
            exp.alias_(
                expression("CAST(AVG(ABS($made - $actual)) AS DOUBLE)", made=made, actual=actual),
                f"{measure}_{number}_mae",
            ),
        ]
    return columns


def as_forecasts(row: dict[str, Any], shapes: list[Blend], window: tuple[dt.date, dt.date, int]) -> Iterator[Forecast]:
    """Of purchases, and of spend by both ways to fit it: by the model, and by the model and the baseline of the row."""
    known_by, cut_off, days = window
    for measure, (number, shape) in itertools.product(MEASURES, enumerate(shapes)):
        actual, loss = row[f"actual_{measure.removesuffix('_every')}"], row["log_loss"]
        forecast, mae = (row[f"{measure}_{number}{part}"] for part in ("", "_mae"))
        made = Forecast(
            known_by=known_by, cut_off=cut_off, days=days, measure=measure, customers=row["customers"],
            model=replace(shape, baseline=row["baseline"]).of(row["model"]) if shape.share else row["model"],
            forecast=round(float(forecast), DIGITS), actual=round(float(actual), DIGITS), mae=round(float(mae), DIGITS),
            log_loss=round(loss, DIGITS) if measure == "purchases" else None,
        )  # fmt: skip
        yield made
        if shape == ALONE:
            yield replace(made, model=row["baseline"], log_loss=None)


def spends_tried(session: Session, cut_off: dt.date) -> list[SpendTried]:
    """How far spend was off by both ways to fit it; nothing where refunds were more than sales."""
    found = session.rows(SPEND_TRIED)[0]
    if found["came"] <= 0:
        return []
    return [
        SpendTried(
            str(cut_off), *(round(found[f"error_of_{name}"] / found["came"], DIGITS) for name in ("repeat", "every"))
        )
    ]
