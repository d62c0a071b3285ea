"""Files become batches: each row is accepted or rejected with a reason, none is lost, none comes in twice."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sqlglot import exp

from clv_helpers.config.datasets import DATASETS, EVENT_TIME
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import cast, column, literal, table
from clv_helpers.engines.session import Session
from clv_helpers.ingest import batch_log
from clv_helpers.ingest.staging import IngestError, found_columns, stage, stage_repeats

REJECTED = {
    "_batch_id": "integer",
    "dataset": "text",
    "row_number": "integer",
    "column_name": "text",
    "value": "text",
    "reason": "text",
}
REPEATED = "repeats an event that came before"


def ingest(workbook: Workbook, dataset: str = "", files: list[Path] | None = None) -> list[dict[str, Any]]:
    """Bring files in as one batch each: those of the params, or the ones given for one dataset.

    Gives a row per file: the ledger's, with status `already ingested` for a file that is in the lake already,
    and `unknown_columns`, the headers that the contract does not know. Rows, rejected rows and ledger of a batch
    are one transaction. Cost: one pass over the file, and one over the lake's event keys where events have one.
    Raises IngestError where a file cannot become a batch: its ledger row says failed, and nothing of it is visible.
    """
    with workbook.engine.write() as session:
        _prepare(session, workbook)
    chosen = (
        {dataset: files or []} if dataset else {name: workbook.source_files(name) for name in workbook.params.sources}
    )
    results = []
    for name, found in chosen.items():
        for file in found:
            with workbook.engine.write() as session:
                results.append(_ingest_file(session, workbook, name, file))
    return results


def revert(workbook: Workbook, batch: int) -> dict[str, Any]:
    """Take a batch back: its rows leave the lake, its history stays. Gives its row of the ledger.

    Raises IngestError where there is no such batch, or it is not in the lake.
    """
    with workbook.engine.write() as session:
        _prepare(session, workbook)
        return _revert(session, workbook, batch)


def replay(workbook: Workbook, batch: int, file: Path) -> dict[str, Any]:
    """Put a file in the place of a batch, in one transaction. Gives the new batch's row of the ledger."""
    with workbook.engine.write() as session:
        _prepare(session, workbook)
        dataset = _revert(session, workbook, batch)["dataset"]
        return _ingest_file(session, workbook, dataset, file, replaces=batch)


def batches(workbook: Workbook) -> list[dict[str, Any]]:
    """The ledger, a row per batch, oldest first."""
    with workbook.engine.write() as session:
        _prepare(session, workbook)
        return session.rows("SELECT * FROM lake.batches ORDER BY _batch_id")


def source_problems(workbook: Workbook) -> list[str]:
    """What stands in the way of ingesting, found from the files' headers alone: one sentence each."""
    problems = []
    for dataset in workbook.params.sources:
        for file in workbook.source_files(dataset):
            try:
                found_columns(workbook, dataset, file)
            except IngestError as error:
                problems.append(str(error))
    return problems


def _prepare(session: Session, workbook: Workbook) -> None:
    """Ledger, rejected rows, and every column that sql/ may name, empty where the source lacks it."""
    batch_log.create(session)
    session.create_if_absent("lake.rejected_rows", REJECTED)
    for dataset, known in DATASETS.items():
        wanted = {name: each.type for name, each in (known | workbook.params.contract(dataset)).items()}
        session.create_if_absent(f"lake.{dataset}", {**wanted, "_batch_id": "integer"})
        there = session.columns(table(f"lake.{dataset}"))
        for name, kind in wanted.items():
            if name not in there:
                session.add_column(f"lake.{dataset}", name, kind)
            elif there[name] != session.type_name(kind):
                raise IngestError(
                    f"sources.{dataset}.columns.{name} is of type {kind}, and in the lake of type {there[name]}; "
                    f"give the column another name, or delete {workbook.engine.lake} to begin anew"
                )


def _ingest_file(
    session: Session, workbook: Workbook, dataset: str, file: Path, replaces: int | None = None
) -> dict[str, Any]:
    checksum = _sha256(file)
    done = _already_there(session, dataset, file, checksum)
    if done:
        return {**done, "status": "already ingested", "unknown_columns": []}
    batch = batch_log.begin(session, dataset, file.name, checksum)
    if replaces is None:
        session.commit()  # from here on the ledger knows of the attempt, whatever becomes of it
    try:
        contract, unknown = found_columns(workbook, dataset, file)
        stage(session, workbook, dataset, file, contract)
        stage_repeats(session, dataset, contract)
        facts = _facts(session, dataset)
        batch_log.note(session, batch, "loaded", **facts)
        if replaces is None:
            session.commit()
        _refuse_bad_file(session, workbook, dataset, file, facts["rows_read"])
    except IngestError as error:
        if replaces is None:
            session.rollback()  # an engine that could not read a file takes no more statements before
            batch_log.note(session, batch, "failed", reason=str(error))
            session.commit()
        raise
    _insert(session, dataset, batch, [each.name for each in contract])
    reason = None if replaces is None else f"replaces batch {replaces}"
    return {**batch_log.note(session, batch, "success", reason=reason), "unknown_columns": unknown}


def _already_there(session: Session, dataset: str, file: Path, checksum: str) -> dict[str, Any] | None:
    """The batch that holds this very file. Raises IngestError for a file of that name with other content."""
    earlier = session.rows(
        "SELECT * FROM lake.batches WHERE dataset = $dataset AND status = 'success' "
        "AND (file = $file OR sha256 = $sha256) ORDER BY _batch_id",
        dataset=dataset,
        file=file.name,
        sha256=checksum,
    )
    same = next((batch for batch in earlier if batch["sha256"] == checksum), None)
    if earlier and not same:
        batch = earlier[-1]["_batch_id"]
        raise IngestError(
            f"{file.name} was ingested as batch {batch} and has changed since; give new rows a file name of their "
            f"own, or put this file in the place of that batch: clv replay PARAMS {batch} {file.name}"
        )
    return same


def _facts(session: Session, dataset: str) -> dict[str, Any]:
    """What the ledger says of the staged rows."""
    moment = column(EVENT_TIME) if EVENT_TIME in DATASETS[dataset] else cast(exp.null(), "timestamp")
    return session.rows(
        "SELECT COUNT(*) AS rows_read, COUNT(*) - COUNT(s._reason) - COUNT(r._row) AS rows_accepted, "
        "COUNT(s._reason) + COUNT(r._row) AS rows_rejected, MIN($moment) AS first_event_at, "
        "MAX($moment) AS last_event_at FROM staged AS s LEFT JOIN repeats AS r ON r._row = s._row",
        moment=moment,
    )[0]


def _refuse_bad_file(session: Session, workbook: Workbook, dataset: str, file: Path, total: int) -> None:
    """Repeated events are no fault of the file: only rows that break the contract count against it."""
    if total == 0:
        raise IngestError(f"{file.name} has no rows")
    allowed = workbook.params.sources[dataset].max_rejected_share
    broken = session.scalar("SELECT COUNT(_reason) AS broken FROM staged")
    if broken > allowed * total:
        first = session.rows("SELECT * FROM staged WHERE NOT _reason IS NULL ORDER BY _row LIMIT 1")[0]
        raise IngestError(
            f"{file.name}: {broken:,} of {total:,} rows break the contract, more than the "
            f"{allowed:.0%} that sources.{dataset}.max_rejected_share allows; "
            f"the first in row {abs(first['_row'])}: {first['_column']} {first['_value']!r} {first['_reason']}"
        )


def _insert(session: Session, dataset: str, batch: int, names: list[str]) -> None:
    target = [exp.to_identifier(name, quoted=True) for name in [*names, "_batch_id"]]
    accepted = (
        exp.select(*map(column, names), literal(batch))
        .from_("staged")
        .where("_reason IS NULL", "_row NOT IN (SELECT _row FROM repeats)")
    )
    session.run(exp.Insert(this=exp.Schema(this=table(f"lake.{dataset}"), expressions=target), expression=accepted))
    session.run(
        "INSERT INTO lake.rejected_rows "
        "SELECT $batch, $dataset, ABS(s._row), COALESCE(s._column, 'event_id'), s._value, "
        "COALESCE(s._reason, $repeated) "
        "FROM staged AS s LEFT JOIN repeats AS r ON r._row = s._row WHERE NOT s._reason IS NULL OR NOT r._row IS NULL",
        batch=batch,
        dataset=dataset,
        repeated=REPEATED,
    )


def _revert(session: Session, workbook: Workbook, batch: int) -> dict[str, Any]:
    try:
        found = batch_log.find(session, batch)
    except KeyError:
        raise IngestError(f"{workbook.name} has no batch {batch}; clv batches lists those it has") from None
    if found["status"] != "success":
        raise IngestError(f"batch {batch} ({found['file']}) is {found['status']}: there is nothing of it to take back")
    for name in (f"lake.{found['dataset']}", "lake.rejected_rows"):
        session.run(exp.delete(table(name), where=exp.EQ(this=column("_batch_id"), expression=literal(batch))))
    return batch_log.note(session, batch, "reverted")


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise IngestError(f"{file} cannot be read: {error.strerror}") from None
