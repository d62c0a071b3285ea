"""Who was handed over to whom: a row per campaign, destination and customer, written before and after the hand-over."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlglot import exp

from clv_helpers.activation.destination import Destination, Outcome, Part, Run
from clv_helpers.activation.mapping import row_hash
from clv_helpers.config.destinations import Activation, DestinationParams
from clv_helpers.config.tables import ALWAYS_THERE
from clv_helpers.engines.dialect import bind, parse, table
from clv_helpers.engines.session import Session

# `delivered_hash` is of the row that the destination last got; `present`: it has the customer by the last activation.
# `doubts`: how often a hand-over's reply was lost. Status: intended → delivered, rejected, in doubt, or withdrawn.
TABLES = {
    "activation.ledger": {
        "campaign": "text",
        "destination": "text",
        "customer_id": "text",
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
    "activation.run": ALWAYS_THERE["activation.run"],
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
    "activation.assignment": ALWAYS_THERE["activation.assignment"],
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

    One row per customer in activation.ledger, with status `intended`. Cost: a pass over the audience and the ledger.
    """
    plan = destination.activation
    names = {"campaign": plan.campaign, "destination": plan.destination}
    _assign(session, plan, as_of)
    session.set_mark("activation.assignment", str(uuid.uuid4()))
    session.create_temporary("todo", _todo(session, destination, names))
    if not destination.takes_leavers:
        session.run(
            "UPDATE activation.ledger SET present = FALSE WHERE campaign = $campaign AND destination = $destination "
            f"AND present AND customer_id NOT IN ({_SENT})",
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
    "SELECT customer_id FROM activation.decision "
    "WHERE campaign = $campaign AND destination = $destination AND outcome = 'sent'"
)
TODO = f"""
WITH sent AS ({_SENT}),
had AS (SELECT * FROM activation.ledger WHERE campaign = $campaign AND destination = $destination),
hashed AS (
    SELECT s.customer_id, $row_hash AS row_hash
    FROM sent AS s JOIN profile.customer AS p ON p.customer_id = s.customer_id
),
coming AS (
    SELECT h.customer_id, CASE WHEN l.present THEN 'update' ELSE 'join' END AS operation, h.row_hash
    FROM hashed AS h LEFT JOIN had AS l ON l.customer_id = h.customer_id
    WHERE $is_due
),
leaving AS (
    SELECT l.customer_id, 'leave' AS operation, CAST(NULL AS TEXT) AS row_hash
    FROM had AS l LEFT JOIN sent AS s ON s.customer_id = l.customer_id
    WHERE $takes_leavers AND l.present AND s.customer_id IS NULL
),
everyone AS (SELECT * FROM coming UNION ALL SELECT * FROM leaving)
"""
ONE_PART = "SELECT *, 1 AS part FROM everyone"
PARTS = (
    "SELECT *, CAST(FLOOR((ROW_NUMBER() OVER (ORDER BY customer_id) - 1) / $rows_per_part) AS INT) + 1 AS part "
    "FROM everyone"
)
# When a customer is handed over (h: the row now, l: the ledger's)
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
        "SELECT campaign, customer_id, audience, destination, arm, decile, $as_of, $now "
        "FROM activation.arm WHERE is_new AND campaign = $campaign",
        as_of=as_of,
        now=now(),
        campaign=plan.campaign,
    )


def _write_run(session: Session, run: Run, counts: dict[str, int], customers: int) -> None:
    session.run(
        "INSERT INTO activation.run VALUES ($run_id, $campaign, $audience, $destination, $as_of, 'open', $parts, "
        "$customers, $joined, $changed, $has_left, $started_at, NULL)",
        **{**run.__dict__, **counts, "customers": customers},
    )


def _write_intents(session: Session, run: Run) -> None:
    values = {**run.__dict__, "now": run.started_at}
    session.run(
        "UPDATE activation.ledger SET run_id = $run_id, audience = $audience, part = t.part, operation = t.operation, "
        "status = 'intended', reason = NULL, doubts = 0, row_hash = t.row_hash, as_of = $as_of, intended_at = $now, "
        "settled_at = NULL FROM todo AS t "
        f"WHERE {OF_PLAN} AND activation.ledger.customer_id = t.customer_id",
        **values,
    )
    session.run(
        "INSERT INTO activation.ledger SELECT $campaign, $destination, t.customer_id, $audience, $run_id, "
        "t.part, t.operation, 'intended', NULL, t.row_hash, NULL, FALSE, 0, $as_of, $now, NULL FROM todo AS t "
        f"LEFT JOIN (SELECT customer_id FROM activation.ledger WHERE {OF_PLAN}) AS had "
        "ON had.customer_id = t.customer_id WHERE had.customer_id IS NULL",
        **values,
    )


def withdraw(session: Session, run: Run, params: DestinationParams) -> None:
    """Before a run is taken up again: who may no longer be written to stays, the others' rows are those of today."""
    names = {"campaign": run.campaign, "destination": run.destination, "run_id": run.run_id, "now": now()}
    session.run(
        "UPDATE activation.ledger SET status = 'withdrawn', reason = 'no longer to be sent', settled_at = $now "
        "WHERE run_id = $run_id AND status = 'intended' AND operation <> 'leave' "
        f"AND customer_id NOT IN ({_SENT})",
        **names,
    )
    session.run(
        "UPDATE activation.ledger SET row_hash = $row_hash FROM profile.customer AS p WHERE run_id = $run_id "
        "AND status = 'intended' AND operation <> 'leave' "
        "AND activation.ledger.customer_id = p.customer_id",
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
    doubted = [(customer, "its reply was lost", times) for customer, times in outcome.in_doubt.items()]
    for status, told in (
        ("rejected", [(customer, reason, 0) for customer, reason in outcome.rejected.items()]),
        ("in doubt" if keep_doubts else "intended", doubted),
    ):
        if told:
            settled = pd.DataFrame(told, columns=["customer_id", "reason", "doubts"])
            session.load_frame("settled", settled.astype({"customer_id": "str", "reason": "str"}))
            session.run(
                "UPDATE activation.ledger SET status = $status, reason = s.reason, settled_at = $now, "
                "present = COALESCE(present, FALSE) OR $status = 'in doubt', "
                "doubts = s.doubts "
                "FROM settled AS s "
                f"WHERE {of_part} AND activation.ledger.customer_id = s.customer_id",
                **names,
                status=status,
            )
    only = ""
    if outcome.delivered is not None:
        session.load_frame("settled", pd.DataFrame({"customer_id": outcome.delivered}, dtype="str"))
        only = " AND customer_id IN (SELECT customer_id FROM settled)"
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
    """How many customers of a run have which status, and how many were in doubt."""
    query = (
        "SELECT status, COUNT(*) AS customers, SUM(doubts) AS doubts FROM activation.ledger "
        "WHERE run_id = $run_id GROUP BY status"
    )
    rows = session.rows(query, run_id=run.run_id)
    found = dict.fromkeys(("delivered", "rejected", "in doubt", "withdrawn", "intended"), 0)
    found |= {row["status"]: row["customers"] for row in rows}
    return {**found, "doubts": int(sum(row["doubts"] for row in rows))}


def reasons(session: Session, run: Run) -> list[dict[str, Any]]:
    """Why customers of a run were rejected: reason, customers; the most frequent first."""
    query = (
        "SELECT reason, COUNT(*) AS customers FROM activation.ledger WHERE run_id = $run_id AND status = 'rejected' "
        "GROUP BY reason ORDER BY customers DESC, reason"
    )
    return session.rows(query, run_id=run.run_id)
