"""Who leaves: consent, suppression, cap, control group, duplicates and mandatory attributes, in this order."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from clv_helpers.activation import ledger
from clv_helpers.activation.destination import destination_class
from clv_helpers.config.destinations import STATUS_FIELD, Activation
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import StageSkipped, Workbook
from clv_helpers.engines.dialect import cast, is_in, joined, literal, table
from clv_helpers.engines.session import Session
from clv_helpers.models import refresh_tables


def decide(workbook: Workbook) -> None:
    """Decide for every planned activation and every customer of its audience, and publish; nothing leaves.

    The waterfall goes to activation.fact_waterfall, a row per step; the difference to the last activation to
    activation.fact_change. Consent and suppression are read from the newest batches, whatever as_of is.
    Raises StageSkipped where the params plan no activation, ParamsError for an audience that does not exist.
    Cost: a few passes over the customers of the planned audiences.
    """
    needs_a_plan(workbook)
    with workbook.engine.write(publish=True) as session:
        decide_within(session, workbook)


def needs_a_plan(workbook: Workbook) -> None:
    """Raise StageSkipped where the params plan no activation."""
    if not workbook.params.activations:
        raise StageSkipped("Stage 5 is skipped: this workbook plans no activation (activations in its params).")


def decide_within(session: Session, workbook: Workbook) -> None:
    """Decide within the caller's transaction, after what consent comes from has been brought up to date."""
    refresh_tables(session, workbook, "derived", "profile")
    _check_names(session, workbook)
    ledger.create_tables(session)
    session.create_table("activation.plan", _plan(workbook))
    refresh_tables(session, workbook, "activation", bindings=_bindings(session, workbook))


def _bindings(session: Session, workbook: Workbook) -> dict[str, Any]:
    caps = [each.frequency_cap.days for each in workbook.params.activations if each.frequency_cap]
    once = [name for name, each in workbook.params.destinations.items() if destination_class(each.type).sends_once]
    return {
        "longest_cap_days": max(caps, default=0),
        "duplicate_key": _duplicate_key(workbook),
        "has_mandatory": _has_mandatory(workbook),
        "sent_once": is_in(exp.column("destination", table="e"), once),
    }


def _check_names(session: Session, workbook: Workbook) -> None:
    known = [row["audience"] for row in session.rows("SELECT audience FROM audiences.dim_audience ORDER BY audience")]
    fields = list(session.columns(table("profile.customer")))
    problems = [
        Problem(f"activations[{index}].audience", repr(activation.audience), ", ".join(known))
        for index, activation in enumerate(workbook.params.activations)
        if activation.audience not in known
    ]
    for name, destination in workbook.params.destinations.items():
        for field in dict.fromkeys(destination.fields):
            if field not in fields:
                allowed = ", ".join([*fields, STATUS_FIELD])
                problems.append(Problem(f"destinations.{name}", f"a column {field!r}", allowed))
        if destination.deduplicate and destination.deduplicate.identity:
            namespaces = _namespaces(workbook)
            if destination.deduplicate.identity not in namespaces:
                place = f"destinations.{name}.deduplicate.identity"
                problems.append(Problem(place, repr(destination.deduplicate.identity), ", ".join(namespaces)))
    if problems:
        raise ParamsError(str(workbook.file), problems)


def _namespaces(workbook: Workbook) -> dict[str, str]:
    """The identities that a customer's row of the profile holds: namespace → field."""
    columns = {**workbook.params.contract("purchases"), **workbook.params.contract("customers")}
    return {each.identity: name for name, each in columns.items() if each.identity}


def _plan(workbook: Workbook) -> exp.Expression:
    return _union([_planned(workbook, activation) for activation in workbook.params.activations])


def _planned(workbook: Workbook, activation: Activation) -> exp.Select:
    cap = activation.frequency_cap
    values = {
        "campaign": literal(activation.campaign),
        "audience": literal(activation.audience),
        "destination": literal(activation.destination),
        "require_consent": literal(workbook.params.destinations[activation.destination].require_consent),
        "control_share": cast(literal(activation.control.share if activation.control else 0), "number"),
        "cap_messages": cast(literal(cap.messages if cap else None), "integer"),
        "cap_days": cast(literal(cap.days if cap else None), "integer"),
    }
    return exp.select(*(value.as_(name) for name, value in values.items()))


def _union(queries: list[exp.Select]) -> exp.Expression:
    return exp.union(*queries, distinct=False) if queries[1:] else queries[0]


def _duplicate_key(workbook: Workbook) -> exp.Expression:
    """What may occur once at the customer's destination, as text; NULL where there is none."""
    cases = exp.Case()
    for name, destination in workbook.params.destinations.items():
        if destination.deduplicate:
            chosen = destination.deduplicate
            fields = chosen.attributes or [_namespaces(workbook)[chosen.identity]]
            parts = [exp.Lower(this=_text(field)) for field in fields]
            key = joined([_or_empty(part) for part in parts])
            there = [exp.NEQ(this=_or_empty(part), expression=literal("")) for part in parts]
            cases = cases.when(exp.and_(is_in(exp.column("destination", table="e"), [name]), *there), key)
    return cases if cases.args.get("ifs") else exp.cast(exp.null(), "VARCHAR")


def _has_mandatory(workbook: Workbook) -> exp.Expression:
    """True where the customer has every attribute that the destination insists on."""
    tests = []
    for name, destination in workbook.params.destinations.items():
        lacks = [exp.EQ(this=_or_empty(_text(field)), expression=literal("")) for field in destination.mandatory]
        if lacks:
            is_destination = is_in(exp.column("destination", table="e"), [name])
            tests.append(exp.not_(exp.and_(is_destination, exp.paren(exp.or_(*lacks)))))
    return exp.paren(exp.and_(*tests)) if tests else exp.true()


def _text(field: str) -> exp.Expression:
    return exp.Trim(this=exp.cast(exp.column(field, table="p", quoted=True), "VARCHAR"))


def _or_empty(value: exp.Expression) -> exp.Expression:
    return exp.func("COALESCE", value, literal(""))
