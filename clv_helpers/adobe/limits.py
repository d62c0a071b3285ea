"""What to know before using a rule: the platform's own limits, and what makes it slow or hard to read."""

from __future__ import annotations

import re
from typing import Any

from clv_helpers.adobe.pql import CannotExpress, to_text
from clv_helpers.audiences.catalog import names_of
from clv_helpers.audiences.rule import (
    AnyPart,
    Audience,
    Condition,
    EventCondition,
    Rule,
    SequenceCondition,
    events_of,
    parts_of,
    walk,
)
from clv_helpers.audiences.when import When, parse_duration


def platform_notes(audience: Audience) -> list[str]:
    """What the platform's own builder would warn of, or refuse to stream, each in a sentence."""
    leaves = [leaf for _, leaf in walk(audience.rule)]
    blocks = sum(1 + sum(len(list(walk(e.where))) for e in events_of(leaf) if e.where) for leaf in leaves)
    chains = sum(isinstance(leaf, SequenceCondition) for leaf in leaves)
    sums = sum(isinstance(leaf, EventCondition) and leaf.aggregate != "count" for leaf in leaves)
    notes = [
        f"The platform allows {most} {what}; this rule has {count}."
        for count, most, what in ((blocks, 50, "building blocks"), (chains, 6, "sequences"), (sums, 3, "aggregations"))
        if count > most
    ]
    longest = max((len(l.value) for l in leaves if isinstance(getattr(l, "value", None), list)), default=0)  # noqa: E741
    if longest > 250:
        notes.append(f"The platform takes 250 values at once; a list here has {longest:,}.")
    try:
        to_text(audience)
    except CannotExpress as error:
        notes.append(str(error))
    reason = _not_streamed(leaves, names_of(audience))
    return notes + ([f"The platform would not stream it: {reason}."] if reason else [])


def _not_streamed(leaves: list[Any], audiences: list[str]) -> str:
    events = [event for leaf in leaves for event in events_of(leaf)]
    if events and audiences:
        return "events and membership of an audience in one rule"
    if any(w.ignore_year for w in _whens(leaves)):
        return "a time constraint that ignores the year"
    if any(not _within_a_day(event.when) for event in events):
        return "events from longer ago than 24 hours"
    negated = [e for e in events if getattr(e, "absent", False) or (getattr(e, "op", "") == "equals" and e.value == 0)]
    return "only events that must not have happened" if events and len(negated) == len(events) else ""


def _whens(leaves: list[Any]) -> list[When]:
    holders = [*leaves, *(event for leaf in leaves for event in events_of(leaf))]
    return [w for h in holders if (w := getattr(h, "when", None))]


def _within_a_day(when: When | None) -> bool:
    if when is None or when.is_ == "today":
        return when is not None
    number, unit = parse_duration(when.in_last) if when.in_last else (2, "day")
    return unit in ("second", "minute") or number * {"hour": 1, "day": 24}.get(unit, 25) <= 24


def hints(audience: Audience) -> list[str]:
    """What could be said shorter, or costs more than it needs to, each in a sentence."""
    found = []
    for path, leaf in walk(audience.rule):
        if isinstance(leaf, Condition) and leaf.op == "matches" and re.fullmatch(r"\^?[\w @-]+", str(leaf.value)):
            plain = "starts with" if str(leaf.value).startswith("^") else "contains"
            found.append(f"{path}: `{plain}` says the same as this regular expression, and is faster.")
        if isinstance(leaf, SequenceCondition) and not any(step.when or step.within for step in leaf.sequence):
            found.append(f"{path}: without `when` or `within`, all events ever are compared with each other.")
        if isinstance(leaf, EventCondition) and leaf.where is None and leaf.when is None:
            found.append(f"{path}: without `when` or `where`, all events ever are read.")
    return found + _about_containers(audience.rule)


def _about_containers(part: AnyPart, path: str = "rule") -> list[str]:
    if not isinstance(part, Rule):
        return []
    inner = parts_of(part)
    found = []
    if part.not_ is None and len(inner) == 1 and isinstance(inner[0], Rule):
        found.append(f"{path}: a container in a container of its own can be unwrapped.")
    same = {c.field for c in inner if isinstance(c, Condition) and c.op == "equals"} if part.any is not None else set()
    for field in sorted(same):
        if sum(isinstance(c, Condition) and c.field == field and c.op == "equals" for c in inner) > 1:
            found.append(f"{path}: several `equals` on {field} are one `in`.")
    for index, each in enumerate(inner):
        key = "not" if part.not_ is not None else f"{'all' if part.all is not None else 'any'}[{index}]"
        found += _about_containers(each, f"{path}.{key}")
    return found
