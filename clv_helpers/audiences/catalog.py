"""What a rule may ask about: the columns of the profile and of the events, with their types and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clv_helpers.audiences.rule import (
    TEXT_TESTS,
    Audience,
    AudienceCondition,
    Condition,
    EventCondition,
    Leaf,
    MapCondition,
    events_of,
    walk,
)
from clv_helpers.config.datasets import EVENT_DATASETS, NUMERIC
from clv_helpers.config.validation import Problem
from clv_helpers.editors import Attribute, kind_of
from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session

MASKED = ("customer_id", "email", "first_name", "last_name")
ORDER = ("equals", "not equals", "in", "not in")
COMPARED = ("equals", "not equals", "at most", "at least", "less than", "more than", "between", "in", "not in")
TEXTUAL = (*ORDER, *TEXT_TESTS, *(f"not {test}" for test in TEXT_TESTS))
OPERATORS_OF = {
    "text": (*TEXTUAL, "exists", "missing"),
    "integer": (*COMPARED, "exists", "missing"),
    "number": (*COMPARED, "exists", "missing"),
    "boolean": ("equals", "not equals", "exists", "missing"),
    "date": ("exists", "missing"),
    "timestamp": ("exists", "missing"),
}
ABOUT = {
    "customer_id": "Identifies the customer",
    "email": "E-mail address",
    "region": "Where the customer lives",
    "joined_on": "Day on which the customer joined",
    "email_consent": "Whether the customer agreed to e-mail",
    "category": "Status at the latest event",
    "first_purchase_on": "First purchase day",
    "last_purchase_on": "Latest purchase day",
    "frequency": "Purchase days after the first",
    "recency_days": "Days from the first purchase day to the latest",
    "purchases": "Number of purchases",
    "value": "Sum of the value that deciles rank",
    "spend": "Sum of what purchases cost",
    "monetary_value": "Mean spend per repeat purchase day",
    "age_days": "Days from the first purchase day to as_of",
    "days_since_purchase": "Days from the latest purchase day to as_of",
    "occurred_at": "When it happened",
    "transaction_type": "What was credited or debited",
    "transaction_details": "Route or reason",
    "amount": "What the event cost",
    "campaign": "The campaign a message belongs to",
    "event_type": "What became of the message",
    "user_agent": "The program that opened it",
}
# Parts of the names of what depends on other customers, and what moves each day: neither follows micro-batches.
RANKED = ("decile", "lifetime_value", "probability_alive", "expected_purchases", "predicted")
AGEING = ("age_days", "days_since_purchase")


@dataclass(frozen=True)
class Catalog:
    """The columns by name: of the profile, and of each dataset of events that this workbook has."""

    profile: dict[str, Attribute]
    events: dict[str, dict[str, Attribute]]


def read_catalog(session: Session, events: dict[str, str]) -> Catalog:
    """What can be asked of this store; `events` names the table of each dataset."""
    return Catalog(
        _attributes(session, "profile.customer"),
        {name: _attributes(session, source) for name, source in events.items() if session.has_table(source)},
    )


def event_tables() -> dict[str, str]:
    """The table of each dataset of events, the same for who writes and who reads."""
    return {name: f"lake.{name}" for name in EVENT_DATASETS}


def problems(audience: Audience, catalog: Catalog) -> list[Problem]:
    """Every place where a rule asks for a column that is not there, or with an operator or value of another type."""
    found = []
    for path, leaf in walk(audience.rule):
        if isinstance(leaf, Condition):
            found += _of_condition(path, leaf, catalog.profile, "the profile")
        for index, event in enumerate(events_of(leaf)):
            place = path if isinstance(leaf, EventCondition) else f"{path}.sequence[{index}]"
            columns = catalog.events.get(event.event)
            if columns is None:
                found.append(Problem(f"{place}.event", repr(event.event), ", ".join(catalog.events) or "no events yet"))
                continue
            for inner, condition in walk(event.where, f"{place}.where") if event.where is not None else ():
                found += _of_condition(inner, condition, columns, event.event)
            found += _of_aggregate(place, event, columns)
    return found


def moves_with_others(leaf: Leaf) -> str:
    """Why a condition can change for a customer who did nothing, but for a window that runs out; empty: it cannot."""
    if isinstance(leaf, MapCondition) or (isinstance(leaf, Condition) and any(word in leaf.field for word in RANKED)):
        name = leaf.map if isinstance(leaf, MapCondition) else leaf.field
        return f"{name} ranks or models all customers together, so one customer's event moves others"
    if isinstance(leaf, Condition) and leaf.field in AGEING:
        day = "last_purchase_on" if leaf.field == "days_since_purchase" else "first_purchase_on"
        return f"{leaf.field} grows each day for everyone; ask {day} with when in its place"
    return ""


def names_of(audience: Audience) -> list[str]:
    """The audiences that a rule asks for."""
    return sorted({leaf.audience for _, leaf in walk(audience.rule) if isinstance(leaf, AudienceCondition)})


def _attributes(session: Session, name: str) -> dict[str, Attribute]:
    kinds = {key: kind_of(kind) for key, kind in session.columns(table(name)).items() if not key.startswith("_")}
    return {key: Attribute(key, kind, _about(key)) for key, kind in kinds.items() if kind in OPERATORS_OF}


def _about(name: str) -> str:
    if name.startswith("decile"):
        return f"Decile of {name.removeprefix('decile_').replace('_', ' ')}, 1 is the best tenth"
    return ABOUT.get(name, name.replace("_", " ").capitalize())


def _of_condition(path: str, condition: Any, known: dict[str, Attribute], where: str) -> list[Problem]:
    attribute = known.get(condition.field)
    if attribute is None:
        return [Problem(f"{path}.field", f"{condition.field!r}, not in {where}", ", ".join(known))]
    if condition.when:
        if attribute.is_date:
            return []
        return [Problem(f"{path}.when", f"asked of {attribute.name}, of type {attribute.kind}", "a date or a time")]
    if condition.op not in OPERATORS_OF[attribute.kind]:
        allowed = ", ".join(OPERATORS_OF[attribute.kind]) + (", or when" if attribute.is_date else "")
        return [Problem(f"{path}.op", f"{condition.op!r} for {attribute.name}, of type {attribute.kind}", allowed)]
    values = condition.value if isinstance(condition.value, list) else [condition.value]
    wrong = next((v for v in values if v is not None and not _fits(v, attribute.kind)), None)
    if wrong is not None:
        return [Problem(f"{path}.value", f"{wrong!r} for {attribute.name}", f"a value of type {attribute.kind}")]
    if condition.ignore_case and attribute.kind != "text":
        return [Problem(f"{path}.ignore_case", f"asked of {attribute.name}, of type {attribute.kind}", "a text")]
    return []


def _of_aggregate(path: str, event: Any, columns: dict[str, Attribute]) -> list[Problem]:
    of = getattr(event, "of", None)
    if of is None or (of in columns and columns[of].kind in NUMERIC):
        return []
    numbers = [name for name, each in columns.items() if each.kind in NUMERIC]
    return [Problem(f"{path}.of", repr(of), ", ".join(numbers) or "no number")]


def _fits(value: Any, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("integer", "number"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)
