"""The customers board's tables, against pandas and statsmodels on a random shop, and on shops known by heart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from source_files import shop_of_orders
from statsmodels.duration.survfunc import SurvfuncRight

from clv_helpers.config.workbook import Workbook

AS_OF = pd.Timestamp("2025-07-10")
PARAMS = """
title: Shop
as_of: 2025-07-10
min_cell: 1
lost_after_months: 4
sources:
  purchases: {path: orders.csv, columns: {customer_id: customer, occurred_at: at, amount: amount}}
"""


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    """900 customers who come over eighteen months, buy at rates of their own, and pay some of it back."""
    rng = np.random.default_rng(5)
    came = pd.Timestamp("2024-01-03") + pd.to_timedelta(rng.integers(0, 540, 900), unit="D")
    rows = []
    for customer, first in enumerate(came):
        gaps = rng.exponential(rng.gamma(1, 120) + 5, rng.integers(0, 7)).astype(int) + 1
        days = [0, *np.cumsum(gaps)]
        rows += [(f"c{customer}", first + pd.Timedelta(days=int(day), hours=9)) for day in days]
    made = pd.DataFrame(rows, columns=["customer", "at"])
    made["amount"] = rng.gamma(2, 30, len(made)).round(2)
    returned = made.sample(60, random_state=1)
    returned = returned.assign(at=returned["at"] + pd.Timedelta(days=40), amount=-(returned["amount"] / 2).round(2))
    made = pd.concat([made, returned])
    return made[made["at"] < AS_OF]


@pytest.fixture(scope="module")
def shop(orders: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    folder = tmp_path_factory.mktemp("customers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        yield shop_of_orders(folder, PARAMS, orders)


@pytest.fixture(scope="module")
def bought(orders: pd.DataFrame) -> pd.DataFrame:
    """A purchase a row, with the month, and the month in which its customer came."""
    rows = orders[orders["amount"] > 0].assign(month=lambda o: o["at"].dt.to_period("M"))
    return rows.assign(came=rows.groupby("customer")["month"].transform("min"))


def test_new_and_returning_customers_by_month(shop: Workbook, orders: pd.DataFrame, bought: pd.DataFrame) -> None:
    came = bought.groupby("customer")["came"].first()
    money = orders.assign(month=orders["at"].dt.to_period("M"))
    money["kind"] = np.where(money["month"] == money["customer"].map(came), "New", "Returning")
    expected = money[money["month"] < "2025-07"].groupby(["month", "kind"])["amount"].sum().round(2)
    found = shop.query("insights.fact_customers_by_month")
    found["month"] = found["month"].dt.to_period("M")
    of_kind = found[found["kind"] != "All"].set_index(["month", "kind"])
    assert of_kind["revenue"].astype(float).round(2).to_dict() == pytest.approx(expected.to_dict(), abs=1e-9)
    everyone = found[found["kind"] == "All"].set_index("month").sort_index()
    in_month = bought[bought["month"] < "2025-07"].groupby("month")
    assert everyone["customers"].to_dict() == in_month["customer"].nunique().to_dict()
    assert everyone["purchases"].to_dict() == in_month.size().to_dict()
    june, before = (pd.Period(month, "M") for month in ("2025-06", "2024-06"))
    change = float(everyone.loc[june, "revenue"] / everyone.loc[before, "revenue"] - 1)
    assert everyone.loc[june, "revenue_change"] == pytest.approx(change)
    assert everyone.loc[: pd.Period("2025-01", "M"), "revenue_before"].isna().all()  # January 2024 is not whole


def test_gained_lost_and_won_back_add_up_to_who_is_active(shop: Workbook, bought: pd.DataFrame) -> None:
    """Active at a month's end: bought within the last four months, of whom the movements tell the changes."""
    found = shop.query("insights.fact_customer_movement")
    found["month"] = found["month"].dt.to_period("M")
    months = pd.period_range("2024-01", "2025-06", freq="M")
    pairs = bought[["customer", "month"]].drop_duplicates()
    active = [pairs[(pairs["month"] > month - 4) & (pairs["month"] <= month)]["customer"].nunique() for month in months]
    change = found.groupby("month")["change"].sum()
    assert change.to_dict() == dict(zip(months[1:], np.diff(active), strict=True))
    assert set(found["movement"]) == {"Gained", "Won back", "Lost"}


def test_the_share_who_buy_again_is_kaplan_and_meiers(shop: Workbook, orders: pd.DataFrame) -> None:
    days = orders[orders["amount"] > 0].assign(day=lambda o: o["at"].dt.normalize())
    days = days[["customer", "day"]].drop_duplicates().sort_values(["customer", "day"])
    days["number"] = days.groupby("customer").cumcount() + 1
    days["next"] = days.groupby("customer")["day"].shift(-1)
    found = shop.query("insights.fact_next_purchase", order_by="purchase_number, months_since")
    assert set(found["purchase_number"]) == {1, 2, 3, 4}
    last = AS_OF - pd.Timedelta(days=1)
    for number, rows in found.groupby("purchase_number"):
        own = days[days["number"] == number]
        reference = SurvfuncRight((own["next"].fillna(last) - own["day"]).dt.days, own["next"].notna())
        for row in rows.itertuples():
            within = reference.surv_times <= 30 * row.months_since
            assert row.share_again == pytest.approx(1 - reference.surv_prob[within][-1], abs=1e-9)
            log = np.log(reference.surv_prob[within][-1])
            error = 1.96 * reference.surv_prob_se[within][-1] / reference.surv_prob[within][-1] / log
            assert [row.low, row.high] == pytest.approx(
                [1 - np.exp(log * np.exp(s * error)) for s in (1, -1)], abs=1e-9
            )


def test_young_customers_do_not_lower_the_share_who_come_back(outputs: Path, tmp_path: Path) -> None:
    """Half of the customers come back after 45 days, whether they came long ago or last month."""
    came = pd.Timestamp("2025-01-02") + pd.to_timedelta(np.arange(600) % 180, unit="D")
    first = pd.DataFrame({"customer": [f"c{n}" for n in range(600)], "at": came, "amount": 10.0})
    second = first[first.index % 2 == 0].assign(at=lambda o: o["at"] + pd.Timedelta(days=45))
    made = pd.concat([first, second])
    shop = shop_of_orders(tmp_path, PARAMS, made[made["at"] < AS_OF])
    found = shop.query("insights.fact_next_purchase", purchase_number=1).set_index("months_since")
    assert found.loc[1, "share_again"] == 0
    assert found.loc[2, "low"] < 0.5 < found.loc[2, "high"]
    seen = shop.query("derived.customer_value")
    assert (seen["frequency"] > 0).mean() < 0.43  # what counting would say


def test_retention_of_each_cohort(shop: Workbook, bought: pd.DataFrame, orders: pd.DataFrame) -> None:
    found = shop.query("insights.fact_retention")
    found["cohort"] = found["cohort"].dt.to_period("M")
    assert found["cohort"].min() == pd.Period("2024-02", "M")  # who came in January may have come before
    came = bought.groupby("customer")["came"].first()
    money = orders.assign(month=orders["at"].dt.to_period("M"), came=orders["customer"].map(came))
    for row in found.itertuples():
        month = row.cohort + row.month_of_life
        own = bought[bought["came"] == row.cohort]
        assert row.customers == own["customer"].nunique()
        assert row.active_customers == own[own["month"] == month]["customer"].nunique()
        spent = money[(money["came"] == row.cohort) & (money["month"] <= month)]["amount"].sum()
        assert row.spend_so_far_per_customer == pytest.approx(spent / row.customers)
    assert len(found) == sum(range(1, 18))  # a triangle without holes: seventeen whole months


def test_an_empty_month_and_one_month_of_data_break_nothing(outputs: Path, tmp_path: Path) -> None:
    at = pd.to_datetime(["2025-06-20", "2025-06-21"])
    shop = shop_of_orders(tmp_path, PARAMS, pd.DataFrame({"customer": ["a", "b"], "at": at, "amount": [5.0, 7.0]}))
    found = shop.query("insights.fact_customers_by_month", kind="All")
    assert found["revenue"].astype(float).tolist() == [12]
    assert found["revenue_change"].isna().all()
    for name in ("fact_customer_movement", "fact_next_purchase", "fact_retention"):
        assert shop.query(f"insights.{name}").empty
