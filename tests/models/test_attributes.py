"""Attributes: what events of any dataset say of a customer, one line of the params each."""

from __future__ import annotations

from pathlib import Path

import pytest

from clv_helpers import ingest, models
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook

PARAMS = """\
title: A small shop
as_of: {as_of}
sources:
  purchases:
    path: orders*.csv
    columns:
      {{event_id: id, customer_id: customer, occurred_at: day, amount: spent, product_id: sku,
       channel: {{from: channel, type: text}}}}
  web:
    is: events
    path: web*.csv
    columns:
      {{event_id: id, customer_id: visitor, occurred_at: at, page: {{from: page, type: text}},
       seconds: {{from: s, type: number}}, clicks: {{from: clicks, type: integer}}}}
  products:
    is: lookup
    path: products*.csv
    key: product_id
    columns: {{product_id: sku, brand: {{from: Brand, type: text}}, margin: {{from: Margin, type: decimal}}}}
attributes:
{attributes}
"""
ATTRIBUTES = """\
  visits: {count: web}
  visits_30_days: {count: web, in_last: 30 days}
  visits_2_months: {count: web, in_last: 2 months}
  product_seconds: {sum: web.seconds, where: [{field: page, op: equals, value: product}], during: 2024}
  mean_seconds: {average: web.seconds}
  clicks: {sum: web.clicks}
  pages: {distinct: web.page}
  first_page: {first: web.page}
  last_page: {last: web.page}
  longest: {max: web.seconds}
  usual_page: {most frequent: web.page}
  days_since_visit: {days since: web}
  share_online: {share of: purchases, where: [{field: channel, op: equals, value: web}]}
  favourite_brand: {most frequent: purchases.products.brand}
  margin: {sum: purchases.products.margin}
  visits_per_order: visits / purchases
  twice: visits_per_order * 2 + 1
"""
FILES = {
    "orders_1.csv": (
        "id,customer,day,spent,sku,channel\n1,a,2024-01-03,10,S1,web\n2,b,2024-01-04,20,S2,shop\n"
        "3,a,2024-02-01,5,S2,shop\n4,c,2024-02-03,5,S9,shop\n"
    ),
    "web_1.csv": (
        "id,visitor,at,page,s,clicks\n1,a,2023-12-31 10:00:00,home,5,1\n2,a,2024-01-20 10:00:00,product,60.5,2\n"
        "3,a,2024-02-01 11:00:00,product,,\n4,b,2024-01-05 09:00:00,product,30,4\n5,b,2024-01-05 09:00:00,cart,0.25,4\n"
    ),
    "products_1.csv": "sku,Brand,Margin\nS1,Acme,1.25\nS2,Bolt,2\n",
}


def write(folder: Path, attributes: str = ATTRIBUTES, as_of: str = "2024-02-10", **files: str) -> Workbook:
    for name, content in {**FILES, **files}.items():
        (folder / name).write_text(content, encoding="utf-8")
    file = folder / "shop.yml"
    file.write_text(PARAMS.format(attributes=attributes, as_of=as_of), encoding="utf-8")
    return Workbook.open(file)


@pytest.fixture
def shop(outputs: Path, tmp_path: Path) -> Workbook:
    """A shop with visits and products, and all of the attributes above."""
    workbook = write(tmp_path)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile", "insights")
    return workbook


def profile(workbook: Workbook) -> dict[str, dict]:
    frame = workbook.query("profile.customer", order_by="customer_id")
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return {row["customer_id"]: row for row in rows}


def test_each_kind_says_what_a_hand_counts(shop: Workbook) -> None:
    a, b, c = (profile(shop)[name] for name in "abc")
    said = {
        "visits": (3, 2, 0), "visits_30_days": (2, 0, 0), "visits_2_months": (3, 2, 0),
        "product_seconds": (60.5, 30, 0), "mean_seconds": (32.75, 15.125, None), "clicks": (3, 8, 0),
        "pages": (2, 2, 0), "first_page": ("home", "cart", None), "last_page": ("product", "product", None),
        "longest": (60.5, 30, None), "usual_page": ("product", "cart", None), "days_since_visit": (9, 36, None),
        "share_online": (0.5, 0, 0), "favourite_brand": ("Acme", "Bolt", None), "visits_per_order": (1.5, 2, 0),
        "twice": (4, 5, 1),
    }  # fmt: skip
    for name, values in said.items():
        assert (a[name], b[name], c[name]) == values, name
    assert [float(each["margin"]) for each in (a, b, c)] == [3.25, 2, 0]


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ("  a: b / 2\n  b: a + 1\n", "attributes.a is made of itself: a → b → a; allowed: no circle"),
        ("  a: {count: webb}\n", "attributes.a.count is 'webb'; allowed: web"),
        ("  a: {sum: web.secs}\n", "attributes.a.sum is 'web.secs'; allowed: web.seconds"),
        ("  a: {sum: web.page}\n", "attributes.a.sum is 'web.page', of type text; allowed: web.seconds, web.clicks"),
        ("  a: {count: web.page}\n", "attributes.a.count is 'web.page'; allowed: a dataset alone, as web"),
        ("  a: {count: web, in_last: 0 days}\n", "attributes.a.in_last is '0 days'; allowed: a number from 1"),
        ("  a: {count: web, in_last: 1 day, during: 2024}\n", "during is '2024'; allowed: either in_last or during"),
        ("  a: {count: web, sum: web.clicks}\n", "kind is count and sum; allowed: exactly one of count, sum"),
        ("  a: {in_last: 1 day}\n", "kind is missing; allowed: exactly one of count"),
        ("  a: {share of: web}\n", "where is missing; allowed: which rows"),
        ("  purchases: {count: web}\n", "attributes.purchases is what the profile calls a column of its own"),
        ("  a: {count: web}\n  a: {count: web}\n", "duplicate key"),
        ("  a: visits / 2\n", "attributes.a is of 'visits'; allowed: "),
        ("  a: rfm_segment + 1\n", "attributes.a is made with rfm_segment, of type text; allowed: numbers"),
        ("  a: value > 1\n", "attributes.a is no number; allowed: arithmetic"),
        ("  a: now()\n", "attributes.a is 'now()'; allowed: without"),
        (
            "  a: {count: web, where: [{field: pag, op: equals, value: x}]}\n",
            "attributes.a.where.all[0].field is 'pag', not in web; allowed: ",
        ),
        (
            "  a: {count: web, where: [{field: occurred_at, when: {is: today}}]}\n",
            "attributes.a.where is a test that moves with now; allowed: a day in it",
        ),
        ("  A: {count: web}\n", "allowed: small letters, digits and _"),
    ],
)
def test_what_cannot_be_is_named_with_its_place(tmp_path: Path, attributes: str, says: str) -> None:
    with pytest.raises(ParamsError) as refusal:
        write(tmp_path, attributes)
    assert says in str(refusal.value)
