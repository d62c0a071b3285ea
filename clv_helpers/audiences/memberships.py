"""Who is in which audience: evaluated on schedule, or the streaming audiences after each micro-batch."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlglot import exp

from clv_helpers import progress
from clv_helpers.audiences import audience_files
from clv_helpers.audiences.catalog import Catalog, event_tables, names_of, read_catalog
from clv_helpers.audiences.checks import empty_inputs, problems
from clv_helpers.audiences.compile import Context, to_members
from clv_helpers.audiences.composition import file_name
from clv_helpers.audiences.given import make_given
from clv_helpers.audiences.rule import Audience
from clv_helpers.conditions.when import Clock
from clv_helpers.config.tables import ALWAYS_THERE
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import bind, column, is_in, parse, table
from clv_helpers.engines.session import Session
from clv_helpers.models import MODEL, refresh_tables

Mode = Literal["batch", "streaming"]
IS_OPEN = "audience = $audience AND left_at IS NULL"
IS_EXITED = f"{IS_OPEN} AND NOT customer_id IN (SELECT customer_id FROM qualified)"
REALIZED = parse(
    "SELECT customer_id FROM qualified WHERE NOT customer_id IN "
    f"(SELECT customer_id FROM audiences.membership_period WHERE {IS_OPEN})"
)


@dataclass(frozen=True)
class Evaluation:
    """One audience, evaluated: how many customers are in it, and how many of them were not before or no longer are.

    `realized`: came in with this evaluation; `exited`: left with it; `mode`: on schedule or after a micro-batch.
    `doubt`: why it was not evaluated, and those who were in it stay; empty where it was. `note`: how many of a list
    are customers.
    """

    audience: str
    mode: Mode
    customers: int
    realized: int
    exited: int
    doubt: str = ""
    note: str = ""


@dataclass(frozen=True)
class Round:
    """What the evaluations of one transaction share: number, moment, newest batch, columns; whose files they are."""

    number: int
    mode: Mode
    now: dt.datetime
    snapshot: int
    catalog: Catalog
    workbook: Workbook | None = None

    def context(self, audience: Audience, name: str = "") -> Context:
        """Where an audience is read."""
        params = self.workbook.params if self.workbook else None
        return Context(self.catalog, Clock(self.now, audience.time_zone), event_tables(params), params, name)


def evaluate(workbook: Workbook, *only: str) -> list[Evaluation]:
    """Evaluate all audiences (or those named, and whom they ask for) in one transaction, and publish.

    Gives a row per audience. Who is in is in audiences.membership, who left in audiences.membership_history, the
    sizes in audiences.fact_audience. An audience whose file is gone loses its customers; one that nobody would be in
    because what it asks about is empty keeps them, and the row says so (`doubt`).
    Raises ParamsError for a name that is no audience's, or an audience that asks for what is not there.
    Cost: a scan of the profile per audience, and of the events for each condition on them.

    Example:
        >>> from clv_helpers import audiences
        >>> [(row.audience, row.mode) for row in audiences.evaluate(wb, "best_now_quiet")]
        [('best_now_quiet', 'batch')]
    """
    with workbook.engine.write(publish=True) as session:
        rows = evaluate_within(session, workbook, *only)
        refresh_tables(session, workbook, "audiences", *MODEL)
    return rows


def evaluate_within(session: Session, workbook: Workbook, *only: str) -> list[Evaluation]:
    """`evaluate` in the caller's transaction, without the tables that are made from who is in."""
    audiences = audience_files.load_all(workbook)
    for name in only:
        if name not in audiences:
            raise ParamsError("audiences", [Problem("audience", repr(name), ", ".join(sorted(audiences)))])
    return _evaluate(session, workbook, audiences, set(only or audiences), "batch")


def evaluate_what_can_be(session: Session, workbook: Workbook) -> list[Evaluation]:
    """`evaluate_within` for a refresh, which nothing in an audience's file stops.

    One that asks for a column or an audience that is gone keeps its customers, and its row says why (`doubt`).
    """
    audiences, kept = audience_files.load_usable(workbook)
    return _evaluate(session, workbook, audiences, set(audiences), "batch", kept)


def evaluate_streaming(session: Session, workbook: Workbook) -> list[Evaluation]:
    """Evaluate the audiences whose `evaluation` is streaming, and whom they ask for, in the caller's transaction.

    For use after each micro-batch, once the profile is fresh: the result is that of `evaluate`. Gives a row per
    audience; none where no audience is streamed. Cost: as `evaluate`, for those audiences.
    """
    audiences, kept = audience_files.load_usable(workbook)
    streamed = {name for name, audience in audiences.items() if audience.evaluation == "streaming"}
    return _evaluate(session, workbook, audiences, streamed, "streaming", kept) if streamed else []


def _evaluate(
    session: Session,
    workbook: Workbook,
    audiences: dict[str, Audience],
    wanted: set[str],
    mode: Mode,
    kept: dict[str, str] | None = None,
) -> list[Evaluation]:
    """The wanted audiences and whom they ask for; `audiences`: all, each after those it asks for.

    `kept`: audiences that cannot be read, and why; with it, one that asks for what is not there is kept as well.
    """
    wanted = _with_whom_they_ask_for(audiences, wanted, mode)
    current = begin(session, dt.datetime.combine(workbook.as_of(session), dt.time()), mode, workbook)
    rows = []
    for name in audiences:
        if name in wanted:
            progress.step(f"audience {name}")
            try:
                rows.append(evaluate_one(session, name, audiences[name], current))
            except ParamsError as error:
                if kept is None:
                    raise
                rows.append(_kept(session, name, current, str(error)))
    unread = kept or {}
    before = _described_before(session, unread)
    unread = unread | {name: unread[file_name(name)] for name, *_ in before}
    rows += [_kept(session, name, current, why) for name, why in unread.items()]
    _close_removed(session, [*audiences, *unread], current)
    session.create_table("audiences.definition", _described(audiences, before))
    return rows


def _with_whom_they_ask_for(audiences: dict[str, Audience], wanted: set[str], mode: Mode) -> set[str]:
    """The wanted audiences, whom they ask for, and the branches of all these.

    After a micro-batch, of those that hold on schedule only, who is in them stays.
    """
    for name in reversed(audiences):
        if name in wanted:
            asked = set(names_of(audiences[name]))
            wanted |= {other for other in asked if mode == "batch" or audiences[other].streams}
    return wanted | {name for name in audiences if file_name(name) in wanted}


def _kept(session: Session, name: str, current: Round, why: str) -> Evaluation:
    """An audience that is not evaluated: who was in it stays."""
    return Evaluation(name, current.mode, _size(session, name), 0, 0, why)


def _size(session: Session, name: str) -> int:
    return session.scalar(f"SELECT COUNT(*) AS n FROM audiences.membership_period WHERE {IS_OPEN}", audience=name)


def begin(session: Session, now: dt.datetime, mode: Mode = "batch", workbook: Workbook | None = None) -> Round:
    """Begin an evaluation as of a moment in UTC: its tables where there are none yet, and its number."""
    for name in ("audiences.membership_period", "audiences.evaluation"):
        session.create_if_absent(name, dict(ALWAYS_THERE[name]))
    number = session.scalar("SELECT COALESCE(MAX(evaluation), 0) + 1 AS next FROM audiences.evaluation")
    newest = "SELECT COALESCE(MAX(_batch_id), 0) AS newest FROM lake.batches WHERE status = 'success'"
    snapshot = session.scalar(newest) if session.has_table("lake.batches") else 0
    params = workbook.params if workbook else None
    catalog = read_catalog(session, event_tables(params), params=params)
    return Round(number, mode, now, snapshot, catalog, workbook)


def evaluate_one(session: Session, name: str, audience: Audience, current: Round) -> Evaluation:
    """Bring one audience's membership periods up to date, and log it in audiences.evaluation.

    Raises ParamsError for a column that is not there, or an operator or value that does not go with it; and as
    `make_given`.
    """
    if wrong := problems(audience, current.catalog):
        raise ParamsError(f"audiences/{name}.yml", wrong)
    note = make_given(session, current.workbook, name, audience) if current.workbook else ""
    session.create_temporary("qualified", to_members(audience, current.context(audience, name)))
    tables = event_tables(current.workbook.params if current.workbook else None)
    nobody = not session.count(table("qualified"))
    if nobody and _size(session, name) and (lacking := empty_inputs(session, audience, current.catalog, tables)):
        return _kept(session, name, current, f"audiences/{name}.yml asks about {lacking}; who was in it stays")
    values = {
        "audience": name, "number": current.number, "now": current.now, "hash": audience.hash,
        "snapshot": current.snapshot,
    }  # fmt: skip
    exited = _close(session, IS_EXITED, values)
    session.create_temporary("realized", bind(REALIZED, values))
    realized = session.count(table("realized"))
    if realized:
        session.run(
            "INSERT INTO audiences.membership_period SELECT $audience, n.customer_id, $number, "
            "COALESCE(MIN(m.first_qualified_at), $now), $now, NULL, $hash, $snapshot "
            "FROM realized AS n LEFT JOIN audiences.membership_period AS m "
            "ON m.customer_id = n.customer_id AND m.audience = $audience GROUP BY n.customer_id",
            **values,
        )
    row = Evaluation(name, current.mode, _size(session, name), realized, exited, note=note)
    _log(session, row, audience.hash, current)
    return row


def _log(session: Session, row: Evaluation, rule_hash: str, current: Round) -> None:
    """Add to audiences.evaluation. Of streaming evaluations that changed nothing only the latest is kept."""
    if row.mode == "streaming":
        session.run(
            "DELETE FROM audiences.evaluation "
            "WHERE audience = $audience AND mode = 'streaming' AND realized + exited = 0",
            audience=row.audience,
        )
    session.run(
        "INSERT INTO audiences.evaluation SELECT $number, $audience, $mode, $now, $rule_hash, $snapshot, "
        "$customers, $realized, $exited",
        number=current.number, now=current.now, snapshot=current.snapshot, rule_hash=rule_hash, audience=row.audience,
        mode=row.mode, customers=row.customers, realized=row.realized, exited=row.exited,
    )  # fmt: skip
    _changed(session, "audiences.evaluation")
    if row.realized or row.exited:
        _changed(session, "audiences.membership_period")


def _close(session: Session, where: str, values: dict[str, Any]) -> int:
    """End membership periods; gives how many."""
    ended = session.scalar(f"SELECT COUNT(*) AS n FROM audiences.membership_period WHERE {where}", **values)
    if ended:  # else nothing is written
        session.run(f"UPDATE audiences.membership_period SET left_at = $now WHERE {where}", **values)
    return ended


def _close_removed(session: Session, names: list[str], current: Round) -> None:
    """Customers of an audience whose file is gone leave it."""
    values = {"now": current.now, "known": is_in(column("audience"), names)}
    if _close(session, "left_at IS NULL AND NOT $known", values):
        _changed(session, "audiences.membership_period")


def _changed(session: Session, name: str) -> None:
    session.set_version(name, str(uuid.uuid4()))


def _described_before(session: Session, unread: Collection[str]) -> list[tuple[Any, ...]]:
    """The rows that audiences.definition has of these files, and of their branches."""
    if not unread or not session.has_table("audiences.definition"):
        return []
    listed = [column(key) for key in ALWAYS_THERE["audiences.definition"]]
    rows = session.rows(exp.select(*listed).from_(table("audiences.definition")))
    return [tuple(row.values()) for row in rows if file_name(row["audience"]) in unread]


def _described(audiences: dict[str, Audience], more: list[tuple[Any, ...]]) -> exp.Select:
    """The rows of audiences.definition: of these, and those that are given."""
    rows = more + [
        (name, audience.title, audience.description, audience.hash, audience.evaluation)
        for name, audience in audiences.items()
    ]
    columns = list(ALWAYS_THERE["audiences.definition"])
    return exp.select(*columns).from_(exp.values(rows, alias="d", columns=columns))
