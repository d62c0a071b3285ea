"""Who is at risk: the board's tables against pandas, and the ready audiences."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clv_helpers import audiences
from clv_helpers.charts.show import BOARD_MIME
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import static_board
from clv_helpers.lifetime.rhythm import OVERDUE
from conftest import on_same_tables


@pytest.fixture(scope="module")
def known(airline: Workbook) -> pd.DataFrame:
    """A customer a row: the profile of who has bought, with the segment of a month ago."""
    history = airline.query("derived.rfm_history", months_ago=1).set_index("customer_id")["rfm_segment"]
    profile = airline.query("profile.customer").set_index("customer_id")
    return profile[profile["lifetime_value"].notna()].assign(before=history)


def test_overdue_by_category_and_lateness_in_pandas(airline: Workbook, known: pd.DataFrame) -> None:
    found = airline.query("insights.fact_overdue").set_index(["category", "bought_once", "band"])
    band = pd.cut(known["overdue"].astype(float), [-1, 0.9, 0.95, 0.99, 2], right=False, labels=[0, 1, 2, 3]).astype(
        int
    )
    groups = known.groupby([known["category"], (known["frequency"] == 0).astype(int), band])
    assert found["customers"].to_dict() == groups.size().to_dict()
    for column in ("lifetime_value", "value_at_risk"):
        assert found[column].to_dict() == pytest.approx(groups[column].sum().to_dict(), abs=0.005)


def test_segments_now_and_a_month_ago_in_pandas(airline: Workbook, known: pd.DataFrame) -> None:
    found = airline.query("insights.fact_segment").set_index("rfm_segment")
    as_of = pd.Timestamp(airline.query("derived.as_of")["as_of"].iloc[0])
    days = airline.query("derived.customer_day")
    earlier = days[(pd.to_datetime(days["day"]) < as_of - pd.DateOffset(months=1)) & (days["purchases"] > 0)]
    assert found["customers_before"].sum() == earlier["customer_id"].nunique()
    now = known.groupby("rfm_segment")
    assert found.loc[now.size().index, "customers"].to_dict() == now.size().to_dict()
    spent = now["spend"].sum().astype(float)
    assert found["spend"].astype(float).reindex(spent.index).to_dict() == pytest.approx(spent.to_dict(), abs=0.005)
    assert (found["spend"].drop(spent.index) == 0).all()  # nobody is in it any more
    moved = airline.query("insights.fact_segment_movement").set_index(["segment_before", "segment_now"])["customers"]
    pairs = known.groupby([known["before"].fillna("not yet a customer"), "rfm_segment"]).size()
    assert moved.to_dict() == pairs.to_dict()


def test_what_came_of_who_was_overdue_before(airline: Workbook) -> None:
    kept = airline.query("lifetime.overdue_outcome")
    found = airline.query("insights.fact_overdue_outcome")
    everyone = found[found["band"] == 0]
    assert everyone["customers"].sum() == kept["customers"].sum() == found.loc[found["band"] > 0, "customers"].sum()
    assert (found["share_low"] <= found["share_buying"]).all()
    assert (found["share_buying"] <= found["share_high"]).all()
    assert found["came_back"].to_numpy() == pytest.approx((found["share_buying"] * found["customers"]).to_numpy())


def test_the_board_says_no_more_than_the_tables(airline: Workbook) -> None:
    by_rhythm = airline.query("lifetime.value_at_risk")
    share = by_rhythm["value_at_risk"].sum() / by_rhythm["lifetime_value"].sum()
    run = on_same_tables(airline, "run")
    cards = static_board.board(run, "at_risk").bundle[BOARD_MIME]["cards"]
    assert ("Little: less than 1%" in cards[0]["subtitle"]) == (share < 0.01)


def test_the_ready_audiences_hold_whom_they_name(workbook: Workbook, known: pd.DataFrame, tmp_path: Path) -> None:
    built_in = Workbook(tmp_path / "airline.yml", workbook.params)  # no audiences of its own stand beside it
    audiences.evaluate(built_in)
    members = built_in.query("audiences.membership").groupby("audience")["customer_id"].agg(set)
    overdue, once = known["overdue"] >= OVERDUE, known["frequency"] == 0
    at_risk = known[known["value_at_risk"] > 0]
    expected = {
        "lapsing": known.index[(known["overdue"] >= 0.75) & ~overdue & ~once],
        "overdue_after_one": known.index[overdue & once],
        "most_at_risk": at_risk["value_at_risk"].nlargest(500).index,
    }
    for name, customers in expected.items():
        assert members.get(name, set()) == set(customers), name
    assert len(expected["lapsing"]) > 0
    assert len(at_risk) > 0
