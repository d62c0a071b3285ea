"""Who is in which audience: all of them on schedule, or after a micro-batch only whom it touched."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from clv_helpers.audiences import audience_files
from clv_helpers.audiences.catalog import Catalog, event_tables, moves_with_others, names_of, problems, read_catalog
from clv_helpers.audiences.compile import Context, to_customers
from clv_helpers.audiences.rule import Audience, walk
from clv_helpers.audiences.time_windows import swept
from clv_helpers.audiences.when import Clock
from clv_helpers.config.datasets import DATASETS, PRIMARY_IDENTITY
from clv_helpers.config.tables import ALWAYS_THERE
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import bind, column, literal, parse, table
from clv_helpers.engines.session import Session
from clv_helpers.models import MODEL, refresh_tables

ENTERING = parse(
    "SELECT customer_id FROM qualified WHERE NOT customer_id IN "
    "(SELECT customer_id FROM audiences.membership_period WHERE audience = $audience AND left_at IS NULL)"
)


@dataclass(frozen=True)
class Round:
    """One evaluation: its number, the moment as of which it is made, and the newest batch it knows."""

    number: int
    now: dt.datetime
    snapshot: int
    catalog: Catalog
    tables: dict[str, str]

    def context(self, audience: Audience, only: exp.Query | None = None) -> Context:
        return Context(self.catalog, Clock(self.now, audience.time_zone), self.tables, only)


def evaluate(workbook: Workbook, *only: str) -> list[dict[str, Any]]:
    """Evaluate all audiences (or those named, and whom they ask for) on all customers, in one transaction, and publish.

    Gives a row per audience: audience, mode, customers, entered, departed. Who is in stands in audiences.membership,
    who left in audiences.membership_history, the sizes in audiences.fact_audience. An audience whose file is gone
    loses its customers.
    Raises ParamsError where there is no audience, or one asks for what is not there.
    Cost: a scan of the profile per audience, and of the events for each condition on them.
    """
    with workbook.engine.write(publish=True) as session:
        rows = evaluate_within(session, workbook, *only)
        refresh_tables(session, workbook, "audiences", *MODEL)
    return rows


def evaluate_within(session: Session, workbook: Workbook, *only: str) -> list[dict[str, Any]]:
    """`evaluate` in the caller's transaction, but for the tables that follow from who is in."""
    audiences = audience_files.load_all(workbook)
    if not audiences:
        where = f"YAML files in {workbook.specs}/audiences"
        raise ParamsError(str(workbook.file), [Problem("audiences", "none", where)])
    wanted = _with_needed(audiences, only)
    this = begin(session, _moment(workbook.as_of(session)))
    rows = [evaluate_one(session, name, audiences[name], this) for name in audiences if name in wanted]
    _close_absent(session, list(audiences), this)
    session.create_table("audiences.dim_audience", _described(audiences))
    return rows


def follow(workbook: Workbook) -> list[dict[str, Any]]:
    """Bring the streaming audiences up to date with the batches that came since their last evaluation, and publish.

    Gives the rows of `evaluate_some`; none where no audience is streamed. The first time, all audiences are
    evaluated on all customers. Batches that were taken back are not seen here: after those, evaluate all.
    """
    audiences = audience_files.load_all(workbook)
    streamed = [name for name in audiences if not why_not_streaming(name, audiences)]
    if not streamed:
        return []
    if not _has_memberships(workbook):
        return evaluate(workbook)
    with workbook.engine.write(publish=True) as session:
        latest = [each["snapshot"] for name in streamed if (each := _latest(session, name))]
        newer = exp.GT(this=column("_batch_id"), expression=literal(min(latest, default=0)))
        sources = [table(f"lake.{name}") for name in DATASETS]
        rows = [exp.select(column(PRIMARY_IDENTITY)).from_(source).where(newer.copy()) for source in sources]
        session.create_temporary("touched_customers", _union(rows, distinct=True))
        return evaluate_some(session, audiences, "touched_customers", _moment(workbook.as_of(session)))


def evaluate_some(
    session: Session, audiences: dict[str, Audience], customers: str, now: dt.datetime
) -> list[dict[str, Any]]:
    """Evaluate the streaming audiences on the customers whom a micro-batch touched, in the caller's transaction.

    `audiences`: all of the workbook, each after those it asks for; `customers`: a table with their customer_id;
    `now`: the moment of evaluation in UTC. Customers for whom only time went on are added here. The result is that of a
    batch evaluation. Gives a row per audience: audience, mode (`touched`, `all` where its rule is new or has changed,
    `batch` where it waits for the schedule), customers, entered, departed, and why not where it is not streamed.
    Readers see it once the caller publishes. Cost: the customers touched, and one scan of the events per time window.
    """
    this = begin(session, now)
    reasons = {name: why_not_streaming(name, audiences) for name in audiences}
    whole, candidates = set[str](), [exp.select(column(PRIMARY_IDENTITY)).from_(table(customers))]
    for name, audience in audiences.items():
        last = _latest(session, name)
        if reasons[name]:
            continue
        moved_back = last is not None and last["evaluated_at"] > now
        if last is None or last["rule_hash"] != audience.hash or moved_back or whole & set(names_of(audience)):
            whole.add(name)
        else:
            before = Clock(last["evaluated_at"], audience.time_zone)
            candidates += swept(audience.rule, this.context(audience), before) if before.now < now else []
    session.create_temporary("candidate", _union(candidates, distinct=True))
    rows = []
    for name, audience in audiences.items():
        if reasons[name]:
            rows.append({"audience": name, "mode": "batch", "why_not": "; ".join(reasons[name])})
        else:
            rows.append(evaluate_one(session, name, audience, this, touched=name not in whole))
    return rows


def begin(session: Session, now: dt.datetime) -> Round:
    """Open an evaluation: its tables where there are none yet, and its number."""
    for name in ("audiences.membership_period", "audiences.evaluation"):
        session.create_if_absent(name, ALWAYS_THERE[name])
    number = session.scalar("SELECT COALESCE(MAX(evaluation), 0) + 1 AS next FROM audiences.evaluation")
    newest = "SELECT COALESCE(MAX(_batch_id), 0) AS newest FROM lake.batches WHERE status = 'success'"
    snapshot = session.scalar(newest) if session.has_table("lake.batches") else 0
    return Round(number, now, snapshot, read_catalog(session, event_tables()), event_tables())


def evaluate_one(session: Session, name: str, audience: Audience, this: Round, touched: bool = False) -> dict[str, Any]:
    """Bring one audience's memberships up to date: of all customers, or of those in the temporary table `candidate`.

    Raises ParamsError for a column that is not there, or an operator or value that does not go with it.
    """
    if found := problems(audience, this.catalog):
        raise ParamsError(f"audiences/{name}.yml", found)
    only = exp.select(column(PRIMARY_IDENTITY)).from_(table("candidate")) if touched else None
    session.create_temporary("qualified", to_customers(audience.rule, this.context(audience, only)))
    among = exp.In(this=column(PRIMARY_IDENTITY), query=only.subquery()) if only else exp.true()
    known = {"audience": name, "number": this.number, "now": this.now}
    departed = session.scalar(
        "SELECT COUNT(*) AS departed FROM audiences.membership_period WHERE audience = $audience AND left_at IS NULL AND $among "
        "AND NOT customer_id IN (SELECT customer_id FROM qualified)",
        among=among,
        **known,
    )
    session.run(
        "UPDATE audiences.membership_period SET left_at = $now WHERE audience = $audience AND left_at IS NULL AND $among "
        "AND NOT customer_id IN (SELECT customer_id FROM qualified)",
        among=among,
        **known,
    )
    session.create_temporary("entering", bind(ENTERING, {"audience": name}))
    entered = session.count(table("entering"))
    session.run(
        "INSERT INTO audiences.membership_period SELECT $audience, n.customer_id, $number, "
        "COALESCE(MIN(s.first_qualified_at), $now), $now, NULL, $hash, $snapshot FROM entering AS n "
        "LEFT JOIN audiences.membership_period AS s ON s.customer_id = n.customer_id AND s.audience = $audience "
        "GROUP BY n.customer_id",
        hash=audience.hash,
        snapshot=this.snapshot,
        **known,
    )
    row = {"audience": name, "mode": "touched" if touched else "all", "entered": entered, "departed": departed}
    row["customers"] = session.scalar(
        "SELECT COUNT(*) AS customers FROM audiences.membership_period WHERE audience = $audience AND left_at IS NULL",
        **known,
    )
    _note(session, {**row, "rule_hash": audience.hash}, this)
    return row


def why_not_streaming(name: str, audiences: dict[str, Audience]) -> list[str]:
    """What keeps an audience from following micro-batches; empty where nothing does."""
    audience = audiences[name]
    if audience.evaluation != "streaming":
        return ["its evaluation is batch"]
    reasons = [reason for _, leaf in walk(audience.rule) if (reason := moves_with_others(leaf))]
    for other in names_of(audience):
        if other in audiences and why_not_streaming(other, audiences):
            reasons.append(f"the audience {other}, which it asks for, waits for the batch")
    return list(dict.fromkeys(reasons))


def _with_needed(audiences: dict[str, Audience], only: tuple[str, ...]) -> set[str]:
    for name in only:
        if name not in audiences:
            raise ParamsError("audiences", [Problem("audience", repr(name), ", ".join(sorted(audiences)))])
    wanted = set(only or audiences)
    for name in reversed(audiences):
        if name in wanted:
            wanted |= set(names_of(audiences[name]))
    return wanted


def _moment(as_of: dt.date) -> dt.datetime:
    return dt.datetime.combine(as_of, dt.time())


def _has_memberships(workbook: Workbook) -> bool:
    with workbook.engine.read() as session:
        name = "audiences.evaluation"
        return session.has_table(name) and session.count(table(name)) > 0


def _latest(session: Session, name: str) -> dict[str, Any] | None:
    rows = session.rows(
        "SELECT * FROM audiences.evaluation WHERE audience = $audience ORDER BY evaluation DESC LIMIT 1", audience=name
    )
    return rows[0] if rows else None


def _note(session: Session, row: dict[str, Any], this: Round) -> None:
    """Add to the log of evaluations. Of micro-batches that changed nothing only the latest is kept."""
    if row["mode"] == "touched":
        session.run(
            "DELETE FROM audiences.evaluation "
            "WHERE audience = $audience AND mode = 'touched' AND entered + departed = 0",
            audience=row["audience"],
        )
    full = {**row, "evaluation": this.number, "evaluated_at": this.now, "snapshot": this.snapshot}
    values = exp.select(*(literal(full[name]) for name in ALWAYS_THERE["audiences.evaluation"]))
    session.run(exp.Insert(this=table("audiences.evaluation"), expression=values))
    session.set_mark("audiences.evaluation", str(uuid.uuid4()))
    if row["entered"] or row["departed"]:
        session.set_mark("audiences.membership_period", str(uuid.uuid4()))


def _close_absent(session: Session, names: list[str], this: Round) -> None:
    """Customers of an audience that is no more leave it."""
    known = exp.In(this=column("audience"), expressions=[literal(name) for name in names])
    gone = "FROM audiences.membership_period WHERE left_at IS NULL AND NOT $known"
    if session.scalar(f"SELECT COUNT(*) AS gone {gone}", known=known):
        leave = "UPDATE audiences.membership_period SET left_at = $now WHERE left_at IS NULL AND NOT $known"
        session.run(leave, now=this.now, known=known)
        session.set_mark("audiences.membership_period", str(uuid.uuid4()))


def _described(audiences: dict[str, Audience]) -> exp.Expression:
    rows = []
    for name, audience in audiences.items():
        streams = "streaming" if not why_not_streaming(name, audiences) else "batch"
        texts = {"audience": name, "title": audience.title, "description": audience.description}
        texts |= {"rule_hash": audience.hash, "evaluation": streams}
        rows.append(exp.select(*(literal(text).as_(key) for key, text in texts.items())))
    return _union(rows)


def _union(queries: list[exp.Query], distinct: bool = False) -> exp.Query:
    return exp.union(*queries, distinct=distinct) if queries[1:] else queries[0]
