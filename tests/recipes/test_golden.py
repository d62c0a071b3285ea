"""Each recipe on an export as its system writes it: what comes in, to the cent, was reckoned by hand."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from clv_helpers import ingest, models
from clv_helpers.config.recipes import names, recipe
from clv_helpers.config.workbook import Workbook

EXPORTS = Path(__file__).parent / "exports"


@dataclass(frozen=True)
class Golden:
    """What a person reads in the file: orders that were placed, those of which something is left, who placed them, what
    they paid and got back.
    """

    orders: int
    kept: int
    customers: int
    gross: str
    refunded: str
    left_out: dict[int, str]  # how many rows, and their money
    unit: str = "USD"


GOLDEN = {
    # 48.20 + 91 + 20 + 60 + 100 CAD at 0.75; voided 35, pending 15, authorized 22, a till's 12.50, two further products
    "shopify_orders": Golden(5, 4, 3, "294.20", "60.00", {6: "84.50"}),
    # 39.95 + 60 + 25 + 12.05; pending 11, no e-mail 8, a further product
    "squarespace_orders": Golden(4, 3, 2, "137.00", "40.00", {3: "19.00"}),
    # 120 + 60 + 30 + 45 + 80 + 1.10; cancelled 15, pending 10, failed 12, on hold 99
    "woocommerce_orders": Golden(6, 5, 4, "336.10", "95.50", {4: "136.00"}, "EUR"),
    # 50 + 1234.50 + 20 + 40 + 25; cancelled 33, pending 11, failed 9
    "woocommerce_export": Golden(5, 4, 4, "1369.50", "40.00", {3: "53.00"}),
    # 100 + 50.50 + 40; rows of -20.50 and -40; pending 10, nobody's 15, cancelled 12
    "woocommerce_analytics": Golden(3, 2, 2, "190.50", "60.50", {3: "37.00"}),
    # 100 + 200 + 75 + 1234.50 + 15.25; 40 of 160 is 50 of 200; canceled 30, pending 20, fraud 999, no e-mail 10
    "magento_orders": Golden(5, 4, 3, "1624.75", "125.00", {4: "1059.00"}),
    # 110 + 60 + 25 + 35 + 80 + 1234.50; cancelled 15, incomplete 14, awaiting payment 13
    "bigcommerce_orders": Golden(6, 5, 4, "1544.50", "92.34", {3: "42.00"}, "AUD"),
    # 20 + 30 + 54.50 (50 EUR) + 70 + 100; failed 40, unfinished 25, nobody's 15
    "stripe_payments": Golden(5, 4, 3, "274.50", "80.00", {3: "80.00"}),
    # 20 + 30.50 + 15 + 99 + 5000 JPY at 0.007; failed 40, not captured 8
    "stripe_charges": Golden(5, 4, 4, "199.50", "109.50", {2: "48.00"}),
    # 50 + 80 + 20 + 60; rows of -30, -20 and -5; a payout of -48.25 and a fee of -2
    "stripe_balance": Golden(4, 3, 3, "210.00", "55.00", {2: "-50.25"}),
    # 45 + 1234.50 + 80 + 20; rows of -45 and -5.50; nobody's 10
    "square_transactions": Golden(4, 4, 2, "1379.50", "50.50", {1: "10.00"}),
    # 8 + 3.50 (one purchase) + 22 + 3.50; a row of -4; nobody's 4
    "square_items": Golden(3, 3, 2, "37.00", "4.00", {1: "4.00"}),
    # 115 + 230 + 57.50 + 46; a return of 230; voided 11.50, parked 23, nobody's 5.75
    "lightspeed_sales": Golden(4, 3, 2, "448.50", "230.00", {3: "40.25"}),
    # 59.99 + 100 + 12.34; a refund of 40; three events that are no purchase
    "ga4_purchases": Golden(3, 3, 2, "172.33", "40.00", {3: "0.00"}),
    # 120 + 1234.50 + 80; back 20; nobody's 15
    "bank_list": Golden(3, 3, 2, "1434.50", "20.00", {1: "15.00"}),
}
ONE_EACH = {"delivered": 1, "clicked": 1, "complained": 1}
EVENTS = {  # events by name, and how many are left out
    "sendgrid_events": (ONE_EACH | {"sent": 2, "opened": 1, "bounced": 1, "unsubscribed": 2}, 3),
    "brevo_marketing_events": (ONE_EACH | {"opened": 2, "bounced": 2, "unsubscribed": 1}, 1),
    "brevo_transactional_events": (ONE_EACH | {"sent": 2, "opened": 1, "bounced": 1, "unsubscribed": 1}, 3),
    "mailchimp_transactional_events": (ONE_EACH | {"sent": 2, "opened": 1, "bounced": 2, "unsubscribed": 1}, 2),
}
RATES = "date,currency,rate\n2024-01-01,CAD,0.75\n2024-01-01,JPY,0.007\n"


@dataclass(frozen=True)
class Lake:
    """What is in the lake after an export came in by its recipe alone."""

    rows: list[dict]
    left_out: list[dict]
    days: list[dict]


def brought_in(folder: Path, name: str) -> Lake:
    dataset, namespace = recipe(name).dataset, recipe(name).source.get("namespace", "CustomerId")
    lines = [f"  {dataset}:", f"    path: {next(EXPORTS.glob(name + '.*'))}", f"    preset: {name}"]
    if dataset != "purchases":
        (folder / "purchases.csv").write_text("customer_id,occurred_at,amount\nx,2024-01-01,1\n", encoding="utf-8")
        lines += ["  purchases:", "    path: purchases.csv", f"    namespace: {namespace}"]
    (folder / "rates.csv").write_text(RATES, encoding="utf-8")
    unit = GOLDEN[name].unit if name in GOLDEN else "USD"
    text = "\n".join(["title: A shop", "rates: rates.csv", f"value: {{unit: {unit}}}", "sources:", *lines])
    (folder / "shop.yml").write_text(text + "\n", encoding="utf-8")
    workbook = Workbook.open(folder / "shop.yml")
    for batch in ingest.ingest_files(workbook):
        assert batch.status == "success", batch.error
        assert batch.rows_rejected == 0
    if dataset == "purchases":
        models.refresh(workbook, "derived")
    queries = [f"SELECT * FROM lake.{dataset}", "SELECT * FROM lake.left_out"]
    with workbook.engine.write() as session:
        days = session.rows("SELECT * FROM derived.customer_day") if dataset == "purchases" else []
        return Lake(*(session.rows(query) for query in queries), days)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Lake]:
    """The lake of a recipe by its name, filled once."""

    @functools.cache
    def filled(name: str) -> Lake:
        folder = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
            return brought_in(folder, name)

    return filled


def test_every_recipe_has_numbers() -> None:
    assert set(GOLDEN) | set(EVENTS) == set(names())


@pytest.mark.parametrize("name", GOLDEN)
def test_an_export_comes_in_to_the_cent(name: str, lakes: Callable[[str], Lake]) -> None:
    golden, lake = GOLDEN[name], lakes(name)
    paid = [row["amount"] + (row.get("refunded") or 0) for row in lake.rows]
    back = [(row.get("refunded") or 0) - min(row["amount"], 0) for row in lake.rows]
    assert sum(max(each, Decimal(0)) for each in paid) == Decimal(golden.gross)
    assert sum(back) == Decimal(golden.refunded)
    assert sum(row["amount"] for row in lake.rows) == Decimal(golden.gross) - Decimal(golden.refunded)
    assert len({row["customer_id"] for row in lake.rows}) == golden.customers
    bought = {row.get("order_id") or number for number, row in enumerate(lake.rows) if row["amount"] >= 0}
    assert len(bought) == golden.orders
    money = sum((row["amount"] or 0 for row in lake.left_out), Decimal(0))
    assert {sum(row["rows"] for row in lake.left_out): money} == {n: Decimal(m) for n, m in golden.left_out.items()}


@pytest.mark.parametrize("name", GOLDEN)
def test_what_is_left_of_an_order_is_a_purchase(name: str, lakes: Callable[[str], Lake]) -> None:
    golden, days = GOLDEN[name], lakes(name).days
    assert sum(day["purchases"] for day in days) == golden.kept
    assert sum(day["spend"] for day in days) == Decimal(golden.gross) - Decimal(golden.refunded)


@pytest.mark.parametrize("name", EVENTS)
def test_what_became_of_messages_comes_in_under_our_names(name: str, lakes: Callable[[str], Lake]) -> None:
    (counted, left_out), lake = EVENTS[name], lakes(name)
    assert Counter(row["event_type"] for row in lake.rows) == counted
    assert {row["customer_id"] for row in lake.rows} <= {f"{who}@example.com" for who in ("ann", "bob", "cy", "dee")}
    assert {row["occurred_at"].date().isoformat() for row in lake.rows} == {"2024-01-02"}
    assert all(row["campaign"] and row["message_id"] for row in lake.rows)
    assert sum(row["rows"] for row in lake.left_out) == left_out


def test_ids_keep_their_leading_zeros(lakes: Callable[[str], Lake]) -> None:
    orders = {row["order_id"] for row in lakes("magento_orders").rows}
    assert orders == {"000000101", "000000102", "000000103", "000000106", "000000109"}


@pytest.mark.parametrize(
    ("name", "order", "moment"),
    [
        ("shopify_orders", "#1002", "2024-02-11 04:30:00"),  # 23:30 of the day before, five hours behind
        ("magento_orders", "000000101", "2024-01-05 14:22:33"),
        ("magento_orders", "000000102", "2024-02-29 14:05:00"),
        ("stripe_charges", "ch_1", "2024-01-02 00:00:00"),
        ("stripe_payments", "ch_1", "2024-01-01 23:30:00"),
        ("square_transactions", "TX7", "2024-05-10 14:30:00"),
        ("woocommerce_export", "202", "2016-12-31 23:59:59"),
        ("ga4_purchases", "T1", "2024-01-05 10:23:20.123000"),
    ],
)
def test_moments_are_read_as_they_are_written(name: str, order: str, moment: str, lakes: Callable[[str], Lake]) -> None:
    assert str(next(row["occurred_at"] for row in lakes(name).rows if row["order_id"] == order)) == moment


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("shopify_orders", {"further products of an order": 2, "status voided": 1, "guests": 1}),
        ("stripe_payments", {"not captured": 2, "guests": 1}),
        ("square_items", {"guests": 1}),
    ],
)
def test_rows_left_out_say_why(name: str, reasons: dict[str, int], lakes: Callable[[str], Lake]) -> None:
    counted = {row["reason"]: row["rows"] for row in lakes(name).left_out}
    assert reasons.items() <= counted.items()
