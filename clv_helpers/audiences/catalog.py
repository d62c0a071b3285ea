"""What a rule may ask about: the columns of the profile and of the events, with their types and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

from clv_helpers.audiences.rule import (
    TEXT_TESTS,
    Audience,
    AudienceCondition,
    Condition,
    EventCondition,
    Value,
    as_list,
    events_of,
    walk,
)
from clv_helpers.config.datasets import EVENT_DATASETS, NUMERIC
from clv_helpers.config.params import Words
from clv_helpers.config.validation import Problem
from clv_helpers.editors import Attribute, kind_of
from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session

GENERAL_WORDS = Words(category="category")  # where no workbook says what things are called
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
# What a column means; {names} are the words of the workbook.
ABOUT = {
    "customer_id": "Identifies the {customer}",
    "email": "E-mail address",
    "region": "Where the {customer} lives",
    "joined_on": "Day on which the {customer} joined",
    "email_consent": "Whether the {customer} agreed to e-mail",
    "category": "The {customer}'s {category}, as of the latest {purchase}",
    "first_purchase_on": "Day of the first {purchase}",
    "last_purchase_on": "Day of the latest {purchase}",
    "frequency": "Days with a {purchase} after the first such day",
    "recency_days": "Days from the first {purchase} to the latest",
    "purchases": "Number of {purchases}",
    "value": "Sum of the {value} that deciles rank",
    "spend": "Sum of what {purchases} cost",
    "monetary_value": "Mean spend per day with a {purchase} after the first such day",
    "age_days": "Days from the first {purchase} to as_of",
    "days_since_purchase": "Days from the latest {purchase} to as_of",
    "occurred_at": "When it happened",
    "transaction_type": "What was credited or debited",
    "transaction_details": "Route or reason",
    "amount": "What it cost",
    "campaign": "The campaign a message belongs to",
    "event_type": "What became of the message",
    "user_agent": "The program that opened it",
}


@dataclass(frozen=True)
class Catalog:
    """The columns by name: of the profile, and of each dataset of events that this workbook has."""

    profile: dict[str, Attribute]
    events: dict[str, dict[str, Attribute]]


def read_catalog(session: Session, events: dict[str, str], words: Words = GENERAL_WORDS) -> Catalog:
    """The columns of this store; `events` names the table of each dataset, `words` fill the descriptions."""
    return Catalog(
        _attributes(session, "profile.customer", words),
        {name: _attributes(session, source, words) for name, source in events.items() if session.has_table(source)},
    )


def event_tables() -> dict[str, str]:
    """The table of each dataset of events."""
    return {name: f"lake.{name}" for name in EVENT_DATASETS}


def problems(audience: Audience, catalog: Catalog) -> list[Problem]:
    """Every place where a rule asks for a column that is not there, or with an operator or value of another type."""
    wrong: list[Problem] = []
    for path, leaf in walk(audience.rule):
        if isinstance(leaf, Condition):
            wrong += _of_condition(path, leaf, catalog.profile, "the profile")
        for index, event in enumerate(events_of(leaf)):
            place = path if isinstance(leaf, EventCondition) else f"{path}.sequence[{index}]"
            columns = catalog.events.get(event.event)
            if columns is None:
                wrong.append(Problem(f"{place}.event", repr(event.event), ", ".join(catalog.events) or "no events yet"))
                continue
            for inner, condition in walk(event.where, f"{place}.where"):
                if isinstance(condition, Condition):
                    wrong += _of_condition(inner, condition, columns, event.event)
            if isinstance(event, EventCondition) and event.of is not None:
                wrong += _of_aggregate(place, event.of, columns)
    return wrong


def names_of(audience: Audience) -> list[str]:
    """The audiences that a rule asks for."""
    return sorted({leaf.audience for _, leaf in walk(audience.rule) if isinstance(leaf, AudienceCondition)})


def _attributes(session: Session, name: str, words: Words) -> dict[str, Attribute]:
    kinds = {key: kind_of(kind) for key, kind in session.columns(table(name)).items() if not key.startswith("_")}
    return {key: Attribute(key, kind, _about(key, words)) for key, kind in kinds.items() if kind in OPERATORS_OF}


def _about(name: str, words: Words) -> str:
    if name.startswith("decile"):
        return f"Decile of {name.removeprefix('decile_').replace('_', ' ')}; 1 is the best"
    if name not in ABOUT:
        return name.replace("_", " ").capitalize()
    return ABOUT[name].format(**words.model_dump())


def _of_condition(path: str, condition: Condition, columns: dict[str, Attribute], where: str) -> list[Problem]:
    attribute = columns.get(condition.field)
    if attribute is None:
        return [Problem(f"{path}.field", f"{condition.field!r}, not in {where}", ", ".join(columns))]
    if condition.when:
        if attribute.is_date:
            return []
        return [Problem(f"{path}.when", f"asked of {attribute.name}, of type {attribute.kind}", "a date or a time")]
    if condition.op not in OPERATORS_OF[attribute.kind]:
        allowed = ", ".join(OPERATORS_OF[attribute.kind]) + (", or when" if attribute.is_date else "")
        return [Problem(f"{path}.op", f"{condition.op!r} for {attribute.name}, of type {attribute.kind}", allowed)]
    wrong = [value for value in as_list(condition.value) if not _fits(value, attribute.kind)]
    if wrong:
        return [Problem(f"{path}.value", f"{wrong[0]!r} for {attribute.name}", f"a value of type {attribute.kind}")]
    if condition.ignore_case and attribute.kind != "text":
        return [Problem(f"{path}.ignore_case", f"asked of {attribute.name}, of type {attribute.kind}", "a text")]
    return []


def _of_aggregate(path: str, name: str, columns: dict[str, Attribute]) -> list[Problem]:
    numbers = [column.name for column in columns.values() if column.kind in NUMERIC]
    return [] if name in numbers else [Problem(f"{path}.of", repr(name), ", ".join(numbers) or "no number")]


def _fits(value: Value, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("integer", "number"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)
