"""The ledger of activations: a row per campaign, destination and customer, written before and after each delivery."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clv_helpers.activation.destination import DeliveredFile, Destination, Outcome, Part, Run
from clv_helpers.activation.mapping import row_hash
from clv_helpers.config.datasets import ColumnType
from clv_helpers.config.destinations import Activation, DestinationParams
from clv_helpers.config.tables import ALWAYS_THERE
from clv_helpers.engines.session import Session, bound

# `delivered_hash` is of the row that the destination last got; `at_destination`: it has the customer by the last
# activation. `membership`: realized, existing or exited. Status: intended → delivered, rejected, in doubt, withdrawn.
TABLES: dict[str, dict[str, ColumnType]] = {
    "activation.ledger": {
        "campaign": "text",
        "destination": "text",
        "customer_id": "text",
        "audience": "text",
        "run_id": "text",
        "part": "integer",
        "membership": "text",
        "status": "text",
        "reason": "text",
        "row_hash": "text",
        "delivered_hash": "text",
        "at_destination": "boolean",
        "lost_replies": "integer",
        "as_of": "date",
        "intended_at": "timestamp",
        "settled_at": "timestamp",
    },
    "activation.delivery_run": ALWAYS_THERE["activation.delivery_run"],
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
SENT = f"SELECT customer_id FROM activation.decision WHERE {OF_PLAN} AND outcome = 'sent'"
# Who is to be delivered (h: the row as it is now, l: the ledger's), and in which part of the run.
DUE = f"""
WITH sent AS ({SENT}),
had AS (SELECT * FROM activation.ledger WHERE {OF_PLAN}),
hashed AS (
    SELECT s.customer_id, $row_hash AS row_hash
    FROM sent AS s JOIN profile.customer AS p ON p.customer_id = s.customer_id
),
present AS (
    SELECT h.customer_id, CASE WHEN l.at_destination THEN 'existing' ELSE 'realized' END AS membership, h.row_hash
    FROM hashed AS h LEFT JOIN had AS l ON l.customer_id = h.customer_id
    WHERE CASE
        WHEN $once THEN l.delivered_hash IS NULL AND ($again OR NOT COALESCE(l.status = 'in doubt', FALSE))
        WHEN $full THEN TRUE
        ELSE NOT COALESCE(l.at_destination, FALSE) OR l.delivered_hash IS NULL OR l.delivered_hash <> h.row_hash
    END
),
exited AS (
    SELECT l.customer_id, 'exited' AS membership, CAST(NULL AS TEXT) AS row_hash
    FROM had AS l LEFT JOIN sent AS s ON s.customer_id = l.customer_id
    WHERE $takes_exited AND l.at_destination AND s.customer_id IS NULL
),
due AS (SELECT * FROM present UNION ALL SELECT * FROM exited)
SELECT *, CAST(FLOOR((ROW_NUMBER() OVER (ORDER BY customer_id) - 1) / $rows_per_part) AS INT) + 1 AS part FROM due
"""


@dataclass(frozen=True)
class Reason:
    """Why customers of a run were rejected, and how many."""

    reason: str
    customers: int


@dataclass(frozen=True)
class ActivationResult:
    """What an activation did, or as a dry run would do, in customers.

    `outcome`: dry run, done, finished an interrupted run, or nothing new; `stops`: what a guard says of a dry run;
    `lost_replies`: how often it is not known whether a message arrived.
    """

    campaign: str
    destination: str
    audience: str
    outcome: str
    to_send: int
    delivered: int = 0
    rejected: int = 0
    in_doubt: int = 0
    withdrawn: int = 0
    lost_replies: int = 0
    run_id: str = ""
    stops: str = ""
    reasons: list[Reason] = field(default_factory=list)
    files: list[DeliveredFile] = field(default_factory=list)


def now() -> dt.datetime:
    """This moment in UTC, as the tables hold it."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def create_tables(session: Session) -> None:
    """The tables that are kept for good, where they are not there yet."""
    for name, columns in TABLES.items():
        session.create_if_absent(name, dict(columns))


def open_run(session: Session, activation: Activation) -> Run | None:
    """The run of an activation that was begun and not finished."""
    query = f"SELECT * FROM activation.delivery_run WHERE {OF_PLAN} AND status = 'open'"
    rows = session.rows(query, campaign=activation.campaign, destination=activation.destination)
    return Run(**{name: rows[0][name] for name in Run.__dataclass_fields__}) if rows else None


def intend(session: Session, destination: Destination, as_of: dt.date) -> Run | None:
    """Write down who is to be delivered, and who is control; None where the destination has all of it already.

    One row per customer in activation.ledger, with status `intended`. Cost: a pass over the audience and the ledger.
    """
    plan = destination.activation
    names = {"campaign": plan.campaign, "destination": plan.destination}
    _assign(session, plan.campaign, as_of)
    session.create_temporary("due", bound(DUE, {**names, **_due_values(destination)}))
    if not destination.takes_exited:
        session.run(
            f"UPDATE activation.ledger SET at_destination = FALSE WHERE {OF_PLAN} AND at_destination "
            f"AND customer_id NOT IN ({SENT})",
            **names,
        )
    counts = session.rows(
        "SELECT MAX(part) AS parts, COUNT(CASE WHEN membership = 'realized' THEN 1 END) AS realized, "
        "COUNT(CASE WHEN membership = 'existing' THEN 1 END) AS existing, "
        "COUNT(CASE WHEN membership = 'exited' THEN 1 END) AS exited FROM due"
    )[0]
    if counts["parts"] is None:
        return None
    run = Run(uuid.uuid4().hex[:12], plan.campaign, plan.audience, plan.destination, as_of, now(), counts["parts"])
    session.run(
        "INSERT INTO activation.delivery_run "
        "VALUES ($run_id, $campaign, $audience, $destination, $as_of, 'open', $parts, "
        "$customers, $realized, $existing, $exited, $started_at, NULL)",
        **{**dataclasses.asdict(run), **counts},
        customers=session.scalar(f"SELECT COUNT(*) AS customers FROM ({SENT}) AS s", **names),
    )
    _write_intents(session, run)
    session.set_version("activation.delivery_run", str(uuid.uuid4()))
    return run


def _due_values(destination: Destination) -> dict[str, Any]:
    return {
        "row_hash": row_hash(destination.params),
        "once": destination.sends_once,
        "again": destination.sends_again_in_doubt,
        "full": destination.params.mode == "full",
        "takes_exited": destination.takes_exited,
        "rows_per_part": destination.rows_per_part,
    }


def _assign(session: Session, campaign: str, as_of: dt.date) -> None:
    session.run(
        "INSERT INTO activation.assignment "
        "SELECT campaign, customer_id, audience, destination, arm, decile, $as_of, $now "
        "FROM activation.arm WHERE is_new AND campaign = $campaign",
        as_of=as_of,
        now=now(),
        campaign=campaign,
    )
    session.set_version("activation.assignment", str(uuid.uuid4()))


def _write_intents(session: Session, run: Run) -> None:
    values = dataclasses.asdict(run)
    session.run(
        "UPDATE activation.ledger SET run_id = $run_id, audience = $audience, part = d.part, "
        "membership = d.membership, status = 'intended', reason = NULL, lost_replies = 0, row_hash = d.row_hash, "
        "as_of = $as_of, intended_at = $started_at, settled_at = NULL FROM due AS d "
        f"WHERE {OF_PLAN} AND activation.ledger.customer_id = d.customer_id",
        **values,
    )
    session.run(
        "INSERT INTO activation.ledger SELECT $campaign, $destination, d.customer_id, $audience, $run_id, "
        "d.part, d.membership, 'intended', NULL, d.row_hash, NULL, FALSE, 0, $as_of, $started_at, NULL FROM due AS d "
        f"LEFT JOIN (SELECT customer_id FROM activation.ledger WHERE {OF_PLAN}) AS had "
        "ON had.customer_id = d.customer_id WHERE had.customer_id IS NULL",
        **values,
    )


def withdraw(session: Session, run: Run, params: DestinationParams) -> None:
    """Before a run is taken up again: who may no longer be written to stays, the others' rows are those of today."""
    of_run = "run_id = $run_id AND status = 'intended' AND membership <> 'exited'"
    session.run(
        "UPDATE activation.ledger SET status = 'withdrawn', reason = 'no longer to be sent', settled_at = $now "
        f"WHERE {of_run} AND customer_id NOT IN ({SENT})",
        **{**dataclasses.asdict(run), "now": now()},
    )
    session.run(
        "UPDATE activation.ledger SET row_hash = h.row_hash "
        "FROM (SELECT customer_id, $row_hash AS row_hash FROM profile.customer AS p) AS h "
        f"WHERE {of_run} AND activation.ledger.customer_id = h.customer_id",
        run_id=run.run_id,
        row_hash=row_hash(params),
    )


def open_parts(session: Session, run: Run, spools: Path) -> list[Part]:
    """The parts of a run of which something is still to be delivered."""
    query = "SELECT DISTINCT part FROM activation.ledger WHERE run_id = $run_id AND status = 'intended' ORDER BY part"
    numbers = [row["part"] for row in session.rows(query, run_id=run.run_id)]
    return [Part(run, number, spools / f"{number}.part") for number in numbers]


def settle(session: Session, part: Part, outcome: Outcome, again: bool) -> None:
    """Write down what became of a part. With `again`, who is in doubt stays intended, and is delivered once more."""
    names = {"run_id": part.run.run_id, "part": part.number, "now": now()}
    in_doubt = "intended" if again else "in doubt"
    settled = [(customer, "rejected", reason, 0) for customer, reason in outcome.rejected.items()]
    settled += [(customer, in_doubt, "its reply was lost", times) for customer, times in outcome.in_doubt.items()]
    if settled:
        _load(session, {"customer_id": "str", "status": "str", "reason": "str", "lost_replies": "int64"}, settled)
        session.run(
            "UPDATE activation.ledger SET status = s.status, reason = s.reason, settled_at = $now, "
            "lost_replies = s.lost_replies, "
            "at_destination = COALESCE(at_destination, FALSE) OR s.status = 'in doubt' FROM settled AS s "
            "WHERE run_id = $run_id AND part = $part AND activation.ledger.status = 'intended' "
            "AND activation.ledger.customer_id = s.customer_id",
            **names,
        )
    only = ""
    if outcome.delivered is not None:
        _load(session, {"customer_id": "str"}, [(customer,) for customer in outcome.delivered])
        only = "AND customer_id IN (SELECT customer_id FROM settled)"
    session.run(
        "UPDATE activation.ledger SET status = 'delivered', reason = NULL, settled_at = $now, "
        "delivered_hash = row_hash, at_destination = membership <> 'exited' "
        f"WHERE run_id = $run_id AND part = $part AND status = 'intended' {only}",
        **names,
    )
    if outcome.file:
        session.run("DELETE FROM activation.part WHERE run_id = $run_id AND part = $part", **names)
        insert = "INSERT INTO activation.part VALUES ($run_id, $part, $name, $rows, $bytes, $sha256, $now)"
        session.run(insert, **names, **dataclasses.asdict(outcome.file))


def _load(session: Session, kinds: dict[str, str], rows: list[tuple[Any, ...]]) -> None:
    """Rows as the temporary table `settled`, its columns typed even where there are none."""
    import pandas as pd

    session.load_frame("settled", pd.DataFrame(rows, columns=list(kinds)).astype(kinds))


def finish(session: Session, run: Run) -> None:
    """Close a run of which every part is settled."""
    query = "UPDATE activation.delivery_run SET status = 'done', finished_at = $now WHERE run_id = $run_id"
    session.run(query, now=now(), run_id=run.run_id)
    session.set_version("activation.delivery_run", str(uuid.uuid4()))


def files(session: Session, run: Run) -> list[DeliveredFile]:
    """The files of a run that were delivered, in order."""
    query = "SELECT name, rows, bytes, sha256 FROM activation.part WHERE run_id = $run_id ORDER BY part"
    return [DeliveredFile(**row) for row in session.rows(query, run_id=run.run_id)]


def result(session: Session, run: Run, outcome: str) -> ActivationResult:
    """What became of a run; of the reasons for which customers were rejected the most frequent first."""
    counts = session.rows(
        "SELECT COUNT(*) AS to_send, COUNT(CASE WHEN status = 'delivered' THEN 1 END) AS delivered, "
        "COUNT(CASE WHEN status = 'rejected' THEN 1 END) AS rejected, "
        "COUNT(CASE WHEN status = 'in doubt' THEN 1 END) AS in_doubt, "
        "COUNT(CASE WHEN status = 'withdrawn' THEN 1 END) AS withdrawn, "
        "CAST(SUM(lost_replies) AS BIGINT) AS lost_replies FROM activation.ledger WHERE run_id = $run_id",
        run_id=run.run_id,
    )[0]
    reasons = session.rows(
        "SELECT reason, COUNT(*) AS customers FROM activation.ledger WHERE run_id = $run_id AND status = 'rejected' "
        "GROUP BY reason ORDER BY customers DESC, reason",
        run_id=run.run_id,
    )
    return ActivationResult(
        **{name: getattr(run, name) for name in ("campaign", "destination", "audience", "run_id")},
        **counts,
        outcome=outcome,
        reasons=[Reason(**row) for row in reasons],
        files=files(session, run),
    )
