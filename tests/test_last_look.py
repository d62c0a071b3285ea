"""The last look finds a customer of the workbook in whatever form, and nobody where there is nobody."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import urllib.parse
from pathlib import Path

import pytest

from clv_helpers import ingest
from clv_helpers.charts import show
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.report.last_look import WITHHELD, LastLook
from conftest import write_shop

NUMBER, MAIL, FIRST, LAST, PHONE = "K-0012345", "zoë.van-dyk@mail.example.com", "Zoë", "van Dyk", "+49 170 0012345"
CUSTOMERS = f"""customer,mail,first,last,phone,town
{NUMBER},{MAIL},{FIRST},{LAST},{PHONE},Bonn
13085,a.may@example.com,April,May,+49 171 7654321,Bonn
7,m.gold@example.com,Mark,Gold,+49 171 0000007,Köln
"""
SOURCES = """  customers:
    path: customers.csv
    columns:
      {customer_id: customer, email: mail, first_name: first, last_name: last,
       phone: {from: phone, type: text}, town: {from: town, type: text}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    """A shop of three customers, ingested."""
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(folder / "outputs"))
        days = f"customer,day,spent\n{NUMBER},2024-01-03,10.50\n13085,2024-01-03,20.00\n7,2024-02-10,5.25\n"
        params = write_shop(folder, days, SOURCES)
        (folder / "customers.csv").write_text(CUSTOMERS, encoding="utf-8")
        workbook = Workbook.open(params)
        ingest.ingest_files(workbook)
        yield workbook


@pytest.fixture(scope="module")
def look(shop: Workbook) -> LastLook:
    return LastLook(shop)


def found_in(look: LastLook, texts: dict) -> set:
    """Those of the texts, by their keys, in which a customer is found: each in a page of its own."""
    places = [look.shown() for _ in texts]
    for place, text in zip(places, texts.values(), strict=True):
        place.html(f"<p>The {text} is the best</p>")
    return {list(texts)[position] for position, _ in look.find(*places)}


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WRITTEN = {
    "as it is": str,
    "in capitals": str.upper,
    "entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "entities twice": lambda text: html.escape("".join(f"&#x{ord(c):x};" for c in text)),
    "JSON escapes": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "an address of a page": lambda text: "https://x.test/?c=" + urllib.parse.quote(text, safe=""),
    "twice in an address": lambda text: urllib.parse.quote(urllib.parse.quote(text, safe=""), safe=""),
    "base64": in_base64,
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 twice": lambda text: in_base64(in_base64(text)),
    "base64 within a text": lambda text: in_base64(f"the customer {text} is here"),
    "hexadecimal": lambda text: text.encode().hex(),
    "md5": lambda text: hashlib.md5(text.encode()).hexdigest(),
    "sha1 in capitals": lambda text: hashlib.sha1(text.encode()).hexdigest().upper(),
    "sha256 of small letters": lambda text: hashlib.sha256(text.lower().encode()).hexdigest(),
    "sha256 in base64": lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode(),
}


def test_an_identity_is_found_however_it_is_written(look: LastLook) -> None:
    tried = {(value, name): write(value) for value in (NUMBER, MAIL, PHONE, "13085") for name, write in WRITTEN.items()}
    assert set(tried) - found_in(look, tried) == set()


def test_other_punctuation_and_order_is_found(look: LastLook) -> None:
    forms = [
        "K0012345", "k 0012345", "49-170-0012345", "+49 170/0012345", "zoë.van-dyk at mail.example.com",
        "zoë.van-dyk (at) mail (dot) example (dot) com", "zoë.van-dyk@mail.example",
        "mailto:zoë.van-dyk@mail.example.com?subject=x", "zoe\u0308.van-dyk@mail.example.com",
        "zoë.\u200bvan-dyk@mail.example.com", "Zoë van Dyk", "VAN DYK, Zoë", "van Dyk</td><td>Zoë",
        "best</p><p>zoë van dyk</p><p>one",
    ]  # fmt: skip
    assert set(forms) - found_in(look, {form: form for form in forms}) == set()


def test_counts_words_and_strangers_are_let_through(look: LastLook) -> None:
    forms = [
        "13,085", "13085.5", "0.13085", "#13085a", "130851", "2013-08-05", "7 of 7", "K-00123456", "K-1234",
        "eve@example.com", "mail.example.com", "Gold", "in april may", "Zoë", "Mark and Silver", "Bonn",
        "1704067200000", hashlib.md5(b"nobody").hexdigest(),
    ]  # fmt: skip
    assert found_in(look, {form: form for form in forms}) == set()


DATA = {
    "a number as a text": [{"who": "13085"}],
    "a number under its name": [{"customer_id": 13085.0, "value": 1}],
    "a short number under its header": [{"customer": 7}],
    "a last name under its header": [{"last": "Gold"}],
    "two names apart in a row": [{"a": "Gold", "value": 3, "b": "x", "c": "Mark"}],
    "a key": {"K-0012345": 1},
    "a table of a notebook": {"names": ["last"], "headers": ["Name"], "rows": [["Gold"]], "formats": [""]},
    "HTML in data": {"html": "<table><tr><th>customer</th></tr><tr><td>7</td></tr></table>"},
}


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_data_is_searched_by_its_columns(look: LastLook, data: object) -> None:
    in_page = look.shown()
    in_page.html(
        f'<script type="application/json" class="spec">{json.dumps(data).replace("<", chr(92) + "u003c")}</script>'
    )
    as_data = look.shown()
    as_data.json(data)
    assert [position for position, _ in look.find(in_page, look.shown("fine"), as_data)] == [0, 2]


@pytest.mark.parametrize(
    ("classes", "header", "found"),
    [
        ("dataframe clv-table n2", "ranked", False),
        ("dataframe clv-table n1", "ranked", True),
        ("dataframe clv-table n2", "customer_id", True),
        ("dataframe", "ranked", False),
        ("dataframe", "customer_id", True),
    ],
)
def test_a_column_of_numbers_holds_counts(look: LastLook, classes: str, header: str, found: bool) -> None:
    shown = look.shown()
    cells = "<tr><td>lifetime</td><td>13085</td></tr>"
    shown.html(f'<table class="{classes}"><tr><th>look-back</th><th>{header}</th></tr>{cells}</table>')
    assert bool(look.find(shown)) is found


def test_a_table_says_which_of_its_columns_hold_numbers(look: LastLook) -> None:
    rows = [{"lookback": "lifetime", "ranked": 13085, "card": "13085"}]
    shown = look.shown()
    shown.html(show.table(rows, lookback="Look-back", ranked="Ranked|.0f", people=None).bundle["text/html"])
    assert look.find(shown) == []
    shown.html(show.table(rows, lookback="Look-back", card="Card|>", people=None).bundle["text/html"])
    assert look.find(shown) != []


def test_numbers_of_data_are_counts(look: LastLook) -> None:
    shown = look.shown()
    shown.json([{"customers": 13085, "decile": 7, "label": "13,085", "month": 1704067200000}])
    assert look.find(shown) == []


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<svg aria-label="Zoë van Dyk: 3"></svg>', True),
        ('<svg><path aria-label="Customers: 13085; Decile: 7"/><text>13085</text></svg>', False),
        ('<svg><path aria-label="Spend: 3; customer: 7"/></svg>', True),
        ('<option value="a.may@example.com">', True),
        ("<option>13085</option>", True),
        ("<!-- K-0012345 -->", True),
        ('<path d="M13085,7L13085 13085" transform="translate(13085)"/>', False),
    ],
)
def test_attributes_are_searched_but_for_drawing(look: LastLook, html: str, found: bool) -> None:
    shown = look.shown()
    shown.html(html)
    assert bool(look.find(shown)) is found


def test_messages_are_told_without_the_customer(look: LastLook) -> None:
    said = look.hidden(f"Could not convert string '{MAIL}' to INT32 (row 13,085; {NUMBER}, Zoë Van Dyk)")
    assert said == "Could not convert string '…' to INT32 (row 13,085; …, …)"
    assert look.hidden(f"{in_base64(MAIL)} is no number") == WITHHELD
    assert look.hidden(f"digest {hashlib.md5(MAIL.encode()).hexdigest()}") == "digest …"
    assert look.hidden("there is no customer 13085", asked="clv person shop.yml 13085") == "there is no customer 13085"
    data = {"title": f"For {NUMBER}", "stages": [{"message": "fine", "seconds": 1.5}]}
    assert look.hidden_in(data) == {"title": "For …", "stages": [{"message": "fine", "seconds": 1.5}]}


def test_before_anything_is_in_there_is_nobody(outputs: Path) -> None:
    look = LastLook(Workbook.open(ROOT / "params" / "airline.yml"))
    assert look.hidden(NUMBER) == NUMBER
    assert not outputs.exists()
