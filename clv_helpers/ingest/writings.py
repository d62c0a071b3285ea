"""How values are written: from the text of a file to a number, a moment or an id, as SQL.

What one cast reads is read by it; the patient reading is tried where that gives nothing. Each writing is taken only
where it can mean one thing: `1,234` may be a thousand or one point two, and is asked about instead.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from dataclasses import dataclass

from sqlglot import exp

from clv_helpers.conditions.columns import kind_of
from clv_helpers.config.datasets import EMAIL_NAMESPACE, EVENT_TIME, ColumnContract
from clv_helpers.config.sources import EPOCHS
from clv_helpers.engines.dialect import SQL_TYPES, cast, expression, is_in, literal

MOMENTS = ("date", "timestamp")
FRACTIONS = ("decimal", "number")
NUMBERS = ("integer", *FRACTIONS)
# Text that tells apart: blanks around it, and the `.0` of a column that pandas or Excel holds as numbers, mean nothing.
# Beside these, what identifies a customer and what a lookup is joined by.
IDS = ("customer_id", "order_id", "event_id", "refund_of", "product_id", "message_id")
BLANKS = " \t\r\n\u00a0\u2007\u202f\u200b\u200c\u200d\u2060\ufeff"
SEEN = "[!-~]+"
# What Excel shows for a formula that failed, and writes into a CSV: no value, and nobody's id.
EXCEL_ERRORS = (
    "#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!",
)  # fmt: skip

# -- numbers
CURRENCY = r"(?:[A-Z]{3}|[A-Z]{0,3}\p{Sc}|kr|zł)"
_NUMBER = r"[0-9., '’]*[0-9][0-9., '’]*"
# 12, € 12, 12 EUR, -€12, €-12, 12-, (12)
AMOUNT = (
    rf"^(?:[+−-]? ?{CURRENCY}? ?{_NUMBER}{CURRENCY}?|{CURRENCY} ?[−-] ?{_NUMBER}{CURRENCY}?"
    rf"|{CURRENCY}? ?{_NUMBER}{CURRENCY}? ?-|\( ?{CURRENCY}? ?{_NUMBER}{CURRENCY}? ?\))$"
)
PLAIN = r"^(\d+\.?\d*|\.\d+)$"
GROUPS = r"^\d{1,3}(,\d{2,3})*,\d{3}(\.\d*)?$"  # 1,234.50, and 12,34,567 as in India
# a comma beside a point, or several, part thousands
CERTAIN_GROUPS = r"^\d{1,3}(,\d{2,3})*,\d{3}\.\d*$|^\d{1,3}(,\d{2,3})+,\d{3}$"
DOUBTED = r"^\d{1,3},\d{3}$"
SPACED = r"^\d{1,3}([ '’]\d{3})+(\.\d*)?$"
# Under a decimal comma dots part thousands: 1.234,56. Any other dot, as in 22.29, makes the text no number.
GROUPED = r"^\s*[+-]?\d{1,3}(\.\d{3})+(,\d*)?\s*$"
COMMA_FORMS = r"^(\d+,?\d*|,\d+|\d{1,3}(\.\d{3})+(,\d*)?|\d{1,3}([ '’]\d{3})+(,\d*)?)$"
# A number written with a decimal comma as SQL writes it; NULL where a dot in it parts no thousands.
WITH_DECIMAL_POINT = """
    CASE WHEN $text LIKE '%.%' AND NOT REGEXP_MATCHES($text, $grouped) THEN NULL
    ELSE REPLACE(REPLACE($text, '.', ''), ',', '.') END
"""
WHOLE = r"^\s*[+-]?\d+(\.0*)?\s*$"  # a cast would round 3.7, and take 1e5 and 1_000
MOST = 10**11  # more than any purchase; sums of a thousand rows must still fit a DECIMAL(18, 4)

# -- moments
WITHOUT_OFFSET = "____-__-_____:__:__"
OFFSET = r":\d\d(\.\d+)?\s*([Zz+-]|[A-Za-z])"
WRONG_OFFSET = r":\d\d(\.\d+)?\s*[+-](1[5-9]|[2-9]\d|14:?(0[1-9]|[1-5]\d))"
SPLIT_OFFSET = r"(:\d\d(?:\.\d+)?)\s*(?:UTC|GMT)?\s*([+-]\d\d):?(\d\d)$"
NO_SECONDS = r"([T ]\d\d?:\d\d)(\s*(?:[Z+-]|UTC|GMT))"
FIRST_DAY, LAST_DAY = dt.datetime(1900, 1, 1), dt.datetime(9999, 12, 31)
# A clock may run ahead; more than a day ahead is no event that has happened.
LATEST = "(NOW() AT TIME ZONE $zone) + INTERVAL 1 DAY"
HOW_TO_WRITE = {
    "decimal": " (written like 1234.5; with csv.decimal ',' like 1234,5)",
    "number": " (written like 1234.5; with csv.decimal ',' like 1234,5)",
    "integer": " (whole, written like 1234)",
    "date": " (written like 2024-01-31; with csv.dates '%d.%m.%Y' like 31.01.2024)",
    "timestamp": " (written like 2024-01-31 or 2024-01-31 18:30:00; with csv.dates '%d.%m.%Y' like 31.01.2024)",
    "boolean": " (written true or false)",
}
QUESTION = "can be a thousand or one point something; csv.decimal ('.' or ',') says which"


@dataclass(frozen=True)
class Writing:
    """How a file's values are written: its decimal mark, whether that was said, formats of days, the day's time zone.

    `also_iso`: moments may be written as in ISO 8601 beside the formats, as files do that know types. `held_as`: what
    the file itself says that a column holds; such a value needs no reading.
    """

    decimal: str = "."
    decimal_said: bool = False
    dates: tuple[str, ...] = ()
    time_zone: str = "UTC"
    also_iso: bool = False
    held_as: str = ""


@functools.lru_cache(maxsize=500)  # a stream reads the same columns with each event
def value(contract: ColumnContract, raw: exp.Expression, writing: Writing) -> exp.Expression:
    """A column's value in the contract's type, NULL where it does not fit; of a text the text itself.

    `raw` is what the file has. A blank is no value, but for a text that is no id; an error of Excel's never is.
    """
    text, kind = as_text(raw), contract.type
    if kind == "text" or contract.identity == EMAIL_NAMESPACE:
        read = text
        if contract.identity == EMAIL_NAMESPACE:
            read = expression("NULLIF(LOWER($id), '')", id=trimmed(text))
        elif writing.held_as == "integer":
            return text
        elif is_id(contract):
            read = identifier(text)
        return expression("CASE WHEN NOT $is_error THEN $text END", is_error=is_excel_error(text), text=read)
    if kind in NUMBERS:
        return number(raw, kind, writing)
    if kind in MOMENTS:
        return _moment(raw, kind, writing)
    return try_cast(raw, kind)


def held_as(type_name: str) -> str:
    """The kind of a column of one of DuckDB's types; empty where its values are to be read from their text.

    Example:
        >>> held_as("UBIGINT"), held_as("DECIMAL(9,2)"), held_as("TIMESTAMP_NS"), held_as("VARCHAR"), held_as("DATE[]")
        ('integer', 'number', 'timestamp', '', '')
    """
    kind, is_read = kind_of(type_name), re.search(r"\]$|WITH TIME ZONE", type_name)
    return kind if kind in (*NUMBERS, *MOMENTS) and not is_read else ""


def is_id(contract: ColumnContract) -> bool:
    """Whether a text tells apart: then blanks around it mean nothing."""
    return contract.name in IDS or bool(contract.identity) or contract.is_key


def as_text(raw: exp.Expression) -> exp.Expression:
    """What the file has, as text."""
    return cast(raw, "text")


def try_cast(value: exp.Expression, kind: str) -> exp.Expression:
    """A value in one of the contract's types; NULL where it does not fit."""
    return expression(f"TRY_CAST($value AS {SQL_TYPES[kind]})", value=value)


def is_excel_error(text: exp.Expression) -> exp.Expression:
    """Whether a text is an error of Excel's; NULL for none."""
    return expression("STARTS_WITH($text, '#') AND $listed", text=text, listed=is_in(text, list(EXCEL_ERRORS)))


def trimmed(text: exp.Expression) -> exp.Expression:
    """A text without blanks around it, those among them that no one sees."""
    # TRIM of such blanks takes six times as long as the look
    sql = "CASE WHEN REGEXP_FULL_MATCH($text, $seen) THEN $text ELSE TRIM($text, $blanks) END"
    return expression(sql, text=text, seen=SEEN, blanks=BLANKS)


def identifier(text: exp.Expression) -> exp.Expression:
    """An id: 14646.0 is 14646, 007 stays; NULL for a blank."""
    return expression(
        r"CASE WHEN REGEXP_FULL_MATCH($text, $seen) AND NOT $text LIKE '%.0' THEN $text "
        r"WHEN REGEXP_FULL_MATCH($text, '\d+\.0') THEN LEFT($text, LENGTH($text) - 2) "
        r"ELSE NULLIF(REGEXP_REPLACE(TRIM($text, $blanks), '^(\d+)\.0$', '\1'), '') END",
        text=text, seen=SEEN, blanks=BLANKS,
    )  # fmt: skip


def number(raw: exp.Expression, kind: str, writing: Writing) -> exp.Expression:
    """A number: as SQL writes it, else with groups of thousands, a currency, parentheses or a minus at its end."""
    if writing.held_as == "integer" or (writing.held_as == "number" and kind != "integer"):  # 3.7 is no whole number
        return _finite(raw, kind)
    text = as_text(raw)
    plain = raw
    if writing.decimal == ",":
        plain = expression(WITH_DECIMAL_POINT, text=text, grouped=GROUPED)
    # of a COALESCE DuckDB would work out for every row what occurs twice in the patient reading: 7 times as long
    return expression(
        "CASE WHEN NOT $plain IS NULL THEN $plain WHEN REGEXP_MATCHES($evened, $shape) THEN $patient END",
        plain=_cast_number(plain, kind), evened=_evened(text), shape=AMOUNT,
        patient=_cast_digits(_patient(text, writing), kind),
    )  # fmt: skip


def _cast_number(text: exp.Expression, kind: str) -> exp.Expression:
    if kind == "integer":
        sql = "CASE WHEN REGEXP_MATCHES(CAST($text AS TEXT), $whole) THEN TRY_CAST($text AS BIGINT) END"
        return expression(sql, text=text, whole=WHOLE)
    tried = _cast_digits(text, kind)
    parted = "CASE WHEN TYPEOF($text) = 'VARCHAR' THEN CONTAINS(CAST($text AS TEXT), '_') ELSE FALSE END"  # 1_000
    return expression(f"CASE WHEN {parted} THEN NULL ELSE $tried END", text=text, tried=tried)


def _cast_digits(text: exp.Expression, kind: str) -> exp.Expression:
    """A number of a text that is digits, and a point perhaps."""
    if kind == "integer":
        return _cast_number(text, kind)
    return _finite(text, kind)


def _finite(value: exp.Expression, kind: str) -> exp.Expression:
    """What a cast reads; inf and nan are no numbers."""
    tried = try_cast(value, kind)
    return expression("CASE WHEN ISFINITE($number) THEN $number END", number=tried) if kind == "number" else tried


def _evened(text: exp.Expression) -> exp.Expression:
    """A text with plain blanks alone, none around it."""
    return expression(
        "TRIM(TRANSLATE($text, $odd, $even), $blanks)", text=text, odd="\u00a0\u2007\u202f", even="   ", blanks=BLANKS
    )


def _body(text: exp.Expression) -> exp.Expression:
    """The digits of an amount with what parts them."""
    return expression("TRIM(REGEXP_REPLACE($text, $other, '', 'g'))", text=_evened(text), other=r"[^0-9., '’]")


def _patient(text: exp.Expression, writing: Writing) -> exp.Expression:
    """An amount as SQL writes it, read from a text of its shape; NULL where its groups say no single number."""
    if writing.decimal == ",":
        forms, marks = COMMA_FORMS, ". '’"
    else:
        forms, marks = "|".join((PLAIN, SPACED, GROUPS if writing.decimal_said else CERTAIN_GROUPS)), ", '’"
    return expression(
        "CASE WHEN REGEXP_MATCHES($body, $forms) THEN CASE WHEN REGEXP_MATCHES($text, '[(−-]') THEN '-' ELSE '' END "
        "|| REPLACE(TRANSLATE($body, $marks, ''), ',', '.') END",
        forms=forms, text=text, body=_body(text), marks=marks,
    )  # fmt: skip


def currency_mark(raw: exp.Expression) -> exp.Expression:
    """The currency with which an amount is written, `€` or `EUR`; NULL where it is written without."""
    sql = """
        CASE WHEN TRY_CAST($raw AS DOUBLE) IS NULL THEN
            CASE WHEN REGEXP_MATCHES($text, $shape) THEN NULLIF(REGEXP_EXTRACT($text, $currency), '') END
        END
    """
    return expression(sql, raw=raw, text=_evened(as_text(raw)), shape=AMOUNT, currency=CURRENCY)


def _moment(raw: exp.Expression, kind: str, writing: Writing) -> exp.Expression:
    told = [_told(as_text(raw), kind, group, writing) for group in _alike(writing.dates)]
    if not told:
        return try_cast(raw, kind) if writing.held_as in MOMENTS else _iso(raw, kind, writing)
    readings = [*told, _iso(raw, kind, writing)] if writing.also_iso else told
    return exp.Coalesce(this=readings[0], expressions=readings[1:]) if readings[1:] else readings[0]


def _alike(formats: tuple[str, ...]) -> list[list[str]]:
    """Formats with an offset, without one, and epochs apart: DuckDB reads each list as one type."""
    zoned = [one for one in formats if "%z" in one]
    plain = [one for one in formats if "%z" not in one and one not in EPOCHS]
    return [*filter(None, (plain, zoned)), *([one] for one in formats if one in EPOCHS)]


def _told(text: exp.Expression, kind: str, formats: list[str], writing: Writing) -> exp.Expression:
    """A moment read as csv.dates says."""
    if formats[0] in EPOCHS:
        # beyond these bounds MAKE_TIMESTAMP fails, and nobody has bought
        sql = """
            CASE WHEN ABS(TRY_CAST($text AS DOUBLE)) * $scale < 1e17
            THEN MAKE_TIMESTAMP(CAST(ROUND(TRY_CAST($text AS DOUBLE) * $scale) AS BIGINT)) END
        """
        moment = _local(expression(sql, text=text, scale=EPOCHS[formats[0]]), writing)
        return cast(moment, kind)
    listed = exp.Array(expressions=[literal(one) for one in formats])
    read = expression("TRY_STRPTIME(TRIM($text), $formats)", text=text, formats=listed)
    if "%z" in formats[0]:
        even = expression(r"REGEXP_REPLACE(TRIM($text), '([+-]\d\d):(\d\d)$', '\1\2')", text=text)
        even = expression(r"REGEXP_REPLACE($text, '(:\d\d(?:\.\d+)?\s*)(?:Z|UTC)$', '\1+0000')", text=even)
        sql = "CASE WHEN NOT REGEXP_MATCHES($text, $wrong) THEN TRY_STRPTIME($even, $formats) AT TIME ZONE $zone END"
        read = expression(sql, text=text, wrong=WRONG_OFFSET, even=even, formats=listed, zone=writing.time_zone)
    return cast(read, kind)


def _local(moment: exp.Expression, writing: Writing) -> exp.Expression:
    """A moment of UTC as the clock of the workbook's time zone shows it."""
    if writing.time_zone == "UTC":
        return moment
    return expression("$moment AT TIME ZONE 'UTC' AT TIME ZONE $zone", moment=moment, zone=writing.time_zone)


def _iso(raw: exp.Expression, kind: str, writing: Writing) -> exp.Expression:
    """A moment as in ISO 8601: with an offset in local time, without one as it stands."""
    text = as_text(raw)
    patient = expression(r"REGEXP_REPLACE(TRIM($text), $minutes, '\1:00\2')", text=text, minutes=NO_SECONDS)
    patient = expression(r"REGEXP_REPLACE($text, $split, '\1\2:\3')", text=patient, split=SPLIT_OFFSET)
    with_offset = expression(
        "CASE WHEN NOT REGEXP_MATCHES($text, $wrong) THEN "
        "COALESCE(TRY_CAST($raw AS TIMESTAMPTZ), TRY_CAST($patient AS TIMESTAMPTZ)) AT TIME ZONE $zone END",
        text=text, wrong=WRONG_OFFSET, raw=raw, patient=patient, zone=writing.time_zone,
    )  # fmt: skip
    # a time zone's cast takes six times as long as one without: most values show by their length that they have none
    return expression(
        "CASE WHEN $text LIKE $without OR LENGTH($text) <= 10 THEN $plain "
        "WHEN REGEXP_MATCHES($text, $offset) THEN $zoned ELSE $plain END",
        text=text, without=WITHOUT_OFFSET, offset=OFFSET, zoned=cast(with_offset, kind), plain=try_cast(raw, kind),
    )  # fmt: skip


def faults(
    contract: ColumnContract,
    text: exp.Expression,
    value: exp.Expression,
    writing: Writing,
    is_summed: bool = False,
) -> list[tuple[exp.Expression, str]]:
    """What can be wrong with a column, the plainest first: the test, and the reason in words.

    `text` is what the file has, `value` how it was read; `is_summed`: its values go into sums, which
    have a bound.
    """
    blank = expression("'' = COALESCE(TRIM($text, $blanks), '')", text=text, blanks=BLANKS)
    is_text = contract.type == "text" and not is_id(contract)
    nothing = expression("'' = COALESCE(TRIM($value), '')" if is_text else "$value IS NULL", value=value)
    unread = expression("CASE WHEN $nothing THEN NOT $blank ELSE FALSE END", nothing=nothing, blank=blank)
    tests = []
    if contract.required:
        sql = "CASE WHEN $nothing THEN $blank ELSE FALSE END"
        tests.append((expression(sql, nothing=nothing, blank=blank), "is empty"))
    if contract.type != "text":
        if contract.type in NUMBERS and writing.decimal == "." and not writing.decimal_said and not writing.held_as:
            sql = "CASE WHEN $unread THEN REGEXP_MATCHES($body, $doubted) ELSE FALSE END"
            tests.append((expression(sql, unread=unread, body=_body(text), doubted=DOUBTED), QUESTION))
        tests.append((unread, f"is not of type {contract.type}{how_to_write(contract.type, writing)}"))
    elif contract.required or contract.name in IDS:
        tests.append((unread, "is an error of Excel's, and no value"))
    if contract.type == "decimal" or is_summed:
        tests.append((expression("ABS($value) > $most", value=value, most=MOST), f"lies beyond {MOST:,}"))
    if contract.enum:
        sql = "CASE WHEN $known THEN FALSE ELSE NOT $blank END"
        unknown = expression(sql, blank=blank, known=is_in(text, list(contract.enum)))
        tests.append((unknown, f"is none of {', '.join(contract.enum)}"))
    if contract.name == EVENT_TIME:
        latest = expression(LATEST, zone=writing.time_zone)
        tests.append((expression("$value > $latest", value=value, latest=latest), "lies in the future"))
    if contract.type in MOMENTS:
        tests.append((expression("$value < $first", value=value, first=FIRST_DAY), "lies before 1900"))
        tests.append((expression("$value > $last", value=value, last=LAST_DAY), "lies after the year 9999"))
    return tests


def how_to_write(kind: str, writing: Writing) -> str:
    """How a value of a type is to be written, in parentheses."""
    if writing.decimal == "," and kind in FRACTIONS:
        return " (written like 1234,5 or 1.234,5, as csv.decimal says)"
    if writing.dates and kind in MOMENTS:
        return f" (written like {' or '.join(writing.dates)}, as csv.dates says)"
    return HOW_TO_WRITE.get(kind, "")
