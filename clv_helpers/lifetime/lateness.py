"""Late is not gone: what became of who was overdue at earlier cut-offs, and what that says of who is overdue now."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

from clv_helpers.config.tables import ALWAYS_THERE
from clv_helpers.engines.session import Session
from clv_helpers.lifetime.counts import Array
from clv_helpers.lifetime.rhythm import OVERDUE
from clv_helpers.lifetime.tables import load

if TYPE_CHECKING:
    import pandas as pd

TABLE = "lifetime.overdue_outcome"
EDGES = (0.95, 0.99)  # of `overdue`, between the bands 1, 2 and 3
DOUBT = 20  # customers: the model's own share counts as much as so many who were overdue
LATE = """
    SELECT
        s.model,
        CASE WHEN c.frequency = 0 THEN 1 ELSE 0 END AS bought_once,
        CASE WHEN s.overdue < $second THEN 1 WHEN s.overdue < $third THEN 2 ELSE 3 END AS band,
        COUNT(*) AS customers,
        SUM(s.buys) AS forecast,
        COUNT(CASE WHEN c.actual_purchases > 0 THEN 1 END) AS came_back
    FROM known_then AS c
    JOIN candidate_score AS s
        ON s.frequency = c.frequency AND s.recency_days = c.recency_days AND s.age_days = c.age_days AND s.cell = c.cell
    WHERE s.overdue >= $overdue
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
"""
POOLED = """
    SELECT bought_once, band, SUM(customers) AS customers, SUM(forecast) AS forecast, SUM(came_back) AS came_back
    FROM lifetime.overdue_outcome
    GROUP BY bought_once, band
"""


@dataclass(frozen=True)
class Late:
    """Customers who were overdue on `cut_off`, how many a model said would buy in the `days` after, and how many did.

    `bought_once`: 1 for those with one purchase day by then, 0 for others. `band`: 1 to 3 by EDGES, the longest silence
    last.
    """

    known_by: dt.date
    cut_off: dt.date
    days: int
    model: str
    bought_once: int
    band: int
    customers: int
    forecast: float
    came_back: int


def overdue_then(session: Session, known_by: dt.date, cut_off: dt.date, days: int) -> list[Late]:
    """Who was overdue at a cut-off, from the tables known_then and candidate_score of it (see origins)."""
    rows = session.rows(LATE, overdue=OVERDUE, second=EDGES[0], third=EDGES[1])
    rounded = [row | {"forecast": round(float(row["forecast"]), 6)} for row in rows]
    return [Late(known_by=known_by, cut_off=cut_off, days=days, **row) for row in rounded]


def keep_outcomes(session: Session, late: list[Late]) -> None:
    """lifetime.overdue_outcome: a row per cut-off, band and kind; none where there is no past."""
    import pandas as pd

    if session.has_table(TABLE):
        session.drop(TABLE)
    session.create_if_absent(TABLE, dict(ALWAYS_THERE[TABLE]))
    if late:
        load(session, TABLE, pd.DataFrame([asdict(each) for each in late]))


def with_absence(scored: pd.DataFrame, session: Session) -> pd.DataFrame:
    """The scored histories with `probability_no_purchase` beside: of none within the horizon.

    Of who is overdue it is the model's, moved on the log of the odds by as much as those who were overdue as long at
    earlier cut-offs came back more, or less, than the model had said; where there were few, by less.
    """
    buys = scored["probability_purchase"].to_numpy(float).clip(1e-9, 1 - 1e-9)
    moved = expit(logit(buys) + _shifts(session, scored))
    return scored.assign(probability_no_purchase=1 - np.where(scored["overdue"] >= OVERDUE, moved, buys))


def _shifts(session: Session, scored: pd.DataFrame) -> Array:
    """By how much each history's log odds of a purchase are moved."""
    shifts = np.zeros((2, len(EDGES) + 1))
    for row in session.rows(POOLED):
        said = min(max(float(row["forecast"]) / float(row["customers"]), 1e-6), 1 - 1e-6)
        seen = (float(row["came_back"]) + DOUBT * said) / (float(row["customers"]) + DOUBT)
        shifts[row["bought_once"], row["band"] - 1] = logit(seen) - logit(said)
    once = (scored["frequency"] == 0).to_numpy(int)
    return shifts[once, np.searchsorted(EDGES, scored["overdue"], side="right")]
