"""`clv new` makes a workbook of a file, a folder or a pattern: what it writes comes in, and sums up as it said."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from typer.testing import CliRunner

from clv_helpers import ingest
from clv_helpers.cli import app
from clv_helpers.config.workbook import Workbook
from clv_helpers.run import new
from clv_helpers.run.new import NewWorkbookError

GERMAN = """Zeile;Kundennummer;Bestelldatum;Summe EUR;Filiale
1;C1;31.01.2024;1.012,50;Nord
2;C2;28.02.2024;7,25;Süd
3;C1;05.03.2024;3,00;Nord
"""
VISITS = "guest,visited_day,total\na,2024-01-31,12.5\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the command is called; outputs lie beside the params file."""
    monkeypatch.delenv("CLV_OUTPUTS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def created(source: str, name: str = "my_shop") -> tuple[Workbook, new.Sums]:
    """The workbook that is made without questions, and what was said that it sums up to."""
    file = new.file_of(name)
    with new.reading(file, Path(source)) as draft:
        made = new.answered(draft, new.questions(draft), {})
        counted = new.sums(made, file)
        new.write(made, file)
    return Workbook.open(file), counted


def headers(workbook: Workbook) -> dict[str, str]:
    return {name: column.header for name, column in workbook.params.contract("purchases").items()}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
def test_a_file_of_another_country_comes_in(here: Path, encoding: str) -> None:
    (here / "orders.csv").write_text(GERMAN, encoding=encoding)
    shop, counted = created("orders.csv")
    assert headers(shop) == {
        "customer_id": "Kundennummer", "occurred_at": "Bestelldatum", "amount": "Summe EUR", "filiale": "Filiale",
    }  # fmt: skip
    assert (shop.params.value.unit, shop.params.category) == ("EUR", "filiale")
    assert ingest.source_problems(shop) == []
    assert {path.name for path in here.iterdir()} == {"orders.csv", "my_shop.yml"}
    ingest.ingest_files(shop)
    with shop.engine.write() as session:
        assert session.scalar("SELECT SUM(amount) AS total FROM lake.purchases") == counted.amount == 1_022_75 / 100


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv.gz"])
def test_other_kinds_of_files(here: Path, kind: str) -> None:
    file = here / f"orders.{kind}"
    if kind == "parquet":
        duckdb.sql("SELECT 'a' AS guest, DATE '2024-01-31' AS visited_day, 12.5 AS total").write_parquet(str(file))
    elif kind == "jsonl":
        file.write_text('{"guest": "a", "visited_day": "2024-01-31", "total": 12.5}\n')
    else:
        file.write_bytes(gzip.compress(VISITS.encode()))
    shop, counted = created(file.name)
    assert headers(shop) == {"customer_id": "guest", "occurred_at": "visited_day", "amount": "total"}
    assert (counted.rows, counted.customers, counted.amount) == (1, 1, 12.5)


def test_files_whose_headers_differ_are_one_source(here: Path) -> None:
    (here / "orders").mkdir()
    (here / "orders" / "a.csv").write_text("Customer ID,Date,Total\na,2024-01-31,5\n")
    (here / "orders" / "b.csv").write_text("CustomerID,Date,Total\na,2024-02-28,7\nb,2024-02-28,1\n")
    shop, counted = created("orders")
    assert shop.params.sources["purchases"].columns["customer_id"].headers == ["Customer ID", "CustomerID"]
    assert (counted.rows, counted.customers, counted.amount) == (3, 2, 13)


def test_a_folder_of_several_kinds_becomes_several_sources(here: Path) -> None:
    (here / "data").mkdir()
    (here / "data" / "orders_1.csv").write_text("customer id,date,total\na,2024-01-31,5\nb,2024-01-31,5\n")
    (here / "data" / "orders_2.csv").write_text("customer id,date,total\na,2024-02-28,7\n")
    (here / "data" / "people.csv").write_text("customer id,first name,email\na,Ann,a@example.org\nb,Bo,b@example.org\n")
    shop, counted = created("data")
    assert {name: source.path for name, source in shop.params.sources.items()} == {
        "purchases": "data/orders_*", "customers": "data/people.csv",
    }  # fmt: skip
    assert (counted.rows, counted.amount) == (3, 17)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "a,b,c\n1,2,3\n",
            "orders.csv: no column is recognised as the customer (its columns: a, b, c); allowed: headers",
        ),
        ("customer,b,c\n1,2,3\n", "no column is recognised as the date"),
        ("customer,day,total\n1,2024-01-31,much\n", "no column is recognised as the amount"),
        ("customer,day,total\n", "orders.csv has no rows"),
        ("customer id,first name\n1,Ann\n", "orders.csv holds customers, and no purchases"),
        ("", "orders.csv is empty"),
    ],
)
def test_what_cannot_be_guessed_is_one_sentence(here: Path, text: str, sentence: str) -> None:
    (here / "orders.csv").write_text(text)
    with pytest.raises(NewWorkbookError) as error:
        created("orders.csv")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    assert not (here / "my_shop.yml").exists()


def test_what_is_there_is_not_overwritten(here: Path) -> None:
    (here / "my_shop.yml").write_text("mine")
    with pytest.raises(NewWorkbookError, match="my_shop.yml is there already, and stays as it is"):
        new.file_of("my_shop")
    assert (here / "my_shop.yml").read_text() == "mine"


@pytest.mark.parametrize("name", ["a b", ".hidden", "ä?"])
def test_a_name_that_no_workbook_has(here: Path, name: str) -> None:
    with pytest.raises(NewWorkbookError, match="allowed: letters, digits, _ and -"):
        new.file_of(name)


def test_without_a_file_there_are_params_to_fill_in(here: Path) -> None:
    done = CliRunner().invoke(app, ["new", "my_shop"])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "fill it in, then: clv run my_shop.yml")
    assert headers(Workbook.open("my_shop.yml"))["amount"] == "amount"


def test_machines_get_one_object(here: Path) -> None:
    (here / "o.csv").write_text("member,day,spent\na,2024-02-01,5\na,2024-02-03,6.50\n")
    done = CliRunner().invoke(app, ["new", "other", "--from", "o.csv", "--json", "--no-run"])
    said = json.loads(done.stdout)
    assert said["params"] == "other.yml"
    assert said["reading"]["purchases"]["columns"][0] == {"header": "member", "column": "customer_id", "values": ["a"]}
    assert (said["sums"]["amount"], said["sums"]["first_on"]) == ("11.5000", "2024-02-01")
    assert [(each["key"], each["default"]) for each in said["questions"]] == [("currency", "USD")]


def test_a_person_is_asked_and_answers(here: Path) -> None:
    """Before a terminal, a real one: the reading, the sums, the question, the answer in the file."""
    (here / "o.csv").write_text("member,day,spent\na,2024-02-01,5\na,2024-02-03,6.50\n")
    ours, theirs = os.openpty()
    command = [Path(sys.executable).with_name("clv"), "new", "shop", "--from", "o.csv", "--no-run"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, text=True) as process:
        os.write(ours, b"3\n")
        said = process.communicate(timeout=60)[0]
    os.close(ours)
    os.close(theirs)
    assert "  member  customer_id  a" in said
    assert "2 purchases, 1 members, 11.50 USD, 1 Feb 2024 – 3 Feb 2024" in said
    assert "In which currency are the amounts?" in said
    assert Workbook.open("shop.yml").params.value.unit == "GBP"


def test_whoever_breaks_off_leaves_nothing(here: Path) -> None:
    (here / "o.csv").write_text("member,day,spent\na,2024-02-01,5\n")
    ours, theirs = os.openpty()
    command = [Path(sys.executable).with_name("clv"), "new", "shop", "--from", "o.csv"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        os.write(ours, b"\x04")  # the end of what is typed
        process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode != 0
    assert [path.name for path in here.iterdir()] == ["o.csv"]


@pytest.mark.slow
def test_from_a_real_file_to_a_report(here: Path, cdnow_folder: Path) -> None:
    file = cdnow_folder / "cdnow_master.csv"
    done = CliRunner().invoke(app, ["new", "cdnow", "--from", str(file), "--yes", "--json"])
    said = json.loads(done.stdout)
    assert (said["sums"]["amount"], said["sums"]["customers"]) == ("2500315.6300", 23_570)
    assert Path(said["report"]).is_file()


@pytest.mark.parametrize(
    ("file", "amount"), [("shopify_orders.csv", None), ("square_items.csv", 33), ("woocommerce_orders.json", 240.60)]
)
def test_the_export_of_a_known_system_is_read_by_its_recipe(here: Path, file: str, amount: float | None) -> None:
    export = Path(__file__).parents[1] / "recipes" / "exports" / file
    shop, counted = created(str(export))
    assert shop.params.sources["purchases"].preset == export.stem
    assert counted.rejected == []
    assert amount in (None, float(counted.amount))
    assert counted.read == counted.rows + sum(each.rows for each in counted.left_out)


def retail_lines() -> pd.DataFrame:
    """Order lines as a shop's till writes them: cancellations of their own, guests, ids as floating numbers."""
    rng = random.Random(7)
    rows = []
    for n in range(400):
        at, customer = dt.datetime(2023, 1, 2, 9) + dt.timedelta(hours=7 * n), rng.choice([None, *range(12346, 12400)])
        for _ in range(rng.randint(1, 5)):
            good, sign = rng.randrange(30), -1 if n % 40 == 3 else 1
            rows.append((
                f"{'C' if sign < 0 else ''}{489000 + n}", str(20000 + good), f"CUP {good}", sign * rng.randint(1, 12),
                at.isoformat(" "), 0.85 + good / 10, customer, "France" if n % 9 == 0 else "United Kingdom",
            ))  # fmt: skip
    names = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
    return pd.DataFrame(rows, columns=names)


def test_the_sums_of_order_lines_are_those_of_pandas_to_the_cent(here: Path) -> None:
    lines = retail_lines()
    lines.to_parquet("lines.parquet")
    _, counted = created("lines.parquet")
    amounts, known = lines["Quantity"] * lines["Price"], lines["Customer ID"].notna()
    assert (counted.read, counted.orders_in_file) == (len(lines), lines["Invoice"].nunique())
    assert float(counted.in_file) == pytest.approx(amounts.sum(), abs=0.005)
    assert float(counted.amount) == pytest.approx(amounts[known].sum(), abs=0.005)
    assert float(counted.refunds) == pytest.approx(-amounts[known & (amounts < 0)].sum(), abs=0.005)
    assert (counted.orders, counted.customers) == (
        lines["Invoice"][known].nunique(), lines["Customer ID"].nunique(),
    )  # fmt: skip
    assert [(each.reason, each.rows) for each in counted.left_out] == [
        ("guests, without a customer id", int((~known).sum()))
    ]
    assert (
        f"left out: guests, without a customer id, {(~known).sum():,} rows, {amounts[~known].sum():,.2f} GBP"
        in counted.sentences()
    )


def test_two_years_with_other_headers_are_one_source(here: Path) -> None:
    lines = retail_lines()
    (here / "years").mkdir()
    first, second = lines[lines["InvoiceDate"] < "2023-03"], lines[lines["InvoiceDate"] >= "2023-03"]
    first.to_csv("years/2023_1.csv", index=False)
    second = second.rename(columns={"Invoice": "InvoiceNo", "Price": "UnitPrice", "Customer ID": "CustomerID"})
    second.to_csv("years/2023_2.csv", index=False)
    _, counted = created("years")
    assert (counted.read, counted.orders_in_file) == (len(lines), lines["Invoice"].nunique())
    assert float(counted.in_file) == pytest.approx((lines["Quantity"] * lines["Price"]).sum(), abs=0.005)


def test_sheets_that_are_not_read_are_told(here: Path) -> None:
    with pd.ExcelWriter(here / "orders.xlsx") as book:
        for sheet in ("2023", "2024"):
            pd.DataFrame({"guest": ["a"], "visited day": ["2024-01-31"], "total": [12.5]}).to_excel(
                book, sheet_name=sheet, index=False
            )
    done = CliRunner().invoke(app, ["new", "shop", "--from", "orders.xlsx", "--yes", "--no-run"])
    assert done.exit_code == 0, done.output
    assert "orders.xlsx: of its sheets '2023' alone is read, and not '2024'" in done.output


def test_visits_and_products_beside_the_orders_become_sources(here: Path) -> None:
    folder = here / "data"
    folder.mkdir()
    (folder / "orders.csv").write_text("customer,day,sku,spent\na,2024-01-03,S1,10\nb,2024-01-04,S2,20\n")
    (folder / "visits.csv").write_text(
        "visit_id,customer,at,page,seconds\n1,a,02.01.2024 10:00,home,5\n2,b,31.01.2024 10:01,cart,7\n"
    )
    (folder / "products.csv").write_text("sku,Brand,Code\nS1,Acme,007\nS2,Bolt,12\n")
    (folder / "strange.csv").write_text("x,y\n1,2\n")
    file = new.file_of("my_shop")
    with new.reading(file, folder) as draft:
        assert [note for note in draft.notes if note.startswith("strange.csv is left: ")]
    shop, counted = created("data")
    assert counted.orders == 2
    assert shop.params.lookups == {"products": "product_id"}
    assert shop.params.event_datasets[-1] == "visits"
    visits, products = shop.params.contract("visits"), shop.params.contract("products")
    assert {name: each.type for name, each in visits.items()} == {
        "event_id": "text", "customer_id": "text", "occurred_at": "timestamp", "page": "text", "seconds": "number",
    }  # fmt: skip
    assert {name: each.type for name, each in products.items()} == {
        "product_id": "text",
        "brand": "text",
        "code": "text",
    }
    batches = {batch.dataset: batch.rows_accepted for batch in ingest.ingest_files(shop)}
    assert batches == {"purchases": 2, "products": 2, "visits": 2}


def test_a_product_that_comes_twice_makes_no_lookup(here: Path) -> None:
    folder = here / "data"
    folder.mkdir()
    (folder / "orders.csv").write_text("customer,day,sku,spent\na,2024-01-03,S1,10\nb,2024-01-04,S2,20\n")
    (folder / "stock.csv").write_text("sku,Shelf\nS1,A\nS1,B\n")
    shop, _ = created("data")
    assert list(shop.params.sources) == ["purchases"]
    assert shop.params.sources["purchases"].path == "data/orders.csv"
