"""The platform's limits: what its own segment builder would warn of, or refuse to stream, in a rule."""

from __future__ import annotations

from clv_helpers.adobe.pql import to_text
from clv_helpers.audiences.catalog import names_of
from clv_helpers.audiences.formats import CannotExpress
from clv_helpers.audiences.rule import Audience, Event, EventCondition, Leaf, SequenceCondition, Step, events_of, walk
from clv_helpers.conditions.condition import Condition, as_list, conditions_of
from clv_helpers.conditions.when import When, parse_duration


def platform_notes(audience: Audience) -> list[str]:
    """What the platform's own builder would warn of, or refuse to stream, each in a sentence."""
    leaves = [leaf for _, leaf in walk(audience.rule)]
    blocks = sum(1 + sum(len(list(conditions_of(event.where))) for event in events_of(leaf)) for leaf in leaves)
    chains = sum(isinstance(leaf, SequenceCondition) for leaf in leaves)
    sums = sum(isinstance(leaf, EventCondition) and leaf.aggregate != "count" for leaf in leaves)
    notes = [
        f"The platform allows {most} {what}; this rule has {count}."
        for count, most, what in ((blocks, 50, "building blocks"), (chains, 6, "sequences"), (sums, 3, "aggregations"))
        if count > most
    ]
    longest = max((len(as_list(getattr(leaf, "value", None))) for leaf in leaves), default=0)
    if longest > 250:
        notes.append(f"The platform takes 250 values at once; a list here has {longest:,}.")
    try:
        to_text(audience)
    except CannotExpress as error:
        notes.append(str(error))
    reason = _not_streamed(leaves, names_of(audience))
    return notes + ([f"The platform would not stream it: {reason}."] if reason else [])


def _not_streamed(leaves: list[Leaf], audiences: list[str]) -> str:
    events = [event for leaf in leaves for event in events_of(leaf)]
    whens = [leaf.when for leaf in leaves if isinstance(leaf, Condition)] + [event.when for event in events]
    if events and audiences:
        return "events and membership of an audience in one rule"
    if any(when.ignore_year for when in whens if when):
        return "a time constraint that ignores the year"
    if any(not _within_a_day(event.when) for event in events):
        return "events from longer ago than 24 hours"
    return "only events that must not have happened" if events and all(map(_is_negated, events)) else ""


def _is_negated(event: Event) -> bool:
    if isinstance(event, Step):
        return event.absent
    return isinstance(event, EventCondition) and event.op == "equals" and event.value == 0


def _within_a_day(when: When | None) -> bool:
    if when is None or when.is_ == "today":
        return when is not None
    number, unit = parse_duration(when.in_last) if when.in_last else (2, "day")
    return unit in ("second", "minute") or number * {"hour": 1, "day": 24}.get(unit, 25) <= 24
