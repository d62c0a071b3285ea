"""Recipes give the keys of a source: over them go those of the params, and a file's headers tell which recipe it is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from clv_helpers.config.params import Params, load_params
from clv_helpers.config.recipes import names, recipe, recognised
from clv_helpers.config.validation import ParamsError

EXPORTS = Path(__file__).parent / "exports"
NAMES = names()
OTHER_HEADERS = [
    "customer,day,spent",
    "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
    "order_id,customer_id,order_date,amount,currency,email",
    "event,email,timestamp,campaign,url",
    "Date,Amount,Description,Balance",
]


def headers_of(file: Path) -> list[str]:
    if file.suffix == ".csv":
        with file.open(encoding="utf-8", newline="") as opened:
            return next(csv.reader(opened))
    text = file.read_text("utf-8")
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return list(dict.fromkeys(header for row in rows for key, value in row.items() for header in paths(key, value)))


def paths(key: str, value: object) -> list[str]:
    """A key of a JSON row, and those within it."""
    below = [path for name, inner in value.items() for path in paths(name, inner)] if isinstance(value, dict) else []
    return [key, *(f"{key}.{path}" for path in below)]


def params(folder: Path, sources: str) -> Params:
    file = folder / "shop.yml"
    file.write_text(f"title: A shop\nsources:\n{sources}", encoding="utf-8")
    return load_params(file)


def test_each_recipe_has_an_export_to_try_it_on() -> None:
    assert {file.stem for file in EXPORTS.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_a_source_by_itself(name: str, tmp_path: Path) -> None:
    known = recipe(name)
    namespace = known.source.get("namespace", "CustomerId")
    sources = f"  purchases: {{path: p.csv, namespace: {namespace}}}\n" if known.dataset != "purchases" else ""
    read = params(tmp_path, sources + f"  {known.dataset}: {{path: x.csv, preset: {name}}}\n")
    source = read.sources[known.dataset]
    assert source.columns and set(source.columns) == set(known.source["columns"])


@pytest.mark.parametrize("name", NAMES)
def test_an_export_is_told_by_its_headers_and_has_those_of_the_recipe(name: str) -> None:
    found = recognised(headers_of(next(EXPORTS.glob(f"{name}.*"))))
    assert found is not None
    assert found[0] == name
    lacking = set(recipe(name).headers) - set(headers_of(next(EXPORTS.glob(f"{name}.*"))))
    assert lacking <= {"marketing_campaign_name"}


@pytest.mark.parametrize("line", OTHER_HEADERS)
def test_other_files_are_no_known_export(line: str) -> None:
    assert recognised(line.split(",")) is None


def test_own_keys_go_over_those_of_the_recipe(tmp_path: Path) -> None:
    source = params(
        tmp_path,
        "  purchases:\n    preset: shopify_orders\n    path: x.csv\n    namespace: Shopper\n    guests: reject\n"
        "    columns: {amount: Subtotal, refunded: null, channel: {from: Source, type: text}}\n"
        "    statuses: {left_out: [voided]}\n",
    ).sources["purchases"]
    columns = {name: column.headers for name, column in (source.columns or {}).items()}
    assert (columns["amount"], columns["channel"], columns["order_id"]) == (["Subtotal"], ["Source"], ["Name"])
    assert "refunded" not in columns
    assert (source.namespace, source.guests, source.preset) == ("Shopper", "reject", "shopify_orders")
    assert (source.statuses.refunded, source.statuses.left_out) == (["refunded"], ["voided"])


@pytest.mark.parametrize(
    ("dataset", "preset", "says"),
    [
        ("purchases", "shopify_order", "sources.purchases.preset is 'shopify_order'; did you mean shopify_orders?"),
        ("purchases", "sendgrid_events", "sources.purchases.preset is 'sendgrid_events'; allowed: bank_list,"),
        ("purchases", "7", "sources.purchases.preset is 7; allowed: bank_list,"),
        ("assignments", "x", "sources.assignments.preset is 'x'; allowed: none, as there is no recipe for assignments"),
    ],
)
def test_a_recipe_that_is_not_there_is_named(dataset: str, preset: str, says: str, tmp_path: Path) -> None:
    other = "" if dataset == "purchases" else "  purchases: {path: p.csv}\n"
    with pytest.raises(ParamsError) as error:
        params(tmp_path, other + f"  {dataset}: {{path: x.csv, preset: {preset}}}\n")
    assert says in str(error.value)


def test_a_wrong_key_beside_a_preset_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"sources\.purchases\.colums is not a key; did you mean columns\?"):
        params(tmp_path, "  purchases: {preset: shopify_orders, path: x.csv, colums: {}}\n")
