"""One row per primary identity, and a graph of identities that joins nobody who should stay apart."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clv_helpers import ingest, models
from clv_helpers.config.datasets import DATASETS, PROFILE_MEASURES
from clv_helpers.config.workbook import Workbook
from conftest import write_shop

CUSTOMERS = """customer,mail,tier
a,Ann@Example.org,new
b, ann@example.org ,new
c,,old
z,zoe@example.org,old
"""


def shop_with_customers(folder: Path, **overrides: object) -> Workbook:
    """The shop, its customers' e-mail addresses, and a column of its own in both files."""
    (folder / "shop").mkdir(parents=True)
    (folder / "customers.csv").write_text(CUSTOMERS)
    columns = {"customer_id": "customer", "email": "mail", "tier": {"from": "tier", "type": "text"}}
    csv = "customer,day,spent,shelf\na,2024-01-03,1,top\na,2024-03-03,1,\na,2024-02-03,1,low\nd,2024-02-04,2,\n"
    workbook = Workbook.open(
        write_shop(folder / "shop", csv=csv),
        overrides={
            "sources.customers": {"path": "../customers.csv", "columns": columns},
            "sources.purchases.columns.shelf": {"from": "shelf", "type": "text", "attribute": True},
            **overrides,
        },
    )
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile")
    return workbook


def test_columns(airline: Workbook) -> None:
    """What the contract reserves is what the profile holds beside the customers' own columns."""
    own = airline.params.sources["customers"].columns
    columns = set(airline.query("profile.customer").columns) - {
        *own,
        *DATASETS["customers"],
        *airline.params.attributes,
    }
    assert columns == set(PROFILE_MEASURES)


def test_every_enabled_dataset_joins_in(outputs: Path, tmp_path: Path) -> None:
    customer = shop_with_customers(tmp_path).query("profile.customer").set_index("customer_id")
    assert list(customer.index.sort_values()) == ["a", "b", "c", "d", "z"]
    assert customer.loc["a", "tier"] == "new"
    assert customer.loc["a", "last_shelf"] == "low"  # the latest event that has one, not the latest event
    assert pd.isna(customer.loc["d", "tier"])
    assert pd.isna(customer.loc["d", "last_shelf"])
    assert customer.loc["z", "tier"] == "old"
    assert pd.isna(customer.loc["z", "purchases"])


def test_not_enabled_dataset_stays_out(outputs: Path, tmp_path: Path) -> None:
    workbook = shop_with_customers(tmp_path, **{"sources.customers.profile_enabled": False})
    customer = workbook.query("profile.customer")
    assert sorted(customer["customer_id"]) == ["a", "d"]
    assert customer["email"].isna().all()
    assert list(workbook.query("profile.namespace")["namespace"]) == ["CustomerId"]


def test_newest_row_of_a_customer_counts(outputs: Path, tmp_path: Path) -> None:
    workbook = shop_with_customers(tmp_path)
    (tmp_path / "moved.csv").write_text("customer,mail,tier\na,new@example.org,old\n")
    ingest.ingest_files(workbook, "customers", [tmp_path / "moved.csv"])
    models.refresh(workbook, "derived", "profile")
    customer = workbook.query("profile.customer", customer_id="a").iloc[0]
    assert (customer.email, customer.tier) == ("new@example.org", "old")
    known = workbook.query("profile.identity", order_by="identity", customer_id="a", namespace="Email")
    assert list(known["identity"]) == ["ann@example.org", "new@example.org"]  # both lead to her


def test_shared_address_is_counted_and_merges_nobody(outputs: Path, tmp_path: Path) -> None:
    workbook = shop_with_customers(tmp_path)
    shared = workbook.query("profile.identity", namespace="Email", identity="ann@example.org")
    assert sorted(shared["customer_id"]) == ["a", "b"]
    names = workbook.query("profile.namespace").set_index("namespace")
    assert tuple(names.loc["Email", ["identities", "shared_identities", "sharing_customers"]]) == (2, 1, 2)
    assert tuple(names.loc["CustomerId", ["identities", "shared_identities", "sharing_customers"]]) == (5, 0, 0)


def test_graph_of_the_airline(airline: Workbook) -> None:
    with airline.engine.read() as session:
        customers = session.frame("SELECT customer_id, LOWER(TRIM(email)) AS email FROM lake.customers")
    graph = airline.query("profile.identity")
    found = graph[graph["namespace"] == "Email"][["identity", "customer_id"]]
    expected = customers[["email", "customer_id"]].dropna().drop_duplicates()
    assert sorted(map(tuple, found.to_numpy())) == sorted(map(tuple, expected.to_numpy()))
    primary = graph[graph["is_primary"]]
    assert (primary["identity"] == primary["customer_id"]).all()
    assert sorted(primary["customer_id"]) == sorted(airline.query("profile.customer")["customer_id"])
