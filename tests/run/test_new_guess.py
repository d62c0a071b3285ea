"""What stands in an export is recognised from its headers and its values, whatever the system and the language."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from exports import EXPORTS, Export

from clv_helpers.run import new
from clv_helpers.run.new import guess
from clv_helpers.run.new.guess import Reading
from clv_helpers.run.new.sample import read


def reading_of(export: Export, folder: Path) -> Reading:
    (folder / "export.csv").write_text(export.text(), encoding="utf-8")
    with read(folder / "export.csv") as [sample]:
        return guess.read(sample)


@pytest.mark.parametrize("export", EXPORTS, ids=[export.name for export in EXPORTS])
def test_an_export_is_recognised(export: Export, tmp_path: Path) -> None:
    reading, expected = reading_of(export, tmp_path), export.expected
    assert reading.dataset == export.kind
    roles = export.roles() | {role: header for role, header in expected.items() if role != "amount"}
    assert {role: reading.headers.get(role) for role in roles} == roles
    assert (reading.dates.formats or ("ISO",))[0] == export.dates
    assert reading.amount_sql.replace('"', "") == expected.get("amount", "")
    if export.kind == "purchases":
        assert (reading.decimal, reading.lines) == (export.decimal, export.lines and "order_id" in roles)
        assert export.unit in ("", reading.unit)


@dataclass
class Made:
    """A draft, with what was in doubt, by the question's key; each answered with its default."""

    draft: new.Draft
    asked: dict[str, new.Question]

    @property
    def purchases(self) -> dict[str, Any]:
        return self.draft.purchases


def made(folder: Path, text: str) -> Made:
    (folder / "o.csv").write_text(text, encoding="utf-8")
    with new.reading(folder / "shop.yml", folder / "o.csv") as draft:
        asked = new.questions(draft)
        return Made(new.answered(draft, asked, {}), {question.key: question for question in asked})


HEAD = "customer,date,total\n"


@pytest.mark.parametrize(
    ("rows", "expected", "doubted"),
    [
        ("a,01/02/2024,5\nb,03/01/2024,6\na,02/03/2024,7\n", "%m/%d/%Y", True),
        ("a,01/02/2024,5\nb,03/02/2024,6\na,02/03/2024,7\n", "%d/%m/%Y", False),  # in the order of time
        ("a,01/02/2024,5\nb,13/01/2024,6\n", "%d/%m/%Y", False),
        ("a,1/2/2024,5\nb,1/13/2024 8:26,6\n", ["%m/%d/%Y", "%m/%d/%Y %H:%M"], False),
    ],
)
def test_day_and_month_are_told_apart_by_the_whole_column(
    tmp_path: Path, rows: str, expected: object, doubted: bool
) -> None:
    draft = made(tmp_path, HEAD + rows)
    assert draft.purchases["csv"]["dates"] == expected
    assert ("dates" in draft.asked) is doubted


def test_a_row_far_behind_the_sample_tells_as_well(tmp_path: Path) -> None:
    rows = ["a,01/02/2024,5"] * 9_000
    rows[4_000] = "a,31/01/2024,5"  # neither first, nor in the middle, nor last
    assert made(tmp_path, HEAD + "\n".join(rows)).purchases["csv"]["dates"] == "%d/%m/%Y"


def test_an_order_number_that_several_customers_share_is_none(tmp_path: Path) -> None:
    rows = "".join(f"{n % 3},c{n},2024-01-{n % 28 + 1:02},5\n" for n in range(40))
    assert "order_id" not in made(tmp_path, "invoice,customer,date,total\n" + rows).purchases["columns"]


def test_the_total_of_an_order_on_each_of_its_lines_is_not_summed(tmp_path: Path) -> None:
    rows = "".join(
        f"{n // 2},c{n // 2},2024-01-{n % 28 + 1:02},{n // 2 + 20}.00,cup {n},{n % 3 + 1},2.50\n" for n in range(40)
    )
    head = "order id,customer id,date,order total,product,quantity,unit price\n"
    assert made(tmp_path, head + rows).purchases["columns"]["amount"] == {"sql": 'quantity * "unit price"'}


def test_a_price_that_grows_with_the_quantity_is_of_the_row(tmp_path: Path) -> None:
    rows = "".join(
        f"{n // 2},c{n // 2},2024-01-{n % 28 + 1:02},p{n % 7},{n % 3 + 1},{(n % 3 + 1) * (n % 7 + 1)}.00\n"
        for n in range(60)
    )
    assert (
        made(tmp_path, "order id,customer id,date,sku,quantity,price\n" + rows).purchases["columns"]["amount"]
        == "price"
    )


def test_status_guests_and_collective_accounts_are_settled_and_told(tmp_path: Path) -> None:
    rows = "".join(
        f"{n},{'' if n % 5 == 1 else 0 if n % 5 == 2 else f'c{n % 29}'},m{n % 31}@a.org,2024-01-{n % 28 + 1:02},5,"
        f"{'refunded' if n == 7 else 'voided' if n == 9 else 'paid'}\n"
        for n in range(200)
    )
    draft = made(tmp_path, "order id,customer id,email,date,total,financial status\n" + rows)
    assert draft.purchases["statuses"] == {"refunded": ["refunded"], "left_out": ["voided"]}
    assert (draft.purchases["guests"], draft.purchases["exclude"]) == ("join by email", ["0"])
    assert "The id 0 has 20% of all rows" in draft.asked["collective"].text
    assert list(draft.asked["guests"].answers)[1] == "nobody's: leave them out, and tell them"


def test_a_heavy_buyer_is_no_collective_account(tmp_path: Path) -> None:
    rows = "".join(f"{'c0' if n % 6 == 0 else f'c{n % 199}'},2024-01-{n % 28 + 1:02},5\n" for n in range(400))
    assert "collective" not in made(tmp_path, HEAD + rows).asked


@pytest.mark.parametrize(
    ("who", "n", "default"),
    [("laufkunde", 25, "nobody's: leave its rows out, and tell them"), ("TILL-77", 500, "a customer like others"),
     ("laufkunde", 9, ""), ("TILL-77", 70, "")],
)  # fmt: skip
def test_new_judges_collective_accounts_as_the_table_does(tmp_path: Path, who: str, n: int, default: str) -> None:
    rows = "".join(f"c{one:04d},2024-01-02,5\n" * (1 + one % 4) for one in range(600)) + f"{who},2024-01-02,5\n" * n
    asked = made(tmp_path, HEAD + rows).asked
    assert (asked["collective"].default if "collective" in asked else "") == default


def test_fees_among_products_are_offered_and_count(tmp_path: Path) -> None:
    rows = "".join(f"{n},c{n % 17},2024-01-{n % 28 + 1:02},{20000 + n % 60},cup {n % 60},2,2.50\n" for n in range(300))
    rows += "301,c1,2024-01-30,POST,POSTAGE,1,9.00\n302,c2,2024-01-30,D,Discount,-1,9.00\n"
    head = "invoice,customer id,date,stock code,description,quantity,unit price\n"
    draft = made(tmp_path, head + rows)
    assert "(D, POST)" in draft.asked["fees"].text
    assert "leave_out" not in draft.purchases
    left = new.answered(draft.draft, [draft.asked["fees"]], {"fees": "leave them out, and tell them"})
    assert left.purchases["leave_out"] == {"fees": "\"stock code\" IN ('D', 'POST')"}


def test_currencies_are_not_mixed(tmp_path: Path) -> None:
    rows = "".join(f"c{n % 9},2024-01-{n % 28 + 1:02},5,{'usd' if n % 9 == 0 else 'EUR'}\n" for n in range(60))
    draft = made(tmp_path, "customer,date,total,currency\n" + rows)
    assert (draft.draft.raw["value"]["unit"], draft.purchases["leave_out"]) == (
        "EUR", {"other currencies": "NOT currency IN ('EUR')"},
    )  # fmt: skip


def test_words_are_those_of_the_headers(tmp_path: Path) -> None:
    draft = made(
        tmp_path, "Donor ID,Gift Date,Gift Amount\n" + "".join(f"{n},2024-01-{n + 1:02},£5\n" for n in range(9))
    )
    assert draft.draft.raw["words"] == {"customer": "donor", "purchase": "gift", "value": "revenue"}
    assert draft.draft.raw["value"]["unit"] == "GBP"


def test_values_under_other_names_are_translated(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "orders.csv").write_text("Kundennummer;Datum;Betrag\n1;31.01.2024;5,00\n2;29.02.2024;6,00\n")
    events = "".join(
        f"c{n % 2 + 1},spring,2024-02-0{n + 1},{kind}\n" for n, kind in enumerate(["Sent", "Open", "Note"])
    )
    (tmp_path / "data" / "mails.csv").write_text("customer id,campaign,date,event\n" + events)
    people = "1;Anna;ja;05.01.2020\n2;Ben;nein;06.02.2021\n"
    (tmp_path / "data" / "kunden.csv").write_text("Kundennummer;Vorname;Newsletter;Kunde seit\n" + people)
    with new.reading(tmp_path / "shop.yml", tmp_path / "data") as draft:
        sources = draft.raw["sources"]
    assert sources["customers"]["columns"]["email_consent"]["sql"].startswith("LOWER(Newsletter) IN ('yes',")
    columns = sources["email_events"]["columns"]
    assert {name: columns[name] for name in ("campaign", "customer_id", "occurred_at")} == {
        "campaign": "campaign", "customer_id": "customer id", "occurred_at": "date",
    }  # fmt: skip
    assert columns["message_id"] == {"sql": "campaign || '/' || \"customer id\""}
    assert columns["event_type"] == {
        "sql": "CASE WHEN event IN ('Open') THEN 'opened' WHEN event IN ('Sent') THEN 'sent' END"
    }
    assert sources["email_events"]["leave_out"] == {"other events": "NOT event IN ('Open', 'Sent')"}


def test_the_state_of_a_sale_is_no_category(tmp_path: Path) -> None:
    head = "receipt_number,return_for,sale_date,total_price,total_tax,customer_id,id,status,state"
    rows = "".join(f"{n},,2024-01-{n:02d},9,1,c{n},s{n},closed,{('closed', 'pending')[n % 2]}\n" for n in range(10, 29))
    draft = made(tmp_path, f"{head}\n{rows}").draft
    assert (draft.purchases["preset"], draft.raw.get("category")) == ("lightspeed_sales", None)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [("country,store", "store"), ("state,order type", "order_type"), ("state code", "state_code")],
)
def test_part_of_an_address_is_a_category_last(tmp_path: Path, headers: str, expected: str) -> None:
    rows = "".join(
        f"c{n},2024-01-{n:02d},{n}.5" + f",v{n % 3}" * (headers.count(",") + 1) + "\n" for n in range(10, 29)
    )
    assert made(tmp_path, f"customer,date,total,{headers}\n{rows}").draft.raw["category"] == expected
