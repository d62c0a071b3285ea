"""Products: what was sold, and what became of those who bought it first; none where the data name none."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clv_helpers import audiences, ingest, insights, models
from clv_helpers.config.workbook import Workbook

HEADER = "Customer,Date,Invoice,Code,Name,Quantity,Total,Undoes\n"
LINES = """a,2024-01-03,o1,p1,Tea,2,6,
a,2024-01-03,o1,p2,Cup,1,9,
a,2024-02-03,o2,p1,Green tea,1,3,
b,2024-01-05,o3,p1,Tea,1,3,
b,2024-03-09,c1,p1,Tea,-1,-3,o3
c,2024-01-07,o4,,,1,5,
c,2024-01-09,o5,p2,Cup,1,9,
"""
PARAMS = """
title: Products
as_of: 2024-04-02
min_cell: 1
sources:
  purchases:
    path: lines.csv
    columns: {customer_id: Customer, occurred_at: Date, order_id: Invoice, product_id: Code, product: Name,
              quantity: Quantity, amount: Total, refund_of: Undoes}
"""


def opened(folder: Path, lines: str, **changes) -> Workbook:
    (folder / "lines.csv").write_text(HEADER + lines)
    (folder / "p.yml").write_text(PARAMS)
    workbook = Workbook.open(folder / "p.yml", overrides=changes)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile", "insights")
    return workbook


@pytest.fixture
def sold(outputs: Path, tmp_path: Path) -> Workbook:
    return opened(tmp_path, LINES)


def test_what_was_sold(sold: Workbook) -> None:
    found = sold.query("insights.dim_product").set_index("product_id")
    assert found["product"].to_dict() == {"p1": "Tea", "p2": "Cup", "(not known)": "(not known)"}
    columns = ["lines", "orders", "customers", "quantity", "amount"]
    assert found.loc["p1", columns].astype(float).tolist() == [3, 3, 2, 4, 9]
    assert found.loc["p2", columns].astype(float).tolist() == [2, 2, 2, 2, 18]
    assert found["share_of_revenue"].sum() == pytest.approx(1)
    assert f"{found.loc['p2', 'first_sold_on']:%m-%d}" == "01-03"
    months = sold.query("insights.fact_product_month", product_id="p1", order_by="month")
    assert months["amount"].astype(float).tolist() == [9, 3, -3]


def test_first_and_last_product(sold: Workbook) -> None:
    found = sold.query("profile.customer").set_index("customer_id")
    assert found["first_product"].to_dict() == {"a": "Cup", "b": "Tea", "c": "Cup"}
    assert found["last_product"].to_dict() == {"a": "Green tea", "b": "Tea", "c": "Cup"}
    by_first = sold.query("insights.fact_value_by_first_product").set_index("product_id")
    # b's one order was paid back whole: b is no customer
    assert by_first[["customers", "came_back"]].to_dict("index") == {"p2": {"customers": 2, "came_back": 2}}
    assert float(by_first.loc["p2", "spend_per_customer"]) == 16
    assert {"first_product", "last_product"} <= audiences.catalog.catalog_of(sold.params).profile.keys()


def test_a_line_that_comes_later_moves_the_first_product(sold: Workbook, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text(HEADER + "a,2024-01-01,o0,p7,Pot,1,1,\n")
    ingest.ingest_files(sold, "purchases", [tmp_path / "more.csv"])
    models.refresh(sold, "derived", "profile", "insights")
    assert sold.query("profile.customer", customer_id="a")["first_product"].tolist() == ["Pot"]


def test_small_groups_do_not_show_what_they_bought_first(outputs: Path, tmp_path: Path) -> None:
    many = "".join(f"m{n},2024-01-03,o{n},p1,Tea,1,{n + 10},\n" for n in range(40))
    many += "".join(f"n{n},2024-01-03,q{n},p2,Cup,1,{n + 10},\n" for n in range(30))
    workbook = opened(tmp_path, many + "z,2024-01-03,oz,p9,Single malt,1,777,\n", min_cell=11)
    shown = insights.first_products(workbook)
    assert shown.bundle["text/plain"].startswith("Tea: 30 USD from each who bought it first")
    assert "777" not in str(shown.bundle)


def test_without_products_nothing_changes(airline: Workbook) -> None:
    assert insights.first_products(airline).parts == ()
    assert "first_product" not in airline.query("profile.customer").columns
    for name in ("dim_product", "fact_product_month", "fact_value_by_first_product"):
        assert airline.query(f"insights.{name}").empty


def test_the_shares_of_a_shop_add_up(sold: Workbook) -> None:
    summary = sold.query("derived.summary").iloc[0]
    assert float(summary.gross_spend - summary.refunded_spend) == float(summary.spend) == 32
    assert pd.notna(sold.query("insights.dim_product")["amount"]).all()
