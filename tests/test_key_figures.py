"""The key figures of stage 1: one definition each, which add up; and shares only where they mean something."""

from __future__ import annotations

from pathlib import Path

from clv_helpers import derived, ingest, models
from clv_helpers.config.workbook import Workbook
from conftest import write_shop

# Two lines of one order in two categories, a second order on that day, a visit for nothing, a refund, and a customer
# who only brought something back.
LINES = """customer,day,spent,kind
a,2024-01-03 10:00,10.00,tea
a,2024-01-03 10:00,5.00,cups
a,2024-01-03 16:30,2.00,tea
a,2024-02-10 09:00,5.00,tea
b,2024-02-11 12:00,0.00,tea
c,2024-02-11 12:00,40.00,tea
c,2024-02-12 12:00,-10.00,tea
d,2024-02-12 12:00,-7.00,tea
"""
BOUGHT = "customer,day,spent,kind\n" + "".join(f"m{n:02d},2024-01-0{1 + n % 9},{100 - n},x\n" for n in range(20))


def shop(folder: Path, csv: str, extra: str = "") -> Workbook:
    file = write_shop(folder, csv, "as_of: 2024-04-02\n" + extra)
    text = file.read_text().replace("amount: spent", "amount: spent, kind: {from: kind, type: text}")
    file.write_text(text)
    workbook = Workbook.open(file)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    return workbook


def test_lines_are_not_purchases_and_all_amounts_are_revenue(tmp_path: Path, outputs: Path) -> None:
    workbook = shop(tmp_path, LINES, "category: kind\nmin_cell: 2\n")
    row = workbook.query("derived.summary").iloc[0]
    assert (row.customers, row.purchases, row.purchase_days) == (3, 5, 4)
    assert float(row.spend) == 45.0
    assert (row.refund_only_customers, float(row.refund_only_spend), row.paid_nothing) == (1, -7.0, 1)
    # what a customer bought at one moment counts once over all categories
    assert workbook.query("derived.customer_day")["purchases"].sum() == 5
    text = derived.metrics(workbook).bundle["text/plain"]
    assert "A few more have refunds only" in text
    assert "7" not in text.splitlines()[1], "the amount of fewer than min_cell customers"


def test_without_refunds_nothing_is_said_of_them(tmp_path: Path, outputs: Path) -> None:
    workbook = shop(tmp_path, LINES.split("c,2024-02-12")[0])
    assert len(derived.metrics(workbook).parts) == 1


def test_no_share_of_a_total_that_refunds_use_up(tmp_path: Path, outputs: Path) -> None:
    """Twenty customers, half of whom brought back more than they bought: the best tenth would bring 147 %."""
    refunds = "".join(f"m{n:02d},2024-02-01,-150,x\n" for n in range(10, 20))
    workbook = shop(tmp_path, BOUGHT + refunds)
    text = derived.top_decile(workbook, lookback_months=0).bundle["text/plain"]
    assert "%" not in text
    assert "no tenth of the customers has a share" in text
    assert workbook.query("derived.concentration")["share_of_spend"].isna().all()
    assert derived.concentration(workbook).bundle["text/plain"].startswith("Cumulative share of lifetime")
    models.refresh(workbook, "profile", "insights")
    assert workbook.query("insights.fact_value_by_decile")["share_of_value"].isna().all()


def test_shares_where_there_are_no_refunds(tmp_path: Path, outputs: Path) -> None:
    workbook = shop(tmp_path, BOUGHT, "min_cell: 1\n")
    assert "The best tenth of the customers brings 11% of" in derived.top_decile(workbook, 0).bundle["text/plain"]
    assert workbook.query("derived.concentration")["share_of_spend"].max() == 1


def test_no_share_of_a_tenth_of_fewer_than_min_cell(tmp_path: Path, outputs: Path) -> None:
    workbook = shop(tmp_path, BOUGHT)
    text = derived.top_decile(workbook, 0).bundle["text/plain"]
    assert text == "The best tenth is fewer than 11 customers, so what they bring is not told."
