"""The contract, written out: what the ingestion accepts, JSON Schema accepts too, and the other way round."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from clv_helpers import adobe
from clv_helpers.config.workbook import ROOT, Workbook
from conftest import SMALL, write_shop

GOOD = {"customer_id": "a", "occurred_at": "2024-01-03T00:00:00Z", "amount": 10.5}


def validator(workbook: Workbook, dataset: str) -> jsonschema.Validator:
    schema = adobe.json_schema(workbook, dataset)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"amount": None}, True),
        ({"category": "GOLD"}, True),
        ({"customer_id": None}, False),
        ({"amount": "ten"}, False),
        ({"occurred_at": "2024-01-03"}, True),
        ({"occurred_at": "2024-01-03 10:00:00.5+01:00"}, True),
        ({"occurred_at": "January"}, False),
        ({"category": "BRONZE"}, False),
    ],
)
def test_json_schema(tmp_path: Path, change: dict, valid: bool) -> None:
    tier = {"sources.purchases.columns.category": {"from": "tier", "enum": ["GOLD", "SILVER"]}}
    workbook = Workbook.open(write_shop(tmp_path), overrides=tier)
    assert validator(workbook, "purchases").is_valid({**GOOD, **change}) == valid


def test_rows_of_the_lake_fit_their_schema(airline: Workbook) -> None:
    for dataset in airline.params.sources:
        check = validator(airline, dataset)
        with airline.engine.write() as session:
            rows = session.rows(f"SELECT * FROM lake.{dataset} LIMIT 200")
        for row in rows:
            check.validate({name: in_json(value) for name, value in row.items()})


def in_json(value: object) -> object:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def test_xdm_documents(tmp_path: Path) -> None:
    changes = {
        **SMALL,
        "sources.customers.columns": {"customer_id": "id", "email": {"from": "mail", "identity": "Email"},
                                      "channel": {"from": "channel", "type": "text"}},
    }  # fmt: skip
    workbook = Workbook.open(ROOT / "params" / "airline.yml", overrides=changes)
    profile = adobe.xdm_schema(workbook, "customers")
    assert profile["schema"]["meta:class"].endswith("/context/profile")
    assert profile["schema"]["meta:immutableTags"] == ["union"]
    assert profile["schema"]["allOf"][1] == {"$ref": profile["fieldGroup"]["$id"]}
    primary, further = profile["descriptors"]
    assert (primary["xdm:sourceProperty"], primary["xdm:namespace"]) == ("/_airline/customer_id", "LoyaltyNumber")
    assert primary["xdm:isPrimary"]
    assert not further["xdm:isPrimary"]
    assert further["xdm:namespace"] == "Email"
    events = adobe.xdm_schema(workbook, "purchases")
    assert events["schema"]["meta:class"].endswith("/context/experienceevent")
    fields = events["fieldGroup"]["definitions"]["fields"]["properties"]["_airline"]
    assert fields["required"] == ["customer_id", "occurred_at"]
    assert fields["properties"]["occurred_at"] == {"type": "string", "format": "date-time"}


def test_not_enabled_for_the_profile(tmp_path: Path) -> None:
    customers = {"path": "purchases.csv", "columns": {"customer_id": "customer"}, "profile_enabled": False}
    workbook = Workbook.open(write_shop(tmp_path), overrides={"sources.customers": customers})
    assert adobe.xdm_schema(workbook, "purchases")["schema"]["meta:immutableTags"] == ["union"]
    assert adobe.xdm_schema(workbook, "customers")["schema"]["meta:immutableTags"] == []


def test_files(outputs: Path, tmp_path: Path) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    files = adobe.write_schemas(workbook)
    assert [file.name for file in files] == ["purchases.schema.json", "purchases.xdm.json"]
    assert json.loads(files[0].read_text()) == adobe.json_schema(workbook, "purchases")
