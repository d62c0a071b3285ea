"""The ledger of activations: a row per campaign, destination and customer, written before and after each delivery."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from sqlglot import exp

from clv_helpers.activation.destination import CUSTOMER, MEMBERSHIP, DeliveredFile, Destination, Outcome, Part, Run
from clv_helpers.config.datasets import MONEY
from clv_helpers.config.destinations import STATUS_FIELD, Activation, DestinationParams
from clv_helpers.config.tables import PYTHON_TABLES, PythonTable
from clv_helpers.engines.dialect import expression, joined, literal
from clv_helpers.engines.session import Session

# `delivered_hash` is of the row that the destination last got; `at_destination`: it has the customer by the last
# activation. `membership`: realized, existing or exited. Status: intended → delivered, rejected, in doubt, withdrawn.
LEDGER = (
    "campaign text, destination text, customer_id text, audience text, run_id text, part integer, membership text, "
    "status text, reason text, row_hash text, delivered_hash text, at_destination boolean, lost_replies integer, "
    "as_of date, intended_at timestamp, settled_at timestamp"
)
PART = "run_id text, part integer, name text, rows integer, bytes integer, sha256 text, delivered_at timestamp"
TABLES = (
    PythonTable("activation.ledger", "", LEDGER),
    PythonTable("activation.part", "", PART),
    PYTHON_TABLES["activation.delivery_run"],
    PYTHON_TABLES["activation.assignment"],  # never changed once written: results are analysed by intention to treat
)
OF_PLAN = "campaign = $campaign AND destination = $destination"
SENT = f"SELECT customer_id FROM activation.decision WHERE {OF_PLAN} AND outcome = 'sent'"
# Who is to be delivered (p: the profile as it is now, l: the ledger's row), and in which part of the run.
DUE = f"""
WITH sent AS ({SENT}),
had AS (SELECT * FROM activation.ledger WHERE {OF_PLAN}),
present AS (
    SELECT
        p.customer_id, CASE WHEN l.at_destination THEN 'existing' ELSE 'realized' END AS membership,
        $row_hash AS row_hash, l.delivered_hash, COALESCE(l.at_destination, FALSE) AS at_destination, l.status
    FROM sent AS s
    JOIN profile.customer AS p ON p.customer_id = s.customer_id
    LEFT JOIN had AS l ON l.customer_id = s.customer_id
),
due AS (
    SELECT customer_id, membership, row_hash, delivered_hash, at_destination
    FROM present
    WHERE CASE
        WHEN $once THEN delivered_hash IS NULL AND ($again OR NOT COALESCE(status = 'in doubt', FALSE))
        WHEN $full THEN TRUE
        ELSE NOT at_destination OR delivered_hash IS NULL OR delivered_hash <> row_hash
    END
    UNION ALL
    SELECT l.customer_id, 'exited', CAST(NULL AS TEXT), l.delivered_hash, TRUE
    FROM had AS l LEFT JOIN sent AS s ON s.customer_id = l.customer_id
    WHERE $takes_exited AND l.at_destination AND s.customer_id IS NULL
)
SELECT *, CAST(FLOOR((ROW_NUMBER() OVER (ORDER BY customer_id) - 1) / $rows_per_part) AS INT) + 1 AS part FROM due
"""
COUNTS = f"""
SELECT
    MAX(part) AS parts, COUNT_IF(membership = 'realized') AS realized, COUNT_IF(membership = 'existing') AS existing,
    COUNT_IF(membership = 'exited') AS exited, (SELECT COUNT(*) FROM ({SENT}) AS s) AS customers
FROM due
"""
INTEND = """
INSERT INTO activation.ledger
SELECT
    $campaign, $destination, customer_id, $audience, $run_id, part, membership, 'intended', NULL, row_hash,
    delivered_hash, at_destination, 0, $as_of, $started_at, NULL
FROM due
"""
SETTLE = """
UPDATE activation.ledger
SET status = s.status, reason = s.reason, settled_at = $now, lost_replies = s.lost_replies,
    at_destination = COALESCE(at_destination, FALSE) OR s.status = 'in doubt'
FROM settled AS s
WHERE run_id = $run_id AND part = $part AND activation.ledger.status = 'intended'
    AND activation.ledger.customer_id = s.customer_id AND s.status <> 'delivered'
"""
DELIVERED = """
UPDATE activation.ledger
SET status = 'delivered', reason = NULL, settled_at = $now, delivered_hash = row_hash,
    at_destination = membership <> 'exited'
WHERE run_id = $run_id AND part = $part AND status = 'intended'
"""
RESULT = """
SELECT
    COUNT(*) AS to_send, COUNT_IF(status = 'delivered') AS delivered, COUNT_IF(status = 'rejected') AS rejected,
    COUNT_IF(status = 'in doubt') AS in_doubt, COUNT_IF(status = 'withdrawn') AS withdrawn,
    CAST(SUM(lost_replies) AS BIGINT) AS lost_replies
FROM activation.ledger WHERE run_id = $run_id
"""
REASONS = """
SELECT reason, COUNT(*) AS customers FROM activation.ledger WHERE run_id = $run_id AND status = 'rejected'
GROUP BY reason ORDER BY customers DESC, reason
"""
# The rows of a part as the destination gets them; of one who is no longer known, the id.
ROWS = f"""
SELECT $mapped, l.customer_id AS {CUSTOMER}, l.membership AS {MEMBERSHIP}
FROM activation.ledger AS l LEFT JOIN profile.customer AS p ON p.customer_id = l.customer_id
WHERE l.run_id = $run_id AND l.part = $part AND l.status = 'intended'
ORDER BY l.customer_id
"""
CONTROL = f"""
SELECT $mapped, d.customer_id AS {CUSTOMER}, 'control' AS {MEMBERSHIP}
FROM activation.decision AS d JOIN profile.customer AS p ON p.customer_id = d.customer_id
WHERE {OF_PLAN} AND outcome = 'control'
ORDER BY d.customer_id
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
    for table in TABLES:
        session.create_if_absent(table.name, dict(table.columns))


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
    session.create_temporary("due", _due(destination, names))
    if not destination.takes_exited:
        gone = f"{OF_PLAN} AND at_destination AND customer_id NOT IN ({SENT})"
        session.run(f"UPDATE activation.ledger SET at_destination = FALSE WHERE {gone}", **names)
    counts = session.rows(COUNTS, **names)[0]
    if counts["parts"] is None:
        return None
    run = Run(uuid.uuid4().hex[:12], plan.campaign, plan.audience, plan.destination, as_of, now(), counts["parts"])
    values = dataclasses.asdict(run)
    session.run(
        "INSERT INTO activation.delivery_run "
        "VALUES ($run_id, $campaign, $audience, $destination, $as_of, 'open', $parts, "
        "$customers, $realized, $existing, $exited, $started_at, NULL)",
        **{**values, **counts},
    )
    session.set_version("activation.delivery_run", str(uuid.uuid4()))
    again = f"DELETE FROM activation.ledger WHERE {OF_PLAN} AND customer_id IN (SELECT customer_id FROM due)"
    session.run(again, **names)
    session.run(INTEND, **values)
    return run


def _due(destination: Destination, names: dict[str, str]) -> exp.Expression:
    return expression(
        DUE,
        row_hash=_row_hash(destination.params),
        once=destination.params.mode == "once",
        again=destination.sends_again_in_doubt,
        full=destination.params.mode == "full",
        takes_exited=destination.takes_exited,
        rows_per_part=destination.rows_per_part,
        **names,
    )


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
        row_hash=_row_hash(params),
    )


def doubt(session: Session, part: Part) -> None:
    """Of a part that is dropped, and of which the destination does not say what became: it may be there."""
    session.run(
        "UPDATE activation.ledger SET status = 'in doubt', reason = 'dropped, and the destination did not answer', "
        "settled_at = $now, at_destination = TRUE WHERE run_id = $run_id AND part = $part AND status = 'intended'",
        run_id=part.run.run_id, part=part.number, now=now(),
    )  # fmt: skip


def give_up(session: Session, run: Run) -> None:
    """Withdraw what is still to be delivered of a run."""
    session.run(
        "UPDATE activation.ledger SET status = 'withdrawn', reason = 'dropped', settled_at = $now "
        "WHERE run_id = $run_id AND status = 'intended'",
        run_id=run.run_id, now=now(),
    )  # fmt: skip


def open_parts(session: Session, run: Run, spools: Path) -> list[Part]:
    """The parts of a run of which something is still to be delivered."""
    query = "SELECT DISTINCT part FROM activation.ledger WHERE run_id = $run_id AND status = 'intended' ORDER BY part"
    numbers = [row["part"] for row in session.rows(query, run_id=run.run_id)]
    return [Part(run, number, spools / f"{number}.part") for number in numbers]


def settle(session: Session, part: Part, outcome: Outcome, again: bool) -> None:
    """Write down what became of a part. With `again`, who is in doubt stays intended, and is delivered once more."""
    import pandas as pd

    names = {"run_id": part.run.run_id, "part": part.number, "now": now()}
    in_doubt = "intended" if again else "in doubt"
    settled = [(customer, "rejected", reason, 0) for customer, reason in outcome.rejected.items()]
    settled += [(customer, in_doubt, "its reply was lost", times) for customer, times in outcome.in_doubt.items()]
    settled += [(customer, "delivered", "", 0) for customer in outcome.delivered or ()]
    kinds = {"customer_id": "str", "status": "str", "reason": "str", "lost_replies": "int64"}  # also of no rows
    session.load_frame("settled", pd.DataFrame(settled, columns=list(kinds)).astype(kinds))
    session.run(SETTLE, **names)
    others = "NOT IN (SELECT customer_id FROM settled)"
    named = "IN (SELECT customer_id FROM settled WHERE status = 'delivered')"
    session.run(f"{DELIVERED} AND customer_id {others if outcome.delivered is None else named}", **names)
    if outcome.file:
        session.run("DELETE FROM activation.part WHERE run_id = $run_id AND part = $part", **names)
        insert = "INSERT INTO activation.part VALUES ($run_id, $part, $name, $rows, $bytes, $sha256, $now)"
        session.run(insert, **names, **dataclasses.asdict(outcome.file))


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
    return ActivationResult(
        **{name: getattr(run, name) for name in ("campaign", "destination", "audience", "run_id")},
        **session.rows(RESULT, run_id=run.run_id)[0],
        outcome=outcome,
        reasons=[Reason(**row) for row in session.rows(REASONS, run_id=run.run_id)],
        files=files(session, run),
    )


def rows_of_part(part: Part, params: DestinationParams) -> exp.Select:
    """The rows of a part as the destination gets them, by customer id, with `_customer` and `_membership`."""
    membership: exp.Expression = exp.column("membership", table="l")
    if params.status_values:
        values = [exp.If(this=literal(status), true=literal(value)) for status, value in params.status_values.items()]
        membership = exp.Case(this=membership.copy(), ifs=values, default=membership)
    special: dict[str, exp.Expr] = {STATUS_FIELD: membership, "customer_id": exp.column("customer_id", table="l")}
    return cast(exp.Select, expression(ROWS, run_id=part.run.run_id, part=part.number, mapped=_mapped(params, special)))


def control_rows(run: Run, params: DestinationParams) -> exp.Select:
    """The control group of a campaign at a destination, as its rows would go there, with `control` for their status."""
    mapped = _mapped(params, {STATUS_FIELD: literal("control")})
    return cast(exp.Select, expression(CONTROL, mapped=mapped, campaign=run.campaign, destination=run.destination))


def _mapped(params: DestinationParams, special: dict[str, exp.Expr]) -> list[exp.Expr]:
    """The columns under their headers at the destination: of the profile, but for the special ones."""
    return [special.get(field, _field(field)).as_(header, quoted=True) for field, header in params.columns.items()]


def _row_hash(params: DestinationParams) -> exp.Expression:
    """The hash of a mapped row of profile.customer AS p: its values, and the headers under which they go."""
    values: list[exp.Expression] = [
        exp.Coalesce(this=exp.cast(_field(field), "VARCHAR"), expressions=[literal("\x1e")])
        for field in params.columns
        if field != STATUS_FIELD
    ]
    return exp.MD5(this=joined([literal(",".join(params.columns.values())), *values]))


def _field(name: str) -> exp.Expression:
    """A field of the profile as it leaves: money with two decimals."""
    value = exp.column(name, table="p", quoted=True)
    return exp.cast(value, "DECIMAL(18, 2)") if name in MONEY else value
