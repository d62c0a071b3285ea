"""Rules over a workbook's own events, what lookups say of them, and one attribute compared with another."""

from __future__ import annotations

import pytest

from clv_helpers import audiences, ingest, models
from clv_helpers.audiences import checks
from clv_helpers.config.workbook import Workbook

PARAMS = """\
title: A small shop
sources:
  purchases:
    path: orders.csv
    columns: {customer_id: customer, occurred_at: day, amount: spent, product_id: sku}
  web:
    is: events
    path: web.csv
    columns:
      event_id: id
      customer_id: visitor
      occurred_at: at
      page: {from: page, type: text}
      seconds: {from: s, type: number}
      product_id: {from: sku, type: text}
    sessions: 30 minutes
  products:
    is: lookup
    path: products.csv
    key: product_id
    columns: {product_id: sku, brand: {from: Brand, type: text}, price: {from: Price, type: decimal}}
"""
FILES = {
    "shop.yml": PARAMS,
    "orders.csv": (
        "customer,day,spent,sku\na,2024-01-03,10,S1\nb,2024-01-04,20,S2\na,2024-02-01,5,S9\nc,2024-01-09,7,S1\n"
    ),
    "web.csv": (
        "id,visitor,at,page,s,sku\n1,a,2024-01-02 10:00:00,home,5,\n2,a,2024-01-02 10:01:00,product,60,S1\n"
        "3,b,2024-01-05 09:00:00,product,30,S2\n4,b,2024-01-05 09:29:59,product,30,S1\n"
        "5,b,2024-01-05 10:00:00,cart,3,S1\n6,c,2024-01-30 10:00:00,product,7,S1\n"
    ),
    "products.csv": "sku,Brand,Price\nS1,Acme,3\nS2,Bolt,9\n",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    folder = tmp_path_factory.mktemp("shop")
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        workbook = Workbook.open(folder / "shop.yml")
        ingest.ingest_files(workbook)
        models.refresh(workbook, "derived", "profile")
    return workbook


def members(shop: Workbook, rule: str) -> set[str]:
    file = shop.file.parent / "shop" / "audiences" / "asked.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"title: Asked\nrule: {rule}\n", encoding="utf-8")
    assert checks.file_problems(shop, "asked") == []
    audiences.evaluate(shop, "asked")
    return set(shop.query("audiences.membership", audience="asked")["customer_id"])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("{event: web, where: [{field: page, op: equals, value: product}], op: at least, value: 2}", {"b"}),
        ("{event: web, where: [{field: products.brand, op: equals, value: Acme}]}", {"a", "b", "c"}),
        ("{event: web, where: [{field: products.brand, op: equals, value: Acme}], op: all}", {"c"}),
        ("{event: purchases, where: [{field: products.brand, op: missing}]}", {"a"}),
        ("{event: web, aggregate: sum, of: products.price, op: at least, value: 12}", {"b"}),
        ("{event: web, where: [{field: seconds, op: more than, than: products.price, plus: 50}]}", {"a"}),
        ("{sequence: [{event: web, where: {field: page, op: equals, value: product}}, {event: purchases}]}", {"a"}),
        ("{field: last_purchase_on, op: more than, than: first_purchase_on, plus: 28 days}", {"a"}),
        ("{field: spend, op: less than, than: purchases, plus: 14}", {"c", "a"}),
        ("{not: {field: spend, op: less than, than: purchases, plus: 14}}", {"b"}),
        ("{field: email, op: equals, than: region, or_missing: true}", {"a", "b", "c"}),
    ],
)
def test_who_meets_it(shop: Workbook, rule: str, expected: set[str]) -> None:
    assert members(shop, rule) == expected


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("{event: wep}", "rule.event is 'wep'; allowed: purchases, email_events, web"),
        ("{event: products}", "rule.event is 'products'; allowed: purchases, email_events, web"),
        ("{event: web, where: [{field: products.size, op: exists}]}", "'products.size', not in web; allowed: "),
        ("{event: web, aggregate: sum, of: products.brand, op: at least, value: 1}", "rule.of is 'products.brand'"),
    ],
)
def test_what_is_not_there_is_named_with_its_place(shop: Workbook, rule: str, says: str) -> None:
    file = shop.file.parent / "shop" / "audiences" / "wrong.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"title: Wrong\nrule: {rule}\n", encoding="utf-8")
    try:
        assert says in str(checks.file_problems(shop, "wrong")[0])
    finally:
        file.unlink()


def test_it_reads_as_a_sentence(shop: Workbook) -> None:
    said = {
        "{event: web, where: {field: products.brand, op: equals, value: Acme}}": (
            "Customers with at least 1 event of web whose brand of products is “Acme”."
        ),
        "{field: decile_3_months, op: at most, than: decile_12_months, plus: -2}": (
            "Customers whose decile over 3 months is at most decile over 12 months minus 2."
        ),
        "{field: last_purchase_on, op: more than, than: first_purchase_on, plus: 28 days}": (
            "Customers whose last purchase day is more than first purchase day plus 28 days."
        ),
    }
    for rule, sentence in said.items():
        file = shop.file.parent / "shop" / "audiences" / "said.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"title: Said\nrule: {rule}\n", encoding="utf-8")
        assert audiences.printed(shop, "said", "text") == sentence
        file.unlink()
