"""Amounts come out in one currency, net of refunds and of what the params take off, to the cent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from staged import staged

from clv_helpers import ingest

COLUMNS = {"customer_id": "c", "occurred_at": "d", "amount": "a"}
EXTRA = {"tax": "t", "shipping": "s", "refunded": "r", "status": "x", "currency": "cur"}
GBP = {"value": {"unit": "GBP"}}


def priced(folder: Path, more: dict[str, Any] | None = None, source: dict[str, Any] | None = None, **line: str) -> dict:
    columns = COLUMNS | {name: header for name, header in EXTRA.items() if header in line}
    (row,) = staged(
        folder, [{"c": "a", "d": "2024-01-03", "a": "120", **line}], more, columns=columns, **(source or {})
    )
    return row


@pytest.mark.parametrize("refunded", ["30", "-30", "(30.00)"])
def test_amount_is_net_of_what_was_refunded(tmp_path: Path, refunded: str) -> None:
    row = priced(tmp_path, r=refunded)
    assert (row["amount"], row["refunded"]) == (90, 30)


def test_status_says_that_all_was_refunded(tmp_path: Path) -> None:
    source = {"statuses": {"refunded": ["Refunded"]}}
    row = priced(tmp_path, source=source, x=" refunded")
    assert (row["amount"], row["refunded"]) == (0, 120)
    assert priced(tmp_path, source=source, x="paid")["amount"] == 120
    own = priced(tmp_path, source=source, x="refunded", a="-120")  # a refund's own row
    assert (own["amount"], own["refunded"]) == (-120, None)


def test_tax_and_shipping_are_taken_off(tmp_path: Path) -> None:
    source = {"amount_without": ["tax", "shipping"]}
    assert priced(tmp_path, source=source, t="20", s="10")["amount"] == 90
    assert priced(tmp_path, source=source, t="", s="10")["amount"] == 110
    assert priced(tmp_path, source=source, a="-120", t="20", s="-10")["amount"] == -90
    whole = priced(tmp_path, source=source, t="20", s="10", r="120")  # the refund holds its tax and shipping too
    assert (whole["amount"], whole["refunded"]) == (0, 90)
    assert priced(tmp_path, source=source, t="20", s="10", r="60")["amount"] == 45


def test_what_is_not_there_stays_so(tmp_path: Path) -> None:
    """Lines after the first of an order bear no total."""
    row = priced(tmp_path, a="", r="", cur="")
    assert (row["amount"], row["refunded"], row["_reason"]) == (None, None, None)


def rates(folder: Path, text: str) -> dict[str, Any]:
    (folder / "rates.csv").write_text(text, encoding="utf-8")
    return GBP | {"rates": "rates.csv"}


RATES = "date,currency,rate\n2024-01-01,EUR,0.9\n2024-01-03,EUR,0.8\n2024-01-04,EUR,0.5\n2024-01-04,USD,0.7\n"


def test_newest_rate_on_the_day_or_before(tmp_path: Path) -> None:
    more = rates(tmp_path, RATES)
    columns = COLUMNS | {name: EXTRA[name] for name in ("currency", "refunded", "tax")}
    days = ["2024-01-02", "2024-01-03 23:59:59", "2024-02-01"]
    lines = [{"c": "a", "d": day, "a": "100", "cur": " eur ", "r": "10", "t": "20"} for day in days]
    rows = staged(tmp_path, lines, more, columns=columns)
    assert [row["amount"] for row in rows] == [81, 72, 45]
    assert [(row["refunded"], row["tax"]) for row in rows] == [(9, 18), (8, 16), (5, 10)]
    assert {row["currency"] for row in rows} == {" eur "}


def test_currency_without_a_rate_is_rejected(tmp_path: Path) -> None:
    more = rates(tmp_path, RATES)
    assert priced(tmp_path, more, cur="GBP")["amount"] == 120
    reason = "has no rate on its day or before in rates.csv"
    for line in ({"cur": "SEK"}, {"cur": "USD"}, {"cur": "EUR", "d": "2023-12-31"}):
        row = priced(tmp_path, more, **line)
        assert (row["_column"], row["_value"], row["_reason"]) == ("currency", line["cur"], reason)
    assert priced(tmp_path, more, cur="")["_reason"] == "is empty, and the row has an amount"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("date,currency\n", "rates.csv has no column rate"),
        ("date,currency,rate\n3.1.2024,EUR,1\n", r"line 2: date is '3\.1\.2024'"),
        ("date,currency,rate\n2024-01-01,EUR,0\n", "line 2: rate is '0'; allowed: a number above 0"),
        ("date,currency,rate\n2024-01-01,EUR,nan\n", "line 2: rate is 'nan'"),
        ("date,currency,rate\n2024-01-01,,1\n", "line 2: currency is empty"),
        ("date,currency,rate\n2024-01-01,EUR,1\n2024-01-01,eur,2\n", "line 3 has a second rate of EUR on 2024-01-01"),
        ("", "rates.csv is empty"),
    ],
)
def test_rates_that_are_none(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ingest.IngestError, match=says):
        priced(tmp_path, rates(tmp_path, text), cur="EUR")


def test_rates_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ingest.IngestError, match=r"rates: .*rates\.csv cannot be read: No such file"):
        priced(tmp_path, GBP | {"rates": "rates.csv"}, cur="EUR")


@pytest.mark.parametrize("line", [{"cur": "EUR"}, {"cur": "€"}, {"a": "€ 12"}, {"a": "12.00 EUR"}])
def test_another_currency_without_rates_is_refused(tmp_path: Path, line: dict[str, str]) -> None:
    with pytest.raises(ingest.IngestError, match=r"rows\.csv has 1 row in EUR, and amounts are counted in GBP"):
        priced(tmp_path, GBP, **line)


@pytest.mark.parametrize("line", [{"cur": "gbp "}, {"cur": "£"}, {"a": "£120"}, {"a": "120.00 GBP", "cur": "GBP"}, {}])
def test_one_currency_needs_no_rates(tmp_path: Path, line: dict[str, str]) -> None:
    assert priced(tmp_path, GBP, **line)["amount"] == 120


def test_dollars_are_those_of_the_workbook(tmp_path: Path) -> None:
    assert priced(tmp_path, {"value": {"unit": "CAD"}}, a="$120")["amount"] == 120
    with pytest.raises(ingest.IngestError, match="in USD"):
        priced(tmp_path, {"value": {"unit": "CAD"}}, a="US$120")


def test_mark_of_a_price_counts_in_an_expression(tmp_path: Path) -> None:
    columns = {"customer_id": "c", "occurred_at": "d", "amount": {"sql": "q * p"}}
    line = {"c": "a", "d": "2024-01-03", "q": "2", "p": "€ 3"}
    with pytest.raises(ingest.IngestError, match="in EUR"):
        staged(tmp_path, [line], GBP, columns=columns)
    (row,) = staged(tmp_path, [line], rates(tmp_path, RATES), columns=columns)
    assert row["amount"] == Decimal("4.8")


def test_other_currencies_may_be_left_out(tmp_path: Path) -> None:
    lines = [{"c": "a", "d": "2024-01-03", "a": "1", "cur": currency} for currency in ("GBP", "EUR")]
    rows = staged(tmp_path, lines, GBP, columns=COLUMNS | {"currency": "cur"}, where="cur = 'GBP'")
    assert [(row["_left_out"], row["amount"]) for row in rows] == [(None, 1), ("where", None)]
