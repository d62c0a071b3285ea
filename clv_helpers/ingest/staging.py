"""From a file to the temporary table `staged`: one row per row of the file, typed, with what is wrong with it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
from sqlglot import exp

from clv_helpers.config.datasets import DATASETS, EVENT_KEY, EVENT_TIME, ColumnContract
from clv_helpers.config.sources import CsvFormat, Source
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import bind, cast, column, is_in, literal, parse, table
from clv_helpers.engines.duckdb.engine import file_columns, is_csv, is_json, scan, unreadable_lines
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.ingest.csv_header import HeaderError, read_header

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
# What is wrong with a row: the test, the column, its text, and the reason in words.
Fault = tuple[exp.Expression, str, exp.Expression, str]

UNREADABLE = parse("""
    INSERT INTO staged (_row, _column, _value, _reason)
    SELECT -l.line, 'line ' || l.line, l.text, 'is no row: ' || l.reason FROM $lines AS l
""")
REPEATS = parse("""
    WITH good AS (
        SELECT _row, event_id FROM staged WHERE _reason IS NULL AND NOT event_id IS NULL
    ),
    firsts AS (
        SELECT event_id, MIN(_row) AS first_row FROM good GROUP BY event_id HAVING COUNT(*) > 1
    )
    SELECT g._row FROM good AS g JOIN firsts AS f ON f.event_id = g.event_id WHERE g._row > f.first_row
    UNION
    SELECT g._row FROM good AS g WHERE g.event_id IN (SELECT e.event_id FROM $lake_table AS e)
""")


class IngestError(UserError):
    """A file that cannot become a batch. Nothing of it is in the lake."""


def found_columns(workbook: Workbook, dataset: str, file: Path) -> tuple[list[ColumnContract], list[str]]:
    """The contract's columns that the file has, and the file's headers that the contract does not know.

    Raises IngestError where the file cannot be read or lacks a column.
    """
    source = workbook.params.sources[dataset]
    try:
        headers = read_header(file, source.csv)[1] if is_csv(file) else file_columns(file)
    except HeaderError as error:
        raise IngestError(f"sources.{dataset}: {file.name} {error}") from None
    except (duckdb.Error, OSError) as error:
        raise IngestError(_unreadable(dataset, file, error)) from None
    contract = list(workbook.params.contract(dataset).values())
    if source.columns is None and not is_json(file):
        contract = [c for c in contract if c.header in headers or c.required]
    for each in contract:
        if each.header not in headers and (each.required or not is_json(file)):
            raise IngestError(
                f"sources.{dataset}.columns.{each.name} is read from {each.header!r}, which {file.name} has not; "
                f"its columns: {', '.join(headers)}"
            )
    return contract, [header for header in headers if header not in {c.header for c in contract}]


def stage(session: Session, workbook: Workbook, dataset: str, file: Path, contract: list[ColumnContract]) -> None:
    """Make `staged`: _row (from 1), the typed columns, and _column, _value, _reason of the first fault, if any.

    A line of a CSV that is no row has minus its number in the file as _row. Raises IngestError for a broken file.
    """
    source = workbook.params.sources[dataset]
    form = source.csv if is_csv(file) else CsvFormat()
    rows = _scan(file, source, contract)
    raw = exp.select(exp.Window(this=exp.RowNumber()).as_("_row"), "*").from_(rows)
    typed, faults = [column("_row")], []
    for each in contract:
        text = exp.cast(column(each.header), exp.DataType.build("VARCHAR"))
        value = _typed(each, form)
        typed.append(value.as_(each.name, quoted=True))
        faults += _faults(each, text, value, form)
    typed.append(_first_true([(test, literal(name)) for test, name, _, _ in faults]).as_("_column"))
    typed.append(_first_true([(test, text) for test, _, text, _ in faults]).as_("_value"))
    typed.append(_first_true([(test, literal(reason)) for test, _, _, reason in faults]).as_("_reason"))
    torn = [bind(UNREADABLE, {"lines": unreadable_lines().subquery()})] if is_csv(file) else []
    try:
        session.load_file("staged", exp.select(*typed).from_(raw.subquery("raw")), *torn)
    except duckdb.Error as error:
        raise IngestError(_unreadable(dataset, file, error)) from None


def _unreadable(dataset: str, file: Path, error: Exception) -> str:
    return f"sources.{dataset}: {file.name} cannot be read: {str(error).splitlines()[0]}"


def _typed(each: ColumnContract, form: CsvFormat) -> exp.Expression:
    """The value in the contract's type, NULL where it does not fit. A blank is no value, but for text."""
    if each.type == "text":
        return exp.cast(column(each.header), exp.DataType.build("VARCHAR"))
    value: exp.Expression = column(each.header)
    if form.decimal == "," and each.type in ("integer", *FRACTIONS):
        value = _with_decimal_point(value, each.type)
    if form.dates and each.type in MOMENTS:
        text = exp.Trim(this=exp.cast(value, exp.DataType.build("VARCHAR")))
        formats = exp.Array(expressions=[literal(one) for one in form.dates])
        return cast(exp.func("TRY_STRPTIME", text, formats), each.type)
    if each.type == "timestamp":  # the session's time zone is UTC, so a time without an offset stays as it is
        moment = exp.TryCast(this=value, to=exp.DataType.build("TIMESTAMPTZ"))
        return exp.AtTimeZone(this=moment, zone=literal("UTC"))
    return exp.TryCast(this=value, to=cast(exp.null(), each.type).to)


def _with_decimal_point(value: exp.Expression, kind: str) -> exp.Expression:
    """A number written with a decimal comma as SQL writes it; NULL where a dot in it parts no thousands."""
    text = exp.cast(value, exp.DataType.build("VARCHAR"))
    dotted = exp.Like(this=text, expression=literal("%.%"))
    no_number = exp.and_(dotted, exp.not_(exp.RegexpLike(this=text.copy(), expression=literal(GROUPED))))
    plain = exp.func("REPLACE", text.copy(), literal("."), literal(""))
    if kind in FRACTIONS:
        plain = exp.func("REPLACE", plain, literal(","), literal("."))
    return exp.Case().when(no_number, exp.null()).else_(plain)


def _faults(each: ColumnContract, text: exp.Expression, value: exp.Expression, form: CsvFormat) -> list[Fault]:
    """What can be wrong with a column, the plainest first."""
    blank = exp.EQ(this=exp.Coalesce(this=exp.Trim(this=text), expressions=[literal("")]), expression=literal(""))
    faults: list[Fault] = []
    if each.required:
        faults.append((blank, each.name, text, "is empty"))
    if each.type != "text":
        mistyped = exp.and_(exp.not_(blank), exp.Is(this=value, expression=exp.null()))
        how = HOW_TO_WRITE.get(each.type, "")
        if form.decimal == "," and each.type in FRACTIONS:
            how = " (written like 1234,5 or 1.234,5, as csv.decimal says)"
        if form.dates and each.type in MOMENTS:
            how = f" (written like {' or '.join(form.dates)}, as csv.dates says)"
        faults.append((mistyped, each.name, text, f"is not of type {each.type}{how}"))
    if each.enum:
        unknown = exp.and_(exp.not_(blank), exp.not_(is_in(text.copy(), list(each.enum))))
        faults.append((unknown, each.name, text, f"is none of {', '.join(each.enum)}"))
    if each.name == EVENT_TIME:
        latest = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0) + TOLERANCE
        faults.append((exp.GT(this=value, expression=literal(latest)), each.name, text, "lies in the future"))
    return faults


def stage_repeats(session: Session, dataset: str, contract: list[ColumnContract]) -> None:
    """Make the temporary table `repeats`: the _row of each event whose key came before, in this file or in the lake."""
    if EVENT_KEY not in {each.name for each in contract} or EVENT_KEY not in DATASETS[dataset]:
        session.create_temporary("repeats", exp.select(cast(exp.null(), "integer").as_("_row")).where(exp.false()))
        return
    session.create_temporary("repeats", bind(REPEATS, {"lake_table": table(f"lake.{dataset}")}))


def _scan(file: Path, source: Source, contract: list[ColumnContract]) -> exp.Expression:
    if not is_csv(file):
        return scan(file, [each.header for each in contract])
    delimiter, headers = read_header(file, source.csv)
    return scan(file, headers, delimiter, source.csv.encoding)


def _first_true(branches: list[tuple[exp.Expression, exp.Expression]]) -> exp.Expression:
    case = exp.Case()
    for test, result in branches:
        case = case.when(test.copy(), result.copy())
    return case
