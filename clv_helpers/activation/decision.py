"""Who is sent: consent, suppression, cap, control group, duplicates and mandatory attributes, in this order."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from clv_helpers.activation import ledger
from clv_helpers.activation.destination import destination_class
from clv_helpers.config.destinations import STATUS_FIELD, Activation
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import StageSkipped, Workbook
from clv_helpers.engines.dialect import bind, cast, is_in, joined, literal, parse, table
from clv_helpers.engines.session import Session
from clv_helpers.models import refresh_tables


def decide(workbook: Workbook) -> None:
    """Decide for every planned activation and every customer of its audience, and publish; nothing leaves.

    The waterfall goes to activation.fact_waterfall, a row per step; the difference to the last activation to
    activation.fact_change. Consent and suppression are read from the newest batches, whatever as_of is.
    Raises StageSkipped where the params plan no activation, ParamsError for an audience that does not exist.
    Cost: a few passes over the customers of the planned audiences.

    Example:
        >>> activation.decide(wb)
        >>> set(wb.query("activation.decision")["outcome"]) >= {"sent", "control", "no consent"}
        True
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
    refresh_tables(session, workbook, "activation", bindings=_bindings(workbook))


def _bindings(workbook: Workbook) -> dict[str, Any]:
    """What the `$names` of sql/activation stand for."""
    destinations = workbook.params.destinations
    caps = [plan.frequency_cap.days for plan in workbook.params.activations if plan.frequency_cap]
    once = [name for name, params in destinations.items() if destination_class(params.type).sends_once]
    return {
        "longest_cap_days": max(caps, default=0),
        "duplicate_key": _duplicate_key(workbook),
        "has_mandatory": _has_mandatory(workbook),
        "sent_once": _is_one_of(once),
    }


def _check_names(session: Session, workbook: Workbook) -> None:
    known = [row["audience"] for row in session.rows("SELECT audience FROM audiences.definition ORDER BY audience")]
    fields = list(session.columns(table("profile.customer")))
    problems = [
        Problem(f"activations[{index}].audience", repr(activation.audience), ", ".join(known))
        for index, activation in enumerate(workbook.params.activations)
        if activation.audience not in known
    ]
    for name, destination in workbook.params.destinations.items():
        allowed = ", ".join([*fields, STATUS_FIELD])
        unknown = [field for field in dict.fromkeys(destination.fields) if field not in fields]
        problems += [Problem(f"destinations.{name}", f"a column {field!r}", allowed) for field in unknown]
        identity, namespaces = destination.deduplicate and destination.deduplicate.identity, _namespaces(workbook)
        if identity and identity not in namespaces:
            place = f"destinations.{name}.deduplicate.identity"
            problems.append(Problem(place, repr(identity), ", ".join(namespaces)))
    if problems:
        raise ParamsError(str(workbook.file), problems)


def _namespaces(workbook: Workbook) -> dict[str, str]:
    """The identities that a customer's row of the profile holds: namespace → field."""
    columns = {**workbook.params.contract("purchases"), **workbook.params.contract("customers")}
    return {column.identity: name for name, column in columns.items() if column.identity}


def _plan(workbook: Workbook) -> exp.Expression:
    """The planned activations as rows."""
    plans = [_planned(workbook, activation) for activation in workbook.params.activations]
    return exp.union(*plans, distinct=False) if plans[1:] else plans[0]


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


def _duplicate_key(workbook: Workbook) -> exp.Expression:
    """What may occur once at the customer's destination, as text; NULL where there is none."""
    cases = exp.Case()
    for name, destination in workbook.params.destinations.items():
        if destination.deduplicate:
            chosen = destination.deduplicate
            fields = chosen.attributes or [_namespaces(workbook)[chosen.identity]]
            has_all = exp.and_(_is_one_of([name]), *(exp.not_(_is_empty(field)) for field in fields))
            cases = cases.when(has_all, joined([exp.Lower(this=_text(field)) for field in fields]))
    return cases if cases.args.get("ifs") else exp.cast(exp.null(), "VARCHAR")


def _has_mandatory(workbook: Workbook) -> exp.Expression:
    """True where the customer has every attribute that the destination insists on."""
    tests = []
    for name, destination in workbook.params.destinations.items():
        lacks = [_is_empty(field) for field in destination.mandatory]
        if lacks:
            tests.append(exp.not_(exp.and_(_is_one_of([name]), exp.paren(exp.or_(*lacks)))))
    return exp.paren(exp.and_(*tests)) if tests else exp.true()


def _is_one_of(destinations: list[str]) -> exp.Expression:
    return is_in(exp.column("destination", table="e"), destinations)


def _text(field: str) -> exp.Expression:
    """A field of the profile as text without blanks around it, empty where there is none."""
    value = exp.column(field, table="p", quoted=True)
    return bind(parse("COALESCE(TRIM(CAST($value AS TEXT)), '')"), {"value": value})


def _is_empty(field: str) -> exp.Expression:
    return exp.EQ(this=_text(field), expression=literal(""))
