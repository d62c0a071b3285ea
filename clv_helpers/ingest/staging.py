"""From a file to the temporary table `staged`: one row per row of the file, typed, with what is wrong with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlglot import exp

from clv_helpers.config.datasets import DATASETS, EVENT_KEY, EVENT_TIME, PRIMARY_IDENTITY, ColumnContract
from clv_helpers.config.sources import CsvFormat, Source
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import SQL_TYPES, cast, column, expression, is_in, literal, table
from clv_helpers.engines.file_scan import is_csv, is_json, unreadable_lines
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.ingest.forgotten import REASON, read_forgotten
from clv_helpers.ingest.raw_file import UnreadableFile
from clv_helpers.ingest.readable import readable

# A clock may run ahead, and time zones differ; more than a day ahead is no event that has happened.
TOLERANCE = dt.timedelta(days=1)
HOW_TO_WRITE = {
    "decimal": " (written like 1234.5; with csv.decimal ',' like 1234,5)",
    "number": " (written like 1234.5; with csv.decimal ',' like 1234,5)",
    "date": " (written like 2024-01-31; with csv.dates '%d.%m.%Y' like 31.01.2024)",
    "timestamp": " (written like 2024-01-31 or 2024-01-31 18:30:00; with csv.dates '%d.%m.%Y' like 31.01.2024)",
    "boolean": " (written true or false)",
}
MOMENTS = ("date", "timestamp")
FRACTIONS = ("decimal", "number")
# Under a decimal comma dots part thousands: 1.234,56. Any other dot, as in 22.29, makes the text no number.
GROUPED = r"^\s*[+-]?\d{1,3}(\.\d{3})+(,\d*)?\s*$"
STAGED = """
    SELECT _row, $names, _fault.name AS _column, _fault.value AS _value, _fault.reason AS _reason
    FROM (
        SELECT _row, $values, $first_fault AS _fault FROM (SELECT ROW_NUMBER() OVER () AS _row, * FROM $rows) AS raw
    ) AS typed
"""
UNREADABLE = """
    INSERT INTO staged (_row, _column, _value, _reason)
    SELECT -l.line, 'line ' || l.line, l.text, 'is no row: ' || l.reason FROM $lines AS l
"""
REPEATS = """
    WITH good AS (
        SELECT _row, event_id FROM staged WHERE _reason IS NULL AND NOT event_id IS NULL
    ),
    firsts AS (
        SELECT event_id, MIN(_row) AS first_row FROM good GROUP BY event_id HAVING COUNT(*) > 1
    )
    SELECT g._row FROM good AS g JOIN firsts AS f ON f.event_id = g.event_id WHERE g._row > f.first_row
    UNION
    SELECT g._row FROM good AS g WHERE g.event_id IN (SELECT e.event_id FROM $lake_table AS e)
"""
# A number written with a decimal comma as SQL writes it; NULL where a dot in it parts no thousands.
WITH_DECIMAL_POINT = """
    CASE WHEN $text LIKE '%.%' AND NOT REGEXP_MATCHES($text, $grouped) THEN NULL
    ELSE REPLACE(REPLACE($text, '.', ''), ',', $point) END
"""


class IngestError(UserError):
    """A file that cannot become a batch. Nothing of it is in the lake."""


def source_of(workbook: Workbook, dataset: str) -> Source:
    """What the params say of a dataset. Raises KeyError where they do not name it."""
    sources: Mapping[Any, Source] = workbook.params.sources
    return sources[dataset]


def columns_of_file(workbook: Workbook, dataset: str, file: Path) -> tuple[list[ColumnContract], list[str]]:
    """The contract's columns that the file has, and the file's headers that the contract does not know.

    Raises IngestError where the file cannot be read or lacks a column.
    """
    source = source_of(workbook, dataset)
    try:
        with readable(file, source, workbook.folder) as rows:
            headers = rows.headers
    except UnreadableFile as error:
        raise IngestError(f"sources.{dataset}: {file.name} {error}") from None
    contract = list(workbook.params.contract(dataset).values())
    if source.columns is None and not is_json(file):
        contract = [column for column in contract if column.header in headers or column.required]
    for needed in contract:
        if needed.header not in headers and (needed.required or not is_json(file)):
            raise IngestError(
                f"sources.{dataset}.columns.{needed.name} is read from {needed.header!r}, which {file.name} has not; "
                f"its columns: {', '.join(headers)}"
            )
    known = {column.header for column in contract}
    return contract, [header for header in headers if header not in known]


def stage(session: Session, workbook: Workbook, dataset: str, file: Path, contract: list[ColumnContract]) -> None:
    """Make `staged`: _row (from 1), the typed columns, and _column, _value, _reason of the first fault, if any.

    A line of a CSV that is no row has minus its number in the file as _row. Raises IngestError for a broken file.
    """
    source = source_of(workbook, dataset)
    form = source.csv if is_csv(file) else CsvFormat()
    first_fault, forgotten = exp.Case(), read_forgotten(session, workbook)
    for each in contract:
        if forgotten and each.name == PRIMARY_IDENTITY:
            fault = expression("{'name': $name, 'value': NULL, 'reason': $reason}", name=each.name, reason=REASON)
            first_fault = first_fault.when(forgotten.test(_text(each)), fault)
    for each in contract:
        for test, reason in _faults(each, form):
            fault = expression("{'name': $name, 'value': $value, 'reason': $reason}",
                               name=each.name, value=_text(each), reason=reason)  # fmt: skip
            first_fault = first_fault.when(test, fault)
    try:
        with readable(file, source, workbook.folder) as found:
            query = expression(
                STAGED,
                names=[column(each.name) for each in contract],
                values=[_value(each, form).as_(each.name, quoted=True) for each in contract],
                first_fault=first_fault,
                rows=found.scan([each.header for each in contract]),
            )
            more = [expression(UNREADABLE, lines=unreadable_lines())] if found.kind in ("csv", "excel") else []
            if more and forgotten:
                more.append(forgotten.in_lines())
            session.load_file("staged", query, *more)
    except UnreadableFile as error:
        raise IngestError(f"sources.{dataset}: {file.name} {error}") from None


def _text(contract: ColumnContract) -> exp.Expression:
    return expression("CAST($header AS VARCHAR)", header=column(contract.header))


def _value(contract: ColumnContract, form: CsvFormat) -> exp.Expression:
    """The value in the contract's type, NULL where it does not fit. A blank is no value, but for text."""
    kind, text = contract.type, _text(contract)
    if kind == "text":
        return text
    value: exp.Expression = column(contract.header)
    if form.decimal == "," and kind in ("integer", *FRACTIONS):
        point = "." if kind in FRACTIONS else ","
        value = expression(WITH_DECIMAL_POINT, text=text, grouped=GROUPED, point=point)
    if form.dates and kind in MOMENTS:
        formats = exp.Array(expressions=[literal(date_format) for date_format in form.dates])
        return cast(expression("TRY_STRPTIME(TRIM($text), $formats)", text=text, formats=formats), kind)
    if kind == "timestamp":  # the session's time zone is UTC, so a time without an offset stays as it is
        return expression("TRY_CAST($value AS TIMESTAMPTZ) AT TIME ZONE 'UTC'", value=value)
    return expression(f"TRY_CAST($value AS {SQL_TYPES[kind]})", value=value)


def _faults(contract: ColumnContract, form: CsvFormat) -> list[tuple[exp.Expression, str]]:
    """What can be wrong with a column, the plainest first: the test, and the reason in words."""
    text, value = _text(contract), _value(contract, form)
    blank = expression("'' = COALESCE(TRIM($text), '')", text=text)
    tests = []
    if contract.required:
        tests.append((blank, "is empty"))
    if contract.type != "text":
        mistyped = expression("NOT $blank AND $value IS NULL", blank=blank, value=value)
        tests.append((mistyped, f"is not of type {contract.type}{_how_to_write(contract, form)}"))
    if contract.enum:
        unknown = expression("NOT $blank AND NOT $known", blank=blank, known=is_in(text, list(contract.enum)))
        tests.append((unknown, f"is none of {', '.join(contract.enum)}"))
    if contract.name == EVENT_TIME:
        latest = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0) + TOLERANCE
        tests.append((expression("$value > $latest", value=value, latest=latest), "lies in the future"))
    return tests


def _how_to_write(contract: ColumnContract, form: CsvFormat) -> str:
    if form.decimal == "," and contract.type in FRACTIONS:
        return " (written like 1234,5 or 1.234,5, as csv.decimal says)"
    if form.dates and contract.type in MOMENTS:
        return f" (written like {' or '.join(form.dates)}, as csv.dates says)"
    return HOW_TO_WRITE.get(contract.type, "")


def stage_repeats(session: Session, dataset: str, contract: list[ColumnContract]) -> None:
    """Make the temporary table `repeats`: the _row of each event whose key came before, in this file or in the lake."""
    has_key = EVENT_KEY in DATASETS[dataset] and EVENT_KEY in {column.name for column in contract}
    nothing = "SELECT CAST(NULL AS BIGINT) AS _row WHERE FALSE"
    query = expression(REPEATS if has_key else nothing, lake_table=table(f"lake.{dataset}"))
    session.create_temporary("repeats", query)
