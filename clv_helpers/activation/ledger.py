"""Who was handed over to whom: a row per campaign, destination and member, written before and after the hand-over."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlglot import exp

from clv_helpers.activation.destination import Destination, Outcome, Part, Run
from clv_helpers.activation.mapping import row_hash
from clv_helpers.config.datasets import WRITTEN
from clv_helpers.config.destinations import Activation, DestinationParams
from clv_helpers.engines.dialect import bind, parse, table
from clv_helpers.engines.session import Session

# `delivered_hash` is of the row that the destination last got; `present`: it has the member by the last activation.
# `doubts`: how often a hand-over's reply was lost. Status: intended → delivered, rejected, in doubt, or withdrawn.
TABLES = {
    "activation.ledger": {
        "campaign": "text",
        "destination": "text",
        "membership_number": "text",
        "audience": "text",
        "run_id": "text",
        "part": "integer",
        "operation": "text",
        "status": "text",
        "reason": "text",
        "row_hash": "text",
        "delivered_hash": "text",
        "present": "boolean",
        "doubts": "integer",
        "as_of": "date",
        "intended_at": "timestamp",
        "settled_at": "timestamp",
    },
    "activation.run": WRITTEN["activation.run"],
    "activation.part": {
        "run_id": "text",
        "part": "integer",
        "name": "text",
        "rows": "integer",
        "bytes": "integer",
        "sha256": "text",
        "delivered_at": "timestamp",
    },
    # Never changed once written: results are analysed by intention to treat.
    "activation.assignment": WRITTEN["activation.assignment"],
}
OF_PLAN = "campaign = $campaign AND destination = $destination"


def now() -> dt.datetime:
    """This moment in UTC, as the tables hold it."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def create_tables(session: Session) -> None:
    """The tables that are kept for good, where they are not there yet."""
    for name, columns in TABLES.items():
        session.create_if_absent(name, columns)


def open_run(session: Session, activation: Activation) -> Run | None:
    """The run of an activation that was begun and not finished."""
    query = f"SELECT * FROM activation.run WHERE {OF_PLAN} AND status = 'open'"
    rows = session.rows(query, campaign=activation.campaign, destination=activation.destination)
    return Run(**{name: rows[0][name] for name in Run.__dataclass_fields__}) if rows else None


def intend(session: Session, destination: Destination, as_of: dt.date) -> Run | None:
    """Write down who is to be handed over, and who is control; None where the destination has all of it already.

    One row per member in activation.ledger, with status `intended`. Cost: a pass over the audience and the ledger.
    """
    plan = destination.activation
    names = {"campaign": plan.campaign, "destination": plan.destination}
    _assign(session, plan, as_of)
    session.set_mark("activation.assignment", str(uuid.uuid4()))
    session.create_temporary("todo", _todo(session, destination, names))
    if not destination.takes_leavers:
        session.run(
            "UPDATE activation.ledger SET present = FALSE WHERE campaign = $campaign AND destination = $destination "
            f"AND present AND membership_number NOT IN ({_SENT})",
            **names,
        )
    counts = session.rows(
        "SELECT MAX(part) AS parts, COUNT(CASE WHEN operation = 'join' THEN 1 END) AS joined, "
        "COUNT(CASE WHEN operation = 'update' THEN 1 END) AS changed, "
        "COUNT(CASE WHEN operation = 'leave' THEN 1 END) AS has_left FROM todo"
    )[0]
    if counts["parts"] is None:
        return None
    run = Run(uuid.uuid4().hex[:12], plan.campaign, plan.audience, plan.destination, as_of, now(), counts["parts"])
    _write_run(session, run, counts, session.count(exp.select("*").from_(_parsed_sent(names)).subquery("sent")))
    _write_intents(session, run)
    session.set_mark("activation.run", str(uuid.uuid4()))
    return run


_SENT = (
    "SELECT membership_number FROM activation.decision "
    "WHERE campaign = $campaign AND destination = $destination AND outcome = 'sent'"
)
TODO = f"""
WITH sent AS ({_SENT}),
had AS (SELECT * FROM activation.ledger WHERE campaign = $campaign AND destination = $destination),
hashed AS (
    SELECT s.membership_number, $row_hash AS row_hash
    FROM sent AS s JOIN profile.member AS p ON p.membership_number = s.membership_number
),
coming AS (
    SELECT h.membership_number, CASE WHEN l.present THEN 'update' ELSE 'join' END AS operation, h.row_hash
    FROM hashed AS h LEFT JOIN had AS l ON l.membership_number = h.membership_number
    WHERE $is_due
),
leaving AS (
    SELECT l.membership_number, 'leave' AS operation, CAST(NULL AS TEXT) AS row_hash
    FROM had AS l LEFT JOIN sent AS s ON s.membership_number = l.membership_number
    WHERE $takes_leavers AND l.present AND s.membership_number IS NULL
),
everyone AS (SELECT * FROM coming UNION ALL SELECT * FROM leaving)
"""
ONE_PART = "SELECT *, 1 AS part FROM everyone"
PARTS = (
    "SELECT *, CAST(FLOOR((ROW_NUMBER() OVER (ORDER BY membership_number) - 1) / $rows_per_part) AS INT) + 1 AS part "
    "FROM everyone"
)
# When a member is handed over (h: the row now, l: the ledger's)
DUE_ONCE = "l.delivered_hash IS NULL AND ($again OR NOT COALESCE(l.status = 'in doubt', FALSE))"
DUE_CHANGED = "NOT COALESCE(l.present, FALSE) OR l.delivered_hash IS NULL OR l.delivered_hash <> h.row_hash"


def _todo(session: Session, destination: Destination, names: dict[str, str]) -> exp.Expression:
    if destination.sends_once:
        due = bind(parse(DUE_ONCE), {"again": destination.sends_again_in_doubt})
    else:
        due = parse(DUE_CHANGED) if destination.params.mode == "incremental" else exp.true()
    sent = session.count(exp.select("*").from_(_parsed_sent(names)).subquery("sent"))
    ledger_rows = session.count(table("activation.ledger")) if destination.takes_leavers else 0
    split = sent + ledger_rows > destination.rows_per_part
    bindings = {
        **names,
        "row_hash": row_hash(destination.params),
        "is_due": exp.paren(due),
        "takes_leavers": destination.takes_leavers,
        "rows_per_part": destination.rows_per_part,
    }
    return bind(parse(TODO + (PARTS if split else ONE_PART)), bindings)


def _parsed_sent(names: dict[str, str]) -> exp.Subquery:
    return bind(parse(_SENT), names).subquery("s")


def _assign(session: Session, plan: Activation, as_of: dt.date) -> None:
    session.run(
        "INSERT INTO activation.assignment "
        "SELECT campaign, membership_number, audience, destination, arm, decile, $as_of, $now "
        "FROM activation.arm WHERE is_new AND campaign = $campaign",
        as_of=as_of,
        now=now(),
        campaign=plan.campaign,
    )


def _write_run(session: Session, run: Run, counts: dict[str, int], members: int) -> None:
    session.run(
        "INSERT INTO activation.run VALUES ($run_id, $campaign, $audience, $destination, $as_of, 'open', $parts, "
        "$members, $joined, $changed, $has_left, $started_at, NULL)",
        **{**run.__dict__, **counts, "members": members},
    )


def _write_intents(session: Session, run: Run) -> None:
    values = {**run.__dict__, "now": run.started_at}
    session.run(
        "UPDATE activation.ledger SET run_id = $run_id, audience = $audience, part = t.part, operation = t.operation, "
        "status = 'intended', reason = NULL, doubts = 0, row_hash = t.row_hash, as_of = $as_of, intended_at = $now, "
        "settled_at = NULL FROM todo AS t "
        f"WHERE {OF_PLAN} AND activation.ledger.membership_number = t.membership_number",
        **values,
    )
    session.run(
        "INSERT INTO activation.ledger SELECT $campaign, $destination, t.membership_number, $audience, $run_id, "
        "t.part, t.operation, 'intended', NULL, t.row_hash, NULL, FALSE, 0, $as_of, $now, NULL FROM todo AS t "
        f"LEFT JOIN (SELECT membership_number FROM activation.ledger WHERE {OF_PLAN}) AS had "
        "ON had.membership_number = t.membership_number WHERE had.membership_number IS NULL",
        **values,
    )


def withdraw(session: Session, run: Run, params: DestinationParams) -> None:
    """Before a run is taken up again: who may no longer be written to stays, the others' rows are those of today."""
    names = {"campaign": run.campaign, "destination": run.destination, "run_id": run.run_id, "now": now()}
    session.run(
        "UPDATE activation.ledger SET status = 'withdrawn', reason = 'no longer to be sent', settled_at = $now "
        "WHERE run_id = $run_id AND status = 'intended' AND operation <> 'leave' "
        f"AND membership_number NOT IN ({_SENT})",
        **names,
    )
    session.run(
        "UPDATE activation.ledger SET row_hash = $row_hash FROM profile.member AS p WHERE run_id = $run_id "
        "AND status = 'intended' AND operation <> 'leave' "
        "AND activation.ledger.membership_number = p.membership_number",
        **names,
        row_hash=row_hash(params),
    )


def open_parts(session: Session, run: Run) -> list[int]:
    """The numbers of a run's parts of which something is still to be handed over."""
    query = "SELECT DISTINCT part FROM activation.ledger WHERE run_id = $run_id AND status = 'intended' ORDER BY part"
    return [row["part"] for row in session.rows(query, run_id=run.run_id)]


def settle(session: Session, part: Part, outcome: Outcome, keep_doubts: bool) -> None:
    """Write down what became of a part. With `keep_doubts`, who is in doubt is not handed over again."""
    import pandas as pd

    of_part = "run_id = $run_id AND part = $part AND status = 'intended'"
    names: dict[str, Any] = {"run_id": part.run.run_id, "part": part.number, "now": now()}
    doubted = [(member, "its reply was lost", times) for member, times in outcome.in_doubt.items()]
    for status, told in (
        ("rejected", [(member, reason, 0) for member, reason in outcome.rejected.items()]),
        ("in doubt" if keep_doubts else "intended", doubted),
    ):
        if told:
            settled = pd.DataFrame(told, columns=["membership_number", "reason", "doubts"])
            session.load_frame("settled", settled.astype({"membership_number": "str", "reason": "str"}))
            session.run(
                "UPDATE activation.ledger SET status = $status, reason = s.reason, settled_at = $now, "
                "present = COALESCE(present, FALSE) OR $status = 'in doubt', "
                "doubts = s.doubts "
                "FROM settled AS s "
                f"WHERE {of_part} AND activation.ledger.membership_number = s.membership_number",
                **names,
                status=status,
            )
    only = ""
    if outcome.delivered is not None:
        session.load_frame("settled", pd.DataFrame({"membership_number": outcome.delivered}, dtype="str"))
        only = " AND membership_number IN (SELECT membership_number FROM settled)"
    session.run(
        "UPDATE activation.ledger SET status = 'delivered', reason = NULL, settled_at = $now, "
        "delivered_hash = row_hash, present = operation <> 'leave' "
        f"WHERE {of_part}{only}",
        **names,
    )
    if outcome.name:
        session.run("DELETE FROM activation.part WHERE run_id = $run_id AND part = $part", **names)
        session.run(
            "INSERT INTO activation.part VALUES ($run_id, $part, $name, $rows, $bytes, $sha256, $now)",
            **names,
            **{key: getattr(outcome, key) for key in ("name", "rows", "bytes", "sha256")},
        )


def finish(session: Session, run: Run) -> None:
    """Close a run of which every part is settled."""
    session.run(
        "UPDATE activation.run SET status = 'done', finished_at = $now WHERE run_id = $run_id",
        now=now(),
        run_id=run.run_id,
    )
    session.set_mark("activation.run", str(uuid.uuid4()))


def parts(session: Session, run: Run) -> list[dict[str, Any]]:
    """The delivered parts of a run that have a name: files."""
    query = "SELECT name, rows, bytes, sha256 FROM activation.part WHERE run_id = $run_id ORDER BY part"
    return session.rows(query, run_id=run.run_id)


def counts(session: Session, run: Run) -> dict[str, int]:
    """How many members of a run have which status, and how many were in doubt."""
    query = (
        "SELECT status, COUNT(*) AS members, SUM(doubts) AS doubts FROM activation.ledger "
        "WHERE run_id = $run_id GROUP BY status"
    )
    rows = session.rows(query, run_id=run.run_id)
    found = dict.fromkeys(("delivered", "rejected", "in doubt", "withdrawn", "intended"), 0)
    found |= {row["status"]: row["members"] for row in rows}
    return {**found, "doubts": int(sum(row["doubts"] for row in rows))}


def reasons(session: Session, run: Run) -> list[dict[str, Any]]:
    """Why members of a run were rejected: reason, members; the most frequent first."""
    query = (
        "SELECT reason, COUNT(*) AS members FROM activation.ledger WHERE run_id = $run_id AND status = 'rejected' "
        "GROUP BY reason ORDER BY members DESC, reason"
    )
    return session.rows(query, run_id=run.run_id)
