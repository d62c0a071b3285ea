"""From a file to the temporary table `staged`: one row per row of the file, typed, with what is wrong with it.

Five layers, each a SELECT over the one before: the rows of the file; what is calculated of them (`row_sql`); the values
they hold (`writings`); what amounts come to (`money`); what is wrong with a row, or for which reason it is left out
(`left_out`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlglot import exp

from clv_helpers.config.datasets import COSTS, PRIMARY_IDENTITY, ColumnContract
from clv_helpers.config.sources import CsvFormat, Source
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import cast, column, expression
from clv_helpers.engines.file_scan import is_csv, is_json, unreadable_lines
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.ingest import left_out, money, row_sql, writings
from clv_helpers.ingest.forgotten import REASON, Forgotten, read_forgotten
from clv_helpers.ingest.raw_file import UnreadableFile
from clv_helpers.ingest.readable import Readable, readable
from clv_helpers.ingest.writings import Writing

# After a column's name: what its expression gives, once for all that is read of it. No header ends in a blank.
CALCULATED = " as calculated "
WRITTEN = " as written"  # after a column's name: what the file has of it
NO_FAULT = "CAST(NULL AS STRUCT(name TEXT, value TEXT, reason TEXT))"
FAULT = "{'name': $name, 'value': $value, 'reason': $reason}"
RAW = "SELECT ROW_NUMBER() OVER () AS _row, *, $renamed FROM $rows"
IS_GUEST = "customer_id IS NULL AND NOT COALESCE($is_error, FALSE)"  # an id whose look-up failed is no guest's
JOINED = "CASE WHEN $is_error THEN NULL ELSE $guest END"
SORTED = "SELECT *, COALESCE(_aside, $left_out) AS _left_out FROM priced"
JUDGED = "SELECT *, CASE WHEN _left_out IS NULL THEN $first_fault END AS _fault FROM sorted"
# Of the good rows of a lookup, or of costs, the first of each key.
ONCE = """
    SELECT * EXCLUDE (_fault), CASE
        WHEN _left_out IS NULL AND _fault IS NULL AND 1 < ROW_NUMBER() OVER (
            PARTITION BY $key, _fault IS NULL AND _left_out IS NULL ORDER BY _row
        ) THEN $twice ELSE _fault END AS _fault
    FROM found
"""
TWICE = "stands in an earlier row too, and a lookup has each key once"
TWICE_A_MONTH = "stands in an earlier row of this month too, and a month has one cost of each channel"
MONTH_AND_CHANNEL = "{'month': SUBSTRING(month, 1, 7), 'channel': TRIM(channel)}"
STAGED = """
    SELECT _row, $names, _left_out, _currency,
    _fault.name AS _column, _fault.value AS _value, _fault.reason AS _reason FROM judged
"""
UNREADABLE = """
    INSERT INTO staged (_row, _column, _value, _reason)
    SELECT -l.line, 'line ' || l.line, l.text, 'is no row: ' || l.reason FROM $lines AS l
"""
FOREIGN = """
    SELECT _currency AS currency, COUNT(*) AS rows FROM staged
    WHERE _left_out IS NULL AND _currency <> $unit GROUP BY _currency ORDER BY _currency
"""
NO_CURRENCY = "is empty, and the row has an amount"


class IngestError(UserError):
    """A file that cannot become a batch. Nothing of it is in the lake."""


@dataclasses.dataclass(frozen=True)
class Read:
    """How one column is read: what the file has, how that is written; of one that is calculated, of what."""

    contract: ColumnContract
    raw: exp.Expression
    writing: Writing
    operands: tuple[str, ...] = ()
    calculated: exp.Expression | None = None

    @property
    def name(self) -> str:
        return self.contract.name

    def value(self) -> exp.Expression:
        """The value in the contract's type."""
        return writings.value(self.contract, self.raw, self.writing).copy()  # which is kept


def source_of(workbook: Workbook, dataset: str) -> Source:
    """What the params say of a dataset. Raises KeyError where they do not name it."""
    sources: Mapping[Any, Source] = workbook.params.sources
    return sources[dataset]


def columns_of_file(workbook: Workbook, dataset: str, file: Path) -> tuple[list[ColumnContract], list[str]]:
    """The contract's columns that the file has, and the file's headers that nothing reads.

    Raises IngestError where the file cannot be read or lacks a column, or an expression cannot be told for its rows.
    """
    with _opened(workbook, dataset, file) as rows:
        return _columns(workbook, dataset, rows)


@contextlib.contextmanager
def _opened(workbook: Workbook, dataset: str, file: Path) -> Iterator[Readable]:
    """A file of a dataset; what is against it as an IngestError."""
    try:
        with readable(file, source_of(workbook, dataset), workbook.folder) as rows:
            yield rows
    except UnreadableFile as error:
        raise IngestError(f"sources.{dataset}: {file.name} {error}") from None


def _columns(workbook: Workbook, dataset: str, rows: Readable) -> tuple[list[ColumnContract], list[str]]:
    source, file, headers = source_of(workbook, dataset), rows.file, rows.headers
    contract = list(workbook.params.contract(dataset).values())
    if not is_json(file):  # of which each row has keys of its own
        contract = [_found(each, headers) for each in contract]
    if source.columns is None and not is_json(file):
        contract = [column for column in contract if column.header in headers or column.required]
    for needed in contract:
        names = needed.alternatives or (needed.header,)
        if not needed.sql and not set(names) & set(headers) and (needed.required or not is_json(file)):
            listed = " or ".join(map(repr, names))
            raise IngestError(
                f"sources.{dataset}.columns.{needed.name} is read from {listed}, which {file.name} has not; "
                f"its columns: {', '.join(headers)}"
            )
    _check_expressions(dataset, source, file, contract, [*headers, *_other_names(workbook, dataset, headers)])
    if source.guests == "join by email" and "email" not in {column.name for column in contract}:
        raise IngestError(f"sources.{dataset}.guests is 'join by email'; for this, columns needs email")
    known = headers_of(source, contract)
    return contract, [header for header in headers if header not in known]


def _found(contract: ColumnContract, headers: list[str]) -> ColumnContract:
    """A column with the first of its headers that the file has."""
    header = next((each for each in contract.alternatives if each in headers), "")
    return dataclasses.replace(contract, header=header, alternatives=(header,)) if header else contract


def _other_names(workbook: Workbook, dataset: str, headers: list[str]) -> dict[str, str]:
    """Alternatives that the file has not, and the header that it has for the same column: expressions may name each."""
    return {
        name: next(header for header in each.alternatives if header in headers)
        for each in workbook.params.contract(dataset).values()
        for name in each.alternatives
        if name not in headers and not set(each.alternatives).isdisjoint(headers)
    }


def _check_expressions(
    dataset: str, source: Source, file: Path, contract: list[ColumnContract], headers: list[str]
) -> None:
    calculated = [(f"columns.{each.name}", each.sql, False) for each in contract if each.sql]
    for key, sql, truth in [*calculated, *((key, sql, True) for key, _, sql in left_out.expressions(source))]:
        of_file = [*headers, *row_sql.row_expression(sql, Writing()).headers] if is_json(file) else headers
        problem = row_sql.problem(sql, list(dict.fromkeys(of_file)), truth)
        if problem:
            raise IngestError(f"sources.{dataset}.{key}: {sql!r} {problem} ({file.name})")


def headers_of(source: Source, contract: list[ColumnContract]) -> list[str]:
    """The headers that are read: those of the columns, and those in expressions."""
    found: list[str] = []
    for each in contract:
        found += [] if each.sql else (each.alternatives or (each.header,))
    for sql in [each.sql for each in contract if each.sql] + [sql for _, _, sql in left_out.expressions(source)]:
        found += row_sql.row_expression(sql, Writing()).headers
    return list(dict.fromkeys(found))


def stage(session: Session, workbook: Workbook, dataset: str, file: Path, contract: list[ColumnContract]) -> list[str]:
    """Make `staged`: _row (from 1), the typed columns, _left_out, and _column, _value, _reason of the first fault.

    Gives the names of the typed columns. A line of a CSV that is no row has minus its number in the file as _row.
    Raises IngestError for a broken file, and for one that mixes currencies without rates for them.
    """
    with _opened(workbook, dataset, file) as rows:
        return _stage(session, workbook, dataset, rows, contract)


def stage_file(
    session: Session, workbook: Workbook, dataset: str, file: Path
) -> tuple[list[ColumnContract], list[str], list[str]]:
    """`columns_of_file` and `stage` of a file that is opened once: its columns, their names, the headers not read."""
    with _opened(workbook, dataset, file) as rows:
        contract, unknown = _columns(workbook, dataset, rows)
        return contract, _stage(session, workbook, dataset, rows, contract), unknown


def _stage(
    session: Session, workbook: Workbook, dataset: str, found: Readable, contract: list[ColumnContract]
) -> list[str]:
    source, forgotten = source_of(workbook, dataset), read_forgotten(session, workbook)
    writing = _writing(workbook, source, found.file)
    reads = [_read(each, writing, found.types) for each in contract]
    needed = headers_of(source, contract)
    named = {} if found.kind == "json" else _other_names(workbook, dataset, found.headers)
    renamed = [column(named[name]).as_(name, quoted=True) for name in needed if name in named]
    layers: dict[str, exp.Expression] = {"raw": expression(RAW, rows=found.scan(needed), renamed=renamed)}
    columns = _typed(workbook, dataset, reads, writing)
    calculated = [each.calculated.as_(each.raw.name, quoted=True) for each in reads if each.calculated]
    layers["calculated"] = exp.select("*", *calculated).from_("raw")
    layers["typed"] = _over("calculated", columns)
    if dataset == "purchases":
        rows, columns = _priced(session, workbook, reads, list(columns))
        layers |= rows
    else:
        layers["priced"] = exp.select("*").from_("typed")
    written = writings.as_text(column(PRIMARY_IDENTITY + WRITTEN))
    is_guest = expression(IS_GUEST, is_error=writings.is_excel_error(written))
    by_values = left_out.by_values(source, {each.name for each in reads}, is_guest)
    layers["sorted"] = expression(SORTED, left_out=by_values)
    layers["judged"] = expression(JUDGED, first_fault=_first_fault(workbook, dataset, reads, forgotten))
    if key := workbook.params.lookups.get(dataset):
        twice = _fault(key, cast(column(key), "text"), TWICE)
        layers["found"] = layers.pop("judged")
        layers["judged"] = expression(ONCE, key=column(key), twice=twice)
    if dataset == COSTS:
        twice = _fault("channel", column("channel"), TWICE_A_MONTH)
        layers["found"] = layers.pop("judged")
        layers["judged"] = expression(ONCE, key=expression(MONTH_AND_CHANNEL), twice=twice)
    kept = [name for name in columns if not name.startswith("_") and not name.endswith(WRITTEN)]
    query: Any = expression(STAGED, names=[column(name) for name in kept])
    for name, layer in layers.items():
        query = query.with_(name, as_=layer, copy=False)
    more = [expression(UNREADABLE, lines=unreadable_lines())] if found.kind in ("csv", "excel") else []
    if more and forgotten:
        more.append(forgotten.in_lines())
    session.load_file("staged", query, *more)
    if dataset == "purchases" and not workbook.params.rates:
        _refuse_other_currencies(session, workbook, found.file)
    return kept


def _writing(workbook: Workbook, source: Source, file: Path) -> Writing:
    """How the values of a file are written: a decimal mark is of CSV, and files that know types may write ISO 8601."""
    form = source.csv if is_csv(file) else CsvFormat()
    said = "decimal" in form.model_fields_set
    return Writing(form.decimal, said, tuple(source.csv.dates), workbook.params.time_zone, also_iso=not is_csv(file))


def _read(contract: ColumnContract, writing: Writing, types: Mapping[str, Any]) -> Read:
    if contract.sql:
        row = row_sql.row_expression(contract.sql, writing, contract.type in writings.NUMBERS)
        raw = column(contract.name + CALCULATED)
        return Read(contract, raw, Writing() if row.is_number else writing, row.numbers, row.tree)
    first, *others = [column(header) for header in contract.alternatives or (contract.header,)]
    if others:
        return Read(contract, exp.Coalesce(this=first, expressions=others), writing)
    held = writings.held_as(str(types.get(first.name, "")))
    return Read(contract, first, dataclasses.replace(writing, held_as=held))


def _typed(workbook: Workbook, dataset: str, reads: list[Read], writing: Writing) -> dict[str, exp.Expression]:
    """The columns of the second layer: the values of the file's rows, and beside each what the file has."""
    source = source_of(workbook, dataset)
    values = {each.name: each.value() for each in reads}
    if source.guests == "join by email":
        raw = next(each.raw for each in reads if each.name == PRIMARY_IDENTITY)
        guest = left_out.guest_id(values[PRIMARY_IDENTITY], values["email"])
        values[PRIMARY_IDENTITY] = expression(
            JOINED, is_error=writings.is_excel_error(writings.as_text(raw)), guest=guest
        )
    return {
        **values,
        **{each.name + WRITTEN: each.raw for each in reads},
        "_aside": left_out.by_headers(source, writing),
        "_operand": _unread_operand(reads, writing),
        "_currency": _currency(workbook, reads) if dataset == "purchases" else cast(exp.null(), "text"),
    }


def _over(layer: str, columns: Mapping[str, exp.Expression]) -> exp.Select:
    """These columns over a layer."""
    listed = [exp.alias_(value, name, quoted=True, copy=False) for name, value in columns.items()]
    return exp.select("_row", *listed, copy=False).from_(layer)


def _unread_operand(reads: list[Read], writing: Writing) -> exp.Expression:
    """The fault of the first header that an expression calculates with and that holds no number."""
    first = exp.Case()
    for each in reads:
        for header in each.operands:
            text = writings.as_text(column(header))
            reason = f"is no number ({header}){writings.how_to_write('number', writing)}"
            first = first.when(row_sql.unread(header, writing), _fault(each.name, text, reason), copy=False)
    return first if first.args.get("ifs") else expression(NO_FAULT)


def _currency(workbook: Workbook, reads: list[Read]) -> exp.Expression:
    """The currency of a row: of its column, else as written with its amounts."""
    unit, names = money.unit_of(workbook.params), [each.name for each in reads]
    own = [each.raw for each in reads if each.name == "currency"]
    marked = money.measured(workbook.params, names)
    amounts = [each for each in reads if each.name in marked]
    marks: list[exp.Expression] = [column(header) for each in amounts for header in each.operands]
    marks += [each.raw for each in amounts if not each.contract.sql and not each.writing.held_as]
    written = [*map(writings.as_text, own), *map(writings.currency_mark, marks)]
    return money.currency(written, unit) if written else cast(exp.null(), "text")


def _priced(
    session: Session, workbook: Workbook, reads: list[Read], names: list[str]
) -> tuple[dict[str, exp.Expression], dict[str, exp.Expression]]:
    """The layers that say what amounts come to, and their columns."""
    params, kinds = workbook.params, {each.name: each.contract.type for each in reads}
    source, unit = source_of(workbook, "purchases"), money.unit_of(params)
    layers: dict[str, exp.Expression] = {}
    if params.rates:
        try:
            money.load_rates(session, workbook)
        except money.RatesError as error:
            raise IngestError(str(error)) from None
        layers["rated"] = expression(money.RATED)
    columns: dict[str, exp.Expression] = {name: column(name) for name in names}
    columns |= money.net(source, list(kinds))
    for name in money.columns_of_money(params, list(columns)):
        in_unit = (money.converted if params.rates else money.same_currency)(columns[name], unit)
        columns[name] = writings.try_cast(in_unit, kinds.get(name, "decimal"))
    if params.rates:
        columns["_rate"] = exp.column("_rate")
    layers["priced"] = _over(next(iter(layers), "typed"), columns)
    return layers, columns


def _first_fault(workbook: Workbook, dataset: str, reads: list[Read], forgotten: Forgotten | None) -> exp.Expression:
    """What is wrong with a row, the plainest first; NULL for nothing."""
    now = dt.datetime.now(ZoneInfo(workbook.params.time_zone)).replace(tzinfo=None, microsecond=0)
    first = exp.Case()
    summed = {"quantity", workbook.params.value.column, workbook.params.spending.column}
    if forgotten and any(each.name == PRIMARY_IDENTITY for each in reads):
        test = forgotten.test(column(PRIMARY_IDENTITY))
        first = first.when(test, _fault(PRIMARY_IDENTITY, exp.null(), REASON), copy=False)
    if dataset == "purchases":
        for test, value, reason in _currency_faults(workbook, [each.name for each in reads]):
            first = first.when(test, _fault("currency", value, reason), copy=False)
    for name, fails, reason in _cost_faults() if dataset == COSTS else ():
        first = first.when(expression(fails), _fault(name, cast(column(name), "text"), reason), copy=False)
    for each in reads:
        text = writings.as_text(column(each.name + WRITTEN))
        is_summed = dataset == "purchases" and each.name in summed
        for test, reason in writings.faults(each.contract, text, column(each.name), each.writing, now, is_summed):
            first = first.when(test, _fault(each.name, text, reason), copy=False)
    return expression("COALESCE(_operand, $first)", first=first)


def _cost_faults() -> Iterator[tuple[str, str, str]]:
    """What can be wrong with a row of costs beside its types: the column, the test, and the reason."""
    is_month = r"REGEXP_MATCHES(TRIM(month), '^\d{4}-(0[1-9]|1[0-2])(-\d{2}.*)?$')"
    yield "month", f"NOT {is_month} AND TRIM(month) <> ''", "is no month (written like 2024-01, or a day of it)"
    yield "cost", "cost < 0", "is below zero"


def _currency_faults(workbook: Workbook, names: list[str]) -> Iterator[tuple[exp.Expression, exp.Expression, str]]:
    unit = money.unit_of(workbook.params)
    if "currency" in names and "amount" in names:
        yield expression("_currency IS NULL AND amount <> 0"), exp.null(), NO_CURRENCY
    if workbook.params.rates:
        test = expression("_currency <> $unit AND _rate IS NULL", unit=unit)
        yield test, exp.column("_currency"), f"has no rate on its day or before in {workbook.params.rates}"


def _fault(name: str, value: exp.Expression, reason: str) -> exp.Expression:
    return expression(FAULT, name=name, value=value, reason=reason)


def _refuse_other_currencies(session: Session, workbook: Workbook, file: Path) -> None:
    """Raise IngestError where rows are in another currency than the workbook counts in, and no rate says its worth."""
    unit = money.unit_of(workbook.params)
    found = session.rows(FOREIGN, unit=unit)
    if found:
        counts = [(f"{row['rows']:,} row{'' if row['rows'] == 1 else 's'}", row["currency"]) for row in found[:5]]
        listed = ", ".join(f"{rows} in {currency}" for rows, currency in counts)
        raise IngestError(
            f"{file.name} has {listed}, and amounts are counted in {unit} (value.unit); allowed: one currency, "
            "rates (a file of date, currency, rate), or a where that takes the rows of one"
        )
