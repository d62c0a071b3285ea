"""Attributes: what events of any dataset say of a customer, one line of the params each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clv_helpers import adobe, audiences, derived, ingest, models
from clv_helpers.audiences.catalog import catalog_of, event_tables, read_catalog
from clv_helpers.config.attributes import Aggregate
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.models import TableError
from clv_helpers.models.column_lineage import Graph
from clv_helpers.models.personal import People

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
    sessions: 30 minutes
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
  sessions: {count: web_sessions, in_last: 30 days}
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
        "twice": (4, 5, 1), "sessions": (2, 0, 0),
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


OWN = """-- What each spent at most at once.
-- Attribute of: customer
-- One row: a customer.
-- Key: customer_id
-- Refresh: by customer_id
SELECT customer_id, MAX(spend) AS largest_day FROM derived.customer_day GROUP BY customer_id
"""


def own_table(folder: Path, sql: str = OWN) -> None:
    (folder / "shop" / "sql").mkdir(parents=True, exist_ok=True)
    (folder / "shop" / "sql" / "customer_largest.sql").write_text(sql, encoding="utf-8")


def test_rules_and_the_count_of_who_has_them_know_attributes(shop: Workbook, tmp_path: Path) -> None:
    with shop.engine.read() as session:
        read = read_catalog(session, event_tables(shop.params), params=shop.params).profile
    foreseen = catalog_of(shop.params).profile
    assert {name: each.kind for name, each in read.items()} == {name: each.kind for name, each in foreseen.items()}
    assert read["visits_30_days"].about == "Count of web in the last 30 days"
    said = "Sum of web.seconds during 2024, where page equals product"
    assert read["product_seconds"].about == said
    (tmp_path / "shop" / "audiences").mkdir(parents=True)
    rule = "title: Quiet\nrule: {all: [{field: visits_per_order, op: at least, value: 2}]}\n"
    (tmp_path / "shop" / "audiences" / "quiet.yml").write_text(rule, encoding="utf-8")
    assert audiences.file_problems(shop, "quiet") == []
    rows = shop.query("insights.fact_attribute").set_index("attribute")
    assert list(rows.loc["product_seconds", ["made_of", "customers", "of_customers"]]) == [said, 2, 3]
    assert rows.loc["visits_per_order", "made_of"] == "visits / purchases"
    assert "18 rows" in str(derived.attributes(shop).bundle)


def test_an_analysts_table_joins_the_profile_until_its_file_is_gone(shop: Workbook, tmp_path: Path) -> None:
    own_table(tmp_path)
    models.refresh(shop, "derived", "profile", "insights")
    assert {name: float(row["largest_day"]) for name, row in profile(shop).items()} == {"a": 10, "b": 20, "c": 5}
    assert "largest_day" in set(shop.query("insights.fact_attribute")["attribute"])
    (tmp_path / "shop" / "sql" / "customer_largest.sql").unlink()
    without = write(tmp_path, "  visits: {count: web}\n")
    models.refresh(without, "derived", "profile", "insights")
    with without.engine.read() as session:
        there = set(session.tables())
    assert "profile.web_attribute" in there
    assert not there & {"profile.customer_largest", "profile.purchases_attribute"}
    assert "largest_day" not in profile(without)["a"]


def test_arithmetic_knows_an_analysts_columns(outputs: Path, tmp_path: Path) -> None:
    own_table(tmp_path)
    share = "  share_at_once: largest_day / spend\n  half: share_at_once / 2\n"
    shop = write(tmp_path, share)
    ingest.ingest_files(shop)
    models.refresh(shop, "derived", "profile")
    for row in profile(shop).values():
        assert row["share_at_once"] == pytest.approx(float(row["largest_day"]) / float(row["spend"]))
        assert row["half"] == row["share_at_once"] / 2
    own_table(tmp_path, OWN.replace("largest_day", "smallest_day"))
    with pytest.raises(ParamsError, match="attributes.share_at_once is of 'largest_day'; allowed: "):
        write(tmp_path, share)
    own_table(tmp_path, "-- Attribute of: customer\nSELECT FROM WHERE (")  # its own error is said where it is built
    with pytest.raises(ParamsError, match="attributes.share_at_once is of 'largest_day'; allowed: "):
        write(tmp_path, share)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        (OWN.replace("largest_day", "spend"), "its column spend is one of the profile; allowed: another name"),
        (OWN.replace("largest_day", "visits"), "its column visits is one of attributes of the params"),
        (
            OWN.replace("derived.customer_day", "kpi.audience_size"),
            "it reads kpi.audience_size; allowed: tables",
        ),
        (OWN.replace("of: customer", "of: shop"), "Attribute of is 'shop'; allowed: customer"),
        (OWN.replace("derived.customer_day", "profile.customer"), "need each other in a circle"),
    ],
)
def test_an_analysts_table_that_cannot_join_is_named(tmp_path: Path, sql: str, says: str) -> None:
    own_table(tmp_path, sql)
    with pytest.raises(TableError, match=re.escape(says)):
        models.all_tables(write(tmp_path))


def test_lineage_personal_columns_and_schemas_know_them(outputs: Path, tmp_path: Path) -> None:
    workbook = write(tmp_path, ATTRIBUTES + "  whose: {last: web.customer_id}\n  who: {distinct: web.customer_id}\n")
    facts = People(workbook).table("profile.customer").columns
    assert facts["whose"].way
    assert not facts["who"].way
    assert not facts["usual_page"].way
    assert "visits_per_order" in Graph(workbook).columns("profile.customer")
    names = [file.name for file in adobe.write_schemas(workbook)]
    assert "profile.params_attribute.xdm.json" in names


def test_a_lookup_that_is_compared_with_is_read() -> None:
    where = {"field": "amount", "op": "more than", "than": "products.price"}
    assert Aggregate.model_validate({"count": "purchases", "where": where}).lookups == {"products"}
