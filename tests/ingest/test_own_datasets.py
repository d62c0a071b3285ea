"""Datasets of one's own: visits of a shop's site, returns, and what its products are."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest

from clv_helpers import adobe, ingest, models
from clv_helpers.config.event_rows import event_columns, event_rows
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.ingest import IngestError
from clv_helpers.ingest.identities import join_customers
from clv_helpers.ingest.retention import forget_old_events
from clv_helpers.models.column_lineage import Graph
from clv_helpers.models.personal import People, Rows
from clv_helpers.run import forget, person_export
from clv_helpers.run.row_check import row_findings

PARAMS = """\
title: A small shop
sources:
  orders:
    is: purchases
    path: orders.csv
    columns: {customer_id: customer, occurred_at: day, amount: spent, product_id: sku}
  web:
    is: events
    path: web*.csv
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
    path: products*.csv
    key: product_id
    columns: {product_id: sku, brand: {from: Brand, type: text}, name: {from: Name, type: text}}
"""
FILES = {
    "orders.csv": "customer,day,spent,sku\na,2024-01-03,10,S1\nb,2024-01-04,20,S2\na,2024-02-01,5,S9\n",
    "web_1.csv": (
        "id,visitor,at,page,s,sku\n1,a,2024-01-02 10:00:00,home,5,\n2,a,2024-01-02 10:01:00,product,60,S1\n"
        "3,carol@example.org,2024-01-05 09:00:00,product,30, S2 \n"
    ),
    "products_1.csv": "sku,Brand,Name\nS1,Acme,Chair\nS2,Bolt,Lamp\n",
}


def write(folder: Path, params: str = PARAMS, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**FILES, **files}.items():
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "own.yml").write_text(params, encoding="utf-8")
    return folder / "own.yml"


@pytest.fixture
def own(outputs: Path, tmp_path: Path) -> Workbook:
    """A shop with visits and products, its files brought in."""
    workbook = Workbook.open(write(tmp_path))
    ingest.ingest_files(workbook)
    return workbook


def rows(workbook: Workbook, dataset: str, *lookups: str) -> list[dict]:
    with workbook.engine.write() as session:
        found = session.rows(event_rows(workbook.params, dataset, lookups))
    return sorted(found, key=lambda row: (row["occurred_at"], row["customer_id"]))


def brands(workbook: Workbook, dataset: str = "purchases") -> list[str | None]:
    return [row["products.brand"] for row in rows(workbook, dataset, "products")]


def test_rows_come_in_with_their_types_and_what_lookups_say(own: Workbook) -> None:
    assert own.params.event_datasets == ("purchases", "email_events", "web", "web_sessions")
    assert own.params.lookups == {"products": "product_id"}
    assert [row["page"] for row in rows(own, "web")] == ["home", "product", "product"]
    assert sum(row["seconds"] for row in rows(own, "web")) == 95
    assert brands(own) == ["Acme", "Bolt", None]  # of a product that no lookup knows nothing, and the row stays
    assert brands(own, "web") == [None, "Acme", "Bolt"]  # with blanks around its key, too
    assert {"page", "products.brand", "products.name"} <= event_columns(own.params, "web").keys()


def test_the_last_event_of_any_dataset_ends_the_data(own: Workbook, tmp_path: Path) -> None:
    with own.engine.write() as session:
        assert own.as_of(session) == dt.date(2024, 2, 2)
    write(tmp_path, **{"web_2.csv": "id,visitor,at,page,s,sku\n9,a,2024-03-05 10:00:00,home,5,\n"})
    ingest.ingest_files(own)
    with own.engine.write() as session:
        assert own.as_of(session) == dt.date(2024, 3, 6)


def test_who_visits_has_a_profile_unless_the_params_say_otherwise(own: Workbook) -> None:
    models.refresh(own, "derived", "profile")
    assert set(own.query("profile.customer")["customer_id"]) == {"a", "b", "carol@example.org"}
    apart = Workbook.open(own.file, overrides={"sources.web.profile_enabled": False})
    models.refresh(apart, "derived", "profile")
    assert set(apart.query("profile.customer")["customer_id"]) == {"a", "b"}


def test_a_repeated_event_counts_once_and_says_so(own: Workbook, tmp_path: Path) -> None:
    again = "id,visitor,at,page,s,sku\n1,a,2024-01-02 10:00:00,home,5,\n4,b,2024-01-07 10:00:00,cart,9,\n"
    write(tmp_path, **{"web_2.csv": again})
    batch = ingest.ingest_files(own)[-2]
    assert (batch.dataset, batch.rows_accepted, batch.rows_rejected) == ("web", 1, 1)
    models.refresh(own, "derived")
    assert list(own.query("derived.rejected_reason")["reason"]) == ["repeats an event that came before"]


def test_of_a_lookup_the_newest_batch_holds_and_a_revert_takes_it_back(own: Workbook, tmp_path: Path) -> None:
    write(tmp_path, **{"products_2.csv": "sku,Brand,Name\nS1,Zeta,Chair\nS9,Nine,Desk\n"})
    batch = ingest.ingest_files(own)[-1]
    assert brands(own) == ["Zeta", "Bolt", "Nine"]
    ingest.revert(own, batch.batch_id)
    assert brands(own) == ["Acme", "Bolt", None]
    (tmp_path / "products_2.csv").unlink()
    (tmp_path / "better.csv").write_text("sku,Brand,Name\nS9,Ten,Desk\n", encoding="utf-8")
    [first] = [each for each in ingest.batches(own) if each.file == "products_1.csv"]
    ingest.replay(own, first.batch_id, tmp_path / "better.csv")
    assert brands(own) == [None, None, "Ten"]


def test_a_key_twice_in_one_file_is_a_rejected_row(outputs: Path, tmp_path: Path) -> None:
    many = "".join(f"P{number},B,N\n" for number in range(40))
    workbook = Workbook.open(
        write(tmp_path, **{"products_1.csv": f"sku,Brand,Name\nS1,Acme,Chair\nS1,Other,Chair\n{many}"})
    )
    batch = ingest.ingest_files(workbook)[-1]
    assert (batch.rows_accepted, batch.rows_rejected) == (41, 1)
    assert brands(workbook)[0] == "Acme"
    with workbook.engine.write() as session:
        [rejected] = session.rows("SELECT row_number, column_name, value, reason FROM lake.rejected_rows")
    assert rejected == {
        "row_number": 2,
        "column_name": "product_id",
        "value": "S1",
        "reason": "stands in an earlier row too, and a lookup has each key once",
    }


def test_a_file_that_is_no_lookup_is_refused(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write(tmp_path, **{"products_1.csv": "sku,Brand,Name\nS1,A,Chair\nS1,B,Chair\n"}))
    with pytest.raises(IngestError, match="product_id 'S1' stands in an earlier row too"):
        ingest.ingest_files(workbook)
    refused, _ = row_findings(workbook)
    assert any("product_id, such as 'S1' stands in an earlier row too" in str(problem) for problem in refused)


def test_tables_of_ones_own_read_them_and_are_kept_fresh(own: Workbook, tmp_path: Path) -> None:
    sql = own.specs / "sql"
    sql.mkdir(parents=True)
    (sql / "visitor_day.sql").write_text(
        "-- Visits.\n-- One row: a visitor.\n-- Key: customer_id\n-- Refresh: by customer_id\n"
        "SELECT customer_id, COUNT(*) AS visits FROM lake.web WHERE occurred_at < $as_of GROUP BY customer_id\n"
    )
    models.refresh(own, "derived", "insights")
    more = "".join(f"{n},v{n},2024-01-07 10:00:00,cart,9,\n" for n in range(10, 40))
    write(tmp_path, **{"web_2.csv": f"id,visitor,at,page,s,sku\n{more}"})
    ingest.ingest_files(own)
    models.refresh(own, "derived", "insights")
    write(tmp_path, **{"web_3.csv": "id,visitor,at,page,s,sku\n99,a,2024-01-08 10:00:00,home,5,\n"})
    last = ingest.ingest_files(own)[-2]
    [mode] = [row.mode for row in models.refresh(own, "derived", "insights") if row.table == "insights.visitor_day"]
    assert mode == "rows"
    assert own.query("insights.visitor_day", customer_id="a")["visits"].item() == 3
    ingest.revert(own, last.batch_id)
    models.refresh(own, "derived", "insights")
    assert own.query("insights.visitor_day", customer_id="a")["visits"].item() == 2


def test_lineage_and_what_is_personal(own: Workbook) -> None:
    graph = Graph(own)
    assert graph.made_by(("lake.web", "page")) == "column 'page' of web*.csv"
    about = People(own)
    assert about.table("lake.web").rows is Rows.EVENTS
    assert about.table("lake.web").columns["customer_id"].way
    products = about.table("lake.products")
    assert products.rows is Rows.NOBODY  # whatever its name is called
    assert "lake.products" in models.table_catalog(own)


def test_a_person_is_exported_and_forgotten(own: Workbook) -> None:
    person_export.export(own, "carol@example.org")
    told = forget.forget(own, "carol@example.org")
    assert told.done
    assert told.tables["lake.web"] == 1
    assert [row["customer_id"] for row in rows(own, "web")] == ["a", "a"]
    assert brands(own) == ["Acme", "Bolt", None]


def test_old_events_go_by_retention_even_of_a_source_taken_out(own: Workbook) -> None:
    kept = {"retention": {"months": 30}, "as_of": "2026-12-01", "lifetime": None}
    changed = Workbook.open(own.file, overrides=kept)
    alone = replace(
        changed,
        params=changed.params.model_copy(update={"sources": {"purchases": changed.params.sources["purchases"]}}),
    )
    with alone.engine.write() as session:
        forget_old_events(session, alone)
        assert session.scalar("SELECT COUNT(*) AS rows FROM lake.web") == 0
        assert session.scalar("SELECT COUNT(*) AS rows FROM lake.products") == 2


def test_ids_are_joined(own: Workbook) -> None:
    joined = own.file.read_text().replace("product_id: sku}\n  web", "product_id: sku, email: mail}\n  web")
    orders = "customer,day,spent,sku,mail\nx1,2024-01-03,10,S1,j@x.org\nx2,2024-01-04,20,S2,j@x.org\n"
    web = "id,visitor,at,page,s,sku\n1,x2,2024-01-02 10:00:00,home,5,\n"
    write(own.file.parent / "two", joined + "identities: {join: [email]}\n", **{"orders.csv": orders, "web_1.csv": web})
    workbook = Workbook.open(own.file.parent / "two" / "own.yml")
    workbook = replace(workbook, file=workbook.file.with_name("two.yml"))
    ingest.ingest_files(workbook)
    with workbook.engine.write() as session:
        join_customers(session, workbook)
    assert rows(workbook, "web")[0]["customer_id"] == "x1"


def test_xdm(own: Workbook) -> None:
    assert adobe.json_schema(own, "web")["required"] == ["customer_id", "occurred_at"]
    web, products = adobe.xdm_schema(own, "web"), adobe.xdm_schema(own, "products")
    assert web["schema"]["meta:class"].endswith("/context/experienceevent")
    assert products["schema"]["meta:class"] == products["class"]["$id"]
    [related] = [each for each in web["descriptors"] if each["@type"] == "xdm:descriptorOneToOne"]
    assert related["xdm:sourceProperty"] == related["xdm:destinationProperty"] == "/_own/product_id"
    assert related["xdm:destinationSchema"] == products["schema"]["$id"]


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("web.is", None, "sources.web is of no kind; allowed: is: events or is: lookup beside it, or "),
        ("web.is", "event", "sources.web.is is 'event'; allowed: 'purchases', "),
        ("products.key", "", "sources.products.key is missing; allowed: the column by which a lookup's rows are found"),
        ("products.sessions", "1 hour", "sources.products.sessions is '1 hour'; allowed: beside is: events"),
        ("web.sessions", "2 days", "sources.web.sessions is '2 days'; allowed: minutes or hours, such as"),
        ("web.key", "page", "sources.web.key is 'page'; allowed: beside is: lookup"),
        ("web.columns", {"customer_id": "visitor"}, "sources.web.columns needs occurred_at"),
        ("web.columns", {"occurred_at": "at"}, "sources.web.columns needs customer_id"),
        ("web.columns.page", "page", "sources.web.columns.page needs a type"),
        ("products.columns", {"product_id": "sku"}, "sources.products.columns needs a column beside the key"),
        ("products.columns._row", {"from": "x", "type": "text"}, "sources.products.columns._row is no name; allowed: "),
        ("products.columns.occurred_at", {"from": "x", "type": "timestamp"}, "occurred_at is the moment of an event;"),
        ("products.columns.mail", {"from": "x", "type": "text", "identity": "Email"}, "mail.identity is of customers;"),
        ("pulls", {"is": "events", "path": "x"}, "sources.pulls is 'pulls'; allowed: another name: this one is the"),
        ("health", {"is": "events", "path": "x"}, "sources.health is 'health'; allowed: another name: this one is the"),
        ("Web-2", {"is": "events", "path": "x"}, "sources.Web-2 is 'Web-2'; allowed: small letters, digits and _"),
        ("purchases", {"path": "x"}, "allowed: one source of purchases; its path may be of many files"),
        ("customers", {"is": "events", "path": "x"}, "sources.customers.is is 'events'; allowed: customers, or an"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_at_its_place(tmp_path: Path, place: str, value: object, sentence: str) -> None:
    with pytest.raises(ParamsError) as error:
        Workbook.open(write(tmp_path), overrides={f"sources.{place}": value})
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_shop_and_its_stores_with_other_headers_are_one_source(outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "web_sales.csv").write_text(
        "Customer ID,Created at,Total,Channel\na,2024-01-03,10,app\nb,2024-01-04,20,\n", "utf-8"
    )
    (tmp_path / "store_sales.csv").write_text("card,sold_on,paid,store\na,2024-02-01,5,North\n", "utf-8")
    params = """\
title: A web shop and its stores
sources:
  purchases:
    path: "*_sales.csv"
    columns:
      customer_id: [Customer ID, card]
      occurred_at: [Created at, sold_on]
      amount: [Total, paid]
      place: {from: [Channel, store], type: text}
"""
    (tmp_path / "shop.yml").write_text(params, "utf-8")
    workbook = Workbook.open(tmp_path / "shop.yml")
    ingest.ingest_files(workbook)
    with workbook.engine.write() as session:
        rows = session.rows("SELECT customer_id, amount, place FROM lake.purchases ORDER BY occurred_at")
    assert [(r["customer_id"], float(r["amount"]), r["place"]) for r in rows] == [
        ("a", 10, "app"), ("b", 20, None), ("a", 5, "North")
    ]  # fmt: skip


def test_a_column_is_not_called_as_a_lookups_is(tmp_path: Path) -> None:
    params = PARAMS.replace("page: {", "products.brand: {")
    with pytest.raises(ParamsError, match=r"web\.columns\.products\.brand is what a column of a lookup is called"):
        Workbook.open(write(tmp_path, params))


def test_a_stream_takes_own_events(own: Workbook) -> None:
    from clv_helpers.ingest.http_endpoint import Endpoint
    from clv_helpers.ingest.streaming import Stream, _journals

    journals = _journals(own)
    assert list(journals) == ["web"]  # the one with a key
    endpoint = Endpoint(own, journals, lambda: None, dict)
    good = {"id": "7", "visitor": "a", "at": "2024-01-09T10:00:00", "page": "home", "s": 3}
    assert endpoint._keep("web", [good]) == []
    [fault] = endpoint._keep("web", [{**good, "at": "soon"}])
    assert fault["column"] == "occurred_at"
    watched = own.folder / "watched"
    (watched / "web").mkdir(parents=True)
    (watched / "web" / "more.jsonl").write_text(json.dumps({**good, "id": "8"}) + "\n")
    stream = Stream(own, journals, watched, lambda workbook, **_: None, lambda _: None)
    assert [batch.dataset for batch in stream.micro_batch()] == ["web"]
    assert {row["event_id"] for row in rows(own, "web")} >= {"7"}


def test_the_airline_knows_its_routes(airline: Workbook) -> None:
    with airline.engine.read() as session:
        query = event_rows(airline.params, "purchases", ["routes"]).subquery("e")
        found = session.frame(
            'SELECT transaction_details, MIN("routes.region") AS region, COUNT(*) AS n FROM $rows GROUP BY 1',
            rows=query,
        ).set_index("transaction_details")
        assert found["n"].sum() == session.scalar("SELECT COUNT(*) AS n FROM lake.purchases")
    assert found["region"]["FRA-NRT"] == "Asia"
    assert found["region"]["LHR-SFO"] == "America"
    assert found["region"].isna()["New member"]


@pytest.mark.slow
def test_spark_has_the_same(java: None, outputs: Path, tmp_path: Path) -> None:
    from on_spark import LOCAL

    found = []
    for engine in ("duckdb", LOCAL):
        folder = tmp_path / engine.partition(":")[0]
        write(
            folder,
            f"engine: {engine}\nspark_above: 0\n{PARAMS}",
            **{"products_2.csv": "sku,Brand,Name\nS1,Zeta,Chair\nS9,Nine,Desk\n"},
        )
        workbook = Workbook.open((folder / "own.yml").rename(folder / f"{folder.name}.yml"))
        ingest.ingest_files(workbook)
        models.refresh(workbook, "derived", "profile")
        before = rows(workbook, "web", "products"), brands(workbook)
        ingest.revert(workbook, ingest.batches(workbook)[-1].batch_id)
        people = sorted(workbook.query("profile.customer")["customer_id"])
        found.append((*before, brands(workbook), people))
    assert found[0] == found[1]
    assert found[0][1:] == (["Zeta", "Bolt", "Nine"], ["Acme", "Bolt", None], ["a", "b", "carol@example.org"])
