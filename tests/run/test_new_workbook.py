"""`clv new` guesses a params file from the headers and first rows of a file, and says what it cannot guess."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from clv_helpers import ingest
from clv_helpers.cli import app
from clv_helpers.config.workbook import Workbook
from clv_helpers.run.new_workbook import NewWorkbookError, create

GERMAN = """Kundennummer;Customer Number;Order Date;Sum EUR;Branch Region
1;C1;31.01.2024;1.012,50;Nord
2;C2;28.02.2024;7,25;Süd
3;C1;05.03.2024;3,00;Nord
"""
RETAIL = """InvoiceNo,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,a cup,2,12/31/2010 8:26,2.55,17850,France
1,a jug,6,12/31/2010 8:26,3.39,17850,France
2,a cup,1,1/4/2011 10:00,2.55,13047,Norway
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the command is called; outputs lie beside the params file."""
    monkeypatch.delenv("CLV_OUTPUTS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(here: Path, text: str, encoding: str = "utf-8") -> Workbook:
    (here / "orders.csv").write_text(text, encoding=encoding)
    file, _ = create("my_shop", Path("orders.csv"))
    return Workbook.open(file)


def headers(workbook: Workbook) -> dict[str, str]:
    return {name: column.header for name, column in workbook.params.contract("purchases").items()}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_a_file_of_another_country_comes_in(here: Path, encoding: str) -> None:
    shop = made(here, GERMAN.replace("Kundennummer", "Row"), encoding)
    assert headers(shop) == {
        "customer_id": "Customer Number", "occurred_at": "Order Date", "amount": "Sum EUR",
        "branch_region": "Branch Region",
    }  # fmt: skip
    assert (shop.params.value.unit, shop.params.category) == ("EUR", "branch_region")
    assert ingest.source_problems(shop) == []
    ingest.ingest_files(shop)
    with shop.engine.write() as session:
        assert session.scalar("SELECT SUM(amount) AS total FROM lake.purchases") == 1_022_75 / 100
    assert {path.name for path in here.iterdir()} == {"orders.csv", "my_shop.yml", "outputs"}


def test_lines_of_orders_have_no_event_id(here: Path) -> None:
    shop = made(here, RETAIL)
    assert headers(shop) == {
        "customer_id": "CustomerID", "occurred_at": "InvoiceDate", "amount": "UnitPrice", "country": "Country",
    }  # fmt: skip
    assert shop.params.sources["purchases"].csv.dates == ["%m/%d/%Y %H:%M"]


def test_order_numbers_that_differ_are_the_event_id(here: Path) -> None:
    assert (
        headers(made(here, "OrderID,client,date,total\n1,a,2024-01-01,5\n2,a,2024-01-02,5\n"))["event_id"] == "OrderID"
    )


def test_dates_of_two_readings_are_named(here: Path) -> None:
    (here / "o.csv").write_text("member,day,spent\na,01/02/2024,5\nb,03/04/2024,6\n")
    _, guesses = create("my_shop", Path("o.csv"))
    assert "dates are read as %m/%d/%Y; they may be %d/%m/%Y" in guesses


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv.gz"])
def test_other_kinds_of_files(here: Path, kind: str) -> None:
    file = here / f"orders.{kind}"
    if kind == "parquet":
        duckdb.sql("SELECT 'a' AS guest, DATE '2024-01-31' AS visited_day, 12.5 AS total").write_parquet(str(file))
    elif kind == "jsonl":
        file.write_text('{"guest": "a", "visited_day": "2024-01-31", "total": 12.5}\n')
    else:
        file.write_bytes(gzip.compress(b"guest,visited_day,total\na,2024-01-31,12.5\n"))
    create("my_shop", file)
    assert headers(Workbook.open("my_shop.yml")) == {
        "customer_id": "guest", "occurred_at": "visited_day", "amount": "total",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "a,b,c\n1,2,3\n",
            "orders.csv: no column is recognised as the customer (its columns: a, b, c); allowed: headers",
        ),
        ("customer,b,c\n1,2,3\n", "no column is recognised as the date"),
        ("customer,day,total\n1,2024-01-31,$3\n", "no column is recognised as the amount"),
        ("customer,day,total\n", "no column is recognised as the date"),
        ("", "orders.csv is empty"),
        ("a,a\n", "orders.csv has the header 'a' twice"),
    ],
)
def test_what_cannot_be_guessed_is_one_sentence(here: Path, text: str, sentence: str) -> None:
    with pytest.raises(NewWorkbookError) as error:
        made(here, text)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    assert not (here / "my_shop.yml").exists()


def test_what_is_there_is_not_overwritten(here: Path) -> None:
    (here / "my_shop.yml").write_text("mine")
    with pytest.raises(NewWorkbookError, match="my_shop.yml is there already, and stays as it is"):
        create("my_shop")
    assert (here / "my_shop.yml").read_text() == "mine"


@pytest.mark.parametrize("name", ["a b", ".hidden", "ä?"])
def test_a_name_that_no_workbook_has(here: Path, name: str) -> None:
    with pytest.raises(NewWorkbookError, match="allowed: letters, digits, _ and -"):
        create(name)


def test_the_command_says_what_to_do_next(here: Path) -> None:
    plain = CliRunner().invoke(app, ["new", "my_shop"])
    assert (plain.exit_code, plain.output.splitlines()[-1]) == (
        0, "read it, mend what is wrong, then: clv run my_shop.yml",
    )  # fmt: skip
    assert headers(Workbook.open("my_shop.yml"))["amount"] == "amount"
    (here / "o.csv").write_text("member,day,spent\na,2024-02-01,5\n")
    done = CliRunner().invoke(app, ["new", "other", "--from", "o.csv", "--json"])
    assert json.loads(done.output)["params"] == "other.yml"
    assert "customer_id is read from 'member'" in json.loads(done.output)["guesses"]
