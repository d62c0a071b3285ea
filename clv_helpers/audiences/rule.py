"""An audience's rule: conditions on attributes, events, sequences and other audiences, nested to any depth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from clv_helpers.audiences.composition import SEPARATOR, Drawn, Given, Rank, Split, draws
from clv_helpers.conditions.condition import (
    MEASURES,
    Comparison,
    Condition,
    Container,
    Filter,
    Value,
    as_list,
    check_value,
    listed_as_all,
    nodes,
    parts_of,
)
from clv_helpers.conditions.when import Duration, When, known_zone, parse_duration
from clv_helpers.config.deciles import BUILT_IN, Lookback
from clv_helpers.config.validation import Strict


class MapCondition(Strict):
    """One question about an entry of a map: the place in one category over one look-back."""

    map: str = Field(min_length=1)
    """what is asked about: `decile`, that of the value, or a ranking of `deciles` in the params by its name"""
    category: str = "ALL"
    """within which category customers are ranked; `ALL`: among everyone"""
    lookback_months: Literal[0, 1, 3, 6, 9, 12] | None = None
    """of `decile`: over how many months, 0 being lifetime"""
    lookback: Lookback | None = None
    """of a ranking: over how long, as it has it, such as `90 days`"""
    op: Literal[Comparison, "between", "exists", "missing"]
    """how the decile is compared"""
    value: Value | list[Value] | None = None
    """a place from 1 (best), a decile to 10, two for `between`, none for `exists` and `missing`"""
    or_missing: bool = False
    """whether who has no such decile meets it too"""

    @model_validator(mode="after")
    def _fits(self) -> MapCondition:
        key, other = ("lookback_months", "lookback") if self.map == BUILT_IN else ("lookback", "lookback_months")
        if getattr(self, key) is None:
            raise ValueError(f"{key} is None; allowed: over how long customers are ranked")
        if getattr(self, other) is not None:
            raise ValueError(f"{other} is {getattr(self, other)!r}; allowed: {key} for the map {self.map}")
        check_value(self.op, self.value)
        if any(isinstance(value, bool) or not isinstance(value, int) for value in as_list(self.value)):
            raise ValueError(f"value is {self.value!r}; allowed: a whole number, of deciles from 1 to 10")
        return self


class Event(Strict):
    """What both a condition and a step of a sequence say of an event."""

    event: str = Field(min_length=1)
    """what the customer did or got: a dataset of events"""
    where: Filter = None
    """conditions on the event's own columns; a list: all of them"""
    when: When | None = None
    """when it happened"""


class EventCondition(Event):
    """How often, or with what total, a customer did something.

    No event counts as 0; a customer without a number to aggregate does not meet it.
    """

    aggregate: Literal["count", "sum", "average", "min", "max"] = "count"
    """what is compared: how many events there are, or a figure of the column that `of` names"""
    of: str | None = None
    """the column of numbers that is aggregated; none for `count`"""
    op: Literal[Comparison, "between", "all"] = "at least"
    """how the number or figure is compared; `all`: there are events at the time of `when`, and each meets `where`"""
    value: Value | list[Value] | None = None
    """what it is compared with; none, and neither `op` nor `aggregate`: at least 1 event"""

    @model_validator(mode="before")
    @classmethod
    def _at_least_one(cls, raw: Any) -> Any:
        asks = isinstance(raw, dict) and ("op" in raw or "value" in raw or "aggregate" in raw)
        return {**raw, "op": "at least", "value": 1} if isinstance(raw, dict) and not asks else raw

    @model_validator(mode="after")
    def _fits(self) -> EventCondition:
        check_value(self.op, self.value)
        if any(isinstance(value, bool | str) for value in as_list(self.value)):
            raise ValueError(f"value is {self.value!r}; allowed: a number")
        if (self.aggregate == "count") != (self.of is None):
            raise ValueError(f"of is {self.of!r}; allowed: the column to aggregate, and nothing for count")
        if self.op == "all" and self.aggregate != "count":
            raise ValueError(f"op is {self.op!r}; allowed: {', '.join(MEASURES)} for an aggregate")
        if self.op == "all" and self.where is None:
            raise ValueError("where is None; allowed: what all events are to meet")
        if self.aggregate == "count" and any(isinstance(number, float) or number < 0 for number in self.numbers):
            raise ValueError(f"value is {self.value!r}; allowed: a whole number, zero or more")
        return self

    @property
    def numbers(self) -> list[int | float]:
        """The values, which are numbers."""
        return [value for value in as_list(self.value) if not isinstance(value, str)]


def _gap(text: str) -> str:
    if parse_duration(text)[1] in ("month", "year"):
        raise ValueError("seconds, minutes, hours, days (of 24 hours) or weeks between two events")
    return text


Gap = Annotated[Duration, BeforeValidator(lambda text: _gap(str(text)))]


class Step(Event):
    """One event of a sequence, or its absence.

    Where nothing follows, the absence holds once the time that `within` gives has passed; without `within` it holds
    until such an event comes.
    """

    after: Gap | None = None
    """at least how long after the event before it, such as `2 days`"""
    within: Gap | None = None
    """at most how long after the event before it, such as `7 days`"""
    absent: bool = False
    """whether there is no such event after the one before it, and before the next"""


class SequenceCondition(Strict):
    """Events one after the other, each strictly later than the one before."""

    sequence: list[Step] = Field(min_length=2)
    """the events in their order, at least two"""

    @model_validator(mode="after")
    def _fits(self) -> SequenceCondition:
        first = self.sequence[0]
        if first.absent or first.after or first.within:
            raise ValueError("sequence[0] is absent or timed; allowed: an event that happened, as time counts from it")
        return self


class AudienceCondition(Strict):
    """Customer of another audience, as last evaluated."""

    audience: str = Field(min_length=1)
    """the name of the other audience's file"""


KINDS = {"field": "condition", "map": "map", "event": "event", "sequence": "sequence", "audience": "audience"}


def _kind_of(part: Any) -> str:
    if isinstance(part, Strict):
        return f"<{type(part).__name__.removesuffix('Condition').lower() or 'condition'}>"
    keys = part if isinstance(part, dict) else {}
    return f"<{next((kind for key, kind in KINDS.items() if key in keys), 'rule')}>"


Part = Annotated[
    Annotated["Condition", Tag("<condition>")]
    | Annotated["MapCondition", Tag("<map>")]
    | Annotated["EventCondition", Tag("<event>")]
    | Annotated["SequenceCondition", Tag("<sequence>")]
    | Annotated["AudienceCondition", Tag("<audience>")]
    | Annotated["Rule", Tag("<rule>")],
    Discriminator(_kind_of),
]


class Rule(Container):
    """A container of conditions and of further containers: exactly one of `all`, `any` and `not`."""

    all: list[Part] | None = Field(default=None, min_length=1)
    """parts that are all met"""
    any: list[Part] | None = Field(default=None, min_length=1)
    """parts of which at least one is met"""
    not_: Part | None = Field(default=None, alias="not")
    """a part that is not met"""


Leaf = Condition | MapCondition | EventCondition | SequenceCondition | AudienceCondition | Drawn | Given
AnyPart = Leaf | Rule


SOURCES = ("rule", "sql", "list", "priority")
BEYOND = ("sql", "list", "priority", "rank", "split", "drawn")  # what no rule can say
NOT_STREAMED = ("sql", "list", "rank")
ALIASED = {"list": "list_"}
BESIDE = ("title", "description", "evaluation", "split")  # what makes nobody a customer of the audience or not


class Audience(Strict):
    """One audience file.

    Example:
        >>> from clv_helpers.audiences import Audience
        >>> rule = {"field": "frequency", "op": "at least", "value": 1}
        >>> Audience(title="Bought again", rule=rule).evaluation
        'batch'
    """

    title: str = Field(min_length=1)
    """what people call the audience"""
    description: str = ""
    """whom it is meant for"""
    evaluation: Literal["batch", "streaming"] = "batch"
    """with all others on schedule, or also after each micro-batch, where the rule allows it"""
    time_zone: str = "UTC"
    """in which days and months are read, by its IANA name"""
    rule: Annotated[Part | None, BeforeValidator(listed_as_all)] = None
    """who is in it: a condition or a container; a list: all of them"""
    sql: str | None = Field(default=None, min_length=1)
    """in its place SQL: one SELECT of `customer_id`, or the path of a file with it, relative to the params file"""
    list_: str | None = Field(default=None, alias="list", min_length=1)
    """in its place a file with ids or e-mails, relative to the params file; who is in it and unknown is no member"""
    priority: list[str] | None = Field(default=None, min_length=2)
    """in its place audiences, of which each customer stays in the first only: each is a branch of this one"""
    exclude: list[str] = []
    """audiences whose customers are not in it"""
    rank: Rank | None = None
    """how many stay of those left, the best by an attribute"""
    split: Split | None = None
    """into which branches those left are drawn"""

    @model_validator(mode="after")
    def _known_zone(self) -> Audience:
        if not known_zone(self.time_zone):
            raise ValueError(f"time_zone is {self.time_zone!r}; allowed: a name such as UTC or Europe/Berlin")
        return self

    @model_validator(mode="after")
    def _fits(self) -> Audience:
        given = [key for key in SOURCES if getattr(self, ALIASED.get(key, key)) is not None]
        if len(given) != 1:
            said = " and ".join(given) or "missing"
            raise ValueError(f"rule is {said}; allowed: exactly one of {', '.join(SOURCES)}")
        if self.priority and self.split:
            raise ValueError("split is given beside priority; allowed: one of them, as both make branches")
        for key, names in {"priority": self.priority or [], "exclude": self.exclude}.items():
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"{key} is {twice[0]!r} twice; allowed: each audience once")
        if self.evaluation == "streaming" and not self.streams:
            key = next(key for key in NOT_STREAMED if getattr(self, ALIASED.get(key, key)) is not None)
            raise ValueError(f"evaluation is 'streaming'; allowed: batch, beside {key}, which holds on schedule only")
        return self

    def to_raw(self) -> dict[str, Any]:
        """The audience as it is written in YAML, without what has its default."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @property
    def hash(self) -> str:
        """Changes with the rule, its composition and its time zone, not with its title."""
        raw = {key: value for key, value in self.to_raw().items() if key not in BESIDE}
        return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def streams(self) -> bool:
        """Whether it can be evaluated after a micro-batch: it reads no more than what that brings up to date."""
        return all(getattr(self, ALIASED.get(key, key)) is None for key in NOT_STREAMED)

    @property
    def beyond_rule(self) -> list[str]:
        """Which of its keys no rule can say."""
        return [key for key in BEYOND if getattr(self, ALIASED.get(key, key), None)]

    @property
    def whole(self) -> AnyPart:
        """Who is chosen, as one rule, before its rank: those given, without those excluded."""
        out = [parse_part({"not": {"audience": name}}) for name in self.exclude]
        parts = parts_of(self.rule) if out and isinstance(self.rule, Rule) and self.rule.kind == "all" else [self._base]
        return Rule.model_construct(all=[*parts, *out]) if out else self._base

    @property
    def _base(self) -> AnyPart:
        if self.rule is not None:
            return self.rule
        if self.priority:
            return parse_part({"any": [{"audience": name} for name in self.priority]})
        return Given("sql", self.sql) if self.sql is not None else Given("list", self.list_ or "")


class Branch(Audience):
    """A part of a composed audience that is an audience itself; made from that one's file, and in none of its own."""

    drawn: Drawn | None = None

    @property
    def whole(self) -> AnyPart:
        """Who is in the audience that is split, and drawn."""
        return Rule.model_construct(all=[self._base, self.drawn]) if self.drawn else self._base

    @property
    def apart(self) -> AnyPart:
        """What sets the branch apart from the others of its audience."""
        return self.drawn or Rule.model_construct(all=parts_of(self.rule)[1:] if isinstance(self.rule, Rule) else [])


def branches(name: str, audience: Audience) -> dict[str, Branch]:
    """The branches of an audience by name; none where it has no split and no priority.

    Example:
        >>> from clv_helpers.audiences import Audience
        >>> from clv_helpers.audiences.rule import branches
        >>> rule, split = {"field": "frequency", "op": "at least", "value": 1}, {"into": {"a": "50%", "b": "50%"}}
        >>> list(branches("again", Audience(title="Bought again", rule=rule, split=split)))
        ['again.a', 'again.b']
    """
    found: dict[str, dict[str, Any]] = {}
    for drawn in draws(name, audience.split) if audience.split else []:
        found[drawn.branch] = {"rule": {"audience": name}, "drawn": drawn}
    listed = audience.priority or []
    for index, first in enumerate(listed):
        earlier = [{"not": {"audience": before}} for before in listed[:index]]
        found[first] = {"rule": {"all": [{"audience": name}, {"audience": first}, *earlier]}}
    common = {"description": audience.description, "evaluation": audience.evaluation}
    return {
        f"{name}{SEPARATOR}{branch}": Branch.model_validate({"title": f"{audience.title}: {branch}", **common, **raw})
        for branch, raw in found.items()
    }


def parse_part(raw: Any) -> AnyPart:
    """Plain values as a condition or a container. Raises pydantic.ValidationError."""
    return parts_of(Rule.model_validate({"all": [raw]}))[0]


def walk(part: AnyPart | None, path: str = "rule") -> Iterator[tuple[str, Leaf]]:
    """All conditions below a part with their place in the file; not the `where` of events."""
    if part is not None:
        yield from ((place, leaf) for place, leaf in nodes(part, path) if not isinstance(leaf, Rule))


def events_of(leaf: Leaf) -> list[Event]:
    """The events that a condition asks about."""
    if isinstance(leaf, EventCondition):
        return [leaf]
    return list(leaf.sequence) if isinstance(leaf, SequenceCondition) else []


for model in (Event, EventCondition, Step, SequenceCondition, Rule, Audience, Branch):
    model.model_rebuild()
