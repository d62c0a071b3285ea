"""Files become batches: each row is accepted or rejected with a reason, and none is lost."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import cast, column, is_in, literal, table
from clv_helpers.engines.duckdb import Session, scan
from clv_helpers.params import DATASETS, EMAIL_EVENT_TYPES, Params
from clv_helpers.workbook import Workbook

LEDGER = """
CREATE TABLE IF NOT EXISTS lake.batches (
    _batch_id BIGINT, dataset VARCHAR, file VARCHAR, sha256 VARCHAR,
    rows_read BIGINT, rows_accepted BIGINT, rows_rejected BIGINT,
    first_event_at TIMESTAMP, last_event_at TIMESTAMP, status VARCHAR, finished_at TIMESTAMP
)"""
REJECTED = """
CREATE TABLE IF NOT EXISTS lake.rejected_rows (
    _batch_id BIGINT, dataset VARCHAR, row_number BIGINT, column_name VARCHAR, value VARCHAR, reason VARCHAR
)"""
ENUMS = {("email_events", "event_type"): list(EMAIL_EVENT_TYPES)}


class IngestError(RuntimeError):
    """A file that cannot become a batch. Nothing of it is in the lake."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def ingest(workbook: Workbook) -> list[dict[str, Any]]:
    """Bring every source file that is not in the lake yet in as one batch each.

    Gives a row per file: dataset, file, batch, rows_read, rows_accepted, rows_rejected, status
    (`success`, or `already ingested`). Each batch is one transaction: rows, rejected rows and ledger.
    Raises IngestError where a file lacks a column, has too many bad rows, or changed since it was ingested.
    """
    results = []
    with workbook.engine.write() as session:
        _prepare(session, workbook.params)
    for dataset in workbook.params.sources:
        for file in workbook.source_files(dataset):
            with workbook.engine.write() as session:
                results.append(_ingest_file(session, workbook, dataset, file))
    return results


def source_problems(workbook: Workbook) -> list[str]:
    """What stands in the way of ingesting, found from the files' headers alone: one sentence each."""
    problems = []
    session = Session(duckdb.connect())
    for dataset in workbook.params.sources:
        for file in workbook.source_files(dataset):
            try:
                _columns_in_file(session, workbook.params, dataset, file)
            except IngestError as error:
                problems.append(str(error))
    return problems


def _prepare(session: Session, params: Params) -> None:
    session.run("CREATE SCHEMA IF NOT EXISTS lake")
    session.run(LEDGER)
    session.run(REJECTED)
    for dataset, known in DATASETS.items():
        # Every column that sql/ may name exists, empty where the source lacks it, so no table needs a branch.
        kinds = {**{name: kind.rstrip("!") for name, kind in known.items()}, **params.columns(dataset)}
        select = exp.select(*(cast(exp.null(), kind).as_(name, quoted=True) for name, kind in kinds.items()))
        select = select.select(cast(exp.null(), "integer").as_("_batch_id")).where(exp.false())
        session.run(exp.Create(this=table(f"lake.{dataset}"), kind="TABLE", exists=True, expression=select))


def _ingest_file(session: Session, workbook: Workbook, dataset: str, file: Path) -> dict[str, Any]:
    checksum = _sha256(file)
    earlier = session.rows(
        "SELECT _batch_id, sha256 FROM lake.batches WHERE dataset = $dataset AND file = $file AND status = 'success'",
        dataset=dataset,
        file=file.name,
    )
    same = next((batch for batch in earlier if batch["sha256"] == checksum), None)
    if earlier and not same:
        raise IngestError(
            f"{file.name} was ingested as batch {earlier[-1]['_batch_id']} and has changed since; "
            f"give new rows a file name of their own, or delete {workbook.engine.lake} to begin anew"
        )
    if same:
        ledger = "SELECT * FROM lake.batches WHERE _batch_id = $batch"
        return {**session.rows(ledger, batch=same["_batch_id"])[0], "status": "already ingested"}
    batch = session.scalar("SELECT COALESCE(MAX(_batch_id), 0) + 1 AS next FROM lake.batches")
    found = _columns_in_file(session, workbook.params, dataset, file)
    _stage(session, workbook.params, dataset, file, found)
    counts = session.rows("SELECT COUNT(*) AS total, COUNT(_reason) AS rejected FROM staged")[0]
    _refuse_bad_file(workbook.params, dataset, file, **counts, session=session)
    _insert(session, dataset, batch, list(found))
    return _write_ledger(session, batch, dataset, file, checksum)


def _columns_in_file(session: Session, params: Params, dataset: str, file: Path) -> dict[str, str]:
    """Our column → header in the file. Raises IngestError where the file is unreadable or lacks one."""
    try:
        headers = list(session.columns(scan(file)))
    except duckdb.Error as error:
        reason = str(error).split("\n")[0]
        raise IngestError(f"sources.{dataset}: {file.name} cannot be read: {reason}") from None
    mapping = params.sources[dataset].columns
    if mapping is None:
        mapped = {name: name for name in DATASETS[dataset] if name in headers}
        mapped |= {name: name for name, kind in DATASETS[dataset].items() if kind.endswith("!")}
    else:
        mapped = {name: spec.source for name, spec in mapping.items()}
    for name, header in mapped.items():
        if header not in headers:
            raise IngestError(
                f"sources.{dataset}.columns.{name} is read from {header!r}, which {file.name} has not; "
                f"its columns: {', '.join(headers)}"
            )
    return mapped


def _stage(session: Session, params: Params, dataset: str, file: Path, found: dict[str, str]) -> None:
    """Temporary table `staged`: one row per row of the file, typed, with what is wrong with it if anything."""
    kinds = params.columns(dataset)
    raw = exp.select(exp.Window(this=exp.RowNumber()).as_("_row"), "*").from_(scan(file))
    typed, wrong = [column("_row")], []
    for name, header in found.items():
        text = exp.cast(column(header), exp.DataType.build("VARCHAR"))
        as_type = exp.TryCast(this=column(header), to=cast(exp.null(), kinds[name]).to)
        typed.append((text if kinds[name] == "text" else as_type).as_(name, quoted=True))
        blank = exp.EQ(this=exp.Coalesce(this=exp.Trim(this=text), expressions=[literal("")]), expression=literal(""))
        if DATASETS[dataset].get(name, "").endswith("!"):
            wrong.append((blank, name, text, "is empty"))
        if kinds[name] != "text":
            mistyped = exp.and_(exp.Not(this=blank), exp.Is(this=as_type, expression=exp.null()))
            wrong.append((mistyped, name, text, f"is not of type {kinds[name]}"))
        if (dataset, name) in ENUMS:
            unknown = exp.Not(this=is_in(text.copy(), ENUMS[dataset, name]))
            wrong.append((unknown, name, text, f"is none of {', '.join(ENUMS[dataset, name])}"))
    typed.append(_first_true([(test, literal(name)) for test, name, _, _ in wrong]).as_("_column"))
    typed.append(_first_true([(test, text) for test, _, text, _ in wrong]).as_("_value"))
    typed.append(_first_true([(test, literal(reason)) for test, _, _, reason in wrong]).as_("_reason"))
    query = exp.select(*typed).from_(raw.subquery("raw"))
    session.run(
        exp.Create(
            this=exp.to_identifier("staged"),
            kind="TABLE",
            replace=True,
            expression=query,
            properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
        )
    )


def _first_true(branches: list[tuple[exp.Expression, exp.Expression]]) -> exp.Expression:
    case = exp.Case()
    for test, result in branches:
        case = case.when(test.copy(), result.copy())
    return case


def _refuse_bad_file(params: Params, dataset: str, file: Path, total: int, rejected: int, session: Session) -> None:
    if total == 0:
        raise IngestError(f"{file.name} has no rows")
    allowed = params.sources[dataset].max_rejected_share
    if rejected > allowed * total:
        first = session.rows("SELECT * FROM staged WHERE NOT _reason IS NULL ORDER BY _row LIMIT 1")[0]
        raise IngestError(
            f"{file.name}: {rejected:,} of {total:,} rows break the contract, more than the "
            f"{allowed:.0%} that sources.{dataset}.max_rejected_share allows; "
            f"first row {first['_row']}: {first['_column']} {first['_value']!r} {first['_reason']}"
        )


def _insert(session: Session, dataset: str, batch: int, names: list[str]) -> None:
    columns = [column(name) for name in names]
    accepted = exp.select(*columns, literal(batch)).from_("staged").where("_reason IS NULL")
    target = exp.Schema(
        this=table(f"lake.{dataset}"),
        expressions=[exp.to_identifier(name, quoted=True) for name in [*names, "_batch_id"]],
    )
    session.run(exp.Insert(this=target, expression=accepted))
    session.run(
        "INSERT INTO lake.rejected_rows SELECT $batch, $dataset, _row, _column, _value, _reason "
        "FROM staged WHERE NOT _reason IS NULL",
        batch=batch,
        dataset=dataset,
    )


def _write_ledger(session: Session, batch: int, dataset: str, file: Path, checksum: str) -> dict[str, Any]:
    moment = column("occurred_at") if "occurred_at" in DATASETS[dataset] else cast(exp.null(), "timestamp")
    session.run(
        "INSERT INTO lake.batches SELECT $batch, $dataset, $file, $sha256, COUNT(*), "
        "COUNT(*) - COUNT(_reason), COUNT(_reason), MIN($moment), MAX($moment), 'success', $now FROM staged",
        batch=batch,
        dataset=dataset,
        file=file.name,
        sha256=checksum,
        moment=moment,
        now=dt.datetime.now(dt.UTC).replace(tzinfo=None),
    )
    return session.rows("SELECT * FROM lake.batches WHERE _batch_id = $batch", batch=batch)[0]


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
