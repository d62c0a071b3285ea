"""Each value is read where its writing means one thing, and asked about where it can mean two."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staged import staged

from clv_helpers.config.datasets import ColumnContract, ColumnType
from clv_helpers.engines.dialect import column, to_sql
from clv_helpers.ingest.writings import Writing, held_as, value

AMOUNTS = {"customer_id": "c", "occurred_at": "d", "amount": "a"}


def read(folder: Path, column: str, texts: list[str], kind: str = "", **source: Any) -> dict[str, Any]:
    """What each text of a column becomes: its value, or the reason why it has none."""
    columns: dict[str, Any] = {"customer_id": "c", "occurred_at": "d"}
    columns[column] = {"from": "x", **({"type": kind} if kind else {})}
    lines = [{"c": "c", "d": "2024-01-03", "x": text} for text in texts]
    rows = staged(folder, lines, columns=columns, **source)
    return {text: row["_reason"] or row[column] for text, row in zip(texts, rows, strict=True)}


def moments(folder: Path, texts: list[str], more: dict[str, Any] | None = None, **source: Any) -> dict[str, Any]:
    lines = [{"c": "c", "d": text} for text in texts]
    rows = staged(folder, lines, more, columns={"customer_id": "c", "occurred_at": "d"}, **source)
    return {text: row["_reason"] or row["occurred_at"] for text, row in zip(texts, rows, strict=True)}


def test_amounts_as_people_write_them(tmp_path: Path) -> None:
    good = {
        "12": 12, "-12.5": -12.5, "$ 12": 12, "12.50 USD": 12.5, "$1,234.50": 1234.5, "(12.00)": -12,
        "($1,234.50)": -1234.5,
        "12.00-": -12, "-$12.00": -12, "$-12.00": -12, "−12": -12, "1,234,567": 1234567, "1 234.50": 1234.5,
        "1\u00a0234.50": 1234.5, "1'234.50": 1234.5, " 7 ": 7, "1e3": 1000, ".5": 0.5,
        "US$12": 12, "12,34,567.5": 1234567.5,
    }  # fmt: skip
    found = read(tmp_path, "amount", list(good))
    assert {text: float(value) if isinstance(value, Decimal) else value for text, value in found.items()} == good


@pytest.mark.parametrize(
    "text",
    ["--12", "(12", "-(12)", "12 pcs", "1,23", "1.234.567", "1_000", "nan", "inf", "1,2,3", "$", "12$€", "12 34"],
)
def test_what_is_no_amount(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, "amount", [text])[text].startswith("is not of type decimal")


def test_a_comma_before_three_digits_is_asked_about(tmp_path: Path) -> None:
    question = "can be a thousand or one point something; csv.decimal ('.' or ',') says which"
    assert read(tmp_path, "amount", ["1,234"]) == {"1,234": question}
    assert read(tmp_path, "amount", ["1,234"], csv={"decimal": "."}) == {"1,234": 1234}
    assert read(tmp_path, "amount", ["1,234"], csv={"decimal": ","}) == {"1,234": Decimal("1.234")}


def test_money_under_a_decimal_comma(tmp_path: Path) -> None:
    good = {"1.234,50 USD": 1234.5, "(12,00)": -12, "12,5-": -12.5, "1 234,5": 1234.5, "$ 1.234": 1234}
    found = read(tmp_path, "amount", list(good), csv={"decimal": ","})
    assert {text: float(value) for text, value in found.items()} == good
    assert read(tmp_path, "amount", ["$ 12.50"], csv={"decimal": ","})["$ 12.50"].startswith("is not of type")


def test_an_amount_that_no_sum_can_hold(tmp_path: Path) -> None:
    assert read(tmp_path, "amount", ["100000000001"])["100000000001"] == "lies beyond 100,000,000,000"


def test_whole_numbers_are_never_rounded(tmp_path: Path) -> None:
    found = read(
        tmp_path, "points", ["3", "3.0", "-7", "1,234,567", "3.7", "2.5", ".5", "1_000", "1e5", "0x10"], "integer"
    )
    assert [found[text] for text in ("3", "3.0", "-7", "1,234,567")] == [3, 3, -7, 1234567]
    assert all(
        found[text].startswith("is not of type integer") for text in ("3.7", "2.5", ".5", "1_000", "1e5", "0x10")
    )


def test_offsets(tmp_path: Path) -> None:
    noon = dt.datetime(2024, 1, 31, 12)
    same = ["2024-01-31 07:00:00 -0500", "2024-01-31 07:00:00-0500", "2024-01-31T07:00:00-05:00",
            "2024-01-31T12:00:00Z", "2024-01-31 12:00:00 UTC", "2024-01-31 13:00:00+01", "2024-01-31T13:00+01:00",
            "2024-01-31 13:00 +0100", "2024-01-31T12:00Z", "2024-01-31 12:00:00"]  # fmt: skip
    assert moments(tmp_path, same) == dict.fromkeys(same, noon)
    wrong = ["2024-01-31 12:00:00+99:00", "2024-01-31 12:00:00 -15:00", "2024-01-31 12:00:00+14:30"]
    assert all(value.startswith("is not of type") for value in moments(tmp_path, wrong).values())


def test_local_time_of_the_workbook(tmp_path: Path) -> None:
    """Half past midnight in London in summer is the day before in UTC; the day of the change has 25 hours."""
    found = moments(
        tmp_path,
        ["2024-06-30T23:30:00Z", "2024-10-26T23:00:00Z", "2024-10-27T23:59:00Z", "2024-10-27T00:59:00Z",
         "2024-06-30T23:30:00", "2024-06-30T23:30:00.5", "2024-06-30"],
        {"time_zone": "Europe/London"},
    )  # fmt: skip
    assert list(found.values()) == [
        dt.datetime(2024, 7, 1, 0, 30), dt.datetime(2024, 10, 27), dt.datetime(2024, 10, 27, 23, 59),
        dt.datetime(2024, 10, 27, 1, 59), dt.datetime(2024, 6, 30, 23, 30),
        dt.datetime(2024, 6, 30, 23, 30, 0, 500_000),
        dt.datetime(2024, 6, 30),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "text", "moment"),
    [
        ("epoch seconds", "1706725800", dt.datetime(2024, 1, 31, 18, 30)),
        ("epoch milliseconds", "1706725800500", dt.datetime(2024, 1, 31, 18, 30, 0, 500_000)),
        ("%m/%d/%Y %I:%M %p", "1/31/2024 6:30 PM", dt.datetime(2024, 1, 31, 18, 30)),
        ("%d.%m.%y", "31.01.24", dt.datetime(2024, 1, 31)),
        ("%d.%m.%y", "31.01.99", dt.datetime(1999, 1, 31)),
        ("%Y-%m-%d %H:%M:%S %z", "2024-01-31 18:30:00 +01:00", dt.datetime(2024, 1, 31, 17, 30)),
        ("%Y-%m-%d %H:%M:%S %z", "2024-01-31 18:30:00 -0500", dt.datetime(2024, 1, 31, 23, 30)),
        ("%Y-%m-%dT%H:%M:%S%z", "2024-01-31T18:30:00Z", dt.datetime(2024, 1, 31, 18, 30)),
    ],
)
def test_moments_as_the_params_say(tmp_path: Path, form: str, text: str, moment: dt.datetime) -> None:
    assert moments(tmp_path, [text], csv={"dates": form}) == {text: moment}
    assert moments(tmp_path, [text], csv={"dates": ["%d/%m/%Y", form]}) == {text: moment}


def test_epochs_only_where_told(tmp_path: Path) -> None:
    assert moments(tmp_path, ["1706725800"])["1706725800"].startswith("is not of type timestamp")
    found = moments(tmp_path, ["99999999999999999999", "-1", "x"], csv={"dates": "epoch seconds"})
    assert all(isinstance(value, str | dt.datetime) for value in found.values())
    local = {"time_zone": "America/New_York"}
    assert moments(tmp_path, ["1706725800"], local, csv={"dates": "epoch seconds"}) == {
        "1706725800": dt.datetime(2024, 1, 31, 13, 30)
    }


def test_days_that_nobody_meant(tmp_path: Path) -> None:
    early = ["0001-01-01", "44-03-15 (BC)", "1753-01-01", "-infinity", "24-01-31"]
    assert moments(tmp_path, early) == dict.fromkeys(early, "lies before 1900")
    assert moments(tmp_path, ["1900-01-01", "infinity"]) == {
        "1900-01-01": dt.datetime(1900, 1, 1), "infinity": "lies in the future"
    }  # fmt: skip
    assert moments(tmp_path, ["01.03.24"], csv={"dates": "%d.%m.%Y"}) == {"01.03.24": "lies before 1900"}


def test_ids_are_told_by_what_is_seen_of_them(tmp_path: Path) -> None:
    lines = [
        {"c": text, "d": "2024-01-03"} for text in ["7", " 7", "7 ", "7\u00a0", "7\u200b", "7.0", "07", "7.00", "é 1 "]
    ]
    rows = staged(tmp_path, lines, columns={"customer_id": "c", "occurred_at": "d"})
    assert [row["customer_id"] for row in rows] == ["7", "7", "7", "7", "7", "7", "07", "7.00", "é 1"]


def test_numbers_that_are_ids_in_parquet(tmp_path: Path) -> None:
    file = tmp_path / "ids.parquet"
    duckdb.sql(
        "COPY (SELECT 14646.0::DOUBLE AS customer_id, TIMESTAMPTZ '2024-01-03 10:00:00+01' AS occurred_at, "
        f"2.55::DOUBLE AS amount) TO '{file}'"
    )
    (row,) = staged(tmp_path, file)
    assert (row["customer_id"], row["occurred_at"], row["amount"]) == (
        "14646",
        dt.datetime(2024, 1, 3, 9),
        Decimal("2.5500"),
    )


def test_text_dates_in_parquet_are_read_as_told_or_as_iso(tmp_path: Path) -> None:
    file = tmp_path / "texts.parquet"
    duckdb.sql(
        "COPY (SELECT 'a' AS customer_id, 1 AS amount, unnest(['31/12/2023', '2024-01-03']) AS occurred_at) "
        f"TO '{file}'"
    )
    rows = staged(tmp_path, file, csv={"dates": "%d/%m/%Y"})
    assert [row["occurred_at"] for row in rows] == [dt.datetime(2023, 12, 31), dt.datetime(2024, 1, 3)]


def test_addresses_are_folded(tmp_path: Path) -> None:
    lines = [{"c": "a", "d": "2024-01-03", "m": " Ann@Example.COM "}, {"c": "a", "d": "2024-01-03", "m": " "}]
    rows = staged(tmp_path, lines, columns={"customer_id": "c", "occurred_at": "d", "email": "m"})
    assert [row["email"] for row in rows] == ["ann@example.com", None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    amounts=st.lists(st.decimals(-999_999, 999_999, places=2), min_size=1, max_size=30),
    style=st.sampled_from(["{:.2f}", "{:,.2f}", "$ {:,.2f}", "{:,.2f} USD", "paren", "comma"]),
)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, amounts: list[Decimal], style: str) -> None:
    """Any amount comes back to the cent, however it was written."""

    def written(amount: Decimal) -> str:
        if style == "paren":
            return f"({-amount:,.2f})" if amount < 0 else f"{amount:,.2f}"
        if style == "comma":
            return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
        return style.format(amount)

    lines = [{"c": "c", "d": "2024-01-03", "a": written(amount)} for amount in amounts]
    form = {"decimal": ","} if style == "comma" else {}
    rows = staged(tmp_path_factory.mktemp("amounts"), lines, columns=AMOUNTS, csv=form)
    assert [row["amount"] for row in rows] == amounts


@pytest.mark.parametrize("column", ["customer_id", "order_id", "event_id", "product_id"])
def test_an_error_of_excel_is_nobodys_id(tmp_path: Path, column: str) -> None:
    reason = "is an error of Excel's, and no value"
    found = read(tmp_path, column, ["#N/A", "#REF!", "#12", "N/A"])
    assert found == {"#N/A": reason, "#REF!": reason, "#12": "#12", "N/A": "N/A"}


@pytest.mark.parametrize("column", ["product", "category", "email"])
def test_an_error_of_excel_is_an_empty_text(tmp_path: Path, column: str) -> None:
    assert read(tmp_path, column, ["#VALUE!", "#1", "tea"]) == {"#VALUE!": None, "#1": "#1", "tea": "tea"}


@pytest.mark.parametrize("guests", ["reject", "leave out", "join by email"])
def test_whose_look_up_failed_is_no_guest(tmp_path: Path, guests: str) -> None:
    columns = {"customer_id": "c", "occurred_at": "d", "email": "e"}
    line = {"c": "#N/A", "d": "2024-01-03", "e": "a@b.org"}
    (row,) = staged(tmp_path, [line], columns=columns, guests=guests)
    assert (row["_left_out"], row["_reason"]) == (None, "is an error of Excel's, and no value")


TYPED = {
    "SMALLINT": ["-7", "0", "32000"],
    "UBIGINT": ["0", "18446744073709551615"],
    "DECIMAL(9,2)": ["12.50", "-0.01", "7.00"],
    "DOUBLE": ["0.1", "3", "3.7", "1e3", "123456789012345678", "inf", "nan"],
    "DATE": ["2024-01-31", "1899-12-31", "0044-03-15 (BC)", "infinity"],
    "TIMESTAMP_NS": ["2024-01-31 18:30:00.123456789"],
    "TIMESTAMP": ["2024-01-31 18:30:00", "2024-01-31 18:30:00.5"],
    "TIMESTAMP WITH TIME ZONE": ["2024-01-31 18:30:00+02"],
}


@pytest.mark.parametrize("kind", ["text", "integer", "decimal", "number", "date", "timestamp"])
@pytest.mark.parametrize("held", TYPED)
def test_a_column_of_a_type_is_what_its_text_says(held: str, kind: ColumnType) -> None:
    def values(name: str, writing: Writing) -> list[Any]:
        contract = ColumnContract(name, name, kind)
        read = to_sql(value(contract, column("x"), writing))
        listed = ", ".join(f"CAST('{text}' AS {held})" for text in TYPED[held])
        rows = duckdb.sql(f"SELECT CAST({read} AS TEXT) FROM (SELECT UNNEST([{listed}, NULL]) AS x)").fetchall()
        return [text for (text,) in rows]

    for name in ("note", "order_id"):
        assert values(name, Writing(also_iso=True, held_as=held_as(held))) == values(name, Writing(also_iso=True))
