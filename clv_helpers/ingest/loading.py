"""Files become batches: each row is accepted or rejected with a reason, none is lost, none comes in twice."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlglot import exp

from clv_helpers import progress
from clv_helpers.config.datasets import EVENT_TIME
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import cast, column, literal, table
from clv_helpers.engines.engine import NothingPublished
from clv_helpers.engines.file_scan import KEPT_OF_A_LINE
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.ingest import batch_log, left_out, money, pull, remote
from clv_helpers.ingest.batch_log import Batch
from clv_helpers.ingest.forgotten import REASON as FORGOTTEN
from clv_helpers.ingest.raw_file import UnreadableFile, sha256
from clv_helpers.ingest.remote import SourceFile
from clv_helpers.ingest.repeats import refuse_differing, stage_repeats
from clv_helpers.ingest.staging import IngestError, columns_of_file, stage_file

REJECTED = {
    "_batch_id": "integer",
    "dataset": "text",
    "row_number": "integer",
    "column_name": "text",
    "value": "text",
    "reason": "text",
}
REPEATED = "repeats an event that came before"


@progress.told
def ingest_files(
    workbook: Workbook,
    dataset: str = "",
    files: Sequence[Path | SourceFile] = (),
    *,
    acknowledged: bool = False,
    at_most: int = 0,
) -> list[Batch]:
    """Bring files in as one batch each: those of the params, or the ones given for one dataset.

    One element is a file: its batch, with the status `already ingested` where it is in the lake already. Files from
    elsewhere are fetched one by one, but for those that are in the lake. What a database has had since the last time is
    one batch, too, and none where that is nothing; `at_most` rows of it, for a sample. Rows, rejected rows and log of a
    batch, and how far a pull has reached, are one transaction. Of rows of one file that share an event_id and differ,
    the first holds if `acknowledged`; otherwise they are a question, and the file is refused with it. Nor is a file
    refused then for its share of rejected rows; the caller has called `prepare` before. Cost: one pass over the file,
    and one over the lake's event keys where events have one. Raises IngestError where a file cannot become a batch: it
    is logged as failed, and nothing of it is visible; RemoteError where one from elsewhere cannot be had.

    Example:
        >>> [batch.status for batch in ingest.ingest_files(wb, "purchases", wb.source_files("purchases"))]
        ['already ingested']
    """
    if not acknowledged:
        prepare(workbook)
    given = [SourceFile.here(file) if isinstance(file, Path) else file for file in files]
    chosen = {dataset: given} if dataset else {name: remote.files(workbook, name) for name in workbook.params.sources}
    known = _known_elsewhere(workbook, chosen)
    found = []
    for name, files_of_it in chosen.items():
        for file in files_of_it:
            if earlier := known.get((name, file.name, file.version)):
                found.append(replace(earlier, status="already ingested"))
                continue
            with file.fetched(workbook.folder) as path, workbook.engine.write(files=True) as session:
                found.append(_ingest_file(session, workbook, name, path, of=file, acknowledged=acknowledged))
        if not files_of_it and workbook.params.sources[name].database:
            found += _pull(workbook, name, at_most)
    return found


def _known_elsewhere(workbook: Workbook, chosen: dict[str, list[SourceFile]]) -> dict[tuple[str, str, str], Batch]:
    """The batches in the lake by dataset, name and version of a file from elsewhere: those need no second look."""
    if not any(file.version for files in chosen.values() for file in files):
        return {}
    held = [batch for batch in batches(workbook) if batch.status == "success" and batch.version]
    return {(batch.dataset, batch.file, str(batch.version)): batch for batch in held}


def _pull(workbook: Workbook, dataset: str, at_most: int) -> list[Batch]:
    """What is new in a database as one batch, or none. The lake is held only once the rows are here."""
    with pull.fetched(workbook, dataset, at_most) as rows:
        if rows is None:
            return []
        with workbook.engine.write(files=True) as session:
            pull.refuse_overtaken(session, dataset, rows)
            return [_ingest_file(session, workbook, dataset, rows.file, pulled=rows)]


def prepare(workbook: Workbook) -> None:
    """Make the lake's tables, empty where there are none, with every column that the params name.

    Raises IngestError where a column is of another type in the lake.
    """
    with workbook.engine.write() as session:
        _prepare(session, workbook)


def set_aside(workbook: Workbook, dataset: str, file: Path, reason: str) -> Batch:
    """Log a file of one event that cannot become a batch as a batch of one rejected row, with its text and why."""
    with workbook.engine.write() as session:
        batch_id = batch_log.begin(session, dataset, file.name, sha256(file))
        row = {"_batch_id": batch_id, "dataset": dataset, "row_number": 1, "column_name": "line 1"}
        row |= {"value": file.read_text("utf-8", "replace").strip()[:KEPT_OF_A_LINE], "reason": reason}
        values = [cast(literal(row[name]), kind).as_(name) for name, kind in REJECTED.items()]
        session.run("INSERT INTO lake.rejected_rows SELECT $values", values=values)
        facts = {"rows_read": 1, "rows_accepted": 0, "rows_rejected": 1, "rows_left_out": 0}
        return batch_log.advance(session, batch_id, "success", **facts)


def revert(workbook: Workbook, batch_id: int) -> Batch:
    """Take a batch back: its rows leave the lake, its history stays.

    Raises IngestError where there is no such batch, or it is not in the lake.

    Example:
        >>> last = ingest.batches(wb)[-1]
        >>> ingest.revert(wb, last.batch_id).status
        'reverted'
    """
    with workbook.engine.write() as session:
        _prepare(session, workbook)
        return _revert(session, workbook, batch_id)


def replay(workbook: Workbook, batch_id: int, file: Path) -> Batch:
    """Put a file in the place of a batch, in one transaction; gives the new one. Raises IngestError as revert does.

    A name that is no file of this machine is looked for where the batch's source is.

    Example:
        >>> [file] = wb.source_files("customers")
        >>> [members] = [batch for batch in ingest.batches(wb) if batch.dataset == "customers"]
        >>> ingest.replay(wb, members.batch_id, file).reason
        'replaces batch 2'
    """
    named = _of_name(workbook, batch_id, file)
    with named.fetched(workbook.folder) as path, workbook.engine.write(files=True) as session:
        _prepare(session, workbook)
        dataset = _revert(session, workbook, batch_id).dataset
        return _ingest_file(session, workbook, dataset, path, replaces=batch_id, of=named)


def _of_name(workbook: Workbook, batch_id: int, file: Path) -> SourceFile:
    dataset = next((batch.dataset for batch in batches(workbook) if batch.batch_id == batch_id), "")
    elsewhere = not file.exists() and workbook.has(dataset) and workbook.source_url(dataset)
    found = remote.files(workbook, dataset) if elsewhere else []
    return next((each for each in found if each.name == file.as_posix()), SourceFile.here(file))


def batches(workbook: Workbook) -> list[Batch]:
    """All batches, oldest first. Reads only: while another process writes, as they were when last published.

    Example:
        >>> [batch.file for batch in ingest.batches(wb) if batch.dataset == "customers"]
        ['members.parquet']
    """
    try:
        with workbook.engine.read_latest() as session:
            return batch_log.batches(session) if session.has_table("lake.batches") else []
    except NothingPublished:
        return []


def source_problems(workbook: Workbook) -> list[str]:
    """What stands in the way of ingesting, found from the files' headers alone: one sentence each.

    Of files elsewhere only the first that is not in the lake yet is fetched for it; databases are opened, and asked for
    their columns.

    Example:
        >>> ingest.source_problems(wb)
        []
    """
    problems = []
    for dataset in workbook.params.sources:
        try:
            looked_at = _to_look_at(workbook, dataset)
        except remote.RemoteError as error:
            problems.append(str(error))
            continue
        for file in looked_at:
            try:
                with file.fetched(workbook.folder) as path:
                    columns_of_file(workbook, dataset, path)
            except IngestError as error:
                problems.append(str(error))
        if workbook.params.sources[dataset].database:
            try:
                with pull.without_rows(workbook, dataset) as empty:
                    columns_of_file(workbook, dataset, empty)
            except UserError as error:
                problems.append(str(error))
    if workbook.params.rates:
        try:
            money.rates(workbook)
        except money.RatesError as error:
            problems.append(str(error))
    return problems


def _to_look_at(workbook: Workbook, dataset: str) -> list[SourceFile]:
    files = remote.files(workbook, dataset)
    known = _known_elsewhere(workbook, {dataset: files})
    elsewhere = [file for file in files if file.remote and (dataset, file.name, file.version) not in known]
    return [file for file in files if not file.remote] + elsewhere[:1]


def _prepare(session: Session, workbook: Workbook) -> None:
    """Log, rejected rows, and every column that sql/ may name, empty where the source lacks it."""
    batch_log.prepare(session)
    session.create_if_absent("lake.rejected_rows", REJECTED)
    session.create_if_absent(left_out.LEFT_OUT, left_out.COLUMNS)
    pull.prepare(session)
    type_name = functools.cache(session.type_name)
    for dataset, known in workbook.params.datasets.items():
        wanted = {name: column.type for name, column in (known | workbook.params.contract(dataset)).items()}
        session.create_if_absent(f"lake.{dataset}", {**wanted, "_batch_id": "integer"})
        present = session.columns(table(f"lake.{dataset}"))
        for name, kind in wanted.items():
            if name not in present:
                session.add_column(f"lake.{dataset}", name, kind)
            elif present[name] != type_name(kind):
                raise IngestError(
                    f"sources.{dataset}.columns.{name} is of type {kind}, and in the lake of type {present[name]}; "
                    f"give the column another name, or delete {workbook.engine.lake} to begin anew"
                )


def _ingest_file(
    session: Session,
    workbook: Workbook,
    dataset: str,
    file: Path,
    replaces: int | None = None,
    of: SourceFile | None = None,
    acknowledged: bool = False,
    pulled: pull.Fetched | None = None,
) -> Batch:
    of = of or SourceFile.here(file)
    checksum, damage = "", ""
    try:
        checksum = sha256(file)
    except UnreadableFile as error:
        if not file.exists():  # a slip of the pen is no attempt
            raise IngestError(f"{file} {error}") from None
        damage = f"sources.{dataset}: {file.name} {error}"
    earlier = None if pulled else _ingested_before(session, dataset, of.name, checksum)
    if earlier:
        return replace(earlier, status="already ingested")
    progress.step(f"reading {of.name}")
    batch_id = batch_log.begin(session, dataset, of.name, checksum, of.version)
    if replaces is None:
        session.commit()  # from here on the log knows of the attempt, whatever becomes of it
    try:
        if damage:
            raise IngestError(damage)
        contract, names, unknown = stage_file(session, workbook, dataset, file)
        stage_repeats(session, workbook, dataset, contract)
        facts = _facts(session, workbook, dataset)
        progress.rows(facts["rows_read"])
        batch_log.advance(session, batch_id, "loaded", **facts)
        if replaces is None:
            session.commit()
        if not acknowledged:
            _refuse_bad_file(session, workbook, dataset, file, facts)
            refuse_differing(session, workbook, dataset, file, contract, names)
    except IngestError as error:
        if replaces is None:
            session.rollback()  # an engine that could not read a file takes no more statements before
            batch_log.advance(session, batch_id, "failed", reason=str(error))
            session.commit()
        raise
    progress.step(f"keeping {of.name}")
    _insert(session, dataset, batch_id, names)
    left_out.record(session, dataset, batch_id, _summed(workbook, dataset, names))
    reason = None if replaces is None else f"replaces batch {replaces}"
    if pulled:
        pull.record(session, dataset, batch_id, pulled)
    batch = batch_log.advance(session, batch_id, "success", reason=reason)
    return replace(batch, unknown_columns=tuple(unknown))


def _ingested_before(session: Session, dataset: str, file: str, checksum: str) -> Batch | None:
    """The batch that holds this very file. Raises IngestError for a file of that name with other content."""
    condition = "dataset = $dataset AND status = 'success' AND (file = $file OR sha256 = $checksum)"
    earlier = batch_log.batches(session, condition, dataset=dataset, file=file, checksum=checksum)
    same = next((batch for batch in earlier if batch.sha256 == checksum), None)
    if earlier and not same:
        raise IngestError(
            f"{file} was ingested as batch {earlier[-1].batch_id} and has changed since; give new rows a file "
            f"name of their own, or put this file in the place of that batch: "
            f"clv replay PARAMS {earlier[-1].batch_id} {file}"
        )
    return same


def _facts(session: Session, workbook: Workbook, dataset: str) -> dict[str, Any]:
    """What the log keeps of the staged rows."""
    moment = column(EVENT_TIME) if dataset in workbook.params.event_datasets else cast(exp.null(), "timestamp")
    return session.rows(
        "SELECT COUNT(*) AS rows_read, "
        "COUNT(*) - COUNT(s._reason) - COUNT(r._row) - COUNT(s._left_out) AS rows_accepted, "
        "COUNT(s._reason) + COUNT(r._row) AS rows_rejected, COUNT(s._left_out) AS rows_left_out, "
        "MIN($moment) AS first_event_at, MAX($moment) AS last_event_at "
        "FROM staged AS s LEFT JOIN repeats AS r ON r._row = s._row",
        moment=moment,
    )[0]


def _refuse_bad_file(session: Session, workbook: Workbook, dataset: str, file: Path, facts: dict[str, Any]) -> None:
    """Only rows that break the contract count against a file: not repeated events, nor those of forgotten persons.

    They are counted among the rows that are not left out.
    """
    if facts["rows_read"] == 0:
        raise IngestError(f"{file.name} has no rows")
    total = facts["rows_read"] - facts["rows_left_out"]
    allowed = workbook.params.sources[dataset].max_rejected_share
    broken = session.scalar("SELECT COUNT(_reason) AS broken FROM staged WHERE _reason <> $aside", aside=FORGOTTEN)
    if broken > allowed * total:
        by_row = "SELECT * FROM staged WHERE _reason <> $aside ORDER BY _row LIMIT 1"
        first = session.rows(by_row, aside=FORGOTTEN)[0]
        raise IngestError(
            f"{file.name}: {broken:,} of {total:,} rows break the contract, more than the "
            f"{allowed:.0%} that sources.{dataset}.max_rejected_share allows; "
            f"the first in row {abs(first['_row'])}: {first['_column']} {first['_value']!r} {first['_reason']}"
        )


def _insert(session: Session, dataset: str, batch_id: int, names: list[str]) -> None:
    session.run(
        "INSERT INTO $lake_table BY NAME SELECT $columns, $batch AS _batch_id FROM staged "
        "WHERE _reason IS NULL AND _left_out IS NULL AND NOT _row IN (SELECT _row FROM repeats)",
        lake_table=table(f"lake.{dataset}"),
        columns=[column(name) for name in names],
        batch=batch_id,
    )
    session.run(
        "INSERT INTO lake.rejected_rows "
        "SELECT $batch, $dataset, ABS(s._row), COALESCE(s._column, 'event_id'), s._value, "
        "COALESCE(s._reason, $repeated) "
        "FROM staged AS s LEFT JOIN repeats AS r ON r._row = s._row WHERE NOT s._reason IS NULL OR NOT r._row IS NULL",
        batch=batch_id,
        dataset=dataset,
        repeated=REPEATED,
    )


def _summed(workbook: Workbook, dataset: str, names: list[str]) -> str:
    """The column whose sum says what the rows that are left out come to; empty: there is none."""
    wanted = ("amount", workbook.params.value.column) if dataset == "purchases" else ()
    return next((name for name in wanted if name in names), "")


def _revert(session: Session, workbook: Workbook, batch_id: int) -> Batch:
    batch = next(iter(batch_log.batches(session, "_batch_id = $batch", batch=batch_id)), None)
    if batch is None:
        raise IngestError(f"{workbook.name} has no batch {batch_id}; clv batches lists those it has")
    if batch.status != "success":
        raise IngestError(f"batch {batch_id} ({batch.file}) is {batch.status}: there is nothing of it to take back")
    for name in (f"lake.{batch.dataset}", "lake.rejected_rows", left_out.LEFT_OUT, *pull.TABLES):
        session.run("DELETE FROM $lake_table WHERE _batch_id = $batch", lake_table=table(name), batch=batch_id)
    return batch_log.advance(session, batch_id, "reverted")
