"""The log of forecasts: one per calendar month is kept, and later runs compare it with what was bought since."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

from clv_helpers.engines.session import Session

if TYPE_CHECKING:
    import pandas as pd

# Who was in which decile stays in the lake, which is not published: a reader needs the sums alone.
CUSTOMER_COLUMNS = {"as_of": "date", "customer_id": "text", "decile": "integer"}
COLUMNS = {
    "run": "text", "as_of": "date", "model": "text", "decile": "integer", "month": "integer", "customers": "integer",
    "expected_purchases": "number", "expected_spend": "number",
}  # fmt: skip
LOG_BY_DECILE_AND_MONTH = """
    INSERT INTO lifetime.forecast
    WITH level AS (
        SELECT v.decile_predicted AS decile,
            -- what a baseline has a part in, over the model's alone: 1 where it has none, as decimals add up exactly
            CAST(SUM(CAST(v.expected_purchases AS DECIMAL(18, 8))) AS DOUBLE)
                / NULLIF(SUM(CAST(s.expected_purchases AS DECIMAL(18, 8))), 0) AS of_purchases,
            CAST(SUM(CAST(v.expected_purchases * v.expected_spend AS DECIMAL(18, 6))) AS DOUBLE)
                / NULLIF(SUM(CAST(s.expected_purchases * v.expected_spend AS DECIMAL(18, 6))), 0) AS of_spend
        FROM lifetime.customer_lifetime_value AS v
        JOIN lifetime.customer_history AS h ON h.customer_id = v.customer_id
        JOIN lifetime.score AS s
            ON s.frequency = h.frequency AND s.recency_days = h.recency_days AND s.age_days = h.age_days
                AND s.cell = h.cell
        GROUP BY v.decile_predicted
    ),
    alive AS (
        SELECT v.decile_predicted AS decile, h.frequency, h.age_days, h.cell, p.phase,
            SUM(CASE WHEN p.phase = 0 THEN 1 ELSE 0 END) AS customers,
            SUM(v.probability_alive * p.share) AS alive,
            SUM(v.probability_alive * p.share * v.expected_spend) AS alive_spend
        FROM lifetime.customer_lifetime_value AS v
        JOIN lifetime.customer_history AS h ON h.customer_id = v.customer_id
        JOIN phase_share AS p
            ON p.frequency = h.frequency AND p.recency_days = h.recency_days AND p.age_days = h.age_days
                AND p.cell = h.cell
        GROUP BY v.decile_predicted, h.frequency, h.age_days, h.cell, p.phase
    )
    SELECT $run, $as_of, $model, a.decile, c.month, SUM(a.customers),
        SUM(a.alive * c.purchases_if_alive) * COALESCE(MAX(l.of_purchases), 1),
        SUM(a.alive_spend * c.purchases_if_alive) * COALESCE(MAX(l.of_spend), 1)
    FROM alive AS a
    JOIN level AS l ON l.decile = a.decile
    JOIN month_curve AS c ON c.frequency = a.frequency AND c.age_days = a.age_days AND c.cell = a.cell
        AND c.phase = a.phase
    GROUP BY a.decile, c.month
"""
# Of contracts: a month's renewals by renewals made and days since payment (contract_scoring.month_curve).
LOG_CONTRACTS = """
    INSERT INTO lifetime.forecast
    SELECT $run, $as_of, $model, v.decile_predicted, m.month, COUNT(*), SUM(m.purchases),
        SUM(m.purchases * v.expected_spend)
    FROM lifetime.customer_lifetime_value AS v
    JOIN lifetime.customer_contract AS c ON c.customer_id = v.customer_id AND c.is_last = 1
    JOIN month_curve AS m ON m.renewals = CASE WHEN c.is_lost = 1 THEN -1 ELSE c.renewals END
        AND m.days_since = CASE WHEN c.is_lost = 1 THEN -1 ELSE c.days_since END
    GROUP BY v.decile_predicted, m.month
"""


def log_forecast(
    session: Session,
    curve: pd.DataFrame,
    shares: pd.DataFrame | None,
    as_of: dt.date,
    model: str,
    run: str,
    query: str = LOG_BY_DECILE_AND_MONTH,
) -> None:
    """Log this forecast in lifetime.forecast, unless an earlier as_of of the same calendar month is there already.

    One row of lifetime.forecast: a run's as_of, a decile of predicted value and a month ahead, with purchases and
    spend expected up to its end. Cost: a row per customer and month logged.
    """
    session.create_if_absent("lifetime.forecast", COLUMNS)
    session.create_if_absent("lake.forecast_customer", CUSTOMER_COLUMNS)
    in_month = session.scalar(
        "SELECT MIN(as_of) AS earliest FROM lifetime.forecast "
        "WHERE DATE_TRUNC('month', as_of) = DATE_TRUNC('month', $as_of)",
        as_of=as_of,
    )
    if in_month not in (None, as_of):
        return
    session.run("DELETE FROM lifetime.forecast WHERE as_of = $as_of", as_of=as_of)
    session.run("DELETE FROM lake.forecast_customer WHERE as_of = $as_of", as_of=as_of)
    session.load_frame("month_curve", curve)
    if shares is not None:
        session.load_frame("phase_share", shares)
    session.run(
        "INSERT INTO lake.forecast_customer "
        "SELECT $as_of, customer_id, decile_predicted FROM lifetime.customer_lifetime_value",
        as_of=as_of,
    )
    session.run(query, run=run or "interactive", as_of=as_of, model=model)
    session.set_version("lifetime.forecast", str(uuid.uuid4()))
