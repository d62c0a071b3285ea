"""The workbook judged by its own past: each run's forecast is kept, and later runs compare it with what came."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

from sqlglot import exp

from clv_helpers.engines.dialect import column, literal, table
from clv_helpers.engines.session import Session
from clv_helpers.lifetime import store
from clv_helpers.lifetime.scoring import WEEKS_PER_MONTH

if TYPE_CHECKING:
    import pandas as pd

# Who was in which decile stays in the lake, which is not published: a reader needs the sums alone.
CUSTOMERS = "lake.forecast_customer"
CUSTOMER_COLUMNS = {"as_of": "date", "customer_id": "text", "decile": "integer"}
COLUMNS = {
    "run": "text", "as_of": "date", "model": "text", "decile": "integer", "month": "integer", "customers": "integer",
    "expected_purchases": "number", "expected_spend": "number",
}  # fmt: skip
OUTCOMES = 12  # the forecasts that are judged anew by each run: the newest
DAYS_PER_MONTH = WEEKS_PER_MONTH * 7
BY_DECILE_AND_MONTH = """
    INSERT INTO lifetime.forecast
    WITH alive AS (
        SELECT v.decile_predicted AS decile, h.frequency, h.age_days, COUNT(*) AS customers,
            SUM(v.probability_alive) AS alive, SUM(v.probability_alive * v.expected_spend) AS alive_spend
        FROM lifetime.customer_lifetime_value AS v
        JOIN lifetime.customer_history AS h ON h.customer_id = v.customer_id
        GROUP BY v.decile_predicted, h.frequency, h.age_days
    )
    SELECT $run, $as_of, $model, a.decile, c.month, SUM(a.customers),
        SUM(a.alive * c.purchases_if_alive), SUM(a.alive_spend * c.purchases_if_alive)
    FROM alive AS a
    JOIN month_curve AS c ON c.frequency = a.frequency AND c.age_days = a.age_days
    GROUP BY a.decile, c.month
"""
OUTCOME = """
    WITH by_day AS (
        SELECT m.as_of, m.decile, d.customer_id, d.day, CAST(SUM(d.spend) AS DOUBLE) AS spend
        FROM lake.forecast_customer AS m
        JOIN judged AS j ON j.as_of = m.as_of
        JOIN derived.customer_day AS d ON d.customer_id = m.customer_id
        WHERE d.day >= j.as_of AND d.day < j.ends_before AND (d.purchases > 0 OR d.spend < 0)
        GROUP BY m.as_of, m.decile, d.customer_id, d.day
    ),
    realized AS (
        SELECT as_of, decile, COUNT(CASE WHEN spend >= 0 THEN 1 END) AS purchases, SUM(spend) AS spend
        FROM by_day
        GROUP BY as_of, decile
    )
    SELECT f.run, f.as_of, f.model, f.decile, f.month, f.customers, f.expected_purchases,
        COALESCE(r.purchases, 0) AS realized_purchases, f.expected_spend, COALESCE(r.spend, 0) AS realized_spend
    FROM lifetime.forecast AS f
    JOIN judged AS j ON j.as_of = f.as_of AND j.month = f.month
    LEFT JOIN realized AS r ON r.as_of = f.as_of AND r.decile = f.decile
"""


def log_forecast(session: Session, curve: pd.DataFrame, as_of: dt.date, model: str, run: str) -> None:
    """Keep this forecast in lifetime.forecast, one per calendar month (of the first as_of in it), then judge the older.

    One row of lifetime.forecast: a run's as_of, a decile of predicted value and a month ahead, with purchases and
    spend expected up to its end. Cost: a row per customer and kept month; for judging, a pass over the days since.
    """
    session.create_if_absent("lifetime.forecast", COLUMNS)
    session.create_if_absent(CUSTOMERS, CUSTOMER_COLUMNS)
    in_month = session.scalar(
        "SELECT MIN(as_of) AS earliest FROM lifetime.forecast "
        "WHERE DATE_TRUNC('month', as_of) = DATE_TRUNC('month', $as_of)",
        as_of=as_of,
    )
    if in_month is None or in_month == as_of:
        _keep(session, curve, as_of, model, run)
    _judge(session, as_of)


def _keep(session: Session, curve: pd.DataFrame, as_of: dt.date, model: str, run: str) -> None:
    for name in ("lifetime.forecast", CUSTOMERS):
        session.run(exp.delete(table(name), where=exp.EQ(this=column("as_of"), expression=literal(as_of))))
    session.load_frame("month_curve", curve)
    session.run(
        "INSERT INTO lake.forecast_customer "
        "SELECT $as_of, customer_id, decile_predicted FROM lifetime.customer_lifetime_value",
        as_of=as_of,
    )
    session.run(BY_DECILE_AND_MONTH, run=run or "by hand", as_of=as_of, model=model)
    session.set_version("lifetime.forecast", str(uuid.uuid4()))


def _judge(session: Session, as_of: dt.date) -> None:
    """lifetime.forecast_outcome: of each kept forecast that is a month old or more, what came by decile."""
    import pandas as pd

    kept = session.rows("SELECT as_of, MAX(month) AS months FROM lifetime.forecast GROUP BY as_of ORDER BY as_of DESC")
    judged = []
    for each in kept:
        month = min(int((as_of - each["as_of"]).days / DAYS_PER_MONTH), each["months"])
        if month > 0 and len(judged) < OUTCOMES:
            judged.append((each["as_of"], month, each["as_of"] + dt.timedelta(days=round(month * DAYS_PER_MONTH))))
    frame = pd.DataFrame(judged, columns=["as_of", "month", "ends_before"])
    kinds = {"as_of": "datetime64[us]", "month": "int64", "ends_before": "datetime64[us]"}
    session.load_frame("judged", frame.astype(kinds))
    store.create(session, "lifetime.forecast_outcome", OUTCOME)
