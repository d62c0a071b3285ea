"""Value at risk: what of the forecast is with overdue customers who stay away, where it is known who does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from statsmodels.duration.survfunc import SurvfuncRight
from test_lifetime_diagnostics import FIRST, Row, predict, shop

from clv_helpers import lifetime
from clv_helpers.config.workbook import Workbook
from clv_helpers.lifetime.lateness import DOUBT, with_absence
from clv_helpers.lifetime.rhythm import OVERDUE, second_purchase

DAYS, AHEAD = 640, 183
AS_OF = FIRST + dt.timedelta(days=DAYS)
SIX_MONTHS = f"as_of: {AS_OF}\nlifetime:\n  horizon_months: 6\n  margin: 1.0\n  model: mbg_nbd\n  origins: 2\n"


def bought(leaving: float, once: float = 0.0, pause: float = 0.0, customers: int = 600) -> tuple[list[Row], list[Row]]:
    """What was bought before as_of, and in the six months after it.

    `leaving`: the chance of leaving after a later purchase, `once`: after the first. `pause`: of a gap four times as
    long as others, from which everyone comes back: late, not gone.
    """
    rng = np.random.default_rng(3)
    rows: list[Row] = []
    for customer in range(customers):
        day, gap, leaves = float(rng.integers(0, DAYS - 30)), rng.uniform(20, 45), once
        while day < DAYS + AHEAD:
            rows.append((f"c{customer}", FIRST + dt.timedelta(days=int(day)), round(float(rng.gamma(8, 3)) + 1, 2)))
            if rng.random() < leaves:
                break
            leaves = leaving
            day += 1 + rng.gamma(4, gap / 4) * (4 if rng.random() < pause else 1)
    return [row for row in rows if row[1] < AS_OF], [row for row in rows if row[1] >= AS_OF]


def shown(folder: Path, rows: list[Row]) -> tuple[Workbook, pd.DataFrame, str]:
    workbook = shop(folder, rows, SIX_MONTHS)
    predict(workbook)
    values = workbook.query("lifetime.customer_lifetime_value")
    return workbook, values, lifetime.at_risk(workbook).parts[0].bundle["text/plain"]


@pytest.mark.parametrize(("leaving", "once", "pause"), [(0.1, 0.4, 0.0), (0.06, 0.3, 0.15)], ids=["gone", "late"])
def test_value_at_risk_is_what_of_the_forecast_is_with_those_who_stay_away(
    outputs: Path, tmp_path: Path, leaving: float, once: float, pause: float
) -> None:
    rows, after = bought(leaving, once, pause)
    _, values, text = shown(tmp_path, rows)
    back = {customer for customer, _, _ in after}
    late = values[values["overdue"] >= OVERDUE]
    truth = late.loc[~late["customer_id"].isin(back), "lifetime_value"].sum()
    hangs = late["lifetime_value"].sum()
    assert truth > 0.005 * values["lifetime_value"].sum()
    assert abs(late["value_at_risk"].sum() - truth) < 0.2 * hangs
    assert "Late is not gone: of those who were at earlier cut-offs, " in text


def test_where_nobody_leaves_nothing_is_at_risk(outputs: Path, tmp_path: Path) -> None:
    rows, after = bought(leaving=0.0)
    _, values, text = shown(tmp_path, rows)
    late = values[values["overdue"] >= OVERDUE]
    assert len(late) > 20  # a tenth or so is late by chance
    assert {customer for customer, _, _ in after} >= set(late["customer_id"])
    assert values["value_at_risk"].sum() < 0.01 * values["lifetime_value"].sum()
    assert "Less than 1% of the predicted value is likely to be with those who stay away." in text


class Known:
    """A session whose earlier cut-offs had so many customers overdue in band 1, so many expected back, and back."""

    def __init__(self, customers: float, forecast: float, came_back: float):
        self.row = {"bought_once": 0, "band": 1, "customers": customers, "forecast": forecast, "came_back": came_back}

    def rows(self, _: str) -> list[dict[str, float]]:
        return [self.row]


def test_the_chance_is_moved_by_what_became_of_others_and_by_few_hardly() -> None:
    scored = pd.DataFrame({"frequency": [3, 3, 0, 3], "overdue": [0.92, 0.5, 0.92, 0.97], "probability_purchase": 0.4})
    many, few = (1 - with_absence(scored, Known(n, 0.4 * n, 0.7 * n))["probability_no_purchase"] for n in (10_000, 10))
    assert many[0] == pytest.approx(0.7, abs=0.002)
    assert few[0] == pytest.approx(expit(logit((7 + DOUBT * 0.4) / (10 + DOUBT))))
    assert many[1:].tolist() == pytest.approx([0.4] * 3)  # of those in rhythm, once, or later nothing is known


class First:
    """A session that holds first and second purchases, as derived.purchase_number does."""

    def __init__(self, ages: np.ndarray, gaps: np.ndarray):
        self.days, self.came = np.minimum(ages, gaps), gaps <= ages

    def frame(self, _: str, **__: object) -> pd.DataFrame:
        counted = pd.DataFrame({"days": self.days, "came": self.came}).groupby("days")["came"]
        return counted.agg(came="sum", customers="count").reset_index()


@pytest.mark.parametrize("back", [1.0, 0.4], ids=["all", "few"])
def test_of_second_purchases_one_in_ten_comes_when_overdue(back: float) -> None:
    """Gaps of 90 days on the mean, of which 400 days are seen: all come back, or few."""
    rng = np.random.default_rng(7)
    gaps = np.where(rng.random(20_000) < back, np.ceil(rng.exponential(90, 20_000)), 1e6).astype(int)
    ages = rng.integers(30, 400, len(gaps))
    found = second_purchase(First(ages, gaps), dt.date(2025, 1, 1), 365)
    came = gaps[gaps < 1e6]
    assert (found.overdue(came.astype(float)) >= OVERDUE).mean() == pytest.approx(0.1, abs=0.03)
    assert found.gap_days == pytest.approx(np.median(came), abs=6)
    reference = SurvfuncRight(np.minimum(ages, gaps), gaps <= ages)
    assert found.came(np.array([100.0]))[0] == pytest.approx(1 - reference.surv_prob[reference.surv_times <= 100][-1])


def test_one_purchase_is_not_called_overdue_as_the_data_end() -> None:
    """Second purchases come at random after a year on the mean, and half a year is known: nobody is late yet."""
    rng = np.random.default_rng(9)
    gaps, ages = np.ceil(rng.exponential(365, 5_000)).astype(int), rng.integers(20, 180, 5_000)
    found = second_purchase(First(ages, gaps), dt.date(2025, 1, 1), 365)
    assert (found.overdue(ages.astype(float)) < 0.5).all()
    assert second_purchase(First(ages[:40], gaps[:40]), dt.date(2025, 1, 1), 365) is None
