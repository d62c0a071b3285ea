"""A rule as a plain English sentence, in the words of the workbook."""

from __future__ import annotations

from collections.abc import Mapping

from clv_helpers.audiences.catalog import GENERAL_WORDS, MASKED
from clv_helpers.audiences.composition import Drawn, Given, Rank
from clv_helpers.audiences.rule import (
    AnyPart,
    Audience,
    AudienceCondition,
    Event,
    EventCondition,
    MapCondition,
    SequenceCondition,
    Step,
)
from clv_helpers.charts.show import upper_first
from clv_helpers.conditions.condition import Condition, Container, Value, Where, as_list, parts_of
from clv_helpers.conditions.when import When
from clv_helpers.config.deciles import BUILT_IN, EVERYONE, LIFETIME
from clv_helpers.config.settings import Words

TESTS = {
    "equals": "is {}", "not equals": "is not {}", "contains": "contains {}", "not contains": "does not contain {}",
    "starts with": "starts with {}", "not starts with": "does not start with {}", "ends with": "ends with {}",
    "not ends with": "does not end with {}", "matches": "matches /{}/", "not matches": "does not match /{}/",
    "in": "is one of {}", "not in": "is none of {}", "at most": "is at most {}", "at least": "is at least {}",
    "less than": "is less than {}", "more than": "is more than {}", "between": "is between {}",
    "exists": "is known", "missing": "is not known",
}  # fmt: skip
WHENS = {
    "in_last": "in the last {in_last}", "in_next": "in the next {in_next}", "on": "on {on}",
    "from": "from {from_} to {to}", "during": "during {during}", "within": "within {within} of {of}",
    "before": "before {before}", "after": "after {after}",
}  # fmt: skip
DECILES = {"lifetime": "decile over their lifetime", "predicted": "predicted decile"}
Titles = Mapping[str, str]  # of audiences by name
NO_TITLES: Titles = {}
SHOWN = 5  # values of a list; of the others their number


def to_sentence(audience: Audience, words: Words = GENERAL_WORDS, titles: Titles = NO_TITLES) -> str:
    """Who is in the audience, in one sentence; other audiences by their `titles`, where these are given by name.

    Example:
        >>> from clv_helpers.audiences import Audience
        >>> rule = {"field": "frequency", "op": "at least", "value": 1}
        >>> to_sentence(Audience(title="Bought again", rule=rule))
        'Customers whose frequency is at least 1.'
    """
    zone = "" if audience.time_zone == "UTC" else f" (days as in {audience.time_zone})"
    clauses = [f"{upper_first(words.customers)} {part_in_words(audience.whole, words, titles)}"]
    clauses += [part_in_words(audience.rank, words)] if audience.rank else []
    if audience.split:
        into = (f"{branch} ({share})" for branch, share in audience.split.into.items())
        clauses.append(f"drawn into {', '.join(into)}")
    if audience.priority:
        clauses.append(f"each in the first only of {', '.join(audience.priority)}")
    return f"{'; '.join(clauses)}{zone}."


def part_in_words(part: AnyPart | Rank, words: Words = GENERAL_WORDS, titles: Titles = NO_TITLES) -> str:
    """One condition, container or rank in words, as the funnel shows it."""
    sentence = _Sentence(words, titles)
    return sentence.rank(part) if isinstance(part, Rank) else sentence.part(part, top=True)


def column_in_words(name: str, words: Words = GENERAL_WORDS) -> str:
    """A column as people read it.

    Example:
        >>> column_in_words("decile_12_months"), column_in_words("last_purchase_on")
        ('decile over 12 months', 'last purchase day')
    """
    return _Sentence(words).column(name)


def events_in_words(name: str, words: Words = GENERAL_WORDS) -> tuple[str, str]:
    """One event of a dataset, and several.

    Example:
        >>> events_in_words("email_events")
        ('e-mail event', 'e-mail events')
    """
    return _Sentence(words).events_of(name)


class _Sentence:
    """Writes parts of a rule in the words of one workbook."""

    def __init__(self, words: Words, titles: Titles = NO_TITLES):
        self.words, self.titles = words, titles
        self.events = {
            "purchases": (words.purchase, words.purchases),
            "email_events": ("e-mail event", "e-mail events"),
        }
        self.columns = {
            "category": words.category,
            "value": words.value,
            "purchases": f"number of {words.purchases}",
            "probability_purchase": f"probability of a {words.purchase}",
        }
        self.in_columns = {"purchase": words.purchase, "purchases": words.purchases, "customer": words.customer}

    def part(self, part: AnyPart | Where, top: bool = False) -> str:
        match part:
            case Container(not_=inner) if inner is not None:
                return self._without(inner)
            case Container():
                texts = [self.part(inner) for inner in parts_of(part)]
                joined = (" and " if part.kind == "all" else " or ").join(texts)
                return joined if top or len(texts) == 1 else f"({joined})"
            case Condition():
                return f"whose {self._condition(part)}"
            case MapCondition():
                what = "decile" if part.map == BUILT_IN else f"place in {part.map.replace('_', ' ')}"
                return f"whose {what} {self._of_decile(part)} {_test(part.op, part.value)}{_or_missing(part)}"
            case EventCondition():
                return self._event(part)
            case SequenceCondition():
                return f"with {', then '.join(self._step(step, index) for index, step in enumerate(part.sequence))}"
            case AudienceCondition():
                return f"in the audience {self.titles.get(part.audience, part.audience)}"
            case Drawn():
                return f"drawn into {part.branch} ({part.share})"
            case Given(kind="list"):
                return f"whom the list {part.source.rsplit('/', 1)[-1]} names"
            case Given():
                return f"whom {'the SQL of its file' if ' ' in part.source.strip() else part.source.strip()} gives"

    def rank(self, rank: Rank) -> str:
        """How many stay, by what."""
        many = f"{rank.limit:,}" if isinstance(rank.limit, int) else rank.limit
        end = "highest" if rank.order == "descending" else "lowest"
        return f"of them the {many} with the {end} {self.column(rank.by)}"

    def _without(self, part: AnyPart | Where) -> str:
        """Who does not meet a part."""
        if isinstance(part, AudienceCondition):
            return f"not {self.part(part)}"
        if isinstance(part, EventCondition) and (part.aggregate, part.op, part.value) == ("count", "at least", 1):
            return self._event(part.model_copy(update={"op": "equals", "value": 0}))
        return f"excluding those {self.part(part)}"

    def column(self, name: str) -> str:
        if name in self.columns:
            return self.columns[name]
        if "." in name:
            lookup, _, looked_up = name.partition(".")
            return f"{looked_up.replace('_', ' ')} of {lookup.replace('_', ' ')}"
        if name.startswith("decile_"):
            over = name.removeprefix("decile_").replace("_", " ")
            return DECILES.get(over, f"decile over {over}")
        text = " ".join(self.in_columns.get(word, word) for word in name.split("_"))
        return f"{text.removesuffix(' on')} day" if text.endswith(" on") else text

    def _condition(self, condition: Condition) -> str:
        name = self.column(condition.field)
        if condition.when:
            return f"{name} is {when_in_words(condition.when)}{_or_missing(condition)}"
        if condition.than is not None:
            other = f"{self.column(condition.than)}{_plus(condition)}"
            return f"{name} {TESTS[condition.op or ''].format(other)}{_or_missing(condition)}"
        if condition.field in MASKED and condition.value is not None:
            return f"{name} {TESTS[condition.op or ''].format('(not shown)')}{_or_missing(condition)}"
        case = " (small and capital letters alike)" if condition.ignore_case else ""
        return f"{name} {_test(condition.op or '', condition.value)}{case}{_or_missing(condition)}"

    def _of_decile(self, condition: MapCondition) -> str:
        months = condition.lookback_months
        over = condition.lookback or (f"{months} month{'' if months == 1 else 's'}" if months else LIFETIME)
        window = "over their lifetime" if over == LIFETIME else f"over {over}"
        if condition.map != BUILT_IN and condition.category != EVERYONE:
            return f"among {self.words.customers} of {condition.category} {window}"
        if condition.category == EVERYONE:
            return f"among all {self.words.customers} {window}"
        return f"among {self.words.customers} of {self.words.category} {condition.category} {window}"

    def _event(self, event: EventCondition) -> str:
        one, many = self.events_of(event.event)
        where, when = self._where(event), f" {when_in_words(event.when)}" if event.when else ""
        if event.op == "all":
            return f"with {many}{when}, all of them ones{where}"
        if event.aggregate != "count":
            measure = {"sum": "total", "min": "smallest", "max": "largest"}.get(event.aggregate, event.aggregate)
            column = self.column(event.of or "")
            return f"whose {measure} {column} of {many}{where}{when} {_test(event.op, event.value)}"
        return f"with {_number(event)} {one if event.value == 1 else many}{where}{when}"

    def events_of(self, name: str) -> tuple[str, str]:
        """One event of a dataset and several, in words: of one's own by the name of their source."""
        spoken = name.replace("_", " ")
        if name.endswith("_sessions"):
            return spoken.removesuffix("s"), spoken
        return self.events.get(name, (f"event of {spoken}", f"events of {spoken}"))

    def _where(self, event: Event) -> str:
        return "" if event.where is None else f" {self.part(event.where, top=True)}"

    def _step(self, step: Step, index: int) -> str:
        one, _ = self.events_of(step.event)
        gaps = [f"at least {step.after} later"] if step.after else []
        gaps += [f"within {step.within}"] if step.within else []
        when = f" {when_in_words(step.when)}" if step.when else ""
        article = "no" if step.absent else "an" if one[0] in "aeiou" else "a"
        timing = f" {' and '.join(gaps)}" if gaps and index else ""
        return f"{article} {one}{self._where(step)}{when}{timing}"


def _plus(condition: Condition) -> str:
    if not condition.plus:
        return ""
    if isinstance(condition.plus, str):
        return f" {'minus' if condition.days < 0 else 'plus'} {condition.plus.lstrip('-')}"
    return f" {'minus' if condition.plus < 0 else 'plus'} {_value(abs(condition.plus))}"


def _or_missing(condition: Condition | MapCondition) -> str:
    return " or is not known" if condition.or_missing else ""


def _test(op: str, value: Value | list[Value] | None) -> str:
    values = [_value(one) for one in as_list(value)]
    if op == "between":
        return TESTS[op].format(" and ".join(values))
    more = f" and {len(values) - SHOWN:,} more" if len(values) > SHOWN else ""
    return TESTS[op].format(", ".join(values[:SHOWN]) + more)


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else f"“{value}”"


def _number(event: EventCondition) -> str:
    """How many events."""
    numbers = event.numbers
    if event.op == "between":
        return f"{numbers[0]} to {numbers[1]}"
    if numbers[0] == 0 and event.op in ("equals", "at most"):
        return "no"
    texts = {"equals": "exactly", "not equals": "any number but"}
    return f"{texts.get(event.op, event.op)} {numbers[0]}"


def when_in_words(when: When) -> str:
    """A time constraint in words."""
    year = " of any year" if when.ignore_year else ""
    if when.is_:
        return f"{'in ' if 'this' in when.is_ else ''}{when.is_}{year}"
    if when.rolling:
        return f"between {' and '.join(when.rolling)}"
    return WHENS[when.form].format_map(dict(when)) + year
