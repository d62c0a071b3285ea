"""The key figures of stage 1: one definition each, which add up; and shares only where they mean something."""

from __future__ import annotations

from pathlib import Path

import pytest

from clv_helpers import derived, ingest, models
from clv_helpers.config.workbook import Workbook
from clv_helpers.run import row_check
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


def test_gross_and_refunds_make_the_net(tmp_path: Path, outputs: Path) -> None:
    """Refunds in a row's own column, by a row below zero, and by a debit whichever sign it bears."""
    csv = LINES.replace("kind\n", "kind,back\n", 1).replace("tea\n", "tea,\n").replace("cups\n", "cups,\n")
    csv += "e,2024-02-13 12:00,10.00,tea,4.00\nf,2024-02-13 12:00,3.00,tea,3.00\nc,2024-02-14,1.00,debit,\n"
    types = "debit_types: [debit]"
    file = write_shop(tmp_path, csv, f"as_of: 2024-04-02\nmin_cell: 2\nvalue: {{{types}}}\n")
    text = file.read_text().replace("amount: spent", "amount: spent, transaction_type: kind, refunded: back")
    file.write_text(text)
    workbook = Workbook.open(file)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    row = workbook.query("derived.summary").iloc[0]
    assert float(row.gross_spend) == 10 + 5 + 2 + 5 + 0 + 40 + 10 + 3
    assert (float(row.refunded_spend), row.refunded_customers) == (10 + 7 + 4 + 3 + 1, 4)
    assert row.gross_spend - row.refunded_spend == row.spend
    assert row.refund_only_customers == 2, "whoever was paid back whole has no purchase"
    shown = derived.metrics(workbook).parts[0].bundle
    assert "USD net" in shown["text/plain"]
    assert "80 gross, 25 refunded; " in shown["text/html"]


def test_of_fewer_than_min_cell_no_refunds_are_told(tmp_path: Path, outputs: Path) -> None:
    shown = derived.metrics(shop(tmp_path, LINES, "min_cell: 3\n")).parts[0].bundle
    assert "gross" not in shown["text/html"]
    assert "net" not in shown["text/plain"]


def test_what_is_left_out_is_told_with_its_money(tmp_path: Path, outputs: Path) -> None:
    workbook = shop(tmp_path, BOUGHT)
    assert "Left out" not in derived.metrics(workbook).bundle["text/plain"]
    columns = {"_batch_id": "integer", "dataset": "text", "reason": "text", "rows": "integer", "amount": "decimal"}
    with workbook.engine.write() as session:
        session.create_if_absent("lake.left_out", columns)
        for reason, rows, amount in (("postage", 3_420, 118_274), ("guests", 107_927, 1_189_000), ("exclude", 3, 99)):
            session.run(
                "INSERT INTO lake.left_out SELECT 1, 'purchases', $reason, $rows, CAST($amount AS DECIMAL(18, 4))",
                reason=reason, rows=rows, amount=amount,
            )  # fmt: skip
        session.run("DELETE FROM lake.checkpoint")
    models.refresh(workbook, "derived")
    text = derived.metrics(workbook).bundle["text/plain"]
    assert "<11 rows of the accounts under `exclude`; 107,925 rows of guests, 1.2 M USD; 3,420 rows of postage, 118 k USD" in text  # fmt: skip # noqa: E501
    reasons = workbook.query("derived.not_counted").set_index("reason")
    assert reasons.loc["guests", "events"] == 107_927


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


def collective(folder: Path, rows: dict[str, int], **changes) -> Workbook:
    """A shop of so many rows by customer."""
    lines = [f"{who},2024-01-{1 + n % 28:02d},10" for who, count in rows.items() for n in range(count)]
    workbook = Workbook.open(write_shop(folder, "customer,day,spent\n" + "\n".join(lines) + "\n"), **changes)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    return workbook


MANY = {f"c{n:04d}": 1 + n % 4 for n in range(600)}


def test_a_collective_account_is_told_and_named_to_the_owner_alone(tmp_path: Path, outputs: Path) -> None:
    rows = MANY | {"TILL-77": 500, "guest": 25}
    workbook = collective(tmp_path, rows)
    assert derived.collective_accounts(workbook) == [
        "the id 'TILL-77' has 25% of all rows and 25% of the revenue: a collective account? then "
        'sources.purchases.exclude: ["TILL-77"] leaves it out',
        "the id 'guest' has 1% of all rows and 1% of the revenue: a collective account? then "
        'sources.purchases.exclude: ["guest"] leaves it out',
    ]
    _, odd = row_check.row_findings(workbook)
    asked = [f"sources.purchases: {each}" for each in derived.collective_accounts(workbook)]
    assert [each.value for each in odd if "collective" in each.value] == asked
    run = Workbook(workbook.file, workbook.params, "run-1")
    text = derived.metrics(run).bundle["text/plain"]
    assert "2 ids stand under so many rows" in text
    assert "TILL-77" not in text
    assert "25%" not in text


@pytest.mark.parametrize(
    "rows",
    [
        MANY,
        MANY | {"big": 40},
        {f"c{n}": 1 + n % 4 for n in range(199)} | {"big": 400},
        MANY | {"0": 4, "guest": 9},
    ],
    ids=["nobody stands out", "a large buyer", "a heavy buyer of a small shop", "names that are hardly used"],
)
def test_a_large_customer_is_no_collective_account(tmp_path: Path, outputs: Path, rows: dict[str, int]) -> None:
    assert derived.collective_accounts(collective(tmp_path, rows)) == []


@pytest.mark.parametrize("name", ["airline", "cdnow"])
def test_known_data_have_no_collective_account(name: str, request: pytest.FixtureRequest) -> None:
    assert derived.collective_accounts(request.getfixturevalue(name)) == []
