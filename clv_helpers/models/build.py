"""Tables follow their inputs: built in the order that their SQL tells, each only so far as something changed."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from clv_helpers.config.datasets import EVENT_DATASETS, EVENT_TIME, WRITTEN
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import bind, cast, column, literal, parse, table, to_sql
from clv_helpers.engines.session import Session
from clv_helpers.models.checks import check, check_key
from clv_helpers.models.plan import LAKE, check_names, drop_gone, planned, sentence
from clv_helpers.models.snapshots import keep_day
from clv_helpers.models.table_file import DAILY, Table, TableError

# Up to this size a table that was built anew is compared with what it was, so that what depends on it can stay.
SMALL = 100_000
EVENTS = {f"lake.{name}" for name in EVENT_DATASETS}
CHECKPOINT = {
    "table_name": "text",
    "definition": "text",
    "inputs": "text",
    "as_of": "date",
    "refreshed_at": "timestamp",
}
ALL_BATCHES = parse(
    "SELECT MAX(CASE WHEN status = 'success' THEN _batch_id END) AS newest, "
    "COUNT(CASE WHEN status = 'reverted' THEN 1 END) AS reverted FROM lake.batch_log"
)


@dataclass(frozen=True)
class Checkpoint:
    """From what a table was made: its query (hashed), the mark of each input, and as_of where the query asks for it."""

    definition: str
    inputs: dict[str, Any]
    as_of: dt.date | None


def refresh(workbook: Workbook, *schemas: str) -> list[dict[str, Any]]:
    """Bring all tables of these schemas up to date in one transaction, check them, and publish.

    Gives a row per table: table, one_row, mode (`unchanged`, `rows`, `full`, `view`), rows (of a view none), seconds.
    An analyst's own tables come with those of the schema insights. Whatever a table reads and is not there yet is
    built first. The result is the same as of a build from nothing, but for the days kept of a table (`Snapshot`).
    Cost: a table that is kept fresh by parts takes one pass over its inputs' key columns and work on the parts that
    changed; any other is built anew when an input changed. A batch taken back, or an as_of moved back, builds anew
    what reads events. A check is tried where a table it reads has changed.
    Raises TableError; the last published tables stay as they were.
    """
    with workbook.engine.write(publish=True) as session:
        return refresh_tables(session, workbook, *schemas)


def refresh_tables(
    session: Session, workbook: Workbook, *schemas: str, bindings: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Bring tables up to date and check them, within the caller's transaction. Raises TableError.

    `bindings` stand beside those of the workbook; with an as_of among them, in their place.
    """
    session.create_if_absent("lake.checkpoint", CHECKPOINT)
    own = bindings or {}
    bindings = own if "as_of" in own else {**workbook.bindings(session), **own}
    tables, checkpoints = planned(session, workbook, schemas), _read_checkpoints(session)
    done, changed = [], set[str]()
    for each in tables:
        check_names(each, bindings)
        _create_written(session, each)
        try:
            rows = _refresh_one(session, each, bindings, checkpoints.get(each.name))
        except session.errors as error:
            raise TableError(sentence(each, error)) from None
        done += rows
        changed |= {row["table"] for row in rows if row["mode"] != "unchanged"}
    check(session, tables, bindings, changed)
    drop_gone(session, tables, schemas)
    return done


def _create_written(session: Session, each: Table) -> None:
    """What Python writes and a table reads is there, perhaps empty, whether or not anything was predicted or sent."""
    for name in sorted(each.depends_on & WRITTEN.keys()):
        if not session.has_table(name):
            session.create_if_absent(name, WRITTEN[name])
            session.set_version(name, "empty")


def _refresh_one(
    session: Session, each: Table, bindings: dict[str, Any], before: Checkpoint | None
) -> list[dict[str, Any]]:
    started = time.perf_counter()
    mode = _refresh_table(session, each, bindings, before)
    rows = [{"table": each.name, "one_row": each.one_row, "mode": mode}]
    if each.snapshot:
        day = keep_day(session, each, bindings["as_of"], changed=mode != "unchanged")
        rows.append({"table": each.name + DAILY, "one_row": f"by day (as_of): {each.one_row}", "mode": day})
    for row in rows:
        # the rows of a view would have to be computed to be counted
        is_view = each.refresh == "view" and row["table"] == each.name
        row["rows"] = None if is_view else session.count(table(row["table"]))
        row["seconds"] = round(time.perf_counter() - started, 3)
        started = time.perf_counter()
    return rows


def _refresh_table(session: Session, each: Table, bindings: dict[str, Any], before: Checkpoint | None) -> str:
    each = replace(each, query=bind(each.query, {**bindings, "as_of": exp.Placeholder(this="as_of")}))
    marks = session.versions()
    now = _now(session, each, bindings, marks)
    if before == now and None not in now.inputs.values() and each.name in marks:
        return "unchanged"
    query = bind(each.query, {"as_of": bindings["as_of"]})
    touched = _touched_parts(session, each, query, before, now) if each.refresh == "by" else None
    if each.refresh == "view":
        mode = "view"
        session.create_view(each.name, query, version=hashlib.sha256(repr(now).encode()).hexdigest())
        check_key(session, each, table(each.name))
    elif touched and _is_minor(session, each, touched):
        mode = "rows"
        _fold_anew(session, each, query)
    else:
        mode = "full"
        _build(session, each, query)
    _write_checkpoint(session, each.name, now)
    return mode


def _is_minor(session: Session, each: Table, touched: exp.Query) -> bool:
    """Whether the touched parts are less than half of the table: beyond that, to build it whole is the shorter way.

    Leaves them as the temporary table `touched`, and the rows they have now as `before`.
    """
    session.create_temporary("touched", touched)
    session.create_temporary("before", _semi_join(table(each.name), each.part))
    return 2 * session.count(table("before")) <= session.count(table(each.name))


def _build(session: Session, each: Table, query: exp.Expression) -> None:
    """The whole table. Where it is small and comes out as it was, it keeps its mark: what reads it need not follow."""
    mark, columns = session.version(each.name), None
    if mark and session.count(table(each.name)) <= SMALL:
        columns = session.columns(table(each.name))
        session.create_temporary("before", exp.select("*").from_(table(each.name)))
    session.create_table(each.name, query)
    check_key(session, each, table(each.name))
    comparable = columns == session.columns(table(each.name)) and session.count(table(each.name)) <= SMALL
    if comparable and not session.difference(each.name, each.key, "before", each.name, since=mark):
        session.set_version(each.name, mark)


def _fold_anew(session: Session, each: Table, query: exp.Expression) -> None:
    """The touched parts of a table in the place of what they were."""
    session.create_temporary("fresh", _restricted(session, each, query))
    check_key(session, each, table("fresh"))
    delta = session.difference(each.name, each.key, "before", "fresh", since=session.version(each.name))
    if delta:
        session.change_rows(each.name, delta)


def _restricted(session: Session, each: Table, query: exp.Expression) -> exp.Expression:
    """The query over the temporary table `touched` alone: wherever a row's part is known, the others are left out."""
    query = query.copy()
    for name in each.depends_on:
        if _knows_part(session, each, name):
            _replace_table(query, name, _semi_join(table(name), each.part))
    if each.through:
        _replace_table(query, each.through, _semi_join(table(each.through), each.part))
    return query


def _touched_parts(
    session: Session, each: Table, query: exp.Expression, before: Checkpoint | None, now: Checkpoint
) -> exp.Query | None:
    """The parts to which changed rows belong, as a query; None where that cannot be told."""
    if before is None or before.definition != now.definition or not session.version(each.name):
        return None
    if before.as_of != now.as_of and not EVENTS & now.inputs.keys():
        return None
    parts = []
    for name, mark in now.inputs.items():
        same_events = name not in EVENTS or before.as_of == now.as_of
        if mark is not None and before.inputs.get(name) == mark and same_events:
            continue
        changed = _changed_events(name, before, now) if name in LAKE else _changed_rows(session, name, before)
        part = _part_of(session, each, query, name, changed) if changed else None
        if part is None:
            return None
        parts.append(exp.select("*").from_(part.subquery("part")))
    return exp.union(*parts) if parts[1:] else parts[0]


def _knows_part(session: Session, each: Table, name: str) -> bool:
    """Whether an input has the columns of a part itself. Those of a dataset may be anybody's: there the CTE counts."""
    if each.through and name in LAKE:
        return False
    return set(each.part) <= set(session.columns(table(name)))


def _part_of(session: Session, each: Table, query: exp.Expression, name: str, changed: exp.Query) -> exp.Query | None:
    """The distinct parts of an input's changed rows."""
    parts = exp.select(*map(column, each.part)).distinct()
    if _knows_part(session, each, name):
        return parts.from_(changed.subquery("changed"))
    if not each.through:
        return None
    parts = parts.from_(each.through)
    for cte in query.ctes:
        body = cte.this.copy()
        _replace_table(body, name, changed)
        parts = parts.with_(cte.alias, as_=body)
        if cte.alias == each.through:
            break
    return parts


def _changed_events(name: str, before: Checkpoint, now: Checkpoint) -> exp.Query | None:
    """The rows of batches that came since, and the events that a later as_of lets in."""
    (newest, reverted), (_, reverted_now) = before.inputs[name], now.inputs[name]
    if reverted != reverted_now:
        return None
    tests = [exp.GT(this=column("_batch_id"), expression=literal(newest or 0))]
    if name in EVENTS and before.as_of != now.as_of:
        if before.as_of is None or now.as_of is None or now.as_of < before.as_of:
            return None
        tests.append(exp.GTE(this=column(EVENT_TIME), expression=literal(before.as_of)))
    return exp.select("*").from_(table(name)).where(exp.or_(*tests))


def _changed_rows(session: Session, name: str, before: Checkpoint) -> exp.Query | None:
    """The rows by which a table differs from what it was at the checkpoint, old and new."""
    delta = session.deltas.get(name)
    if not delta or not delta.since or delta.since != before.inputs.get(name):
        return None
    sides = [exp.select("*").from_(table(side)) for side in (delta.removed, delta.added)]
    return exp.union(*sides, distinct=False)


def _semi_join(source: exp.Expression, part: tuple[str, ...]) -> exp.Select:
    using = [exp.to_identifier(name, quoted=True) for name in part]
    return exp.select("*").from_(source).join(table("touched"), using=using, join_type="semi")


def _replace_table(query: exp.Expression, name: str, rows: exp.Query) -> None:
    """Put a subquery in the place of each mention of a table."""
    found = [t for t in query.find_all(exp.Table) if name == (f"{t.db}.{t.name}" if t.db else t.name)]
    for mention in found:
        mention.replace(rows.copy().subquery(mention.alias or mention.name))


def _now(session: Session, each: Table, bindings: dict[str, Any], marks: dict[str, str | None]) -> Checkpoint:
    text = to_sql(each.query)
    asks = any(node.name == "as_of" for node in each.query.find_all(exp.Placeholder))
    inputs = {
        name: _batch_mark(session, name) if name.startswith("lake.") else marks.get(name)
        for name in sorted(each.depends_on)
    }
    return Checkpoint(hashlib.sha256(text.encode()).hexdigest(), inputs, bindings["as_of"] if asks else None)


def _batch_mark(session: Session, name: str) -> list[int | None]:
    """The newest batch of a dataset, and how many were taken back: rows come to the lake and leave it by batches."""
    query = ALL_BATCHES.copy()
    if name in LAKE:
        query = query.where(exp.EQ(this=column("dataset"), expression=literal(name.removeprefix("lake."))))
    return list(session.rows(query)[0].values())


def _read_checkpoints(session: Session) -> dict[str, Checkpoint]:
    rows = session.rows("SELECT * FROM lake.checkpoint")
    return {row["table_name"]: Checkpoint(row["definition"], json.loads(row["inputs"]), row["as_of"]) for row in rows}


def _write_checkpoint(session: Session, name: str, now: Checkpoint) -> None:
    session.run("DELETE FROM lake.checkpoint WHERE table_name = $name", name=name)
    session.run(
        "INSERT INTO lake.checkpoint SELECT $name, $definition, $inputs, $as_of, $refreshed_at",
        name=name,
        definition=now.definition,
        inputs=json.dumps(now.inputs),
        as_of=cast(literal(now.as_of), "date"),
        refreshed_at=dt.datetime.now(dt.UTC).replace(tzinfo=None),
    )
