"""From a file to the temporary table `staged`: one row per row of the file, typed, with what is wrong with it.

What the file must have is checked here; how its rows are read is one query: `staging_query`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from clv_helpers.config.datasets import ColumnContract
from clv_helpers.config.same import Same
from clv_helpers.config.sources import Source
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import expression
from clv_helpers.engines.file_scan import is_json, unreadable_lines
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.ingest import left_out, money, row_sql
from clv_helpers.ingest.forgotten import read_forgotten
from clv_helpers.ingest.raw_file import UnreadableFile
from clv_helpers.ingest.readable import Readable, readable
from clv_helpers.ingest.staging_query import Shape, staging_query
from clv_helpers.ingest.writings import Writing

UNREADABLE = """
    INSERT INTO staged (_row, _column, _value, _reason)
    SELECT -l.line, 'line ' || l.line, l.text, 'is no row: ' || l.reason FROM $lines AS l
"""
FOREIGN = """
    SELECT _currency AS currency, COUNT(*) AS rows FROM staged
    WHERE _left_out IS NULL AND _currency <> $unit GROUP BY _currency ORDER BY _currency
"""


class IngestError(UserError):
    """A file that cannot become a batch. Nothing of it is in the lake."""


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
        with readable(file, workbook.params.sources[dataset], workbook.folder) as rows:
            yield rows
    except UnreadableFile as error:
        raise IngestError(f"sources.{dataset}: {file.name} {error}") from None


def _columns(workbook: Workbook, dataset: str, rows: Readable) -> tuple[list[ColumnContract], list[str]]:
    source, file, headers = workbook.params.sources[dataset], rows.file, rows.headers
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
    needed, forgotten = headers_of(workbook.params.sources[dataset], contract), read_forgotten(session, workbook)
    named = {} if found.kind == "json" else _other_names(workbook, dataset, found.headers)
    renamed = tuple((name, named[name]) for name in needed if name in named)
    types = tuple((name, str(kind)) for name, kind in found.types.items())
    query, kept = staging_query(
        Same(workbook.params), Shape(dataset, tuple(contract), found.kind, renamed, types, forgotten)
    )
    more = [expression(UNREADABLE, lines=unreadable_lines())] if found.kind in ("csv", "excel") else []
    if more and forgotten:
        more.append(forgotten.in_lines())
    if dataset == "purchases" and workbook.params.rates:
        _load_rates(session, workbook)
    session.load_file("staged", query, *more, rows_of_file=found.scan(needed))
    if dataset == "purchases" and not workbook.params.rates:
        _refuse_other_currencies(session, workbook, found.file)
    return list(kept)


def _load_rates(session: Session, workbook: Workbook) -> None:
    try:
        money.load_rates(session, workbook)
    except money.RatesError as error:
        raise IngestError(str(error)) from None


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
