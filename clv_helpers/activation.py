"""Stage 5: who may be written to, and the file that the e-mail system gets. Suppression comes last, always."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from sqlglot import exp

from clv_helpers import show
from clv_helpers.charts import Channel, Widget, draw
from clv_helpers.engines.dialect import is_in, literal, table
from clv_helpers.engines.session import Session
from clv_helpers.lake import refresh_tables
from clv_helpers.params import Activation
from clv_helpers.show import Shown
from clv_helpers.validation import ParamsError, Problem
from clv_helpers.workbook import StageSkipped, Workbook

LEDGER = """
CREATE TABLE IF NOT EXISTS activation.export (
    campaign VARCHAR, audience VARCHAR, destination VARCHAR, as_of DATE,
    file VARCHAR, members BIGINT, sha256 VARCHAR, exported_at TIMESTAMP
)"""


def decide(workbook: Workbook) -> None:
    """Decide for every planned activation and every member of its audience, and publish; nothing leaves.

    The waterfall goes to activation.fact_waterfall, a row per step.
    Raises StageSkipped where the params plan no activation, ParamsError for an audience that does not exist.
    """
    if not workbook.params.activations:
        raise StageSkipped("Stage 5 is skipped: this workbook plans no activation (activations in its params).")
    with workbook.engine.write(publish=True) as session:
        _check_names(session, workbook)
        session.create_table("activation.plan", _plan(workbook))
        session.run(LEDGER)
        bindings = {**workbook.bindings(session), "has_mandatory": _has_mandatory(workbook)}
        refresh_tables(session, bindings, "activation")


def waterfall(workbook: Workbook) -> Shown:
    """From everyone in the audience to those who are sent, for each planned activation."""
    return show.table(
        workbook.query("activation.fact_waterfall", order_by="campaign, destination, step_order"),
        campaign="Campaign",
        audience="Audience",
        step="Step",
        members="Members|,.0f",
    )


def exported(rows: list[dict[str, Any]]) -> Shown:
    """What `export` did, a row per planned activation."""
    return show.table(rows, campaign="Campaign", destination="Destination", members="Members|,.0f", file="File")


def export(workbook: Workbook) -> list[dict[str, Any]]:
    """Write one CSV per planned activation that has `activate: true`; the others stay a dry run.

    Gives a row per activation: campaign, audience, destination, members, file (its name, or `dry run`).
    The file appears whole or not at all; its ledger row (activation.export) is committed after it.
    """
    results = []
    with workbook.engine.write(publish=True) as session:
        as_of = workbook.as_of(session)
        for activation in workbook.params.activations:
            results.append(_export_one(session, workbook, activation, as_of))
    return results


def chart(workbook: Workbook) -> Shown:
    """The waterfall of the first planned activation."""
    first = workbook.params.activations[0]
    widget = Widget(
        title="{members} members are sent the campaign " + first.campaign,
        title_from={"step": "sent"},
        subtitle="From the audience to those who may be written to",
        table="activation.fact_waterfall",
        filters={"campaign": first.campaign, "destination": first.destination},
        mark="bar",
        x=Channel(column="members", title="Members", format=",.0f"),
        y=Channel(column="step", title="", sort="step_order"),
        highlight={"step": "sent"},
    )
    return draw(workbook, widget)


def _export_one(session: Session, workbook: Workbook, activation: Activation, as_of: dt.date) -> dict[str, Any]:
    destination = workbook.params.destinations[activation.destination]
    wanted = {"campaign": activation.campaign, "destination": activation.destination, "outcome": "sent"}
    where = [exp.EQ(this=exp.column(key, table="d"), expression=literal(value)) for key, value in wanted.items()]
    chosen = [exp.column(name, table="p").as_(header, quoted=True) for name, header in destination.columns.items()]
    people = (
        exp.select(*chosen)
        .from_(table("activation.decision").as_("d"))
        .join(table("profile.member").as_("p"), on="p.membership_number = d.membership_number")
        .where(*where)
        .order_by(exp.column("membership_number", table="p"))
    )
    members = session.count(people.subquery("people"))
    row = {**activation.model_dump(exclude={"activate"}), "members": members}
    if not activation.activate:
        return {**row, "file": "dry run"}
    folder = workbook.path(destination.path, f"destinations.{activation.destination}.path")
    file = folder / f"{activation.campaign}_{activation.audience}_{as_of}.csv"
    session.copy_to_csv(people, file)
    entry = {
        **row,
        "as_of": as_of,
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    session.run(
        "INSERT INTO activation.export VALUES "
        "($campaign, $audience, $destination, $as_of, $file, $members, $sha256, $now)",
        **entry,
        now=dt.datetime.now(dt.UTC).replace(tzinfo=None),
    )
    return {**row, "file": file.name}


def _check_names(session: Session, workbook: Workbook) -> None:
    known = [row["audience"] for row in session.rows("SELECT audience FROM audiences.dim_audience ORDER BY audience")]
    fields = list(session.columns(table("profile.member")))
    problems = [
        Problem(f"activations[{index}].audience", repr(activation.audience), ", ".join(known))
        for index, activation in enumerate(workbook.params.activations)
        if activation.audience not in known
    ]
    for name, destination in workbook.params.destinations.items():
        for field in [*destination.columns, *destination.mandatory]:
            if field not in fields:
                problems.append(Problem(f"destinations.{name}", f"a column {field!r}", ", ".join(fields)))
    if problems:
        raise ParamsError(str(workbook.file), problems)


def _plan(workbook: Workbook) -> exp.Expression:
    rows = []
    for activation in workbook.params.activations:
        consent = workbook.params.destinations[activation.destination].require_consent
        values = {**activation.model_dump(exclude={"activate"}), "require_consent": consent}
        rows.append(exp.select(*(literal(value).as_(name) for name, value in values.items())))
    return exp.union(*rows, distinct=False) if rows[1:] else rows[0]


def _has_mandatory(workbook: Workbook) -> exp.Expression:
    """True where the member has every attribute that the plan's destination insists on."""
    tests = []
    for name, destination in workbook.params.destinations.items():
        lacks = [
            exp.EQ(
                this=exp.Coalesce(
                    this=exp.Trim(this=exp.cast(exp.column(field, table="p"), "VARCHAR")),
                    expressions=[literal("")],
                ),
                expression=literal(""),
            )
            for field in destination.mandatory
        ]
        if lacks:
            is_destination = is_in(exp.column("destination", table="plan"), [name])
            tests.append(exp.not_(exp.and_(is_destination, exp.paren(exp.or_(*lacks)))))
    return exp.paren(exp.and_(*tests)) if tests else exp.true()
