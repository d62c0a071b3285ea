"""The rows of the builder: what may be asked, the fields of a condition, what a change makes of it, what it lacks."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from clv_helpers.audiences import condition_fields as fields
from clv_helpers.audiences.catalog import MASKED, Catalog
from clv_helpers.audiences.checks import problems
from clv_helpers.audiences.condition_fields import Field, Raw, field, without, words_of
from clv_helpers.audiences.rule import Audience
from clv_helpers.audiences.sentence import column_in_words, events_in_words
from clv_helpers.charts.show import upper_first
from clv_helpers.conditions.condition import MEASURES
from clv_helpers.config.deciles import BUILT_IN, EVERYONE
from clv_helpers.config.settings import Words
from clv_helpers.config.validation import ParamsError, Problem, validate
from clv_helpers.errors import UserError

MONTHS = [[str(months), f"{months} month{'s' * (months > 1)}"] for months in (12, 9, 6, 3, 1)]
LOOKBACKS = [*MONTHS, ["0", "lifetime"]]
TOTALS = {"sum": "total", "average": "average", "min": "smallest", "max": "largest"}
COUNTED = [[op, op] for op in ("at least", *(measure for measure in MEASURES if measure != "at least"))]
PLACED = [[op, words_of(op)] for op in (*MEASURES, "exists", "missing")]
TIMES = [[choice, choice] for choice in (fields.ANY_TIME, *fields.TIMES)]
NO = "no "  # before the kind of a block: who does not
NEXT = "Now choose what comes next."
LONG = 160  # letters of what is allowed; a list of all columns helps nobody


class Rows:
    """The conditions of one workbook. `values`: by the dataset of events (or none) and a column, those to offer.

    `categories`: of each map, `titles`: of the audiences, by name.
    """

    def __init__(
        self,
        catalog: Catalog,
        words: Words,
        *,
        values: Callable[[str, str], list[str]],
        categories: dict[str, list[str]],
        titles: dict[str, str],
    ):
        self.catalog, self.words, self.values = catalog, words, values
        self.categories, self.titles = categories, titles

    # what may be asked

    def blocks(self) -> list[dict[str, str]]:
        """What a condition may ask about: `id`, title, what it means; events and audiences also as what is not."""
        found = []
        for name in self.catalog.events:
            many = self._events(name)
            found.append(_block("event", name, many, "events"))
            found.append(_block(f"{NO}event", name, f"no {many}", "none of these events"))
            found.append(_block("sequence", name, f"{many}, then …", "one event after another"))
        for name, title in self.titles.items():
            found.append(_block("audience", name, f"in “{title}”", "audience"))
            found.append(_block(f"{NO}audience", name, f"not in “{title}”", "audience"))
        for name in (BUILT_IN, *self.catalog.maps):
            found.append(_block("map", name, self._map_title(name), "place among all, or within a group"))
        names = sorted(self.catalog.profile, key=lambda name: name in MASKED)
        return found + [_block("field", name, self.title(name), self.catalog.profile[name].about) for name in names]

    def title(self, column: str) -> str:
        """A column as people read it."""
        return upper_first(column_in_words(column, self.words))

    def _events(self, name: str) -> str:
        return events_in_words(name, self.words)[1]

    def _map_title(self, name: str) -> str:
        return f"Decile within a {self.words.category}" if name == BUILT_IN else f"Place in {name.replace('_', ' ')}"

    def name(self, part: Raw, is_out: bool = False) -> str:
        """What a condition asks about, as it is offered; `is_out`: who does not meet it."""
        kind = next(key for key in ("event", "sequence", "audience", "map", "field") if key in part)
        if kind == "sequence":
            steps = ", then ".join(self._events(step["event"]) if step["event"] else "?" for step in part["sequence"])
            return f"Not {steps}" if is_out else upper_first(steps)
        of = part[kind]
        titles = {each["id"]: each["title"] for each in self.blocks()}
        plain = titles.get(f"{kind}:{of}", str(of))
        return titles.get(f"{NO}{kind}:{of}", f"not {plain}") if is_out else plain

    def new(self, block: str) -> Raw:
        """A condition on what was chosen, as it begins. Raises UserError for what there is not."""
        kind, _, name = block.partition(":")
        if block not in {each["id"] for each in self.blocks()}:
            raise UserError(f"“{block}” cannot be asked about: choose from the list.")
        if kind.startswith(NO):
            return {"not": self.new(block.removeprefix(NO))}
        match kind:
            case "sequence":  # of two at once: the second waits
                return {"sequence": [{"event": name}, {"event": ""}]}
            case "map":
                over = {"lookback_months": 12} if name == BUILT_IN else {"lookback": self.catalog.maps[name][0]}
                return {"map": name, "category": self._categories(name)[0], **over, "op": "at most", "value": ""}
            case "field":
                return fields.new_condition(self.catalog.profile[name])
        return {kind: name}

    def _categories(self, name: str) -> list[str]:
        return sorted(self.categories.get(name, [EVERYONE]), key=lambda category: category != EVERYONE)

    # the fields of a condition

    def form(self, part: Raw) -> dict[str, Any]:
        """The fields of a condition, and the forms within it: the steps of a sequence, what is asked of events."""
        if "event" in part:
            return self._event_form(part)
        if "sequence" in part:
            return self._sequence_form(part["sequence"])
        if "audience" in part:
            shown = self.titles.get(part["audience"], part["audience"])
            return {"fields": [field("block", "block", "Audience", shown)], "forms": []}
        if "map" in part:
            return {"fields": self._map_fields(part), "forms": []}
        shown = self.title(part["field"])
        asked = fields.condition_fields(part, self.catalog.profile, self.title, lambda name: self.values("", name))
        return {"fields": [field("block", "block", "Attribute", shown), *asked], "forms": []}

    def _map_fields(self, part: Raw) -> list[Field]:
        name = part["map"]
        key = "lookback_months" if name == BUILT_IN else "lookback"
        lookbacks = LOOKBACKS if name == BUILT_IN else [[each, each] for each in self.catalog.maps.get(name, [])]
        categories = [[each, "everyone" if each == EVERYONE else each] for each in self._categories(name)]
        return [
            field("block", "block", "Ranking", self._map_title(name)),
            field("category", "choice", "among", part.get("category", EVERYONE), options=categories),
            field(key, "choice", "over", str(part.get(key, 0 if name == BUILT_IN else "")), options=lookbacks),
            field("op", "choice", "Comparison", part["op"], options=PLACED),
            *fields.value_fields(part, "integer", lambda _: []),
            field("or_missing", "check", "or has no such place", part.get("or_missing", False), more=True),
        ]

    def _event_form(self, part: Raw) -> dict[str, Any]:
        counted = {"op": "at least", "value": 1} | part
        way, of = part.get("aggregate", "count"), part.get("of")
        measure = "all" if counted["op"] == "all" else "count" if way == "count" else f"{way}:{of}"
        is_plain = measure == "count" and (counted["op"], counted["value"]) == ("at least", 1)
        asked = [field("block", "block", "Events", upper_first(self._events(part["event"]))), *self._when(part)]
        asked.append(field("measure", "choice", "Measure", measure, options=self._measures(part), more=is_plain))
        if measure != "all":
            asked.append(field("op", "choice", "Comparison", counted["op"], options=COUNTED, more=is_plain))
            asked += [one | {"more": is_plain} for one in fields.value_fields(counted, "number", lambda _: [])]
        return {"fields": asked, "forms": self._filters(part), "add": self._add_filter(part)}

    def _measures(self, part: Raw) -> list[list[str]]:
        columns = self.catalog.events.get(part["event"], {})
        numbers = [name for name, column in columns.items() if column.is_number]
        totals = [[f"{way}:{name}", f"{text} {self.title(name)}"] for name in numbers for way, text in TOTALS.items()]
        return [["count", "how many"], ["all", "all of them are such"], *totals]

    def _when(self, part: Raw) -> list[Field]:
        time = field("when", "choice", "Time", fields.time_of(part.get("when")), options=TIMES)
        return [time, *fields.time_fields(part.get("when"))]

    def _sequence_form(self, steps: list[Raw]) -> dict[str, Any]:
        forms = [self._step_form(step, index) for index, step in enumerate(steps)]
        if len(forms) > 2:
            forms = [form | {"remove": f"sequence.{index}.remove"} for index, form in enumerate(forms)]
        return {"fields": [], "forms": forms, "add": {"key": "sequence.add", "label": "+ then …"}}

    def _step_form(self, step: Raw, index: int) -> dict[str, Any]:
        options = [["", "choose …"], *([name, self._events(name)] for name in self.catalog.events)]
        asked = [field("event", "choice", "Next" if index else "First", step["event"], options=options)]
        if index:
            ways = [["then", "then"], ["no", "then no"]]
            asked.insert(
                0, field("absent", "choice", "Whether it comes", "no" if step.get("absent") else "then", options=ways)
            )
        if not step["event"]:
            return {"key": f"sequence.{index}.", "fields": asked, "forms": []}
        if index:
            asked.append(field("within", "duration", "within", step.get("within", " days")))
            asked.append(field("after", "duration", "at least", step.get("after", " days"), more="after" not in step))
        asked += [one | {"more": "when" not in step} for one in self._when(step)]
        forms = [form | {"remove": f"sequence.{index}.{form['remove']}"} for form in self._filters(step)]
        return {"key": f"sequence.{index}.", "fields": asked, "forms": forms, "add": self._add_filter(step)}

    def _filters(self, part: Raw) -> list[dict[str, Any]]:
        """A form for each condition on the event's own columns; none where they are nested, and stay as YAML."""
        columns, found = self.catalog.events.get(part["event"], {}), []
        for index, condition in enumerate(filters_of(part) or []):
            asked = fields.condition_fields(
                condition, columns, self.title, lambda name: self.values(part["event"], name)
            )
            label, key = self.title(condition["field"]), f"where.{index}."
            label = f"whose {label[0].lower()}{label[1:]}"
            found.append({"key": key, "label": label, "fields": asked, "forms": [], "remove": f"{key}remove"})
        return found

    def _add_filter(self, part: Raw) -> dict[str, Any] | None:
        if filters_of(part) is None:
            return None
        columns = sorted(self.catalog.events.get(part["event"], {}), key=lambda name: name.endswith("_id"))
        options = [[name, self.title(name)] for name in columns if name not in MASKED]
        return {"key": "where.add", "label": "+ whose …", "options": options}

    # what a change makes of it

    def changed(self, part: Raw, key: str, value: Any) -> Raw:
        """The condition once one of its fields has another value."""
        first, _, rest = key.partition(".")
        if key == "block":
            return self.new(value)
        if first == "sequence":
            return {"sequence": self._changed_steps(part["sequence"], rest, value)}
        if "event" in part:
            return self._changed_event(part, key, value)
        if "map" in part:
            return _changed_map(part, key, value)
        return fields.changed(part, key, value, self.catalog.profile)

    def _changed_steps(self, steps: list[Raw], key: str, value: Any) -> list[Raw]:
        if key == "add":
            return [*steps, {"event": ""}]
        place, _, rest = key.partition(".")
        index = int(place)
        if rest == "remove":
            left = [*steps[:index], *steps[index + 1 :]]
            return [without(left[0], "absent", "after", "within"), *left[1:]]
        return [*steps[:index], self._changed_step(steps[index], rest, value), *steps[index + 1 :]]

    def _changed_step(self, step: Raw, key: str, value: Any) -> Raw:
        if key in ("within", "after"):
            return without(step, key) | ({key: value} if value[:1].isdigit() else {})
        if key == "absent":
            return fields.put(step, key, value == "no")
        return self._changed_event(step, key, value)

    def _changed_event(self, part: Raw, key: str, value: Any) -> Raw:
        first, _, rest = key.partition(".")
        if key == "event":  # whose columns are others
            return part if value == part["event"] else without(part, "where") | {"event": value}
        if first == "where":
            return self._changed_where(part, rest, value)
        if key == "when":
            begun = {} if value == fields.ANY_TIME else {"when": copy.deepcopy(fields.TIMES[value])}
            return without(part, "when") | begun
        return fields.put(part, key, value) if first == "when" else _plain(_measured(part, key, value))

    def _changed_where(self, part: Raw, key: str, value: Any) -> Raw:
        columns, asked = self.catalog.events[part["event"]], list(filters_of(part) or [])
        place, _, rest = key.partition(".")
        if place == "add":
            asked.append(fields.new_condition(columns[value]))
        elif rest == "remove":
            del asked[int(place)]
        else:
            asked[int(place)] = fields.changed(asked[int(place)], rest, value, columns)
        return without(part, "where") | ({"where": {"all": asked}} if asked else {})

    # what it lacks

    def lacking(self, part: Raw) -> str:
        """What a condition still lacks or has wrong, in a sentence without a place; empty where it can be counted."""
        if said := self._unfinished(part):
            return said
        try:
            audience = validate(Audience, {"title": "x", "rule": {"all": [part]}}, "")
        except ParamsError as error:
            return human(error.problems[0])
        return next((human(problem) for problem in problems(audience, self.catalog)), "")

    def _unfinished(self, part: Raw) -> str:
        if "audience" in part:
            known = part["audience"] in self.titles
            return "" if known else f"There is no audience {part['audience']}: choose another."
        steps = part.get("sequence", [part] if "event" in part else [])
        if any(not step.get("event") for step in steps):
            return NEXT
        for step in steps:
            asked = [fields.lacking_time(step.get("when")), *map(fields.lacking, filters_of(step) or [])]
            if said := next(filter(None, asked), ""):
                return said
        return fields.lacking(part) if "op" in part or "field" in part else ""


def _block(kind: str, name: str, title: str, about: str) -> dict[str, str]:
    return {"id": f"{kind}:{name}", "title": upper_first(title), "about": about}


def _changed_map(part: Raw, key: str, value: Any) -> Raw:
    if key == "op":
        return fields.with_op(part, value)
    if key == "lookback_months" or key.startswith("value"):
        value = fields.typed(value, "integer")
    return fields.put(part, key, value)


def _measured(part: Raw, key: str, value: Any) -> Raw:
    """The event once another figure of it is compared, or otherwise."""
    counted = {"op": "at least", "value": 1} | part
    if key == "op":
        return fields.with_op(counted, value)
    if key != "measure":
        return fields.put(counted, key, fields.typed(value, "number"))
    way, _, of = value.partition(":")
    begun: Raw = {} if way == "count" else {"aggregate": way, "of": of, "op": "at least", "value": ""}
    return without(part, "aggregate", "of", "op", "value") | ({"op": "all"} if way == "all" else begun)


def _plain(part: Raw) -> Raw:
    """At least one event is what an event asks by itself, so it is not written."""
    is_one = (part.get("op"), part.get("value")) == ("at least", 1) and "aggregate" not in part
    return without(part, "op", "value") if is_one else part


def filters_of(part: Raw) -> list[Raw] | None:
    """The conditions on the event's own columns; None where they are nested."""
    where = part.get("where") or []
    listed = where if isinstance(where, list) else where.get("all", [where])
    return listed if all("field" in condition for condition in listed) else None


def human(problem: Problem) -> str:
    """A problem without its place in the file."""
    value = upper_first(re.sub(r"^'(.*?)'", r"“\1”", problem.value))
    if not problem.allowed or len(problem.allowed) > LONG:
        return f"{value} does not go here."
    said = problem.allowed if problem.allowed.startswith("did you mean") else f"allowed: {problem.allowed}"
    return f"{value} does not go here; {said.rstrip('.')}."
