"""What a database has had since the last pull, as a file for the same door; and how far each pull has reached.

A pull asks first how far the cursor has come, then fetches the rows between: so what is kept of it is what was fetched.
Rows that a pull may meet again, as it steps back by the overlap or has no cursor, are known by a hash of their content.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from clv_helpers.config.datasets import EVENT_KEY
from clv_helpers.config.params import expand
from clv_helpers.config.sources import FromDatabase
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.databases import FILES, Database, one_select, opened
from clv_helpers.engines.dialect import column, expression, literal, table, to_sql
from clv_helpers.engines.file_scan import scan_parquet
from clv_helpers.engines.session import Session
from clv_helpers.ingest.readable import place_for_copies
from clv_helpers.ingest.staging import IngestError

PULLS = {"_batch_id": "integer", "dataset": "text", "cursor_column": "text", "cursor_value": "text"}
KNOWN = {"_batch_id": "integer", "dataset": "text", "row_hash": "text", "rows": "integer"}
TABLES = ("lake.pulls", "lake.pulled_rows")
MET_AGAIN = "_met_again"  # the name of a column that is asked for beside those of the query
REACHED = "SELECT $newest AS reached, COUNT(*) - COUNT($cursor) AS without FROM $source AS pulled"
HASHED = "SELECT *, MD5(CAST($content AS TEXT)) AS _hash FROM $rows AS content"
# Equal rows are told apart by counting: two lines of one order may be the same to the last sign.
NEW = """
    SELECT $columns FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY _hash) AS _copy FROM ($hashed) AS hashed) AS n
    LEFT JOIN $known AS k ON k.row_hash = n._hash
    WHERE n._copy > COALESCE(k.rows, 0)
"""
MAY_COME_AGAIN = "SELECT _hash AS row_hash, COUNT(*) AS rows FROM ($hashed) AS h WHERE $met_again = 1 GROUP BY _hash"


@dataclass(frozen=True)
class Reach:
    """How far the last pull of a dataset came: its batch, the cursor's column, and its greatest value as text."""

    batch_id: int = 0
    cursor_column: str = ""
    value: str = ""


@dataclass(frozen=True)
class Fetched:
    """The rows of a pull in a file. `since`: the pull before; `hashes`: a file of what may come again, if any may."""

    file: Path
    since: Reach
    cursor_column: str
    value: str
    hashes: Path | None = None


def prepare(session: Session) -> None:
    """The empty records of pulls, where there are none."""
    session.create_if_absent("lake.pulls", PULLS)
    session.create_if_absent("lake.pulled_rows", KNOWN)


@contextlib.contextmanager
def fetched(workbook: Workbook, dataset: str, at_most: int = 0) -> Iterator[Fetched | None]:
    """What is new in the database of a dataset, for as long as the block takes; None for nothing.

    Raises DatabaseError, IngestError. Cost: the rows on the disk, for the owner alone; where rows may come again, each
    of them twice, and a hash.
    """
    said = _said(workbook, dataset)
    with place_for_copies(workbook.folder) as folder, _database(workbook, dataset, said) as database:
        since, known = _last(workbook, dataset, folder / "known.parquet")
        if since.batch_id and since.cursor_column != said.cursor:
            raise IngestError(
                f"sources.{dataset}.from.cursor is {said.cursor or 'not given'}, and the last pull went by "
                f"{since.cursor_column or 'none'}; allowed: the same, or a new workbook"
            )
        query = _query(workbook, dataset, said, database)
        _refuse_unsure(database, query, workbook, dataset)
        value = since.value
        if said.cursor:
            value = _reached(database, query, dataset, said, since)
            if not value or (value == since.value and not said.overlap):
                yield None
                return
        file = folder / _name(dataset, since.value, value, bool(said.cursor))
        wanted = _between(query, said, since.value, value, database.dialect)
        count = database.spool(wanted.limit(at_most) if at_most else wanted, file)
        hashes = None
        if count and (said.overlap or not said.cursor):
            hashes, count = _without_known(file, known, folder / "hashes.parquet")
        yield Fetched(file, since, said.cursor, value, hashes) if count else None


@contextlib.contextmanager
def without_rows(workbook: Workbook, dataset: str) -> Iterator[Path]:
    """A file with the columns that a pull would have, and no row. Raises DatabaseError, IngestError."""
    said = _said(workbook, dataset)
    with place_for_copies(workbook.folder) as folder, _database(workbook, dataset, said) as database:
        query = _query(workbook, dataset, said, database)
        _refuse_unsure(database, query, workbook, dataset)
        file = folder / f"{dataset}.parquet"
        database.spool(exp.select("*").from_(query.subquery("pulled")).limit(0), file)
        yield file


def refuse_overtaken(session: Session, dataset: str, rows: Fetched) -> None:
    """Raise IngestError where another process has pulled the same rows while these were on their way."""
    if _reach(session, dataset) != rows.since:
        raise IngestError(f"sources.{dataset}: another process has pulled meanwhile; run again for what is left")


def record(session: Session, dataset: str, batch_id: int, rows: Fetched) -> None:
    """Keep how far a pull has reached, within the transaction of its batch; a pull that is taken back is forgotten."""
    session.run(
        "INSERT INTO lake.pulls BY NAME SELECT $batch AS _batch_id, $dataset AS dataset, "
        "$cursor AS cursor_column, $value AS cursor_value",
        batch=batch_id, dataset=dataset, cursor=rows.cursor_column, value=rows.value,
    )  # fmt: skip
    old = "SELECT DISTINCT _batch_id FROM lake.pulled_rows WHERE dataset = $dataset AND _batch_id < $before"
    for row in session.rows(old, dataset=dataset, before=rows.since.batch_id):
        session.run(
            "DELETE FROM $known WHERE _batch_id = $batch", known=table("lake.pulled_rows"), batch=row["_batch_id"]
        )
    if rows.hashes:
        found = expression("SELECT * FROM $file AS file", file=scan_parquet(rows.hashes))
        session.load_file("may_come_again", found)
        session.run(
            "INSERT INTO lake.pulled_rows BY NAME SELECT $batch AS _batch_id, $dataset AS dataset, row_hash, rows "
            "FROM may_come_again",
            batch=batch_id, dataset=dataset,
        )  # fmt: skip


def _said(workbook: Workbook, dataset: str) -> FromDatabase:
    said = workbook.params.sources[dataset].database
    assert said, "only of a dataset that comes from a database"  # noqa: S101
    return said


@contextlib.contextmanager
def _database(workbook: Workbook, dataset: str, said: FromDatabase) -> Iterator[Database]:
    key = f"sources.{dataset}.from.database"
    with opened(address(workbook, said, key), key, silent=said.silent_seconds) as database:
        yield database


def address(workbook: Workbook, said: FromDatabase, key: str) -> str:
    """The address of a database, its variables replaced; a file's is relative to the params file.

    Raises ParamsError for a variable that is not set.
    """
    try:
        found = expand(said.database, OUTPUTS=str(workbook.folder))
    except KeyError as error:
        allowed = f"the database's address; for this one, set the environment variable {error.args[0]}"
        raise ParamsError(str(workbook.file), [Problem(key, repr(said.database), allowed)]) from None
    kind, _, rest = found.partition("://")
    return f"{kind}://{workbook.file.resolve().parent / rest}" if kind in FILES else found


def _query(workbook: Workbook, dataset: str, said: FromDatabase, database: Database) -> exp.Query:
    if said.table:
        return exp.select("*").from_(table(said.table))
    file = workbook.specs / said.query
    key = f"sources.{dataset}.from.query"
    if not file.is_file():
        raise ParamsError(str(workbook.file), [Problem(key, f"{file} (no such file)", "a file with one SELECT")])
    return one_select(file.read_text(encoding="utf-8"), database.dialect, f"{key} ({said.query})")


def _refuse_unsure(database: Database, query: exp.Query, workbook: Workbook, dataset: str) -> None:
    """Raise IngestError for a cursor that is not there, and where a row that changes could count twice.

    The cursor is looked for before it is asked for: to SQLite a column that it has not is the text of that name.
    """
    said, names = _said(workbook, dataset), database.columns(query.subquery("pulled"))
    if said.cursor and said.cursor not in names:
        raise IngestError(
            f"sources.{dataset}.from.cursor is {said.cursor!r}, which {said.table or said.query} has not; "
            f"its columns: {', '.join(names)}"
        )
    key = workbook.params.contract(dataset).get(EVENT_KEY)
    has_key = key and (key.sql or set(key.alternatives or (key.header,)) & set(names))
    if dataset in workbook.params.event_datasets and not has_key and (said.overlap or not said.cursor):
        why = "overlap" if said.overlap else "no cursor"
        raise IngestError(
            f"sources.{dataset}.from has {why}, and no column is event_id: a row that has changed would count twice; "
            "allowed: columns.event_id, or a cursor without overlap"
        )


def _reached(database: Database, query: exp.Query, dataset: str, said: FromDatabase, since: Reach) -> str:
    """The cursor's greatest value, as text; empty where there is no row. Raises IngestError for rows without one."""
    cursor = column(said.cursor)
    newest = exp.cast(exp.Max(this=cursor.copy()), "CHAR" if database.dialect == "mysql" else "TEXT")
    source: Any = query.subquery()
    if since.value:
        beyond = exp.GTE(this=cursor.copy(), expression=_literal(since.value, database.dialect))
        source = exp.Subquery(this=expression("SELECT * FROM $rows AS pulled WHERE $test", rows=source, test=beyond))
    (row,) = database.rows(expression(REACHED, newest=newest, cursor=cursor, source=source))
    if int(row["without"]):
        raise IngestError(
            f"sources.{dataset}.from.cursor: {int(row['without']):,} rows have no {said.cursor}, and would never come; "
            "allowed: a query that gives each row one, such as COALESCE(updated_at, created_at)"
        )
    return row["reached"] or since.value


def _between(query: exp.Query, said: FromDatabase, since: str, to: str, dialect: str) -> exp.Select:
    """The rows of a pull, with a mark on those that the next may meet again."""
    cursor, found = column(said.cursor), exp.select("*").from_(query.subquery("pulled"))
    if said.overlap:
        marked = exp.Case().when(
            exp.GT(this=cursor.copy(), expression=_literal(_earlier(to, said), dialect)), exp.Literal.number(1)
        )
        mark = marked.else_(exp.Literal.number(0)).as_(MET_AGAIN)
        found = exp.select("pulled.*", mark).from_(query.subquery("pulled"))
    if since:
        since = _earlier(since, said) if said.overlap else since
        found = found.where(exp.GT(this=cursor.copy(), expression=_literal(since, dialect)))
    return found.where(exp.LTE(this=cursor.copy(), expression=_literal(to, dialect))) if to else found


def _literal(value: str, dialect: str) -> exp.Expression:
    """A cursor's value as the database takes it; SQLite alone does not read a number in quotes as one."""
    is_number = dialect == "sqlite" and re.fullmatch(r"-?\d+(\.\d+)?", value)
    return exp.Literal.number(value) if is_number else exp.Literal.string(value)


def _earlier(value: str, said: FromDatabase) -> str:
    """A moment as the database writes it, earlier by the overlap. Raises IngestError for what is no moment."""
    try:
        moment = dt.datetime.fromisoformat(value) - said.step_back
    except ValueError:
        raise IngestError(
            f"the overlap is {said.overlap}, and {said.cursor} holds no moments; "
            "allowed: a cursor of moments, or no overlap"
        ) from None
    return moment.isoformat(sep="T" if "T" in value else " ") if len(value) > 10 else str(moment.date())


def _name(dataset: str, since: str, to: str, has_cursor: bool) -> str:
    """What a pull's batch is called: the dataset, and from where to where the cursor went."""
    now = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H%M%SZ}"
    texts = ["after", since, "to", to] if since else ["to", to] if has_cursor else ["whole", now]
    return re.sub(r"[^\w.+-]+", "_", "_".join([dataset, *texts]))[:150] + ".parquet"


def _last(workbook: Workbook, dataset: str, known: Path) -> tuple[Reach, Path | None]:
    """How far the last pull came, and a file with the hashes of what may come again, if there are any."""
    with workbook.engine.write(files=True) as session:
        reach = _reach(session, dataset)
        count = "SELECT COUNT(*) AS rows FROM lake.pulled_rows WHERE _batch_id = $batch"
        if not reach.batch_id or not session.scalar(count, batch=reach.batch_id):
            return reach, None
        kept = "SELECT row_hash, rows FROM lake.pulled_rows WHERE _batch_id = $batch"
        session.copy_to(expression(kept, batch=reach.batch_id), known, format="parquet")
    return reach, known


def _reach(session: Session, dataset: str) -> Reach:
    query = "SELECT * FROM lake.pulls WHERE dataset = $dataset ORDER BY _batch_id DESC LIMIT 1"
    rows = session.rows(query, dataset=dataset)
    return Reach(rows[0]["_batch_id"], rows[0]["cursor_column"], rows[0]["cursor_value"]) if rows else Reach()


def _without_known(file: Path, known: Path | None, hashes: Path) -> tuple[Path, int]:
    """Take the rows that came before out of a pull's file; gives hashes of what may come again, and the rows left."""
    with duckdb.connect() as connection:
        rows = scan_parquet(file)
        names = connection.sql(to_sql(exp.select("*").from_(rows))).columns
        own = [name for name in names if name != MET_AGAIN]
        content = exp.Struct(expressions=[exp.PropertyEQ(this=literal(name), expression=column(name)) for name in own])
        hashed = expression(HASHED, content=content, rows=rows)
        met_again = exp.cast(column(MET_AGAIN), "INT") if MET_AGAIN in names else exp.Literal.number(1)
        _write(connection, expression(MAY_COME_AGAIN, hashed=hashed, met_again=met_again), hashes)
        kept = file.with_name(f"kept-{file.name}")
        new: exp.Expr = exp.select(*map(column, own)).from_(rows)  # the first time: none came before
        if known:
            new = expression(NEW, columns=[column(name) for name in own], hashed=hashed, known=scan_parquet(known))
        count = _write(connection, new, kept)
    kept.replace(file)
    return hashes, count


def _write(connection: duckdb.DuckDBPyConnection, query: exp.Expr, file: Path) -> int:
    copy = f"COPY ({to_sql(query)}) TO {to_sql(literal(str(file)))} (FORMAT parquet)"
    return connection.execute(copy).fetchall()[0][0]
