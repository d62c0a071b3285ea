"""A rule as a plain English sentence."""

from __future__ import annotations

from typing import Any

from clv_helpers.audiences.catalog import MASKED
from clv_helpers.audiences.rule import (
    AnyPart,
    Audience,
    AudienceCondition,
    Condition,
    EventCondition,
    MapCondition,
    Rule,
    SequenceCondition,
    Step,
    parts_of,
)
from clv_helpers.audiences.when import When

WORDS = {
    "equals": "is {}", "not equals": "is not {}", "contains": "contains {}", "not contains": "does not contain {}",
    "starts with": "starts with {}", "not starts with": "does not start with {}", "ends with": "ends with {}",
    "not ends with": "does not end with {}", "matches": "matches /{}/", "not matches": "does not match /{}/",
    "in": "is one of {}", "not in": "is none of {}", "at most": "is at most {}", "at least": "is at least {}",
    "less than": "is less than {}", "more than": "is more than {}", "between": "is between {}",
    "exists": "is known", "missing": "is not known",
}  # fmt: skip
EVENTS = {"purchases": "purchase", "email_events": "e-mail event"}
SHOWN = 5


def to_sentence(audience: Audience) -> str:
    """Who is in the audience, in one sentence."""
    zone = "" if audience.time_zone == "UTC" else f" (days as in {audience.time_zone})"
    return f"Customers {_part(audience.rule, top=True)}{zone}."


def part_in_words(part: AnyPart) -> str:
    """One condition or container in words, as a row of the builder shows it."""
    return _part(part, top=True)


def _part(part: AnyPart, top: bool = False) -> str:
    match part:
        case Rule(not_=inner) if inner is not None:
            return f"excluding those {_part(inner)}"
        case Rule():
            words = [_part(each) for each in parts_of(part)]
            joined = (" and " if part.all is not None else " or ").join(words)
            return joined if top or len(words) == 1 else f"({joined})"
        case Condition():
            return f"whose {_condition(part)}"
        case MapCondition():
            window = f"over {part.lookback_months} months" if part.lookback_months else "over their lifetime"
            among = "everyone" if part.category == "ALL" else part.category
            return f"whose decile among {among} {window} {_test(part.op, part.value)}{_or_missing(part)}"
        case EventCondition():
            return _event(part)
        case SequenceCondition():
            return f"with {', then '.join(_step(step, index) for index, step in enumerate(part.sequence))}"
        case AudienceCondition():
            return f"in the audience {part.audience}"


def _condition(condition: Condition) -> str:
    name = condition.field.replace("_", " ")
    name = f"{name.removesuffix(' on')} day" if name.endswith(" on") else name
    if condition.when:
        return f"{name} is {when_in_words(condition.when)}{_or_missing(condition)}"
    if condition.field in MASKED and condition.value is not None:
        return f"{name} {WORDS[condition.op or ''].format('(not shown)')}{_or_missing(condition)}"
    case = " (small and capital letters alike)" if condition.ignore_case else ""
    return f"{name} {_test(condition.op or '', condition.value)}{case}{_or_missing(condition)}"


def _or_missing(condition: Any) -> str:
    return " or is not known" if condition.or_missing else ""


def _test(op: str, value: Any) -> str:
    if op == "between":
        shown = f"{_value(value[0])} and {_value(value[1])}"
    elif isinstance(value, list):
        rest = len(value) - SHOWN
        shown = ", ".join(map(_value, value[:SHOWN])) + (f" and {rest:,} more" if rest > 0 else "")
    else:
        shown = _value(value)
    return WORDS[op].format(shown)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else f"“{value}”"


def _event(event: EventCondition) -> str:
    name = EVENTS[event.event]
    where, when = _where(event), f" {when_in_words(event.when)}" if event.when else ""
    if event.op == "all":
        return f"with {name}s{when}, all of them ones{where}"
    if event.aggregate != "count":
        column = (event.of or "").replace("_", " ")
        measure = {"sum": "total", "min": "smallest", "max": "largest"}.get(event.aggregate, event.aggregate)
        return f"whose {measure} {column} of {name}s{where}{when} {_test(event.op, event.value)}"
    return f"with {_number(event.op, event.value)} {name}{'' if event.value == 1 else 's'}{where}{when}"


def _number(op: str, value: Any) -> str:
    if op == "between":
        return f"{value[0]} to {value[1]}"
    if value == 0 and op in ("equals", "at most"):
        return "no"
    words = {"equals": "exactly", "not equals": "any number but"}
    return f"{words.get(op, op)} {value}"


def _where(event: EventCondition | Step) -> str:
    if event.where is None:
        return ""
    return f" {_part(event.where, top=True)}"


def _step(step: Step, index: int) -> str:
    gaps = [f"at least {step.after} later"] if step.after else []
    gaps += [f"within {step.within}"] if step.within else []
    when = f" {when_in_words(step.when)}" if step.when else ""
    article = "no" if step.absent else "an" if EVENTS[step.event][0] in "ae" else "a"
    timing = f" {' and '.join(gaps)}" if gaps and index else ""
    return f"{article} {EVENTS[step.event]}{_where(step)}{when}{timing}"


def when_in_words(when: When) -> str:
    """A time constraint in words."""
    year = " of any year" if when.ignore_year else ""
    match when.form:
        case "is":
            return f"{'in ' if 'this' in (when.is_ or '') else ''}{when.is_}{year}"
        case "in_last" | "in_next":
            return f"in the {when.form[3:]} {when.in_last or when.in_next}"
        case "on":
            return f"on {when.on}{year}"
        case "from":
            return f"from {when.from_} to {when.to}{year}"
        case "during":
            return f"during {when.during}{year}"
        case "within":
            return f"within {when.within} of {when.of}{year}"
        case "rolling":
            return f"between {' and '.join(when.rolling or [])}"
    return f"{when.form} {when.before or when.after}{year}"
