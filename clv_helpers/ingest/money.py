"""What an amount comes to: in one currency, without tax or shipping by choice, net of what was refunded."""

from __future__ import annotations

import csv
import datetime as dt
import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from clv_helpers.config.params import Params
from clv_helpers.config.sources import CsvFormat, Source
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import cast, column, expression, literal
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.ingest.csv_header import read_head
from clv_helpers.ingest.left_out import has_status

if TYPE_CHECKING:
    import pandas as pd

RATES = ("date", "currency", "rate")
MONEY = ("amount", "tax", "shipping", "discount", "refunded")
DOLLARS = {"USD", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD", "MXN", "ARS", "CLP", "COP"}
CROWNS = {"SEK", "NOK", "DKK", "ISK", "CZK"}
SIGNS = {
    "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₺": "TRY", "₩": "KRW", "₪": "ILS", "ZŁ": "PLN",
    "US$": "USD", "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD",
    "R$": "BRL", "FR": "CHF", "FR.": "CHF",
}  # fmt: skip
RATED = """
    SELECT typed.*, r.rate AS _rate FROM typed ASOF LEFT JOIN rates AS r
    ON r.currency = typed._currency AND r.day <= typed.occurred_at
"""


class RatesError(UserError):
    """A file of exchange rates that cannot be used."""


def unit_of(params: Params) -> str:
    """The currency in which amounts are kept: the unit of the measure that sums `amount`."""
    measures = [measure for measure in (params.value, params.spending) if measure.column == "amount"]
    return code((measures or [params.value])[0].unit, "")


def code(text: str, unit: str) -> str:
    """The code of a currency that is written so; `$` and `kr` are those of the unit, where it is one of them."""
    return _signs(unit).get(text.strip().upper(), text.strip().upper())


def _signs(unit: str) -> dict[str, str]:
    return SIGNS | {"$": unit if unit in DOLLARS else "USD", "KR": unit if unit in CROWNS else "SEK"}


def currency(written: list[exp.Expression], unit: str) -> exp.Expression:
    """The code of the currency of a row, as SQL: of the first of these texts that says one."""
    said = [expression("NULLIF(UPPER(TRIM($text)), '')", text=text) for text in written]
    upper = exp.Coalesce(this=said[0], expressions=said[1:]) if said[1:] else said[0]
    known = exp.Case(this=upper)
    for sign, meant in _signs(unit).items():
        known = known.when(literal(sign), literal(meant), copy=False)
    return known.else_(upper.copy())


def measured(params: Params, names: list[str]) -> list[str]:
    """The columns of `purchases` that are measured in that unit."""
    unit = unit_of(params)
    own = {each.column for each in (params.value, params.spending) if code(each.unit, unit) == unit}
    return [name for name in names if name == "amount" or name in own]


def columns_of_money(params: Params, names: list[str]) -> list[str]:
    """All columns of `purchases` that are amounts of the same currency."""
    own = measured(params, names)
    return [name for name in names if name in MONEY or name in own]


def net(source: Source, names: list[str]) -> dict[str, exp.Expression]:
    """What becomes of `amount` and `refunded`, in the currency of the row; empty: they stay as they are.

    What was refunded is taken to hold tax and shipping in the measure in which the amount does.
    """
    off: list[str] = [name for name in source.amount_without if name in names]
    paid_back = bool(source.statuses.refunded) and "status" in names
    if "amount" not in names or not (off or paid_back or "refunded" in names):
        return {}
    amount, gross, back = column("amount"), _without(off), cast(exp.null(), "decimal")
    if "refunded" in names:
        share = "CASE WHEN $amount = 0 THEN 1 ELSE $gross / $amount END" if off else "1"
        back = expression(f"ABS($refunded) * {share}", refunded=column("refunded"), gross=gross, amount=amount)  # type: ignore[assignment]
    if paid_back:
        sql = "CASE WHEN $amount > 0 AND $paid_back THEN $gross ELSE $back END"
        statuses = has_status(source.statuses.refunded)
        back = expression(sql, amount=amount, paid_back=statuses, gross=gross, back=back)  # type: ignore[assignment]
    return {"amount": expression("$gross - COALESCE($back, 0)", gross=gross, back=back), "refunded": back}


def _without(off: list[str]) -> exp.Expression:
    """The amount without these; of a refund's row they lower what is paid back, however they are written."""
    gross: exp.Expression = column("amount")
    for name in off:
        sql = "($gross - SIGN(amount) * ABS(COALESCE($off, 0)))"
        gross = expression(sql, gross=gross, off=column(name))
    return gross


def converted(value: exp.Expression, unit: str) -> exp.Expression:
    """An amount in the unit; NULL where its currency has no rate."""
    rate = expression("CASE WHEN COALESCE(_currency, $unit) = $unit THEN 1 ELSE _rate END", unit=unit)
    return expression("($value) * $rate", value=value, rate=rate)


def same_currency(value: exp.Expression, unit: str) -> exp.Expression:
    """An amount of the unit; NULL where it is of another, so that no sum mixes them."""
    return expression("CASE WHEN COALESCE(_currency, $unit) = $unit THEN $value END", value=value, unit=unit)


def load_rates(session: Session, workbook: Workbook) -> None:
    """Have `rates` beside the file that is staged: day, currency, rate. Raises RatesError."""
    session.lend_frame("rates", rates(workbook))


def rates(workbook: Workbook) -> pd.DataFrame:
    """The exchange rates of the workbook, which has such a file. Raises RatesError with the line that is wrong."""
    try:
        file = workbook.path(workbook.params.rates, "rates")
        stat = file.stat()
    except ParamsError as error:
        raise RatesError(str(error)) from None
    except OSError as error:
        raise RatesError(f"rates: {file} cannot be read: {error.strerror}") from None
    return _read_rates(file, unit_of(workbook.params), stat.st_mtime_ns).copy()


@functools.lru_cache(maxsize=8)
def _read_rates(file: Path, unit: str, _: int) -> pd.DataFrame:
    import pandas as pd

    found: dict[tuple[dt.date, str], float] = {}
    try:
        head = read_head(file, CsvFormat())
        missing = next((name for name in RATES if name not in head.headers), None)
        if missing:
            raise RatesError(f"rates: {file.name} has no column {missing}; allowed: {', '.join(RATES)}")
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, delimiter=head.delimiter)
            next(rows)
            for row in filter(None, rows):
                day, written, rate = _rate(
                    f"rates: {file.name}, line {rows.line_num}", dict(zip(head.headers, row, strict=False))
                )
                written = code(written, unit)
                if (day, written) in found:
                    raise RatesError(
                        f"rates: {file.name}, line {rows.line_num} has a second rate of {written} on {day}"
                    )
                found[day, written] = rate
    except (UnicodeDecodeError, csv.Error):
        raise RatesError(f"rates: {file.name} is no CSV file in utf-8") from None
    except UserError as error:
        raise error if isinstance(error, RatesError) else RatesError(f"rates: {file.name} {error}") from None
    columns = {"day": [day for day, _ in found], "currency": [name for _, name in found], "rate": list(found.values())}
    frame = pd.DataFrame(columns)
    return frame.astype({"day": "datetime64[us]", "currency": "object", "rate": "float64"})


def _rate(place: str, row: dict[str, str]) -> tuple[dt.date, str, float]:
    """A line of the file: day, currency and rate. Raises RatesError."""
    day, written, rate = (row.get(name, "").strip() for name in RATES)
    try:
        read = dt.date.fromisoformat(day)
    except ValueError:
        raise RatesError(f"{place}: date is {day!r}; allowed: a day such as 2024-01-31") from None
    if not written:
        raise RatesError(f"{place}: currency is empty; allowed: a code such as EUR")
    try:
        number = float(rate)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise RatesError(f"{place}: rate is {rate!r}; allowed: a number above 0, written like 1.0842")
    return read, written, number
